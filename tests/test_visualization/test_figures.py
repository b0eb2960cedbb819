"""What the figures show is what was recorded, on scales that can be read."""

import numpy as np
import pytest
import torch
from matplotlib.collections import PolyCollection
from mmengine.dataset import Compose
from stock_config import SIZE, T

from mmtemporal.visualization.clip import collect, look_at
from mmtemporal.visualization.figures import draw_figures
from mmtemporal.visualization.style import align, around, from_zero


@pytest.fixture
def draw(networks):
    """Draw the figures of a network; return them and its clips."""

    def run(name, **options):
        clips = networks(name).clips
        return draw_figures(clips, **options), clips

    return run


def images(figure):
    """Return the pictures in a figure, without those of the scales."""
    axes = [axis for axis in figure.axes if axis.get_label() != '<colorbar>']
    return [image for axis in axes for image in axis.images]


def assert_shows(shown, expected):
    for image, value in zip(shown, expected):
        np.testing.assert_allclose(image.get_array(), value)
    assert len(shown) == len(expected)


def assert_centred(shown, neutral):
    """Assert one scale for all, with the neutral value in its middle."""
    norms = {(image.norm.vmin, image.norm.vmax) for image in shown}
    ((low, high),) = norms
    assert neutral - low == pytest.approx(high - neutral)
    for image in shown:
        assert low - 1e-6 <= image.get_array().min()
        assert image.get_array().max() <= high + 1e-6


# -------------------------------------------------------------------------- clips


# How the frames (t, 3, h, w) are in the inputs; of TDN's windows the middle.
FRAMES = {
    'TANet': lambda inputs: inputs,
    'TDN': lambda inputs: inputs[:, :, 2],
    'TAda2D': lambda inputs: inputs[0].transpose(0, 1),
}


@pytest.mark.parametrize('name', FRAMES)
def test_frames_are_those_that_the_network_saw(name, networks, videos):
    network = networks(name)
    sample = dict(filename=str(videos[0]), label=-1, start_index=0, modality='RGB')
    inputs = Compose(network.model.cfg.test_pipeline)(sample)['inputs']
    clip = network.clips[0]
    assert torch.equal(clip.frames, FRAMES[name](inputs).permute(0, 2, 3, 1))
    assert clip.frames.shape == (T, SIZE, SIZE, 3)
    assert clip.views == 1


def test_windows_as_single_frames(networks, videos, monkeypatch):
    model = networks('TDN').model
    *steps, shape, pack = model.cfg.test_pipeline
    frames = dict(shape, input_format='NCHW')
    monkeypatch.setitem(model.cfg, 'test_pipeline', [*steps, frames, pack])
    # What the preprocessor of such a config has.
    for name in ('mean', 'std'):
        buffers = model.data_preprocessor._buffers
        monkeypatch.setitem(buffers, name, buffers[name][..., 0])
    clip = look_at(model, videos[0])
    assert torch.equal(clip.frames, networks('TDN').clips[0].frames)


def test_title_has_the_recognised_class(networks, videos):
    model = networks('TIN').model
    names = [f'name {i}' for i in range(8)]
    clip = look_at(model, videos[0], names)
    with torch.no_grad():
        (result,) = model.test_step(clip.data)
    assert clip.title == f'000000: name {int(result.pred_label)}'
    number = networks('TIN').clips[0].title
    assert number == f'000000: class {int(result.pred_label)}'


# ------------------------------------------------------------------------ figures


def test_tam(draw):
    figures, clips = draw('TANet')
    kernels = collect(clips, 'kernel', stages=2)
    assert [*kernels] == ['layer3.1', 'layer4.1']
    axes = figures['kernels'].axes
    for axis, kernel in zip(axes, [k for row in kernels.values() for k in row]):
        bodies = [c for c in axis.collections if isinstance(c, PolyCollection)]
        for body, weights in zip(bodies, kernel):
            heights = body.get_paths()[0].vertices[:, 1]
            assert heights.min() == pytest.approx(weights.min())
            assert heights.max() == pytest.approx(weights.max())
        assert len(bodies) == 3
    assert [axis.get_title() for axis in axes[:2]] == [clip.title for clip in clips]
    strip = [image.get_array() for image in figures['importance'].axes[0].images]
    assert np.array_equal(strip, clips[0].frames)
    # All channels are in the histograms.
    bars = figures['kernel_histograms'].axes[1].patches
    assert sum(bar.get_height() for bar in bars) == kernels['layer3.1'][0].shape[1]


