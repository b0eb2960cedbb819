"""The example for streams, which does not import the package."""

import importlib
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from drawn_pipelines import SAME, SAMPLERS, make_config
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from mmtemporal.export import View, view_of

SCRIPT = Path(__file__).parents[2] / 'examples/stream_video.py'
SIZE, FRAMES, FPS = 16, 4, 20
SEGMENTS = dict(
    sampler='SampleFrames',
    clip_len=1,
    frame_interval=1,
    num_clips=FRAMES,
    twice_sample=False,
    out_of_bound_opt='loop',
    target_fps=None,
    reads_fps=True,
)
VIEW = View(
    sampling=SEGMENTS,
    steps=[{'fit': [None, 20]}, {'center_crop': [SIZE, SIZE]}],
    frames=FRAMES,
    views=1,
    height=SIZE,
    width=SIZE,
    mean=None,
    std=None,
    average_clips='prob',
    classes=['dark', 'bright'],
)


def write_model(path, view=VIEW, entries=('mmtemporal_view',)):
    """Write a network of which the second score is the mean of the pixels - 100."""
    shape = ['batch', view.frames, 3, view.height, view.width]
    nodes = [
        helper.make_node('Cast', ['frames'], ['x'], to=TensorProto.FLOAT),
        helper.make_node('ReduceMean', ['x', 'axes'], ['mean'], keepdims=0),
        helper.make_node('Sub', ['mean', 'middle'], ['bright']),
        helper.make_node('Sub', ['middle', 'mean'], ['dark']),
        helper.make_node('Unsqueeze', ['bright', 'last'], ['a']),
        helper.make_node('Unsqueeze', ['dark', 'last'], ['b']),
        helper.make_node('Concat', ['b', 'a'], ['scores'], axis=1),
    ]
    constants = [
        helper.make_tensor('axes', TensorProto.INT64, [4], [1, 2, 3, 4]),
        helper.make_tensor('last', TensorProto.INT64, [1], [1]),
        helper.make_tensor('middle', TensorProto.FLOAT, [1], [100.0]),
    ]
    frames = helper.make_tensor_value_info('frames', TensorProto.UINT8, shape)
    scores = helper.make_tensor_value_info('scores', TensorProto.FLOAT, ['batch', 2])
    graph = helper.make_graph(nodes, 'brightness', [frames], [scores], constants)
    opset = helper.make_opsetid('', 18)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    for key in entries:
        model.metadata_props.add(key=key, value=json.dumps(asdict(view)))
    onnx.save(model, path)
    return path


@pytest.fixture(scope='module')
def stream():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)
        return importlib.import_module('stream_video')


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / 'model.onnx')


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """Three seconds, of which the last one and a half are bright."""
    return write_video(tmp_path_factory.mktemp('stream') / 'video.mp4', 3 * FPS)


def write_video(path, frames):
    """Write frames, of which the first half is dark."""
    codec = cv2.VideoWriter_fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), codec, FPS, (64, 48))
    for i in range(frames):
        writer.write(np.full((48, 64, 3), 30 if i < frames / 2 else 220, np.uint8))
    writer.release()
    return path


def run(*arguments):
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_file_is_classified_as_a_stream(model, video, tmp_path):
    out = tmp_path / 'out.mp4'
    options = ('--seconds', 1, '--stride', 10, '--smoothing', 0, '--out', out)
    done = run(model, video, *options)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    # The first window is full after one second.
    assert [float(line[0]) for line in lines] == [1, 1.5, 2, 2.5, 3]
    assert [line[-1] for line in lines[:1] + lines[-1:]] == ['bright', 'dark']
    assert [line[5] for line in lines[:1] + lines[-1:]] == ['dark', 'bright']
    assert all(line[3] == 'fps' and float(line[2]) > 0 for line in lines)
    written = cv2.VideoCapture(str(out))
    assert written.get(cv2.CAP_PROP_FRAME_COUNT) == 3 * FPS
    assert written.read()[1].shape == (48, 64, 3)


