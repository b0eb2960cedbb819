r"""Compare the speed and memory of the networks with the same without temporal layers.

For every network, in one process, interleaved: the baseline, which is TSN on the same
ResNet or, of TAdaFormer, CLIP's image transformer on the frames behind the stem; ours;
the formulation of the paper, naively (tests/reference); and MMAction2's own where it
has one that runs. Ratios of one run can be compared; times cannot, machines differ.

    python benchmarks/networks.py --settings plain fused --repeats 11 \
        --out benchmarks/results/networks_cpu.csv
    python benchmarks/networks.py --networks TAdaFormer --frames 16 --form S

A setting is 'plain' or any of channels_last, amp, compile and fused, joined by '+';
all implementations run with it. 'fused' has batch norms folded, and no training step.
"""

import argparse
import sys
import time
from copy import deepcopy
from pathlib import Path
from statistics import median

import torch
from frame_wise import frame_wise_clip
from measuring import check_device, interleave, machine, peak_memory, ratio, write_csv
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
ARCHS = ('base', 'large', 'small')
FLAGS = {'plain', 'channels_last', 'amp', 'compile', 'fused'}


def build_tsn(name, depth):
    """Build the baseline."""
    options = dict(NETWORKS[name].baseline)
    max_pool = options.pop('max_pool', True)
    tsn = MODELS.build(dict(type='ResNet', depth=depth, norm_eval=False, **options))
    if not max_pool:
        tsn.maxpool = nn.Identity()
    return tsn


def build(name, args, frames):
    """Return {implementation: network}, the baseline first."""
    if name == 'TAdaFormer':
        return build_tadaformer(args, frames)
    depth = args.depth
    ours = MODELS.build(
        dict(type=f'mmtemporal.{name}', depth=depth, num_segments=frames)
    )
    networks = dict(TSN=build_tsn(name, depth), ours=ours, naive=naive(ours))
    if name == 'TANet' and depth >= 50:
        networks['in-tree'] = MODELS.build(
            dict(type='TANet', depth=depth, num_segments=frames)
        )
    return networks


def build_tadaformer(args, frames):
    small = NETWORKS['TAdaFormer'].small
    arch, routing = args.arch, None
    if arch == 'small':  # to try the program out
        arch = {k: v for k, v in small['arch'].items() if k != '_delete_'}
        routing = small['routing']
    ours = MODELS.build(
        dict(
            type='mmtemporal.TAdaFormer',
            arch=arch,
            form=args.form,
            num_segments=frames,
            img_size=args.size,
            routing=routing,
            with_cp=args.with_cp,
        )
    )
    return dict(CLIP=frame_wise_clip(ours), ours=ours, naive=naive(ours))


def size_of(name, args):
    """Say how large a network is."""
    return f'{args.arch} {args.form}' if name == 'TAdaFormer' else args.depth


def prepare(implementation, network, flags, device):
    """Put a network into a setting."""
    network = network.to(device)
    if 'fused' in flags:
        ours = implementation in ('ours', 'CLIP')  # the latter being a part of it
        fuse = fuse_for_inference if ours else fuse_with_mmcv
        network = fuse(network)
    if 'channels_last' in flags:
        network = network.to(memory_format=torch.channels_last)
    return torch.compile(network) if 'compile' in flags else network


def fuse_with_mmcv(network):
    network = deepcopy(network)
    network.eval()  # MMAction2's ResNet returns nothing here
    return fuse_conv_bn(network)


def make_input(implementation, name, args, frames, flags):
    if name == 'TAdaFormer':
        x = torch.randn(args.batch, 3, frames, args.size, args.size)
        return x.to(args.device)
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
    for implementation, network in build(name, args, frames).items():
        if implementation in args.skip:
            continue
        network = prepare(implementation, network, flags, args.device)
        x = make_input(implementation, name, args, frames, flags)
        steps[implementation] = make_step(network, x, mode, flags, args)
    label = f'{name}, {frames} frames, {setting}, {mode}'
    alone = torch.device(args.device).type == 'cpu' and args.threads == 1
    clock = time.process_time if alone else time.perf_counter
    times = interleave(steps, args.repeats, args.device, label, clock)
    memory = {key: peak_memory(step, args.device) for key, step in steps.items()}
    baseline, *_ = times
    rows = []
    for implementation, seconds in times.items():
        middle, minimum, maximum = ratio(seconds, times[baseline])
        rows.append(
            dict(
                network=name,
                implementation=implementation,
                mode=mode,
                setting=setting,
                depth=size_of(name, args),
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
                memory_ratio=round(memory[implementation] / memory[baseline], 3),
                **machine(args.device),
            )
        )
    return rows


def show(rows):
    """Print a line for each network, setting, number of frames and mode."""
    keys = ('network', 'setting', 'frames', 'mode')
    names = ('ours', *OTHERS)
    table = Table(
        title='Time over that of the baseline (minimum to maximum of the rounds) | '
        'peak memory'
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
    choices = [*RESNETS, 'TAdaFormer']
    parser.add_argument('--networks', nargs='+', default=RESNETS, choices=choices)
    parser.add_argument('--modes', nargs='+', default=('inference', 'training'))
    parser.add_argument('--settings', nargs='+', default=('plain',))
    parser.add_argument('--skip', nargs='+', default=(), choices=OTHERS)
    parser.add_argument('--depth', type=int, default=50, help='of the ResNets')
    parser.add_argument('--arch', default='base', choices=ARCHS, help='of TAdaFormer')
    parser.add_argument('--form', default='K', choices=('K', 'S'), help='of TAdaFormer')
    parser.add_argument(
        '--with-cp', action='store_true', help='activation checkpointing in TAdaFormer'
    )
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
        if 'channels_last' in setting and 'TAdaFormer' in args.networks:
            parser.error(f'--settings {setting}: TAdaFormer has channels last anyway')
    check_device(parser, args.device)
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
