"""MMAction2's demo programs take every family, and the readers of this package.

The wheel has none of these programs, so that their way with a pipeline stands here:
``demo/long_video_demo.py`` and ``demo/webcam_demo.py`` take out of it what reads a
file, and give frames.
"""

import re

import cv2
import numpy as np
import pytest
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.apis.inferencers import MMAction2Inferencer
from mmengine import Config, load
from mmengine.dataset import Compose
from parity import CONFIGS
from stock_config import (
    METHODS,
    NUM_CLASSES,
    SIZE,
    T,
    run_python,
    run_tool,
    shipped_config,
    small_config,
)

from mmtemporal.datasets import make_motion_clips
from mmtemporal.tools import find_tools

EXCLUDED = (
    *('OpenCVInit', 'OpenCVDecode', 'DecordInit', 'DecordDecode'),
    *('PyAVInit', 'PyAVDecode', 'RawFrameDecode'),
)


def take_apart(test_pipeline):
    """Returns what the demos leave of a pipeline, and what they know of a sample."""
    steps, data, length = test_pipeline.copy(), {}, 0
    for step in test_pipeline:
        if 'SampleFrames' in step['type']:
            length = step['clip_len'] * step['num_clips']
            data.update(num_clips=step['num_clips'], clip_len=step['clip_len'])
            steps.remove(step)
        if step['type'] in EXCLUDED:
            steps.remove(step)
    return steps, data, length


RECOGNITION = sorted(CONFIGS.glob('recognition/*/*.py'))


@pytest.mark.parametrize('path', RECOGNITION, ids=lambda path: path.stem)
def test_the_demos_find_the_sampler_of_every_config(path):
    cfg = Config.fromfile(path)
    *_, length = take_apart(cfg.test_pipeline)
    assert length > 0 and length % cfg.model.backbone.get('num_segments', 1) == 0


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'motion_clips'
    return make_motion_clips(root, num_train=8, num_val=8, size=SIZE, num_frames=8)


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


def write_frames(folder):
    """Writes a video as a folder of images, named as MMAction2 expects."""
    folder.mkdir()
    for i in range(1, 2 * T + 1):
        image = np.full((SIZE, SIZE, 3), 10 * i, np.uint8)
        cv2.imwrite(str(folder / f'img_{i:05}.jpg'), image)
    return str(folder)


@pytest.mark.parametrize(
    'init', ['DecordInit', 'mmtemporal.StrictDecordInit', 'mmtemporal.StrictPyAVInit']
)
def test_frames_without_a_file(name, init, data_root):
    cfg = small_config(name, data_root)
    cfg.test_pipeline[0].type = init
    model = init_recognizer(cfg, device='cpu')
    steps, data, length = take_apart(cfg.test_pipeline)
    steps.insert(1, dict(type='ArrayDecode'))
    frames = list(np.random.default_rng(0).integers(255, size=(length, SIZE, SIZE, 3)))
    data.update(
        array=[frame.astype(np.uint8) for frame in frames],
        frame_inds=np.arange(length),
        img_shape=(SIZE, SIZE),
        modality='RGB',
        label=-1,
    )
    result = inference_recognizer(model, data, test_pipeline=Compose(steps))
    assert result.pred_score.shape == (NUM_CLASSES,)


@pytest.mark.parametrize('init', ['DecordInit', 'mmtemporal.StrictDecordInit'])
def test_the_inferencer_with_a_folder_of_frames(name, init, data_root, tmp_path):
    cfg = small_config(name, data_root)
    cfg.test_dataloader.dataset.pipeline[0].type = init
    cfg.dump(tmp_path / 'config.py')
    frames = write_frames(tmp_path / 'frames')
    inferencer = MMAction2Inferencer(
        str(tmp_path / 'config.py'), device='cpu', input_format='rawframes'
    )
    (prediction,) = inferencer(frames)['predictions']
    assert len(prediction['rec_scores'][0]) == NUM_CLASSES


def test_a_file_that_is_missing_is_no_frame(data_root):
    cfg = small_config('TANet', data_root)
    cfg.test_pipeline[0].type = 'mmtemporal.StrictDecordInit'
    with pytest.raises(KeyError, match='filename'):
        Compose(cfg.test_pipeline)(dict(modality='RGB', label=-1, start_index=0))


# ------------------------------------------------------------- features of long videos


UNTRIMMED = dict(
    type='UntrimmedSampleFrames', clip_len=T, clip_interval=4, frame_interval=1
)
# What the page on questions says to write, None where the shipped config works.
LONG = dict.fromkeys(METHODS, [UNTRIMMED])
LONG.update(TANet=None, TIN=None)
LONG['TDN'] = [UNTRIMMED, dict(type='mmtemporal.FramesToWindows')]


@pytest.mark.slow
def test_features_of_long_videos(name, data_root, tmp_path):
    cfg = small_config(name, data_root)
    if LONG[name]:
        cfg.test_dataloader.dataset.pipeline[1:2] = LONG[name]
    cfg.dump(tmp_path / 'config.py')
    cfg = Config.fromfile(tmp_path / 'config.py')
    model = init_recognizer(cfg, device='cpu')
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    run_tool(
        *('clip_feature_extraction', tmp_path / 'config.py', tmp_path / 'model.pth'),
        *(tmp_path / 'features', '--long-video-mode'),
        *('--clip-interval', 4, '--frame-interval', 1),
    )
    files = list((tmp_path / 'features').rglob('*.pkl'))
    assert len(files) == 8
    # A clip for each 4 of the 8 frames.
    assert all(len(load(file)) == 2 for file in files)


@pytest.mark.parametrize('name', ['TDN', 'TAda2D', 'TAdaConvNeXtV2', 'TAdaFormer'])
def test_long_videos_need_a_sampler_that_the_tool_knows(name):
    done = run_tool(
        *('clip_feature_extraction', shipped_config(name), 'x.pth', 'features'),
        '--long-video-mode',
        check=False,
    )
    assert done.returncode == 2
    assert re.search(r'samples by mmtemporal\.\w+SampleFrames', done.stderr)
    assert 'UntrimmedSampleFrames' in done.stderr and 'Traceback' not in done.stderr


# ------------------------------------------------------------- tools run plainly


@pytest.mark.slow
def test_the_confusion_matrix_needs_the_launcher():
    """As the FAQ says: it imports the models ahead of the config."""
    tool = find_tools()['analysis_tools/confusion_matrix']
    plain = run_python(tool, shipped_config('TANet'), 'missing.pth', check=False)
    ours = run_tool(
        'confusion_matrix', shipped_config('TANet'), 'missing.pth', check=False
    )
    assert 'ModuleNotFoundError' in plain.stderr
    assert 'ModuleNotFoundError' not in ours.stderr
    assert 'python -m mmtemporal.tools confusion_matrix' in (
        (CONFIGS.parent / 'docs/faq.md').read_text()
    )
