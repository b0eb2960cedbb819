"""The page of the quick start: what it shows, and that a browser shows it."""

import json

import numpy as np
import pytest
from quickstart_runs import EPOCHS, STEPS, make_run

from mmtemporal.datasets import make_motion_clips
from mmtemporal.quickstart.report import CAPTIONS, write_report
from mmtemporal.quickstart.results import HEADINGS, cells
from mmtemporal.visualization.figures import FIGURES

VAL = 16


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_motion_clips(tmp_path_factory.mktemp('data') / 'clips', 8, VAL)


@pytest.fixture(scope='module')
def runs(data, tmp_path_factory):
    """A plain network, and one of each kind of figures."""
    folder = tmp_path_factory.mktemp('runs')
    skills = dict(tsn=0.5, tanet=3.0, tada2d=6.0)
    return [make_run(folder, name, data, VAL, skills[name]) for name in skills]


@pytest.fixture(scope='module')
def report(runs, data):
    rows = [run.row() for run in runs]
    path, picture = write_report(runs[0].folder.parent, runs, rows, data)
    assert picture.read_bytes().startswith(b'\x89PNG')
    return path, rows


def test_results_of_a_run(runs):
    plain = runs[0]
    row = plain.row()
    right = plain.scores.argmax(1) == plain.labels
    assert 0 < row['top1'] == right.mean() < 1
    confusion = plain.confusion()
    assert confusion.sum() == VAL and np.trace(confusion) == right.sum()
    for label, scores in zip(plain.labels, plain.scores):
        if scores.argmax() == label:
            confusion[label, label] -= 1
    assert np.trace(confusion) == 0
    # Of a pair, half of the rest would be right by chance.
    assert row['top1'] <= row['within_pair']
    assert row['seconds'] == pytest.approx(0.2)  # the median of three epochs
    losses, accuracies = plain.curves()
    assert len(losses) == EPOCHS * STEPS / 20 and losses[-1][0] == EPOCHS
    assert [epoch for epoch, _ in accuracies] == [1, 2, 3]


def test_an_epoch_that_was_repeated_counts_once(runs):
    run = runs[0]
    before = run.curves()
    log = next(run.folder.glob('*/vis_data/scalars.json'))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    again = [dict(line, loss=9) if 'loss' in line else line for line in lines[-3:]]
    resumed = run.folder / 'resumed' / 'vis_data' / 'scalars.json'
    resumed.parent.mkdir(parents=True)
    resumed.write_text(''.join(json.dumps(line) + '\n' for line in again))
    losses, accuracies = run.curves()
    resumed.unlink()
    assert [x for x, _ in losses] == [x for x, _ in before[0]]
    assert [y for _, y in losses[-2:]] == [9, 9] and losses[:-2] == before[0][:-2]
    assert accuracies == before[1]


def test_every_caption_is_of_a_figure():
    assert set(CAPTIONS) <= set(FIGURES)


@pytest.mark.slow
@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [390, 1200])
def test_the_page_shows_all_in_a_browser(report, page, problems, scheme, width):
    path, rows = report
    requests = []
    page.on('request', lambda request: requests.append(request.url))
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(dict(width=width, height=800))
    page.goto(path.as_uri())
    page.wait_for_load_state('networkidle')
    check_pictures_and_videos(page)
    assert {url for url in requests if not url.startswith('data:')} == {path.as_uri()}
    # Only parts of it scroll sideways.
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    assert problems == []

    table = page.locator('table.results')
    assert table.locator('th').all_text_contents() == [*HEADINGS]
    shown = [tr.locator('td').all_text_contents() for tr in table.locator('tr').all()]
    assert [tuple(row) for row in shown[1:]] == [cells(row) for row in rows]


def check_pictures_and_videos(page):
    """Fail if a picture is empty, or a video does not play."""
    widths = page.eval_on_selector_all('img', 'all => all.map(x => x.naturalWidth)')
    assert len(widths) >= 2 and min(widths) > 300
    videos = page.locator('video').all()
    assert len(videos) == 4
    for video in videos:
        video.scroll_into_view_if_needed()
        video.evaluate('video => video.play()')
        page.wait_for_function(
            'video => video.readyState >= 2 && video.duration > 0 '
            '&& video.currentTime > 0.1',
            arg=video.element_handle(),
            timeout=20_000,
        )
        assert video.evaluate('video => video.videoWidth') == 320


@pytest.mark.slow
def test_what_the_page_says(report, runs, page):
    path, _ = report
    page.goto(path.as_uri())
    for run, table in zip(runs, page.locator('table.confusion').all(), strict=True):
        counts = [
            [int(text or 0) for text in tr.locator('td').all_text_contents()]
            for tr in table.locator('tbody tr').all()
        ]
        assert np.array_equal(counts, run.confusion())
        assert table.locator('td.right').count() == 8
        assert table.locator('td.reversed').count() == 8
    # A bar for every clip and network, as wide as the score.
    bars = page.locator('.bar')
    assert bars.count() == 4 * len(runs)
    last = bars.nth(len(runs) - 1)
    width = last.locator('i.right').evaluate('bar => bar.style.width')
    assert float(width.rstrip('%')) == pytest.approx(100 * runs[-1].scores[0, 0], 0.01)
    sections = dict(
        zip([run.method for run in runs], page.locator('section.card').all())
    )
    assert 'No layer mixes frames' in sections['tsn'].text_content()
    for method, figures in (('tsn', 0), ('tanet', 2), ('tada2d', 2)):
        assert sections[method].locator('img').count() == figures
