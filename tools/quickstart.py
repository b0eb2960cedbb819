"""Train and test networks on the motion clips with MMAction2's own scripts.

Every run has a folder. An interrupted run is resumed, a finished one reused, and
one with other settings is never touched.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from itertools import chain
from pathlib import Path

import torch
from mmengine import Config
from mmengine.fileio import load
from rich.console import Console
from rich.table import Table

from mmtemporal.datasets import MIRRORED_LABELS, make_motion_clips
from mmtemporal.networks import BASELINE_RECIPE, NETWORKS

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs' / 'recognition'
# The plain baseline first.
METHODS = {
    Path(recipe).parent.name: CONFIGS / f'{recipe}.py'
    for recipe in (BASELINE_RECIPE, *(n.recipe for n in NETWORKS.values() if n.recipe))
}
RESNETS = [
    Path(BASELINE_RECIPE).parent.name,
    *(Path(n.recipe).parent.name for n in NETWORKS.values() if n.is_resnet),
]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        default=['tanet'],
        choices=['all', *METHODS],
        help='the networks to compare; all: those on ResNet-18',
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/quickstart'))
    parser.add_argument('--data', type=Path, default=Path('data/motion_clips'))
    parser.add_argument('--train-clips', type=int, default=1200)
    parser.add_argument('--val-clips', type=int, default=240)
    parser.add_argument('--epochs', type=int, help='instead of those of the config')
    args = parser.parse_args()
    if args.epochs is not None and args.epochs < 2:
        parser.error(f'--epochs {args.epochs}: the first one is the warm-up, give 2')
    expanded = (RESNETS if name == 'all' else [name] for name in args.methods)
    args.methods = list(dict.fromkeys(chain.from_iterable(expanded)))
    names = ('train_clips', 'val_clips', 'epochs', 'work_dir', 'data')
    # What the same run with other methods must repeat.
    args.options = [
        word
        for name in names
        if getattr(args, name) != parser.get_default(name)
        for word in (f'--{name.replace("_", "-")}', getattr(args, name))
    ]
    return args


def make_settings(method: str, args: argparse.Namespace) -> Config:
    """Return the whole config of a run."""
    cfg = Config.fromfile(METHODS[method])
    data = args.data.resolve()
    for name in ('train', 'val', 'test'):
        dataset = cfg[f'{name}_dataloader'].dataset
        dataset.ann_file = str(data / Path(dataset.ann_file).name)
        dataset.data_prefix.video = str(data)
    if args.epochs is not None:
        cfg.train_cfg.max_epochs = args.epochs
        cfg.param_scheduler[-1].end = args.epochs
    return cfg


def prepare(work_dir: Path, cfg: Config) -> Path:
    """Write the settings of a run beside its folder, or find them there."""
    # Inside, the training script puts a copy of its own under the same name.
    settings = work_dir.with_suffix('.py')
    if settings.exists():
        difference = Config.diff(str(settings), cfg).strip()
        if difference:
            raise SystemExit(
                f'{work_dir} holds a run with other settings:\n{difference}\n'
                f'Give another --work-dir, or delete {work_dir} and {settings}.'
            )
    elif work_dir.exists() and any(work_dir.iterdir()):
        raise SystemExit(
            f'{work_dir} holds files of something else. Give another --work-dir.'
        )
    else:
        work_dir.mkdir(parents=True, exist_ok=True)
        cfg.dump(settings)
    return settings


def run_tool(*command: object) -> None:
    # More threads than free cores wait for each other most of the time.
    environment = {'OMP_NUM_THREADS': '1', **os.environ}
    subprocess.run(
        [sys.executable, '-m', 'mmtemporal.tools', *map(str, command)],
        check=True,
        env=environment,
    )


def train_and_test(method: str, args: argparse.Namespace) -> dict:
    """Run the stock scripts and return a row of the table."""
    work_dir = args.work_dir / method
    cfg = make_settings(method, args)
    settings = prepare(work_dir, cfg)
    predictions = work_dir / 'predictions.pkl'
    last = work_dir / f'epoch_{cfg.train_cfg.max_epochs}.pth'
    if not predictions.exists():
        if not last.exists():
            run_tool('train', settings, '--work-dir', work_dir, '--resume')
        (best,) = work_dir.glob('best_acc_top1_epoch_*.pth')
        run_tool('test', settings, best, '--work-dir', work_dir, '--dump', predictions)
    return dict(
        method=method,
        **accuracy(predictions),
        parameters=count_parameters(last),
        seconds=seconds_per_iteration(work_dir),
    )


def accuracy(predictions: Path) -> dict:
    """Compute top-1 over all classes, and between a class and its mirror."""
    samples = load(predictions)
    right = within_pair = 0
    for sample in samples:
        label, score = int(sample['gt_label']), sample['pred_score']
        right += int(score.argmax()) == label
        within_pair += bool(score[label] > score[MIRRORED_LABELS[label]])
    return dict(top1=right / len(samples), within_pair=within_pair / len(samples))


def count_parameters(checkpoint: Path) -> int:
    state_dict = torch.load(checkpoint, map_location='cpu')['state_dict']
    buffers = ('running_mean', 'running_var', 'num_batches_tracked')
    return sum(v.numel() for k, v in state_dict.items() if not k.endswith(buffers))


def seconds_per_iteration(work_dir: Path) -> float:
    """Return the median of the logged times, which spares the slow first one."""
    times = [
        record['time']
        for log in work_dir.glob('*/vis_data/scalars.json')
        for record in map(json.loads, log.read_text().splitlines())
        if 'loss' in record
    ]
    return torch.tensor(times).median().item()


def print_table(rows: list) -> None:
    table = Table(title='Motion clips')
    for heading in (
        'method',
        'top-1',
        'top-1 within mirrored pairs',
        'parameters',
        'seconds per iteration',
    ):
        table.add_column(heading, justify='left' if heading == 'method' else 'right')
    for row in rows:
        table.add_row(
            row['method'],
            f'{row["top1"]:.1%}',
            f'{row["within_pair"]:.1%}',
            f'{row["parameters"]:,}',
            f'{row["seconds"]:.2f}',
        )
    Console().print(table)


def short(path: Path) -> str:
    """Return a path as a command in this folder names it."""
    path, folder = Path(os.path.abspath(path)), Path.cwd()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def print_next(args: argparse.Namespace) -> None:
    """Print commands that work as they stand, in any shell and after any options."""
    # Without an active environment there is no other python to rely on.
    python, tools = short(Path(sys.executable)), ROOT / 'tools'
    run = args.work_dir / args.methods[-1]
    (best,) = run.glob('best_acc_top1_epoch_*.pth')
    commands = {
        'compare with a network that cannot see order': (
            *(short(tools / 'quickstart.py'), '--methods', 'all', *args.options),
        ),
        'look at the clips': (
            *(short(tools / 'make_motion_clips.py'), args.data),
            *('--train', args.train_clips, '--val', args.val_clips),
            *('--preview', 'clips.png'),
        ),
        'test the network again, with any of the stock tools': (
            *('-m', 'mmtemporal.tools', 'test', run.with_suffix('.py'), best),
            *('--work-dir', run),
        ),
    }
    print(f'Checkpoints and logs are in {args.work_dir}. Next, in {Path.cwd()}:')
    for purpose, command in commands.items():
        print(f'  # {purpose}\n  {shlex.join(map(str, (python, *command)))}')
    guide = ROOT / 'docs' / 'fine_tune.md'
    if guide.exists():  # a wheel has no pages
        print(f'{short(guide)} says how to train on your own videos.')


def main() -> None:
    args = parse_args()
    try:
        make_motion_clips(args.data, args.train_clips, args.val_clips)
    except (ValueError, FileExistsError) as error:
        raise SystemExit(f'error: {error}') from None
    rows = []
    for method in args.methods:
        print(f'\n[quickstart] {method}: logs in {args.work_dir / method}', flush=True)
        rows.append(train_and_test(method, args))
    print_table(rows)
    results = args.work_dir / 'results.json'
    results.write_text(json.dumps(rows, indent=1) + '\n')
    print_next(args)


if __name__ == '__main__':
    main()
