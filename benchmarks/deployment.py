r"""Compare the ways to run a trained network on a CPU: PyTorch, onnxruntime, OpenVINO.

For each network of the package that is a ResNet, and TSN, in one process, interleaved:
every variant of deployment_variants.py, beside TSN by PyTorch, eager. Weights are
random and frames are noise, which changes no time; batch norms have statistics of the
noise. What accuracy a variant loses is measured by deployment_accuracy.py.

    python benchmarks/deployment.py --out benchmarks/results/deployment_cpu.csv

Networks that the CSV file already has are not measured again, so a run that was stopped
can be continued, on the same machine and with the same options.
"""

import argparse
import tempfile
import time
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import torch
from deployment_picture import draw
from deployment_variants import FILES, REFERENCE, Deployment, usable
from measuring import interleave, machine, ratio, read_csv, write_csv
from mmengine import Config
from mmengine.logging import MMLogger
from rich.console import Console
from rich.table import Table
from torch.nn.modules.batchnorm import _BatchNorm

from mmtemporal.checkpoints.fit import build_model
from mmtemporal.datasets.input_shape import input_shape
from mmtemporal.export import ClipScores, change_size, view_of
from mmtemporal.export.clip_scores import random_views
from mmtemporal.networks import BASELINE_RECIPE, NETWORKS

RECOGNITION = Path(__file__).resolve().parents[1] / 'configs' / 'recognition'
BASELINE = 'TSN'
RECIPES = {BASELINE: BASELINE_RECIPE}
RECIPES.update(
    {name: x.recipe for name, x in NETWORKS.items() if x.is_resnet and x.recipe}
)
NUM_CLASSES = 400
FRAMES = 8  # those of the recipes
MIN_SIZE = 36  # of TDN


def build(name, args):
    """Build the recognizer of a recipe of 8 frames, with a larger ResNet and frames."""
    recipe = RECOGNITION / f'{RECIPES[name]}.py'
    changes = {
        **change_size(Config.fromfile(recipe), args.size),
        'model.backbone.depth': args.depth,
        'model.cls_head.in_channels': 2048 if args.depth >= 50 else 512,
        'model.cls_head.num_classes': NUM_CLASSES,
    }
    torch.manual_seed(0)
    return build_model(recipe, changes)


