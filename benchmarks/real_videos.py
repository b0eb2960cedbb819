"""Train and test networks on UTD-MHAD, several seeds each, by MMAction2's own scripts.

    python benchmarks/real_videos.py --seeds 0 1 2 --jobs 2

The data and ImageNet weights are those of docs/utd_mhad.md, in data/ of the folder
where this runs. A run that is in the results file is not repeated, an interrupted one
goes on after its last whole epoch, and --minutes says after how long no more begin.
"""

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from pathlib import Path

from real_videos_cells import CELLS, SEEDS, Cell
from real_videos_results import FILE, add_row, key, make_row, read_rows
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from mmtemporal.quickstart.results import Run
from mmtemporal.quickstart.runs import prepare


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        '--cells',
        nargs='+',
        choices=list(CELLS),
        default=list(CELLS),
        metavar='CELL',
        help='names that --list prints (default: all)',
    )
    add('--seeds', nargs='+', type=int, default=SEEDS, help='default: 0 1 2')
    add('--jobs', type=int, default=1, help='runs at a time (default: 1)')
    add('--threads', type=int, default=1, help='of each run (default: 1)')
    add('--minutes', type=float, default=float('inf'), help='begin no run after that')
    add(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/real_videos'),
        help='where the runs are kept (default: %(default)s)',
    )
    add('--out', type=Path, default=FILE, help='results file (default: %(default)s)')
    add('--list', action='store_true', help='print the cells and stop')
    args = parser.parse_args()
    checks = (('seeds', min(args.seeds), 0), ('jobs', args.jobs, 1))
    for name, value, minimum in (*checks, ('threads', args.threads, 1)):
        if value < minimum:
            parser.error(f'argument --{name}: got {value}, expected {minimum} or more')
    # The same run twice would be two at a time in one folder.
    args.cells = list(dict.fromkeys(args.cells))
    args.seeds = list(dict.fromkeys(args.seeds))
    return args


def find_missing(args: argparse.Namespace) -> list[tuple[Cell, int]]:
    """Return the runs that are not in the results, all cells of a seed together."""
    rows = {key(row): row for row in read_rows(args.out)}
    missing = []
    for seed in args.seeds:
        for cell in map(CELLS.get, args.cells):
            row = rows.get((cell.name, seed))
            if row is None:
                missing.append((cell, seed))
            elif row['settings'] != cell.digest:
                raise SystemExit(
                    f'error: {args.out} has {cell.name}, seed {seed}, by other '
                    f'settings ({row["settings"]}, now {cell.digest}). Delete its '
                    'lines of this cell, or give another --out and --work-dir.'
                )
    return missing


def check_files(cells: Iterable[Cell]) -> None:
    """Stop if a list, ImageNet weights or timm is missing, before anything begins."""
    for cell in cells:
        settings = cell.settings(0).dump()
        if "type='timm." in settings and find_spec('timm') is None:
            raise SystemExit(
                f'error: {cell.name} needs timm; docs/any_backbone.md has the command '
                'that installs it, or leave these cells out by --cells'
            )
        for name in re.findall(r'data/[\w/]+\.(?:txt|pth)', settings):
            if not Path(name).exists():
                raise SystemExit(
                    f'error: {cell.name} needs {name}, which is not in {Path.cwd()}; '
                    'docs/utd_mhad.md says how to make it'
                )


class Pieces:
    """Starts the stock scripts and stops them together.

    Args:
        threads: Threads of each.
    """

    def __init__(self, threads: int) -> None:
        self.environment = {**os.environ, 'OMP_NUM_THREADS': str(threads)}
        self.running: set[subprocess.Popen] = set()
        self.stopped = False

    def run(self, log: Path, *command: object) -> float:
        """Run a command, its output in a log; return the CPU seconds that it took."""
        with log.open('a') as output:
            if self.stopped:
                raise InterruptedError
            process = subprocess.Popen(
                list(map(str, command)),
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            self.running.add(process)
            if self.stopped:  # meanwhile
                process.terminate()
            # Its worker processes are counted with it.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.running.discard(process)
        if self.stopped:
            raise InterruptedError
        if process.returncode:
            raise RuntimeError(
                f'exit status {process.returncode} of '
                f'{shlex.join(map(str, command))}, see {log}'
            )
        return usage.ru_utime + usage.ru_stime

    def stop(self) -> None:
        self.stopped = True
        for process in list(self.running):
            process.terminate()


def train_and_test(cell: Cell, seed: int, args: argparse.Namespace, pieces: Pieces):
    """Train and test one network as far as its files are missing; return its line."""
    run = Run(cell.name, args.work_dir / cell.name / f'seed{seed}')
    seen = Run(cell.name, run.folder / 'training_videos')
    cfg = cell.settings(seed)
    prepare(run, cfg)
    log, time_file = run.folder / 'output.log', run.folder / 'cpu_seconds.jsonl'
    tools = (sys.executable, '-m', 'mmtemporal.tools')
    folder = ('--work-dir', run.folder)
    if not run.last.exists():
        # Of a training in pieces the first ones' time is not known.
        whole = not (run.folder / 'last_checkpoint').exists()
        seconds = pieces.run(log, *tools, 'train', run.config, *folder, '--resume')
        if whole:
            time_file.write_text(f'{json.dumps(seconds)}\n')
    # The second is of the training videos, not augmented, and shows overfitting.
    file = cfg.train_dataloader.dataset.ann_file
    option = f'test_dataloader.dataset.ann_file={file}'
    for tested, change in ((run, ()), (seen, ('--cfg-options', option))):
        if not tested.predictions.exists():
            part = tested.predictions.with_suffix('.part.pkl')
            test = (*tools, 'test', run.config, run.last, *folder, '--dump', part)
            pieces.run(log, *test, *change)
            os.replace(part, tested.predictions)
    seconds = json.loads(time_file.read_text()) if time_file.exists() else None
    return make_row(cell, seed, run, seen, seconds)


def run_all(missing: list, args: argparse.Namespace) -> None:
    pieces, start = Pieces(args.threads), time.monotonic()
    columns = (MofNCompleteColumn(), BarColumn(), TimeElapsedColumn())
    console = Console(highlight=False)

    def work(cell: Cell, seed: int):
        late = time.monotonic() - start >= args.minutes * 60
        return None if late else train_and_test(cell, seed, args, pieces)

    with (
        Progress(*columns, console=console) as progress,
        ThreadPoolExecutor(args.jobs) as pool,
    ):
        bar = progress.add_task('runs', total=len(missing))
        futures = [pool.submit(work, *run) for run in missing]
        try:
            for future in as_completed(futures):
                row = future.result()
                if row is not None:
                    progress.advance(bar)
                    add_row(row, args.out)
                    console.print(
                        f'{row["cell"]} seed {row["seed"]}: top-1 {row["top1"]}, '
                        f'order pairs {row["order_pairs"]}, training '
                        f'{row["training_cpu_seconds"]} CPU s'
                    )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            pieces.stop()
            raise


def main() -> None:
    args = parse_args()
    if args.list:
        print('\n'.join(f'{name}: {cell.recipe.name}' for name, cell in CELLS.items()))
        return
    check_files(map(CELLS.get, args.cells))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    missing = find_missing(args)
    try:
        run_all(missing, args)
    except KeyboardInterrupt:
        print('\nstopped; the same command goes on', file=sys.stderr)
        raise SystemExit(130) from None
    except RuntimeError as error:
        raise SystemExit(f'error: {error}') from None
    left = len(find_missing(args))
    print(f'{left} runs are left' if left else f'complete: {args.out}')


if __name__ == '__main__':
    main()
