"""Videos from ffmpeg, all of their frames, and some of them by number."""

import subprocess

import av
import imageio_ffmpeg
import numpy as np
from mmaction.datasets.transforms import DecordDecode

from mmtemporal.datasets.transforms import StrictPyAVInit

FRAMES = 64


def ffmpeg(*arguments):
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        '-y',
        '-v',
        'error',
        *map(str, arguments),
    ]
    subprocess.run(command, check=True, capture_output=True)


def encode(path, options, size='96x64'):
    source = f'testsrc2=duration={FRAMES / 25}:size={size}:rate=25'
    ffmpeg('-f', 'lavfi', '-i', source, '-pix_fmt', 'yuv420p', *options.split(), path)
    return path


def decode_fully(path):
    with av.open(str(path)) as container:
        stream = container.streams.best('video')
        stream.thread_count = 1  # on which depends how damage is concealed
        size = dict(width=stream.width, height=stream.height)
        pictures = [
            frame.to_ndarray(format='rgb24', interpolation='BICUBIC', **size)
            for frame in container.decode(stream)
        ]
    return np.stack(pictures)


def read(path, numbers, **kwargs):
    results = StrictPyAVInit(**kwargs)(dict(filename=str(path)))
    results['frame_inds'] = np.array(numbers)
    return np.stack(DecordDecode()(results)['imgs'])


def lists_of_numbers(count):
    """Yield lists as samplers make them, and as none does."""
    rng = np.random.default_rng(count)
    yield np.linspace(0, count - 1, 8).astype(int)
    yield count // 2 + np.arange(8)
    starts = np.linspace(0, count - 5, 4).astype(int)
    yield np.concatenate([start + np.arange(5) for start in starts])
    yield rng.integers(count, size=16)
    yield np.array([count - 1, 0, 0, count - 1, 3])
    yield np.array([count - 1])
    yield rng.permutation(count)