def set_statistics(model, network, clips):
    """Give the batch norms those of clips, or feature maps grow from block to block."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = None  # the mean over all batches
            module.train()
    with torch.no_grad():
        network(clips)
    model.eval()


def prepare(name, args, folder):
    """Return a deployment of a network, and clips for it."""
    model = build(name, args)
    shape, view = input_shape(model.cfg), view_of(model.cfg)
    clips = random_views(max(args.batches), view.shape, normalised=True)
    set_statistics(model, ClipScores(model, shape), clips[:2])
    folder.mkdir()
    return Deployment(model, view, shape, clips.split(1), folder), clips


def measure(name, args, baseline, folder):
    """Return a row for each variant of a network and number of clips."""
    deployment, clips = prepare(name, args, folder / name)
    runs = {variant: deployment.run(variant) for variant in args.variants}
    rows = []
    for batch in args.batches:
        x = clips[:batch]
        cases = {variant: partial(run, x) for variant, run in runs.items()}
        if name != BASELINE:
            cases[BASELINE] = partial(baseline[0], baseline[1][:batch])
        label = f'{name}, {batch} clip(s)'
        clock = time.process_time if args.threads == 1 else time.perf_counter
        times = interleave(cases, args.rounds, description=label, clock=clock)
        expected = runs[REFERENCE](x)
        for variant, run in runs.items():
            difference = (run(x) - expected).abs().max() / expected.abs().max()
            rows.append(
                dict(
                    network=name,
                    variant=variant,
                    batch=batch,
                    depth=args.depth,
                    frames=FRAMES,
                    size=args.size,
                    **compare(times, variant),
                    difference=f'{difference:.1e}',
                    megabytes=round(deployment.megabytes(variant), 1),
                    rounds=args.rounds,
                    **machine(),
                    **versions(),
                )
            )
    torch.compiler.reset()  # what is compiled of a class is limited
    return rows


def compare(times, variant):
    """Return the columns of times."""
    own, found = times[REFERENCE], times[variant]
    middle, minimum, maximum = ratio(found, times.get(BASELINE, own))
    return dict(
        seconds=round(median(found), 5),
        ratio=round(middle, 3),
        ratio_min=round(minimum, 3),
        ratio_max=round(maximum, 3),
        own_ratio=round(ratio(found, own)[0], 3),
    )


def versions():
    """Name the runtimes."""
    found = {}
    for name in ('onnxruntime', 'openvino'):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ''
    return found


def read_rows(path, args, parser):
    """Return the rows of a run that was stopped."""
    if not path or not path.exists():
        return []
    if path.is_dir():
        parser.error(f'--out {path} is a folder; give the name of a file')
    rows = read_csv(path)
    asked = dict(depth=args.depth, size=args.size, rounds=args.rounds)
    asked |= {**machine(), **versions(), 'threads': args.threads}
    asked |= dict(batch=args.batches, variant=args.variants)
    for key, value in asked.items():
        expected = {str(x) for x in (value if isinstance(value, list) else [value])}
        found = {str(row.get(key)) for row in rows}
        if found != expected:
            parser.error(
                f'--out {path}: its rows are of {key} {", ".join(sorted(found))}, '
                f'this run has {", ".join(sorted(expected))}; give another file, or '
                'delete it'
            )
    return rows


def show(rows):
    table = Table(title='Time / that of eager TSN (that of its own eager form)')
    names = list(dict.fromkeys(row['network'] for row in rows))
    for column in ('variant', 'clips', *names):
        table.add_column(column)
    lines = {}
    for row in rows:
        text = f'{float(row["ratio"]):.2f} ({float(row["own_ratio"]):.2f})'
        key = row['variant'], str(row['batch'])
        lines.setdefault(key, {})[row['network']] = text
    for key, cells in lines.items():
        table.add_row(*key, *(cells.get(name, '') for name in names))
    Console().print(table)


def parse_args(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('--networks', nargs='+', choices=RECIPES, default=list(RECIPES))
    add('--variants', nargs='+', choices=FILES, help='default: all')
    add('--batches', nargs='+', type=int, default=[1, 4], help='clips at a time')
    add('--depth', type=int, default=50, choices=(18, 34, 50, 101), help='of ResNet')
    add('--size', type=int, default=224, help='pixels a side')
    add('--rounds', type=int, default=7)
    add('--threads', type=int, default=1)
    add('--out', type=Path, help='CSV file; a picture stands beside it')
    args = parser.parse_args(arguments)
    for name in ('batches', 'rounds', 'threads'):
        value = getattr(args, name)
        if min(value if isinstance(value, list) else [value]) < 1:
            parser.error(f'--{name} {value}: give 1 or more')
    if args.size < MIN_SIZE:
        parser.error(f'--size {args.size}: give {MIN_SIZE} or more')
    args.variants = usable(args.variants, parser)
    args.rows = read_rows(args.out, args, parser)
    return args


def main(arguments=None):
    args = parse_args(arguments)
    torch.set_num_threads(args.threads)
    MMLogger.get_instance('benchmark', log_level='WARNING')
    rows = args.rows
    found = {row['network'] for row in rows}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        deployment, clips = prepare(BASELINE, args, folder / 'baseline')
        baseline = deployment.run(REFERENCE), clips
        for name in args.networks:
            if name in found:
                print(f'{args.out} has {name} already')
                continue
            print(f'{name}: writing its files', flush=True)
            rows += measure(name, args, baseline, folder)
            if args.out:  # what is measured is kept, whatever comes
                write_csv(args.out, rows)
    show(rows)
    if args.out:
        draw(rows, args.out.with_suffix('.png'))


if __name__ == '__main__':
    main()