def test_tin(draw):
    figures, clips = draw('TIN')
    offsets = np.array([*collect(clips, 'offset').values()]).mean(1)
    left = figures['interlacing'].axes[0]
    lines = [line for line in left.lines if line.get_label().startswith('group')]
    assert len(lines) == 2
    for line, offset in zip(lines, offsets.T):
        np.testing.assert_allclose(line.get_xdata(), offset)
    weights = np.array([*collect(clips, 'weight').values()]).mean((1, 2))
    shown = images(figures['interlacing'])
    assert_shows(shown, [weights])
    assert_centred(shown, 1)
    # Groups of channels, as means over the clips, a layer a column.
    matrices = collect(clips, 'matrix', stages=4)
    means = [np.mean(values, 0) for values in matrices.values()]
    expected = [mean[group] for group in range(4) for mean in means]
    assert_shows(images(figures['mixing']), expected)


def test_tdn(draw):
    figures, clips = draw('TDN')
    gates = collect(clips, 'gate')
    expected = [[gate[i].mean(1) for gate in gates.values()] for i in range(2)]
    assert_shows(images(figures['gates']), expected)
    assert_centred(images(figures['gates']), 1)
    # For each clip: frames, differences, and the gates of three layers.
    shown = images(figures['differences'])
    assert len(shown) == 2 * 5 * T
    ((first, _),) = collect(clips, 'difference').values()
    assert_shows(shown[T : 2 * T], np.abs(first).mean((1, 2)))
    maps = [values[0] for values in collect(clips, 'gate_map', stages=3).values()]
    assert_shows(shown[2 * T : 5 * T], [frame for gate in maps for frame in gate])
    assert_centred(
        [i for n in (0, 1) for i in shown[(5 * n + 2) * T : 5 * (n + 1) * T]], 1
    )
    # The learnt shift is the same for all clips.
    assert 'every clip' in figures['mixing'].axes[0].get_ylabel()


# Around what the calibrations are.
CENTRES = {'TAda2D': 1, 'TAdaConvNeXtV2': 1, 'TAdaFormer': 0}


@pytest.mark.parametrize('name', CENTRES)
def test_tada(draw, name):
    figures, clips = draw(name)
    centre = CENTRES[name]
    found = collect(clips, 'calibration')
    title = figures['calibrations'].get_suptitle()
    assert ('(1: the plain kernel)' in title) == bool(centre)
    assert ('(around 0, of either sign)' in title) != bool(centre)
    shown = images(figures['calibrations'])
    for measure, row in ((np.mean, shown[:2]), (np.std, shown[2:])):
        expected = [[measure(v[i], 1) for v in found.values()] for i in range(2)]
        assert_shows(row, expected)
    assert_centred(shown[:2], centre)
    assert {image.norm.vmin for image in shown[2:]} == {0}
    # The same channels of both clips, with rising means.
    channels = images(figures['channels'])
    both = np.hstack([image.get_array() for image in channels[-2:]])
    assert 64 <= len(both) <= 128 and (np.diff(both.mean(1)) >= -1e-6).all()
    known = np.hstack([value.T for value in [*found.values()][-1]])
    assert {tuple(row) for row in both} <= {tuple(row) for row in known}
    norm = channels[0].norm
    assert centre - norm.vmin == pytest.approx(norm.vmax - centre)


def test_chosen_layers(draw):
    figures, _ = draw('TAda2D', layers=['layer2.1', 'layer4.0'])
    titles = [axis.get_title() for axis in figures['mixing'].axes]
    assert titles[:2] == ['layer2.1', 'layer4.0']
    assert len(images(figures['channels'])) == 4
    with pytest.raises(ValueError, match='no layer layer5 can be drawn, there are'):
        draw('TAda2D', layers=['layer2.1', 'layer5'])


def test_layers_that_see_fewer_frames_are_stretched():
    rows = [np.arange(8), np.arange(4), np.array([5])]
    expected = [[*range(8)], [0, 0, 1, 1, 2, 2, 3, 3], [5] * 8]
    assert np.array_equal(align(rows), expected)


def test_scales_of_constant_values():
    assert from_zero([np.zeros(3)]).vmin == 0 < from_zero([np.zeros(3)]).vmax
    assert around(1, [np.ones(3)])(1) == pytest.approx(0.5)
