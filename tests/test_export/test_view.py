"""What an exported file says about its input, read from the configs."""

import importlib.util
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmengine import Config
from parity import CONFIGS
from stock_config import shipped_config

from mmtemporal.export import change_frames, change_size, view_of

ROOT = Path(__file__).parents[2]


def load_example():
    spec = importlib.util.spec_from_file_location('e', ROOT / 'examples/onnx_video.py')
    module = importlib.util.module_from_spec(spec)
    # It needs onnxruntime when it is imported.
    spec.loader.exec_module(module)
    return module


def shipped(pattern):
    return sorted(CONFIGS.glob(f'recognition/{pattern}'))[0]


# Config -> segments, window, span and fps of a view.
SAMPLINGS = {
    'tanet/tanet*r50*1x1x8*sthv1*': (8, 1, 1, None),
    'tanet/tanet*r50*dense-1x1x8*kinetics400*': (1, 8, 57, None),
    'tdn/tdn*r50*5x1x8*sthv1*': (8, 5, 5, None),
    'tada2d/tada2d*u8*sthv2*': (8, 1, 1, None),
    'tada2d/tada2d*8x8x1*kinetics400*': (1, 8, 64, 30),
    'temporal_adapter/tam*slowfast4x16*': (1, 32, 63, None),
}


@pytest.mark.parametrize('pattern', SAMPLINGS)
def test_sampling(pattern):
    cfg = Config.fromfile(shipped(pattern))
    view = view_of(cfg)
    assert (view.segments, view.window, view.span, view.fps) == SAMPLINGS[pattern]
    assert view.short_side == 256
    assert view.mean == cfg.model.data_preprocessor.mean
    assert view_of(cfg, normalise=True).mean is None


# In videos of fewer frames TDN's sampler starts all windows at the first.
@pytest.mark.parametrize(
    ('name', 'num_frames'),
    [
        (name, n)
        for name in ('TANet', 'TIN', 'TDN', 'TAda2D')
        for n in (5, 8, 13, 20, 47, 300)
        if name != 'TDN' or n > 12
    ],
)
def test_example_takes_the_frames_of_testing(name, num_frames):
    cfg = Config.fromfile(shipped_config(name))
    (step,) = (s for s in cfg.test_pipeline if 'clip_len' in s)
    results = dict(total_frames=num_frames, start_index=0, avg_fps=30)
    expected = TRANSFORMS.build(step)(results)['frame_inds']
    view = asdict(view_of(cfg))
    indices = load_example().find_frames(view, num_frames, fps=30)
    if step['type'] == 'UniformSample':
        # It leaves the last frame out and rounds down twice.
        assert np.abs(indices - expected).max() <= 2
    else:
        assert indices.tolist() == expected.tolist()


def test_example_follows_the_frame_rate():
    view = asdict(view_of(Config.fromfile(shipped('tada2d/*8x8x1*kinetics400*'))))
    find_frames = load_example().find_frames
    thirty, fifteen = find_frames(view, 300, 30), find_frames(view, 150, 15)
    assert np.ptp(thirty) == 63
    assert np.ptp(fifteen) == 31
    assert thirty.mean() == pytest.approx(150, abs=1)
    assert fifteen.mean() == pytest.approx(75, abs=1)


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
    assert view.short_side in (112, 128)  # in the proportion of 256 to 256 or 224
    if pattern.startswith('tanet'):
        assert cfg.model.backbone.num_segments == 16
        assert cfg.model.cls_head.num_segments == 16


def test_localizers_are_refused():
    config = sorted((CONFIGS / 'localization/bmn').glob('*.py'))[0]
    with pytest.raises(ValueError, match='BMN without cls_head'):
        view_of(Config.fromfile(config))
