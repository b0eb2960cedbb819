"""One page for a report of a fault: ``python -m mmtemporal.tools doctor``."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from torch.utils.benchmark import Timer

from mmtemporal import compat
from mmtemporal.datasets.video_writing import write_video
from mmtemporal.environment import report
from mmtemporal.ops import temporal_mix
from mmtemporal.ops.kernel_check import find_fault
from mmtemporal.ops.temporal_mix_triton import is_available

_READERS = {
    'decord': ('mmaction.DecordInit', 'mmaction.DecordDecode'),
    'av': ('mmtemporal.StrictPyAVInit', 'mmaction.DecordDecode'),
    'cv2': ('mmaction.OpenCVInit', 'mmaction.OpenCVDecode'),
}
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
# Clips of 8 frames, as of the second stage of a ResNet-50 at 224 pixels.
_CLIPS, _FRAMES, _CHANNELS, _SIDE = 4, 8, 128, 28


def examine(device: Optional[str] = None) -> Iterator[str]:
    """Yield the lines of the page.

    Args:
        device: Such as ``'cuda:1'``; the CPU and all GPUs if omitted.
    """
    devices = [device] if device else ['cpu', *_list_gpus()]
    yield '## Versions\n'
    yield report()
    yield '\n## Devices\n'
    yield from map(_describe, devices)
    if not _list_gpus():
        yield 'torch finds no GPU'
    yield '\n## Readers of videos\n'
    yield from _try_readers()
    yield '\n## Changes to the host that acted\n'
    for fix in compat.acted:
        yield f'{fix.__name__}: {(fix.__doc__ or "").splitlines()[0]}'
    yield '\n## Temporal mixing\n'
    for name in devices:
        for dtype in _DTYPES:
            for channels_last in (False, True):
                yield _try_mixing(torch.device(name), dtype, channels_last)


def _list_gpus() -> list[str]:
    return [f'cuda:{i}' for i in range(torch.cuda.device_count())]


def _describe(device: str) -> str:
    if device == 'cpu':
        cores = len(os.sched_getaffinity(0))
        kind = f'{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}'
        return f'cpu: {kind}, {cores} cores, {torch.get_num_threads()} threads of torch'
    found = torch.cuda.get_device_properties(device)
    memory = found.total_memory / 2**30
    return f'{device}: {found.name}, {found.major}.{found.minor}, {memory:.0f} GiB'


def _try_readers() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'video.mp4'
        levels = np.linspace(40, 215, 8).astype(np.uint8)
        write_video(path, np.tile(levels[:, None, None, None], (1, 64, 96, 3)))
        for module, names in _READERS.items():
            if find_spec(module) is None:
                yield f'{module}: not installed'
                continue
            opener, decoder = (TRANSFORMS.build(dict(type=name)) for name in names)
            try:
                results = opener(dict(filename=str(path), start_index=0))
                results['frame_inds'] = np.array([0, 7])
                found = np.stack(decoder(results)['imgs'])
            except Exception as error:
                yield f'{module}: {type(error).__name__}: {error}'
            else:
                right = found.shape == (2, 64, 96, 3) and np.all(
                    abs(found.mean((1, 2, 3)) - levels[[0, 7]]) < 5
                )
                yield f'{module}: {"reads" if right else "reads other frames"}'


def _try_mixing(device: torch.device, dtype: torch.dtype, channels_last: bool) -> str:
    layout = 'channels last' if channels_last else 'contiguous'
    frames = torch.ones(
        *(_CLIPS * _FRAMES, _CHANNELS, _SIDE, _SIDE), dtype=dtype, device=device
    )
    if channels_last:
        frames = frames.contiguous(memory_format=torch.channels_last)
    weights = torch.ones(_CLIPS, 3, _FRAMES, _CHANNELS, dtype=dtype, device=device)
    form = 'plain form'
    if is_available(frames.unflatten(0, (-1, _FRAMES))):
        fault = find_fault(device, dtype, channels_last)
        form = (
            'kernels pass' if fault is None else f'plain form, as kernels fail: {fault}'
        )
    size = 2 * frames.numel() * frames.element_size()  # read and written
    speeds = [
        size / _time(run, frames, weights) / 1e9
        for run in (
            lambda x, w: temporal_mix(x, _FRAMES, w),
            lambda x, w: x.clone(memory_format=torch.preserve_format),
        )
    ]
    return (
        f'{device}, {dtype}, {layout}: {form}; {speeds[0]:.1f} GB/s, '
        f'a copy {speeds[1]:.1f} GB/s'
    )


def _time(run: object, frames: torch.Tensor, weights: torch.Tensor) -> float:
    """Return the seconds of a call."""
    timer = Timer('run(frames, weights)', globals=dict(locals()))
    return timer.blocked_autorange(min_run_time=0.1).median


def main(arguments: list[str]) -> int:
    """Print the page."""
    parser = argparse.ArgumentParser(
        prog='python -m mmtemporal.tools doctor', description=__doc__.splitlines()[0]
    )
    parser.add_argument('--device', help='only this one, such as cpu or cuda:0')
    args = parser.parse_args(arguments)
    known = ['cpu', *_list_gpus()]
    if args.device not in (None, *known):
        parser.error(
            f'--device {args.device}: torch finds {", ".join(known)} on this machine'
        )
    for line in examine(args.device):
        print(line, flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
