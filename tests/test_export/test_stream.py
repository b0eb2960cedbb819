"""The example for streams, which does not import the package."""

import importlib.util
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
    spec = importlib.util.spec_from_file_location('stream_video', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / 'model.onnx')


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """Three seconds, of which the last one and a half are bright."""
    path = tmp_path_factory.mktemp('stream') / 'video.mp4'
    codec = cv2.VideoWriter_fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), codec, FPS, (64, 48))
    for i in range(3 * FPS):
        writer.write(np.full((48, 64, 3), 30 if i < 1.5 * FPS else 220, np.uint8))
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
        sys.argv = ['stream', {str(model)!r}, {str(video)!r}]
        runpy.run_path({str(SCRIPT)!r}, run_name='__main__')
        print(*sorted({{name.split('.')[0] for name in sys.modules}}))
    """
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    modules = set(done.stdout.splitlines()[-1].split())
    assert not {'torch', 'mmengine', 'mmaction', 'mmtemporal', 'decord'} & modules


def with_one_view(sampler, name):
    """Change a drawn sampler so that it takes one clip, or the segments of one view."""
    ones = {'num_views', 'num_sample_positions'}
    if name == 'SampleFrames':
        ones.add('clip_len')
    elif name not in ('DenseSampleFrames', 'SampleWindows'):
        ones.add('num_clips')
    changes = {key: 1 for key in ones & sampler.keys()}
    if 'twice_sample' in sampler:
        changes['twice_sample'] = False
    return {**sampler, **changes}


@pytest.mark.parametrize('name', SAMPLERS)
def test_a_window_is_sampled_as_a_video_of_its_length(name, example, stream):
    square = dict(type='Resize', scale=(32, 32), keep_ratio=False)

    @settings(SAME, max_examples=80)
    @given(SAMPLERS[name], st.floats(0, 4), st.floats(5, 120))
    def check(sampler, more, fps):
        sampler = with_one_view(sampler, name)
        config = make_config('Recognizer3D', sampler, square)
        view = json.loads(json.dumps(asdict(view_of(config))))
        shortest = stream.window_length(view['sampling'], fps, None)
        n = shortest + round(more * fps)
        seen = fps if view['sampling']['reads_fps'] else None
        expected = example.find_frames(view, n, seen)
        assert stream.find_frames(view['sampling'], n, fps).tolist() == [*expected]

    check()


@pytest.mark.parametrize('steps', [[{'fit': [None, 20]}], [{'fit': [40, 24]}], []])
def test_frames_are_prepared_as_in_the_other_example(steps, example, stream):
    frame = np.random.RandomState(0).randint(256, size=(48, 64, 3), dtype=np.uint8)
    frame = cv2.GaussianBlur(frame, (0, 0), 3)
    steps = [*steps, {'center_crop': [17, 16]}]
    (expected,) = example.prepare(frame[..., ::-1], steps)
    found = stream.prepare(frame, steps)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_errors(stream, model, video, tmp_path, capsys):
    def refused(message, *arguments):
        with pytest.raises(SystemExit) as error:
            stream.main([*map(str, arguments)])
        shown = capsys.readouterr()
        assert not shown.out
        # The parser writes itself, and ends with a number.
        assert message in f'{error.value.code} {shown.err}'

    broken = tmp_path / 'broken.onnx'
    broken.write_bytes(b'none')
    plain = write_model(tmp_path / 'plain.onnx', entries=())
    several = write_model(
        tmp_path / 'several.onnx', View(**{**asdict(VIEW), 'views': 3})
    )
    refused('missing.onnx is no file', tmp_path / 'missing.onnx', video)
    refused(f'cannot read {broken} as ONNX', broken, video)
    refused('does not say what it takes', plain, video)
    refused('takes 3 views of a video, a stream has one; export it', several, video)
    refused('nowhere.mp4 is no file, and no number of a camera', model, 'nowhere.mp4')
    refused('cannot open a camera 97', model, 97)
    refused(f'cannot read {broken} as a video', model, broken)
    refused(
        '--seconds 0.1: 5 frames are needed at 20.0 fps', model, video, '--seconds', 0.1
    )
    refused('60 frames, fewer than the 80 of the window', model, video, '--seconds', 4)
    refused('--smoothing is 0 to below 1', model, video, '--smoothing', 1)
    refused('cannot write', model, video, '--out', tmp_path / 'none' / 'x.mp4')