def test_scores_are_smoothed(model, video):
    options = ('--seconds', 0.5, '--stride', 10, '--top', 1, '--smoothing', 0.75)
    done = run(model, video, *options)
    words = [line.split()[-2:] for line in done.stdout.splitlines()]
    shares = [
        float(x[:-1]) if name == 'bright' else 100 - float(x[:-1]) for x, name in words
    ]
    expected = [0, 0, 0, 25, 43.75, 57.8]
    assert shares == pytest.approx(expected, abs=0.1)


def test_it_needs_nothing_else(model, video):
    code = f"""if 1:
        import runpy, sys
        sys.path.insert(0, {str(SCRIPT.parent)!r})
        sys.argv = ['stream', {str(model)!r}, {str(video)!r}]
        runpy.run_path({str(SCRIPT)!r}, run_name='__main__')
        print(*sorted({{name.split('.')[0] for name in sys.modules}}))
    """
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    modules = set(done.stdout.splitlines()[-1].split())
    assert not {'torch', 'mmengine', 'mmaction', 'mmtemporal', 'decord'} & modules


@pytest.mark.parametrize('name', SAMPLERS)
def test_a_window_has_all_the_frames_of_its_clips(name, stream):
    square = dict(type='Resize', scale=(32, 32), keep_ratio=False)
    # Several views of a video are not classified; they may wrap.
    ones = {'num_views': 1, 'num_sample_positions': 1, 'twice_sample': False}

    @settings(SAME, max_examples=80)
    @given(SAMPLERS[name], st.floats(0, 4), st.floats(5, 120))
    def check(sampler, more, fps):
        changes = {key: one for key, one in ones.items() if key in sampler}
        config = make_config('Recognizer3D', {**sampler, **changes}, square)
        view = json.loads(json.dumps(asdict(view_of(config))))
        sampling = view['sampling']
        minimum, default = stream.find_lengths(sampling, fps)
        assert minimum <= default
        n = minimum + round(more * fps)
        found = stream.find_frames(view, n, fps).reshape(-1, sampling['clip_len'])
        assert found.min() >= 0 and found.max() < n
        # Rounding, or a rate of its own, can give a clip a frame twice.
        may_repeat = sampling.get('target_fps') or name == 'SampleSegments'
        assert (np.diff(found) >= (0 if may_repeat else 1)).all()
        if sampling['sampler'] in ('SampleFrames', 'SampleWindows'):
            assert (np.diff(found[:, 0]) > 0).all()
        # Nothing is beyond the end, which one repeats and the other begins anew at.
        for bound in ('loop', 'repeat_last'):
            sampling['out_of_bound_opt'] = bound
            same = stream.find_frames(view, n, fps)
            assert same.tolist() == found.ravel().tolist()

    check()


def test_default_windows(stream):
    def default(sampler, **arguments):
        given = dict(target_fps=None, num_clips=1, twice_sample=False)
        return stream.find_lengths(dict(given, sampler=sampler, **arguments), 30)[1]

    # 32 frames, every second one
    clip = dict(clip_len=32, frame_interval=2)
    assert default('SampleFrames', **clip) == 63
    dense = dict(clip, sample_range=64, num_clips=4)
    assert default('DenseSampleFrames', **dense) == 64 + 62
    # At 15 frames a second, 32 frames take 64 of a stream of 30.
    slower = dict(clip_len=32, frame_interval=1, target_fps=15, reads_fps=True)
    assert default('SampleDenseClips', **slower) == 64
    # Segments, of frames or of windows, are those of two seconds.
    segments = dict(frame_interval=1, num_clips=8)
    assert default('SampleFrames', clip_len=1, **segments) == 60
    assert default('SampleFrames', clip_len=5, **segments) == 60
    assert default('SampleWindows', clip_len=5, num_clips=8) == 60


@pytest.mark.parametrize('steps', [[{'fit': [None, 20]}], [{'fit': [40, 24]}], []])
def test_frames_are_prepared_as_in_the_other_example(steps, example, stream):
    frame = np.random.RandomState(0).randint(256, size=(48, 64, 3), dtype=np.uint8)
    frame = cv2.GaussianBlur(frame, (0, 0), 3)
    steps = [*steps, {'center_crop': [17, 16]}]
    (expected,) = example.prepare(frame[..., ::-1], steps)
    found = stream.prepare(frame, steps)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_what_is_written_on_a_frame_is_not_classified(stream):
    frame = np.zeros((480, 480, 3), np.uint8)
    found = stream.prepare(frame, [{'center_crop': [480, 480]}])
    stream.write_on(frame, ['99% dark'])
    assert frame.any() and not found.any()


