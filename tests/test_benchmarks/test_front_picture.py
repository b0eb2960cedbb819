"""The picture of the home page shows what it says, whatever the weights are."""

from pathlib import Path

import pytest
from mmaction.apis import init_recognizer
from parity import CONFIGS

from mmtemporal.datasets import make_motion_clips

METHODS = ('tsn', 'tanet')


@pytest.fixture
def figure(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(CONFIGS.parent / 'benchmarks')
    from front_picture import draw

    configs = [
        (CONFIGS / 'recognition' / name).glob('*_motionclips*') for name in METHODS
    ]
    models = [init_recognizer(str(path), device='cpu') for (path,) in configs]
    data = Path(make_motion_clips(tmp_path / 'clips', 8, 8))
    return draw(*models, [data / 'val' / f'{number:06}.mp4' for number in (0, 1)])


def test_tsn_scores_a_clip_as_its_reversal(figure):
    by_title = {axis.get_title(): axis for axis in figure.axes}
    first = figure.axes.index(by_title['TSN: scores'])
    of_clip, of_reversal = (
        [bar.get_width() for bar in figure.axes[first + row].patches] for row in (0, 4)
    )
    assert len(of_clip) == 2
    assert of_reversal == pytest.approx(of_clip, abs=1e-5)


def test_every_panel_is_drawn(figure):
    assert [len(axis.images) for axis in figure.axes[:8]] == [8, 0, 1, 0] * 2
    assert [len(axis.patches) for axis in figure.axes[:8]] == [0, 2, 0, 2] * 2
