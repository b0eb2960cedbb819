r"""Train and test networks on the motion clips with MMAction2's own scripts.

Every run has a folder. An interrupted run is resumed, a finished one reused, and
one with other settings is never touched. report.html in --work-dir shows the results.
"""

import argparse
import json
import os
import shlex
import signal
import sys
from itertools import chain
from math import ceil
from pathlib import Path

from rich.table import Table

from mmtemporal.datasets import CLASS_NAMES, make_motion_clips
from mmtemporal.networks import BASELINE_RECIPE, NETWORKS
from mmtemporal.quickstart.results import HEADINGS, Run, cells
from mmtemporal.quickstart.runs import make_settings, prepare, train_and_test
from mmtemporal.quickstart.screen import Screen

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
# Seconds that a training clip takes on two free cores, and a run beside its training.
SECONDS = dict(
    tsn=0.018,
    tanet=0.022,
    tin=0.022,
    tdn=0.042,
    tada2d=0.022,
    tadaconvnext=0.04,
    tadaformer=0.02,
)
OVERHEAD = 60


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        default=['tin'],
        choices=['all', *METHODS],
        help='the networks to compare; all: those on ResNet-18',
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/quickstart'))
    parser.add_argument('--data', type=Path, default=Path('data/motion_clips'))
    parser.add_argument('--train-clips', type=int, default=1200)
    parser.add_argument('--val-clips', type=int, default=240)
    parser.add_argument('--epochs', type=int, help='instead of those of the config')
    parser.add_argument(
        '--verbose',
        action='store_true',
        help='print all that otherwise goes to quickstart.log in --work-dir',
    )
    args = parser.parse_args()
    classes = len(CLASS_NAMES)
    for name in ('train_clips', 'val_clips'):
        number = getattr(args, name)
        if number < classes or number % classes:
            parser.error(
                f'--{name.replace("_", "-")} {number}: expected a multiple of {classes}'
            )
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


def make_clips(args: argparse.Namespace, screen: Screen) -> None:
    number = f'{args.train_clips + args.val_clips:,} clips in {args.data}'
    exists = args.data.exists()
    if not exists:
        screen.title(f'drawing {number}')
    workers = min(4, len(os.sched_getaffinity(0)))
    try:
        with screen.captured():
            make_motion_clips(
                args.data, args.train_clips, args.val_clips, num_workers=workers
            )
    except FileExistsError as error:
        # Nothing is overwritten from here.
        reason = str(error).partition(', or pass overwrite')[0]
        raise SystemExit(f'error: --data: {reason}') from None
    if exists:
        screen.title(f'reusing the {number}')


def estimate(args: argparse.Namespace, epochs: dict) -> str:
    """Return how long the runs take that are not there yet, in words."""
    seconds = OVERHEAD * len(epochs) + args.train_clips * sum(
        SECONDS[method] * number for method, number in epochs.items()
    )
    minutes = ceil(seconds / 60)
    return f'about {minutes} minute{"s" * (minutes > 1)} on 2 free cores'


def short(path: Path) -> str:
    """Return a path as a command in this folder names it."""
    path, folder = Path(os.path.abspath(path)), Path.cwd()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def print_next(args: argparse.Namespace, run: Run) -> None:
    """Print commands that work as they stand, in any shell and after any options."""
    # Without an active environment there is no other python to rely on.
    python, tools = short(Path(sys.executable)), ROOT / 'tools'
    classes = args.work_dir / 'classes.txt'
    classes.write_text(''.join(f'{name}\n' for name in CLASS_NAMES))
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
            *('-m', 'mmtemporal.tools', 'test', run.config, run.last),
            *('--work-dir', run.folder),
        ),
        'show it videos in a browser, after pip install -r requirements/demo.txt': (
            *(short(tools / 'demo.py'), run.config, run.last),
            *('--examples', args.data / 'val', '--label-map', classes),
        ),
    }
    print(f'Checkpoints and logs are in {args.work_dir}. Next, in {Path.cwd()}:')
    for purpose, command in commands.items():
        print(f'  # {purpose}\n  {shlex.join(map(str, (python, *command)))}')
    guide = ROOT / 'docs' / 'fine_tune.md'
    if guide.exists():  # a wheel has no pages
        print(f'{short(guide)} says how to train on your own videos.')


def print_table(rows: list[dict], screen: Screen) -> None:
    table = Table(title='Motion clips')
    for heading in HEADINGS:
        table.add_column(heading, justify='left' if heading == 'method' else 'right')
    for row in rows:
        table.add_row(*cells(row))
    screen.console.print(table)


def main() -> None:
    args = parse_args()
    # A job that is cancelled leaves no training behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    log = args.work_dir / 'quickstart.log'
    try:
        compare(args, Screen(log, args.verbose))
    except OSError as error:  # such as a folder that cannot be made
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt:
        print(
            '\nstopped; the same command goes on after the last whole epoch. '
            f'Log: {log}',
            file=sys.stderr,
        )
        raise SystemExit(130) from None


def compare(args: argparse.Namespace, screen: Screen) -> None:
    runs, epochs = [], {}
    for method in args.methods:
        run = Run(method, args.work_dir / method)
        cfg = make_settings(METHODS[method], args.data, args.epochs)
        prepare(run, cfg)
        runs.append(run)
        if not run.predictions.exists():
            epochs[method] = cfg.train_cfg.max_epochs
    if epochs:
        screen.title(
            f'{", ".join(epochs)} on the motion clips: {estimate(args, epochs)}'
        )
    make_clips(args, screen)
    for run in runs:
        train_and_test(run, screen)
    rows = [run.row() for run in runs]
    (args.work_dir / 'results.json').write_text(json.dumps(rows, indent=1) + '\n')
    print_table(rows, screen)
    screen.title('drawing the report')
    with screen.captured():
        # It takes seconds to import all of MMAction2, and that warns.
        from mmtemporal.quickstart.report import write_report

        report, picture = write_report(args.work_dir, runs, rows, args.data)
    print_next(args, runs[-1])
    print(f'Picture: {short(picture)}')
    print(f'Report, for a browser: {short(report)}')
    print(f'Log of everything else: {short(screen.log)}')


if __name__ == '__main__':
    main()
