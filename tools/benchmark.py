"""Compares formulations of temporal mixing on this machine.

For every size, the time of a forward pass and of forward and backward together is
given as a ratio to the grouped convolution, which is how the published code mixes
frames. Ratios of one run can be compared; times cannot, machines differ.

    python tools/benchmark.py --threads 1 --out results/temporal_mix_cpu.json
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmtemporal.ops import temporal_mix
from mmtemporal.ops.temporal_mix import mix_taps_reference

# The formulation of the paper stands beside the tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tests'))
from reference.tam import gate_and_convolve  # noqa: E402

T = 8
# Clips, channels, side of the map: TAM's inputs in TANet-50 at 224 pixels, and
# those of a ResNet-18 at 32.
SIZES = (
    (1, 64, 56),
    (4, 64, 56),
    (4, 128, 28),
    (4, 256, 14),
    (4, 512, 7),
    (8, 64, 8),
    (8, 128, 4),
    (8, 256, 2),
    (8, 512, 1),
)


def gates(kernel, gate):
    """Returns taps (n, k, t, c) of a kernel (n, c, k) and a gate (n, c, t)."""
    pad = kernel.size(2) // 2
    gate = F.pad(gate.transpose(1, 2), (0, 0, pad, pad))
    sources = [gate.narrow(1, k, T) for k in range(kernel.size(2))]
    return kernel.transpose(1, 2).unsqueeze(2) * torch.stack(sources, 1)


def mix_taps(x, kernel, gate):
    return temporal_mix(x, T, taps=gates(kernel, gate))


def plain_torch(x, kernel, gate):
    frames = x.unflatten(0, (-1, T))
    return mix_taps_reference(frames, gates(kernel, gate)).flatten(0, 1)


def mix_matrix(x, kernel, gate):
    # Tap k of frame t stands at source frame t + k - K // 2.
    taps = gates(kernel, gate).permute(0, 3, 2, 1)
    pad = kernel.size(2) // 2
    matrix = sum(
        torch.diag_embed(
            taps[..., max(0, pad - k) : T - max(0, k - pad), k], offset=k - pad
        )
        for k in range(kernel.size(2))
    )
    return temporal_mix(x, T, matrix=matrix)


FORMULATIONS = {
    'grouped convolution': gate_and_convolve,
    'temporal_mix, taps': mix_taps,
    'temporal_mix, matrix': mix_matrix,
    'plain torch': plain_torch,
}


def measure(size, repeats):
    """Returns {formulation: (forward, forward and backward)} in seconds."""
    n, c, side = size
    x = torch.randn(n * T, c, side, side)
    inputs = [x, torch.rand(n, c, 3), torch.rand(n, c, T)]
    upstream = torch.randn_like(x)
    expected = None
    times = {name: ([], []) for name in FORMULATIONS}
    # In turns, so that a change of load on the machine meets all of them.
    for repeat in range(repeats + 1):
        for name, function in FORMULATIONS.items():
            start = time.perf_counter()
            with torch.no_grad():
                y = function(*inputs)
            middle = time.perf_counter()
            leaves = [value.detach().requires_grad_() for value in inputs]
            torch.autograd.grad(function(*leaves), leaves, upstream)
            end = time.perf_counter()
            if repeat:  # the first round warms up
                times[name][0].append(middle - start)
                times[name][1].append(end - middle)
            elif expected is None:
                expected = y
            torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-4)
    return {name: tuple(map(median, pair)) for name, pair in times.items()}


def cpu_name():
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(': ')[1] for line in lines if line.startswith('model name')]
    return names[0] if names else platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=15)
    parser.add_argument('--out', type=Path, help='write the ratios to this JSON file')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = []
    for size in track(SIZES, description='measuring'):
        times = measure(size, args.repeats)
        base = times['grouped convolution']
        rows.append(
            dict(
                size=size,
                ratios={
                    name: [round(a / b, 2) for a, b in zip(pair, base)]
                    for name, pair in times.items()
                },
            )
        )
    table = Table(title='Time / time of a grouped convolution: forward, with backward')
    table.add_column('clips x channels x map')
    for name in FORMULATIONS:
        table.add_column(name, justify='right')
    for row in rows:
        n, c, side = row['size']
        cells = ['{}, {}'.format(*row['ratios'][name]) for name in FORMULATIONS]
        table.add_row(f'{n} x {c} x {side}', *cells)
    Console().print(table)
    if args.out:
        record = dict(
            device=cpu_name(),
            torch=torch.__version__,
            threads=args.threads,
            dtype='float32',
            num_segments=T,
            meaning='time / time of the grouped convolution: [forward, with backward]',
            rows=rows,
        )
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(record, indent=1) + '\n')


if __name__ == '__main__':
    main()
