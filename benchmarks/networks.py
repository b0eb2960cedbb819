r"""Compare the speed and memory of the networks with plain TSN on the same ResNet.

For every network, in one process, interleaved: TSN without anything temporal, which is
the baseline; ours; the formulation of the paper, naively (tests/reference); and
MMAction2's own where it has one that runs. Ratios of one run can be compared; times
cannot, machines differ.

    python benchmarks/networks.py --settings plain fused --repeats 15 \
        --out benchmarks/results/networks_cpu.csv

A setting is 'plain' or any of channels_last, amp, compile and fused, joined by '+';
all implementations run with it. 'fused' has batch norms folded, and no training step.
"""

import argparse
import sys
from copy import deepcopy
from pathlib import Path
from statistics import median

import torch
from measuring import interleave, machine, peak_memory, ratio, write_csv
from mmaction.registry import MODELS
from mmaction.utils import register_all_modules
from mmcv.cnn import fuse_conv_bn
from mmengine.logging import MMLogger
from rich.console import Console
from rich.table import Table
from speed_picture import draw
from torch import nn

from mmtemporal.models import fuse_for_inference
from mmtemporal.networks import NETWORKS

# The naive implementations stand beside the tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tests'))
from reference.networks import naive  # noqa: E402

# Beside ours and the baseline.
OTHERS = ('naive', 'in-tree')
RESNETS = [name for name, network in NETWORKS.items() if network.is_resnet]
FLAGS = {'plain', 'channels_last', 'amp', 'compile', 'fused'}


def build_tsn(name, depth):
    """Build the baseline."""
    options = dict(NETWORKS[name].baseline)
    max_pool = options.pop('max_pool', True)
    tsn = MODELS.build(dict(type='ResNet', depth=depth, norm_eval=False, **options))
    if not max_pool:
        tsn.maxpool = nn.Identity()
    return tsn


def build(name, depth, frames):
    """Return {implementation: network}, the baseline first."""
    ours = MODELS.build(
        dict(type=f'mmtemporal.{name}', depth=depth, num_segments=frames)
    )
    networks = dict(TSN=build_tsn(name, depth), ours=ours, naive=naive(ours))
    if name == 'TANet' and depth >= 50:
        networks['in-tree'] = MODELS.build(
            dict(type='TANet', depth=depth, num_segments=frames)
        )
    return networks


def prepare(implementation, network, flags, device):
    """Put a network into a setting."""
    network = network.to(device)
    if 'fused' in flags:
        fuse = fuse_for_inference if implementation == 'ours' else fuse_with_mmcv
        network = fuse(network)
    if 'channels_last' in flags:
        network = network.to(memory_format=torch.channels_last)
    return torch.compile(network) if 'compile' in flags else network


def fuse_with_mmcv(network):
    network = deepcopy(network)
    network.eval()  # MMAction2's ResNet returns nothing here
    return fuse_conv_bn(network)


def make_input(implementation, name, args, frames, flags):
    window = 1 if implementation == 'TSN' else NETWORKS[name].window
    x = torch.randn(args.batch * frames * window, 3, args.size, args.size)
    if 'channels_last' in flags:
        x = x.contiguous(memory_format=torch.channels_last)
    return x.to(args.device)


def make_step(network, x, mode, flags, args):
    """Return a function that classifies a batch, or trains on it."""
    kind = torch.device(args.device).type
    dtype = getattr(torch, args.amp_dtype)

    def forward():
        with torch.autocast(kind, dtype, enabled='amp' in flags):
            return network(x)

    def infer():
        network.eval()
        with torch.inference_mode():
            forward()

    def train():
        network.train()
        forward().float().mean().backward()
        network.zero_grad()

    return infer if mode == 'inference' else train


def measure(name, frames, setting, mode, args):
    """Return a row of results for each implementation of a network."""
    flags = set(setting.split('+'))
    steps = {}
    for implementation, network in build(name, args.depth, frames).items():
        if implementation in args.skip:
            continue
        network = prepare(implementation, network, flags, args.device)
        x = make_input(implementation, name, args, frames, flags)
        steps[implementation] = make_step(network, x, mode, flags, args)
    label = f'{name}, {frames} frames, {setting}, {mode}'
    times = interleave(steps, args.repeats, args.device, label)
    memory = {key: peak_memory(step, args.device) for key, step in steps.items()}
    rows = []
    for implementation, seconds in times.items():
        middle, minimum, maximum = ratio(seconds, times['TSN'])
        rows.append(
            dict(
                network=name,
                implementation=implementation,
                mode=mode,
                setting=setting,
                depth=args.depth,
                frames=frames,
                batch=args.batch,
                size=args.size,
                amp_dtype=args.amp_dtype if 'amp' in flags else '',
                seconds=round(median(seconds), 4),
                ratio=round(middle, 3),
                ratio_min=round(minimum, 3),
                ratio_max=round(maximum, 3),
                rounds=args.repeats,
                memory_mib=round(memory[implementation] / 2**20, 1),
                memory_ratio=round(memory[implementation] / memory['TSN'], 3),
                **machine(args.device),
            )
        )
    return rows


def show(rows):
    """Print a line for each network, setting, number of frames and mode."""
    keys = ('network', 'setting', 'frames', 'mode')
    names = ('ours', *OTHERS)
    table = Table(
        title='Time over that of TSN (minimum to maximum of the rounds) | peak memory'
    )
    for column in (*keys, *names):
        table.add_column(column)
    lines = {}
    for row in rows:
        line = lines.setdefault(tuple(str(row[key]) for key in keys), {})
        line[row['implementation']] = (
            '{ratio:.2f} ({ratio_min:.2f} to {ratio_max:.2f}) | '
            '{memory_ratio:.2f}'.format(**row)
        )
    for line, cells in lines.items():
        table.add_row(*line, *(cells.get(name, '') for name in names))
    Console().print(table)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--networks', nargs='+', default=RESNETS, choices=RESNETS)
    parser.add_argument('--modes', nargs='+', default=('inference', 'training'))
    parser.add_argument('--settings', nargs='+', default=('plain',))
    parser.add_argument('--skip', nargs='+', default=(), choices=OTHERS)
    parser.add_argument('--depth', type=int, default=50)
    parser.add_argument('--frames', type=int, nargs='+', default=(8,))
    parser.add_argument('--batch', type=int, default=1, help='clips')
    parser.add_argument('--size', type=int, default=224, help='pixels a side')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--amp-dtype', default='bfloat16')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--out', type=Path, help='CSV file; a picture stands beside it')
    args = parser.parse_args()
    for setting in args.settings:
        if not set(setting.split('+')) <= FLAGS:
            parser.error(f'--settings {setting}: expected {sorted(FLAGS)}, joined by +')
    return args


def main():
    args = parse_args()
    torch.set_num_threads(args.threads)
    MMLogger.get_instance('benchmark', log_level='WARNING')
    register_all_modules()
    rows = []
    for setting in args.settings:
        for name in args.networks:
            for frames in args.frames:
                for mode in args.modes:
                    if mode == 'training' and 'fused' in setting:
                        continue
                    rows += measure(name, frames, setting, mode, args)
                    if args.out:  # what is measured is kept, whatever comes
                        write_csv(args.out, rows)
    show(rows)
    if args.out:
        draw(rows, args.out.with_suffix('.png'))


if __name__ == '__main__':
    main()
