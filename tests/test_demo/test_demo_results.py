"""What the demo shows of a video, for every network."""

import threading

import numpy as np
import pytest
from mmaction.apis import init_recognizer
from mmengine import Config
from parity import CONFIGS
from PIL import Image
from small_backbones import build

from mmtemporal.datasets import make_motion_clips
from mmtemporal.demo.captions import CAPTIONS
from mmtemporal.demo.markup import show_error, show_pictures, show_scores
from mmtemporal.demo.recognition import NO_LAYERS, Viewer
from mmtemporal.networks import BASELINE_RECIPE, NETWORKS
from mmtemporal.visualization import grad_cam
from mmtemporal.visualization.figures import FIGURES

PNG = b'\x89PNG'


def read_as(file):
    return Config.fromfile(CONFIGS / '_base_/datasets' / file).test_pipeline


def make_viewer(name, steps=None, **options):
    """Returns a viewer of a small network, which reads videos as its recipe does."""
    case = NETWORKS[name]
    kind = '_windows' if case.window > 1 else '_uniform' if case.takes_clips else ''
    model = build(name)
    steps = steps or read_as(f'motion_clips{kind}.py')
    model.cfg = Config(dict(test_pipeline=steps))
    return Viewer(model, **options)


def expected(viewer, video):
    """Returns what MMAction2 computes for a video."""
    from mmaction.apis import inference_recognizer

    return inference_recognizer(viewer.model, str(video)).pred_score


# ------------------------------------------------------------------------ results


@pytest.mark.parametrize('name', NETWORKS)
def test_every_network(name, video):
    viewer = make_viewer(name, class_names=[f'name {i}' for i in range(6)])
    seen = viewer.recognise(video)
    scores = dict(seen.scores)
    for i, score in enumerate(expected(viewer, video).tolist()):
        assert scores[f'name {i}'] == pytest.approx(score, abs=1e-6)
    assert [*scores.values()] == sorted(scores.values(), reverse=True)
    assert seen.reading > 0 and seen.computing > 0
    pictures, notes = viewer.draw(seen)
    # Grad-CAM, and pictures of its own layers.
    assert 'grad_cam' in pictures and len(pictures) > 1 and not notes
    assert all(picture.startswith(PNG) for picture in pictures.values())
    assert show_pictures(pictures, notes).count('data:image/png') == len(pictures)
    top = show_scores(seen, video.name)
    assert top.count('class="mmt-bar"') == 5
    assert f'{seen.scores[0][0]}</span><span>{seen.scores[0][1]:.1%}' in top
    assert '1 more class<' in top and '000000.mp4' in top and 'Network: ' in top


def test_every_figure_has_a_caption():
    assert {*CAPTIONS} == {*FIGURES, 'grad_cam'}


def test_a_network_without_temporal_layers(video):
    cfg = Config.fromfile(CONFIGS / f'recognition/{BASELINE_RECIPE}.py')
    viewer = Viewer(init_recognizer(cfg, device='cpu'))
    seen = viewer.recognise(video)
    assert [score for _, score in seen.scores] == pytest.approx(
        expected(viewer, video).sort(descending=True).values.tolist()
    )
    pictures, notes = viewer.draw(seen)
    assert [*pictures] == ['grad_cam'] and notes == [NO_LAYERS]
    assert NO_LAYERS in show_pictures(pictures, notes)


@pytest.mark.parametrize('name', ['TANet', 'TDN', 'TAda2D'])
def test_several_views(name, video):
    steps = make_viewer(name).model.cfg.test_pipeline
    size = steps[3]['scale'][0]
    crop = dict(type='mmaction.ThreeCrop', crop_size=size)
    viewer = make_viewer(name, [*steps[:-2], crop, *steps[-2:]])
    seen = viewer.recognise(video)
    assert seen.clip.views == 3 and len(seen.clip.frames) == 8
    best = expected(viewer, video).max()
    assert seen.scores[0][1] == pytest.approx(float(best), abs=1e-6)
    assert 'of the first of 3 views' in show_scores(seen, 'a')
    assert 'grad_cam' in viewer.draw(seen)[0]


def test_views_of_a_network_without_temporal_layers(video):
    cfg = Config.fromfile(CONFIGS / f'recognition/{BASELINE_RECIPE}.py')
    crop = dict(type='ThreeCrop', crop_size=32)
    cfg.test_pipeline[-2:] = [crop, *cfg.test_pipeline[-2:]]
    seen = Viewer(init_recognizer(cfg, device='cpu')).recognise(video)
    assert seen.clip.views == 3 and len(seen.clip.frames) == 8


