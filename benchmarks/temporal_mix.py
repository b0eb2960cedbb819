"""Compare formulations of temporal mixing, with each other and with a plain copy.

All run in one process, interleaved. Times are ratios to the grouped convolution,
which is how the published code mixes frames, and to a copy of the feature maps:
reading and writing them once is the minimum that mixing can do. Ratios of one run can
be compared; times cannot, machines differ.

    python benchmarks/temporal_mix.py --out benchmarks/results/temporal_mix_cpu.csv
    python benchmarks/temporal_mix.py --device cuda --dtype float16 --channels-last
"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from measuring import check_device, interleave, machine, ratio, write_csv
from rich.console import Console
from rich.table import Table

from mmtemporal.ops import temporal_mix
from mmtemporal.ops.mix_reference import mix_reference

# The formulation of the paper stands beside the tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tests'))
from reference.tam import gate_and_convolve  # noqa: E402

T = 8
# Clips, channels, side of the feature map: TAM's inputs in TANet-50 at 224 pixels, and
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
BASELINE, COPY = 'grouped convolution', 'copy'


def make_weights(kernel, gate):
    """Return weights (n, k, t, c) of a kernel (n, c, k) and a gate (n, c, t)."""
    pad = kernel.size(2) // 2
    gate = F.pad(gate.transpose(1, 2), (0, 0, pad, pad))
    sources = [gate.narrow(1, k, T) for k in range(kernel.size(2))]
    return kernel.transpose(1, 2).unsqueeze(2) * torch.stack(sources, 1)


def mix(x, kernel, gate):
    return temporal_mix(x, T, make_weights(kernel, gate))


def plain_torch(x, kernel, gate):
    frames = x.unflatten(0, (-1, T))
    return mix_reference(frames, make_weights(kernel, gate)).flatten(0, 1)


def matrix_product(x, kernel, gate):
    """Multiply by the T x T matrix that the weights are the band of."""
    # Weight k of frame t stands at source frame t + k - K // 2.
    weights = make_weights(kernel, gate).permute(0, 3, 2, 1)
    pad = kernel.size(2) // 2
    matrix = sum(
        torch.diag_embed(
            weights[..., max(0, pad - k) : T - max(0, k - pad), k], offset=k - pad
        )
        for k in range(kernel.size(2))
    )
    # (n * t, c, h, w) -> (n, c, t, h * w)
    rows = x.unflatten(0, (-1, T)).flatten(3).transpose(1, 2)
    return (matrix @ rows).transpose(1, 2).reshape(x.shape)


def formulations(device):
    named = {
        BASELINE: gate_and_convolve,
        'temporal_mix': mix,
        'matrix product': matrix_product,
        'plain torch': plain_torch,
    }
    if torch.device(device).type == 'cuda':
        torch._dynamo.reset()  # else it soon takes one form for all sizes, or none
        named['plain torch, compiled'] = torch.compile(plain_torch)
    return named


def differentiate(function, inputs, upstream):
    leaves = [value.detach().requires_grad_() for value in inputs]
    torch.autograd.grad(function(*leaves), leaves, upstream)


def clock(args):
    """CPU seconds on one thread of a CPU, which other programs change little."""
    one = args.device == 'cpu' and args.threads == 1
    return time.process_time if one else time.perf_counter


def measure(size, args):
    """Return a row of results for each formulation."""
    n, c, side = size
    options = dict(device=args.device, dtype=getattr(torch, args.dtype))
    x = torch.randn(n * T, c, side, side, **options)
    if args.channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    inputs = [x, torch.rand(n, c, 3, **options), torch.rand(n, c, T, **options)]
    upstream = torch.randn_like(x)
    named = formulations(args.device)
    with torch.no_grad():
        check(named, inputs)
        forward = {name: partial(function, *inputs) for name, function in named.items()}
        forward[COPY] = x.clone
        label = f'{n} x {c} x {side} x {side}'
        forward = interleave(forward, args.repeats, args.device, label, clock(args))
    both = {
        name: partial(differentiate, function, inputs, upstream)
        for name, function in named.items()
    }
    label += ', with backward'
    both = interleave(both, args.repeats, args.device, label, clock(args))
    moved = 2 * x.numel() * x.element_size()  # one reading, one writing
    return [
        dict(
            clips=n,
            channels=c,
            side=side,
            formulation=name,
            forward_ratio=round(ratio(forward[name], forward[BASELINE])[0], 3),
            both_ratio=round(ratio(both[name], both[BASELINE])[0], 3),
            copy_ratio=round(ratio(forward[name], forward[COPY])[0], 3),
            gb_per_s=round(moved / median(forward[name]) / 1e9, 2),
            frames=T,
            dtype=args.dtype,
            channels_last=args.channels_last,
            **machine(args.device),
        )
        for name in named
    ]


def check(named, inputs):
    """Assert that all formulations agree, up to roundings on the way."""
    expected = named[BASELINE](*(value.double() for value in inputs))
    rounding = 8 * torch.finfo(inputs[0].dtype).eps
    for name, function in named.items():
        error = (function(*inputs) - expected).abs().max() / expected.abs().max()
        assert error < rounding, f'{name} is off by {error.item()}'


def show(rows):
    """Print a line for each size and a column for each formulation."""
    table = Table(
        title='Time / time of the grouped convolution: forward, with backward\n'
        'Forward time / time of a copy, GB/s of reading and writing the feature maps',
        show_lines=True,
    )
    names = list(dict.fromkeys(row['formulation'] for row in rows))
    for column in ('clips x channels x side', *names):
        table.add_column(column, justify='right')
    lines = {}
    for row in rows:
        line = lines.setdefault('{clips} x {channels} x {side}'.format(**row), [])
        line.append(
            '{forward_ratio:.2f}, {both_ratio:.2f}\n'
            '{copy_ratio:.2f}, {gb_per_s:.1f}'.format(**row)
        )
    for size, cells in lines.items():
        table.add_row(size, *cells)
    Console().print(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--device', default='cpu', choices=('cpu', 'cuda'))
    parser.add_argument(
        '--dtype', default='float32', choices=('float32', 'float16', 'bfloat16')
    )
    parser.add_argument('--channels-last', action='store_true')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=15)
    parser.add_argument('--out', type=Path, help='CSV file')
    args = parser.parse_args()
    check_device(parser, args.device)
    torch.set_num_threads(args.threads)
    rows = []
    for size in SIZES:
        rows += measure(size, args)
        if args.out:  # what is measured is kept, whatever comes
            write_csv(args.out, rows)
    show(rows)


if __name__ == '__main__':
    main()
