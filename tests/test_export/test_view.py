"""What an exported file says about its input, read from the configs."""

from dataclasses import asdict
from pathlib import Path

import mmaction
import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmengine import Config
from network_names import RESNETS
from parity import CONFIGS
from stock_config import shipped_config

from mmtemporal.export import change_frames, change_size, view_of

ZOO = Path(mmaction.__file__).parent / '.mim/configs/recognition'


def shipped(pattern):
    return sorted(CONFIGS.glob(f'recognition/{pattern}'))[0]


# Config -> frames of a view, views and what becomes of the frames.
WHOLE = {'three_crops': [256, 256]}
VIEWS = {
    'tanet/tanet*r50*1x1x8*sthv1*': (8, 1, {'center_crop': [224, 224]}),
    'tanet/tanet*r50*dense-1x1x8*kinetics400*': (8, 30, WHOLE),
    'tdn/tdn*r50*5x1x8*sthv1*': (40, 1, {'center_crop': [224, 224]}),
    'tada2d/tada2d*u8*sthv2*': (8, 6, WHOLE),
    'tada2d/tada2d*8x8x1*kinetics400*': (8, 30, WHOLE),
    'temporal_adapter/tam*slowfast4x16*': (32, 30, WHOLE),
}


@pytest.mark.parametrize('pattern', VIEWS)
def test_views(pattern):
    cfg = Config.fromfile(shipped(pattern))
    view = view_of(cfg)
    assert (view.frames, view.views, view.steps[-1]) == VIEWS[pattern]
    assert view.steps[0] == {'fit': [None, 256]}
    assert view.mean == cfg.model.data_preprocessor.mean
    assert view_of(cfg, normalise=True).mean is None


def refusals_of(files):
    refused = {}
    for file in files:
        try:
            assert view_of(Config.fromfile(file)).views >= 1
        except ValueError as error:
            refused[file.stem] = str(error)
    return refused


@pytest.mark.slow
def test_stock_configs():
    """All of the zoo but other modalities and configs that are not for testing."""
    files = sorted(ZOO.rglob('*.py'))
    reasons = refusals_of(files).values()
    known = ('=RecognizerOmni is no', "modality='Flow'", 'no test_pipeline')
    assert all(any(k in reason for k in known) for reason in reasons)
    assert len(reasons) < 0.1 * len(files)


@pytest.mark.slow
def test_shipped_configs():
    """All but those of TDN for Kinetics, which the authors test at random."""
    refused = refusals_of(sorted((CONFIGS / 'recognition').rglob('*.py')))
    assert all(name.startswith('tdn_') and 'kinetics400' in name for name in refused)
    assert all('expected random_views=False' in text for text in refused.values())


@pytest.mark.parametrize('name', RESNETS)
@pytest.mark.parametrize('num_frames', (5, 8, 13, 20, 47, 300))
def test_example_takes_the_frames_of_testing(name, num_frames, example):
    cfg = Config.fromfile(shipped_config(name))
    (step,) = (s for s in cfg.test_pipeline if 'clip_len' in s)
    results = dict(total_frames=num_frames, start_index=0, avg_fps=30)
    expected = TRANSFORMS.build(step)(results)['frame_inds']
    indices = example.find_frames(asdict(view_of(cfg)), num_frames, fps=30)
    assert indices.tolist() == expected.tolist()


def test_example_follows_the_frame_rate(example):
    cfg = Config.fromfile(shipped('tada2d/*8x8x1*kinetics400*'))
    view = asdict(view_of(cfg))
    for num_frames, fps, span in ((300, 30, 63), (150, 15, 31)):
        first = example.find_frames(view, num_frames, fps)[: view['frames']]
        assert np.ptp(first) == span


@pytest.mark.parametrize(
    ('pattern', 'frames'),
    [
        ('tanet/tanet*r50*1x1x8*sthv1*', 16),
        ('tdn/tdn*r50*5x1x8*sthv1*', 80),
        ('tada2d/tada2d*u8*sthv2*', 16),
        ('tadaconvnext/tadaconvnext_*sthv2*', 16),
    ],
)
def test_other_frames_and_size(pattern, frames):
    cfg = Config.fromfile(shipped(pattern))
    cfg.merge_from_dict(change_frames(cfg, 16))
    cfg.merge_from_dict(change_size(cfg, 112))
    view = view_of(cfg)
    assert view.shape == (frames, 3, 112, 112)
    # In the proportion of 256 to 256 or 224.
    assert view.steps[0] in ({'fit': [None, 112]}, {'fit': [None, 128]})
    if pattern.startswith('tanet'):
        assert cfg.model.backbone.num_segments == 16
        assert cfg.model.cls_head.num_segments == 16


def test_localizers_are_refused():
    config = sorted((CONFIGS / 'localization/bmn').glob('*.py'))[0]
    with pytest.raises(ValueError, match='BMN without cls_head'):
        view_of(Config.fromfile(config))