def test_configs_of_folders_of_frames(video):
    steps = read_as('motion_clips.py')
    frames = [dict(s) for s in steps if s['type'] != 'DecordInit']
    frames[1] = dict(type='RawFrameDecode')
    scores = [
        make_viewer('TANet', pipeline).recognise(video).scores
        for pipeline in (steps, frames)
    ]
    assert scores[0] == scores[1]


@pytest.mark.parametrize('average', ['score', None])
def test_scores_that_are_no_probabilities(average, video):
    viewer = make_viewer('TANet')
    wanted = viewer.recognise(video).scores
    viewer.model.cls_head.average_clips = average
    for (name, score), (other, same) in zip(wanted, viewer.recognise(video).scores):
        assert name == other and score == pytest.approx(same)


def test_grad_cam_looks_where_places_can_be_told(video, monkeypatch):
    for name, layer in (
        ('TANet', 'layer1'),
        ('TemporalAdapter', 'layer1'),
        ('TAdaConvNeXtV2', 'stages.0'),
        ('TAdaFormer', 'layers.3.ln_1'),
    ):
        viewer = make_viewer(name)
        data = viewer.recognise(video).clip.data
        assert grad_cam.readable_layer(viewer.model, data).endswith(f'.{layer}')
        monkeypatch.setattr(grad_cam, 'MIN_PIXELS', 1)
        assert grad_cam.readable_layer(viewer.model, data) == (
            grad_cam.default_layer(viewer.model)
        )
        monkeypatch.undo()
        assert not any(m._forward_hooks for m in viewer.model.modules())


def test_a_layer_without_feature_maps(video):
    viewer = make_viewer('TANet', cam_layer='cls_head')
    pictures, notes = viewer.draw(viewer.recognise(video))
    assert 'grad_cam' not in pictures and 'mixing' in pictures
    assert 'which cls_head does not give' in notes[0]
    with pytest.raises(ValueError, match='the model has no layer backbone.layer9'):
        make_viewer('TANet', cam_layer='backbone.layer9')


def test_one_video_at_a_time(clips):
    viewer = make_viewer('TANet')
    videos = sorted((clips / 'val').glob('*.mp4'))[:4]
    alone = [viewer.recognise(video).scores for video in videos]
    step, inside, most = viewer.model.test_step, [], []

    def watched(data):
        inside.append(1)
        most.append(len(inside))
        result = step(data)
        inside.pop()
        return result

    viewer.model.test_step = watched
    found, drawn = {}, {}

    def look(video):
        found[video] = viewer.recognise(video)
        drawn[video] = viewer.draw(found[video])[0]

    threads = [threading.Thread(target=look, args=[video]) for video in videos]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[video].scores for video in videos] == alone
    assert max(most) == 1 and len({*map(len, drawn.values())}) == 1
    records = found[videos[0]].clip.records
    assert len(records) == len(found[videos[1]].clip.records)


def test_names_are_shown_as_they_are(video):
    names = ['<b>bold</b>', 'a & b', *'cdef']
    seen = make_viewer('TANet', class_names=names).recognise(video)
    top = show_scores(seen, '<script>.mp4')
    assert '&lt;script&gt;' in top and '<script>' not in top
    assert '<b>bold' not in top
    assert '&lt;i&gt;' in show_error('<i>')


# ---------------------------------------------------------------------- bad files


def write_bad_files(video, folder):
    (folder / 'empty.mp4').touch()
    (folder / 'cut.mp4').write_bytes(video.read_bytes()[:-100])
    (folder / 'text.mp4').write_text('no video\n' * 9)
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(folder / 'picture.png')
    return {
        'empty.mp4': 'it is no video, or its header is missing or damaged',
        'cut.mp4': r'ValueError: cut.mp4 is cut off: it has \d+ bytes and announces',
        'text.mp4': 'cannot read .*text.mp4 by the test_pipeline of the config',
        'picture.png': 'picture.png cannot be read by decord',
    }


def test_bad_files(video, tmp_path):
    viewer = make_viewer('TANet')
    before = viewer.recognise(video).scores
    for name, sentence in write_bad_files(video, tmp_path).items():
        with pytest.raises(ValueError, match=sentence):
            viewer.recognise(tmp_path / name)
    assert viewer.recognise(video).scores == before


def test_short_videos(tmp_path):
    root = make_motion_clips(tmp_path / 'c', 8, 8, size=64, num_frames=8)
    for name in ('TANet', 'TDN', 'TAda2D'):  # windows and clips are longer
        seen = make_viewer(name).recognise(root / 'val/000000.mp4')
        assert len(seen.clip.frames) == 8
