r"""Measure what accuracy a trained network loses by each variant of deployment.py.

    python benchmarks/deployment_accuracy.py work_dirs/quickstart/tin/tin.py \
        work_dirs/quickstart/tin/epoch_5.pth data/motion_clips \
        --out benchmarks/results/deployment_accuracy.csv

DATA is a folder with train.txt and val.txt, lists of a file and a label a line, as of
tools/make_motion_clips.py. All videos of val.txt are classified; the first ones of
train.txt calibrate static int8. The rows of a network take the place of those that the
CSV file had of it.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from deployment_variants import FILES, Deployment, usable
from measuring import read_csv, write_csv
from mmengine.logging import MMLogger
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmtemporal.checkpoints.fit import load_trained
from mmtemporal.config_types import type_name
from mmtemporal.datasets.input_shape import input_shape
from mmtemporal.export import view_of
from mmtemporal.export.comparison import read_views


def read_list(file):
    """Return (video, label) for each line of a list."""
    lines = file.read_text().splitlines()
    pairs = [line.rsplit(maxsplit=1) for line in lines]
    wrong = [x for x in pairs if len(x) < 2 or not x[1].isdigit()]
    if wrong or not lines:
        got = ' '.join(wrong[0]) if wrong else ''
        raise ValueError(
            f'{file}: got {got!r}, expected a video and the number of its class in '
            'each line'
        )
    return [(file.parent / name, int(label)) for name, label in pairs]


def load(args):
    """Return the recognizer, and what one of its inputs is."""
    model = load_trained(args.config, args.checkpoint)
    view = view_of(model.cfg)
    if view.views > 1:
        raise ValueError(
            f'test_pipeline of {args.config} makes {view.views} views of a video; '
            'give a config with one'
        )
    return model, view


def read_clips(model, videos, description):
    return [
        read_views(model, video, False)
        for video, _ in track(videos, description=description)
    ]


def measure(args, folder):
    """Return a row for each variant."""
    model, view = load(args)
    train, val = (read_list(args.data / f'{split}.txt') for split in ('train', 'val'))
    calibration = read_clips(model, train[: args.calibration], 'calibration')
    clips = read_clips(model, val, 'reading the clips')
    labels = torch.tensor([label for _, label in val])
    shape = input_shape(model.cfg)
    deployment = Deployment(model, view, shape, calibration, folder)
    rows, expected = [], None
    for variant in args.variants:
        run = deployment.run(variant)
        scores = torch.cat([run(clip) for clip in track(clips, description=variant)])
        expected = scores if expected is None else expected  # the reference is first
        best = scores.argmax(1)
        rows.append(
            dict(
                network=name_of(model.cfg.model.backbone),
                variant=variant,
                top1=round(100 * float((best == labels).float().mean()), 2),
                same=int((best == expected.argmax(1)).sum()),
                difference=f'{(scores - expected).abs().max():.1e}',
                largest=f'{expected.abs().max():.1f}',
                clips=len(clips),
                calibration=len(calibration),
                depth=model.cfg.model.backbone.get('depth', ''),
                size=view.height,
                megabytes=round(deployment.megabytes(variant), 1),
            )
        )
    return rows


def name_of(backbone):
    name = type_name(backbone.type)
    return 'TSN' if name == 'ResNet' else name  # without temporal layers


def show(rows):
    table = Table(title=f'{rows[0]["network"]}: {rows[0]["clips"]} clips')
    columns = ('variant', 'top1', 'same', 'difference', 'largest', 'megabytes')
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(row[column]) for column in columns))
    Console().print(table)


def read_rows(path, parser):
    """Return the rows that the CSV file has."""
    if not path or not path.exists():
        return []
    if path.is_dir():
        parser.error(f'--out {path} is a folder; give the name of a file')
    rows = read_csv(path)
    if not rows or 'top1' not in rows[0]:
        parser.error(f'--out {path} is no file of this program; give another')
    return rows


def parse_args(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('config', type=Path)
    add('checkpoint', type=Path)
    add('data', type=Path, help='folder with train.txt and val.txt')
    add('--variants', nargs='+', choices=FILES, help='default: all')
    add('--calibration', type=int, default=64, help='videos for static int8')
    add('--out', type=Path, help='CSV file')
    args = parser.parse_args(arguments)
    if args.calibration < 1:
        parser.error(f'--calibration {args.calibration}: give 1 or more')
    for split in ('train', 'val'):
        if not (args.data / f'{split}.txt').is_file():
            parser.error(f'{args.data} has no {split}.txt')
    args.variants = usable(args.variants, parser)
    args.rows = read_rows(args.out, parser)
    return args


def main(arguments=None):
    args = parse_args(arguments)
    torch.set_num_threads(1)
    MMLogger.get_instance('benchmark', log_level='WARNING')
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(args, Path(folder))
    except (ValueError, OSError) as error:
        raise SystemExit(f'error: {error}') from None
    show(rows)
    if args.out:
        kept = [row for row in args.rows if row['network'] != rows[0]['network']]
        write_csv(args.out, kept + rows)


if __name__ == '__main__':
    main()
