"""Many views and long videos in little memory: a part of the views at a time."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from stock_config import METHODS, SIZE, T, build_small
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

VIEWS = 30
MEBI = 2**20
LIMIT = 4 * MEBI


class LiveBytes(TorchDispatchMode):
    """Counts the memory of all tensors that are made within it, and its peak."""

    def __init__(self):
        super().__init__()
        self.storages = {}
        self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        given = {s._cdata for s in storages((args, kwargs))}
        for storage in storages(result):
            if storage._cdata not in given:
                reference = StorageWeakRef(storage), storage.nbytes()
                self.storages[storage._cdata] = reference
        self.storages = {k: v for k, v in self.storages.items() if not v[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.storages.values()))
        return result


def storages(tree):
    return [x.untyped_storage() for x in tree_leaves(tree) if isinstance(x, Tensor)]


def test_live_bytes():
    x = torch.ones(MEBI)
    with LiveBytes() as tracer:
        y = x * 2  # 4 MiB
        z = y.view(2, -1)[0].add_(1)  # none
        del y, z
        for _ in range(3):
            x * 3 + 1  # twice 4 MiB, again and again
    assert tracer.peak == 2 * x.nbytes


@pytest.fixture(scope='module', params=METHODS)
def model(request, tmp_path_factory):
    model = build_small(request.param, tmp_path_factory.mktemp('nothing'))
    model.method = request.param
    return model


def make_views(model, views=VIEWS):
    """Return the views of a video as the recognizer takes them."""
    if model.method.startswith('TAda'):
        return torch.randn(1, views, 3, T, SIZE, SIZE)
    window = (5,) if model.method == 'TDN' else ()
    return torch.randn(1, views * T, 3, *window, SIZE, SIZE)


def in_parts(model, views):
    """Set how many views run at a time: a 2-D recognizer counts their frames."""
    rows = 1 if model.method.startswith('TAda') else T
    model.test_cfg = dict(max_testing_views=views * rows)


def predict(model, views):
    with torch.no_grad(), LiveBytes() as tracer:
        (sample,) = model(views, [ActionDataSample()], mode='predict')
    return sample.pred_score, tracer.peak


def test_thirty_views_stay_within_a_limit(model):
    views = make_views(model)
    model.test_cfg = None
    expected, peak = predict(model, views)
    # Its MLPs are wide, at every token.
    limit = 2 * LIMIT if model.method == 'TAdaFormer' else LIMIT
    assert peak > 4 * limit
    for size in (2, 4):  # 4 leaves a rest
        in_parts(model, size)
        scores, peak = predict(model, views)
        assert peak < limit
        torch.testing.assert_close(scores, expected)
    assert expected.std() > 1e-3


def test_the_memory_is_that_of_a_part(model):
    in_parts(model, 4)
    peaks = [predict(model, make_views(model, views))[1] for views in (8, 16)]
    # But for the features, which are kept.
    assert peaks[1] < 1.5 * peaks[0]


@pytest.mark.parametrize('views', [T + 1, -T, '8', 1.5])
def test_parts_that_do_not_fit_name_the_key(model, views):
    model.test_cfg = dict(max_testing_views=views)
    if model.method.startswith('TAda') and views == T + 1:
        predict(model, make_views(model, 6))  # whole views
        return
    expected = 'a positive number'
    if not model.method.startswith('TAda'):
        expected += f' and a multiple of num_segments={T}'
    with pytest.raises(
        AssertionError,
        match=f'got model.test_cfg.max_testing_views={views!r}, expected {expected}',
    ):
        predict(model, make_views(model, 1))


# --------------------------------------------------------------------- long videos

LENGTH, HEIGHT, WIDTH = 2000, 192, 256


def write_video(path, length):
    """Write frames that become lighter throughout, in a codec with key frames."""
    fourcc = cv2.VideoWriter_fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, 25, (WIDTH, HEIGHT))
    for i in range(length):
        grey = np.uint8(50 + 150 * i / length)
        writer.write(np.full((HEIGHT, WIDTH, 3), grey, np.uint8))
    writer.release()
    return str(path)


def decode(path, clips):
    """Read the frames that a test of so many segments samples."""
    init_default_scope('mmaction')
    pipeline = [
        dict(type='DecordInit'),
        dict(
            type='SampleFrames',
            clip_len=1,
            frame_interval=1,
            num_clips=clips,
            test_mode=True,
        ),
        dict(type='DecordDecode'),
    ]
    return Compose(pipeline)(dict(filename=path, start_index=0, modality='RGB'))


def peak_memory():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# The first video pays for what is loaded once.
CHILD = """
import test_view_memory as test
test.decode({short!r}, 8)
before = test.peak_memory()
test.decode({long!r}, 8)
print('more memory', test.peak_memory() - before)
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='other systems count otherwise')
def test_a_long_video_is_not_decoded_as_a_whole(tmp_path):
    short = write_video(tmp_path / 'short.mp4', 100)
    long = write_video(tmp_path / 'long.mp4', LENGTH)
    read = decode(long, 8)
    assert read['total_frames'] == LENGTH and len(read['imgs']) == 8
    assert read['video_reader'] is None  # with the file that it holds
    for index, image in zip(read['frame_inds'], read['imgs']):
        assert abs(image.mean() - (50 + 150 * index / LENGTH)) < 5

    paths = [str(path) for path in sys.path]
    code = f'import sys; sys.path[:0] = {paths}; import mmtemporal\n{CHILD}'
    done = subprocess.run(
        [sys.executable, '-c', code.format(short=short, long=long)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    more = int(done.stdout.split('more memory')[1])
    assert more < LENGTH * HEIGHT * WIDTH * 3 / 4