def test_a_short_file_leaves_nothing(model, video, tmp_path):
    out = tmp_path / 'out.mp4'
    done = run(model, video, '--seconds', 4, '--out', out)
    assert 'fewer than the 80 of the window; give --seconds 3\n' in done.stderr
    assert not out.exists()
    assert run(model, video, '--seconds', 3, '--out', out).returncode == 0
    assert out.exists()


def test_nothing_is_overwritten(model, video, stream, tmp_path, capsys):
    source = tmp_path / 'video.mp4'
    source.write_bytes(video.read_bytes())
    with pytest.raises(SystemExit):
        stream.main([str(model), str(source), '--out', str(source)])
    assert f'--out {source} exists; give another name' in capsys.readouterr().err
    assert source.read_bytes() == video.read_bytes()


def test_windows_need_a_display(model, video, stream, monkeypatch, capsys):
    def fail(*_):
        raise cv2.error('not implemented')

    monkeypatch.setattr(cv2, 'imshow', fail)
    monkeypatch.setattr(sys, 'platform', 'linux')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    options = [str(model), str(video), '--show']
    with pytest.raises(SystemExit):  # before OpenCV can end the process
        stream.main(options)
    assert '--show needs a display; DISPLAY is not set' in capsys.readouterr().err
    monkeypatch.setenv('DISPLAY', ':0')
    with pytest.raises(SystemExit, match='this OpenCV opens no windows; install open'):
        stream.main(options)


def test_errors(stream, model, video, tmp_path, capsys):
    def refused(message, *arguments):
        with pytest.raises(SystemExit) as error:
            stream.main([*map(str, arguments)])
        shown = capsys.readouterr()
        assert not shown.out
        # The parser writes itself, and ends with a number.
        assert message in f'{error.value.code} {shown.err}'

    corrupt = tmp_path / 'corrupt.onnx'
    corrupt.write_bytes(b'none')
    plain = write_model(tmp_path / 'plain.onnx', entries=())
    several = write_model(
        tmp_path / 'several.onnx', View(**{**asdict(VIEW), 'views': 3})
    )
    refused('missing.onnx is no file', tmp_path / 'missing.onnx', video)
    refused(f'cannot read {corrupt} as ONNX', corrupt, video)
    refused('does not say what it takes', plain, video)
    refused('takes 3 views of a video, a stream has one; export it', several, video)
    refused('nowhere.mp4 is no file, and no number of a camera', model, 'nowhere.mp4')
    refused('cannot open a camera 97', model, 97)
    refused(f'cannot read {corrupt} as a video', model, corrupt)
    message = '--seconds 0.1: 5 frames are needed at 20 fps; give 0.25 or more'
    refused(message, model, video, '--seconds', 0.1)
    refused('--seconds inf: give a number above 0', model, video, '--seconds', 'inf')
    short = write_video(tmp_path / 'short.mp4', 4)
    refused(f'reads 4 frames of {short}, and 5 or more are needed', model, short)
    refused('--smoothing is 0 to below 1', model, video, '--smoothing', 1)
    missing = tmp_path / 'none'
    refused(f'{missing} is no folder', model, video, '--out', missing / 'x.mp4')
    refused('a name that ends in .mp4', model, video, '--out', tmp_path / 'x.png')


def test_the_other_example_refuses_what_it_cannot_read(
    model, video, stream, example, tmp_path, monkeypatch
):
    def refused(message, *arguments):
        monkeypatch.setattr(sys, 'argv', ['onnx_video', *map(str, arguments)])
        with pytest.raises(SystemExit, match=message) as error:
            example.main()
        assert '\n' not in str(error.value)

    corrupt = tmp_path / 'corrupt'
    corrupt.write_bytes(b'none')
    plain = write_model(tmp_path / 'plain.onnx', entries=())
    refused(f'^error: cannot read {corrupt} as ONNX', corrupt, video)
    refused('plain.onnx does not say what it takes', plain, video)
    refused(f'^error: decord cannot read {corrupt}: ', model, corrupt)
