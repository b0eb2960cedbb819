"""The shape of one input, as a config says it."""

import pytest
import yaml
from mmengine import Config
from published import REPOSITORY, write_config

from mmtemporal.datasets.input_shape import input_shape


@pytest.fixture
def config(tmp_path):
    return write_config(tmp_path)


@pytest.mark.parametrize(
    ('changes', 'shape'),
    [
        (dict(), (1, 3, 16, 32, 32)),
        # Three views of one clip, cropped.
        (
            dict(
                test_pipeline=[
                    dict(type='SampleFrames', clip_len=8, num_clips=3),
                    dict(type='Resize', scale=(-1, 256)),
                    dict(type='ThreeCrop', crop_size=256),
                ]
            ),
            (1, 3, 8, 256, 256),
        ),
        # Frames of a wide picture.
        (
            {
                'model.type': 'Recognizer2D',
                'model.data_preprocessor.format_shape': 'NCHW',
                'test_pipeline': [
                    dict(type='SampleFrames', clip_len=1, num_clips=8),
                    dict(type='Resize', scale=(64, 48), keep_ratio=False),
                    dict(type='CenterCrop', crop_size=(60, 40)),
                ],
            },
            (8, 3, 40, 60),
        ),
        # Windows of frames, as TDN takes them.
        (
            {
                'model.type': 'Recognizer2D',
                'test_pipeline': [
                    dict(type='mmtemporal.SampleWindows', clip_len=5, num_clips=8),
                    dict(type='Resize', scale=(64, 48), keep_ratio=False),
                ],
            },
            (8, 3, 5, 48, 64),
        ),
        (
            dict(model=dict(_delete_=True, type='BMN', feat_dim=8, temporal_dim=9)),
            (8, 9),
        ),
    ],
)
def test_input_shape(config, changes, shape):
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(changes)
    assert input_shape(cfg) == shape


@pytest.mark.slow
def test_every_recipe_has_an_input():
    for metafile in (REPOSITORY / 'configs/recognition').rglob('metafile.yml'):
        for entry in yaml.safe_load(metafile.read_text())['Models']:
            cfg = Config.fromfile(REPOSITORY / entry['Config'])
            *frames, height, width = input_shape(cfg)
            assert f'{height}x{width}' == entry['Metadata']['Resolution']
            assert cfg.model.backbone.get('num_segments', 8) in frames


def test_input_without_a_size(config):
    cfg = Config.fromfile(config)
    cfg.test_pipeline = [dict(type='SampleFrames', clip_len=8)]
    with pytest.raises(ValueError, match='test_pipeline of the config needs'):
        input_shape(cfg)
