"""What the quick start prints, and the log that gets everything else."""

import os
import re
import shlex
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import IO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

# Lines of a failed command that are shown.
TAIL = 20
TRAIN = re.compile(
    r'Epoch\(train\)\s+\[(?P<epoch>\d+)\]\[\s*(?P<step>\d+)/(?P<steps>\d+)\].*?'
    r'eta: (?P<eta>\S+).*?loss: (?P<loss>\S+)'
)
VALIDATE = re.compile(r'Epoch\(val\)\s+\[(?P<epoch>\d+)\].*?acc/top1: (?P<top1>\S+)')


class Screen:
    """Prints titles and a line for each epoch, and keeps the output of commands.

    Args:
        log: File to which the output of commands is appended.
        verbose: Whether it is printed, too.
    """

    def __init__(self, log: Path, verbose: bool = False) -> None:
        self.log = log
        self.verbose = verbose
        self.console = Console(highlight=False)
        log.parent.mkdir(parents=True, exist_ok=True)
        # It stays open, as loggers keep the stream that they were made with.
        self._file = log.open('a', buffering=1, encoding='utf-8')
        command = shlex.join(sys.argv)
        self._file.write(f'\n=== {datetime.now():%Y-%m-%d %H:%M:%S} {command}\n')

    def title(self, text: str) -> None:
        """Print what begins now."""
        self._file.write(f'--- {text}\n')
        self.console.print(f'[quickstart] {text}', markup=False, soft_wrap=True)

    def line(self, text: str) -> None:
        """Print a line below a title."""
        self.console.print(f'  {text}', markup=False, soft_wrap=True)

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Append what Python code prints to the log."""
        if self.verbose:
            yield
        else:
            with redirect_stdout(self._file), redirect_stderr(self._file):
                yield

    def run(self, *command: object, epochs: int = 0) -> None:
        """Run a command and print how its epochs go.

        Args:
            *command: The program and its arguments.
            epochs: Number of epochs of a training; 0: it is none.

        Raises:
            SystemExit: The command failed. The message has the end of its output.
        """
        tail: deque[str] = deque(maxlen=TAIL)
        # More threads than free cores wait for each other most of the time.
        environment = {'OMP_NUM_THREADS': '1', **os.environ}
        process = subprocess.Popen(
            list(map(str, command)),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
        )
        try:
            self._follow(cast(IO[str], process.stdout), tail, epochs)
        except BaseException:
            process.terminate()
            raise
        finally:
            status = process.wait()
        if status:
            raise SystemExit(
                f'error: exit status {status} of {shlex.join(map(str, command))}\n'
                f'The end of its output:\n{"".join(tail)}All of it is in {self.log}'
            )

    def _follow(self, lines: Iterable[str], tail: deque, epochs: int) -> None:
        """Read the output of a command to its end."""
        with self._bar(epochs) as show:
            train = None
            for line in lines:
                self._file.write(line)
                tail.append(line)
                if self.verbose:
                    sys.stdout.write(line)
                elif match := TRAIN.search(line):
                    train = match
                    show(train)
                elif train and (match := VALIDATE.search(line)):
                    self.line(_epoch_line(train, match, epochs))

    @contextmanager
    def _bar(self, epochs: int) -> Iterator[Callable[[re.Match], None]]:
        """Give what shows how far an epoch is, on terminals alone."""
        with Progress(
            TextColumn('  {task.description}'),
            BarColumn(),
            TextColumn('{task.fields[left]}'),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        ) as progress:
            bar = progress.add_task('', total=None, left='', visible=False)

            def show(train: re.Match) -> None:
                progress.update(
                    bar,
                    description=f'epoch {train["epoch"]}/{epochs}',
                    completed=int(train['step']),
                    total=int(train['steps']),
                    left=f'{train["eta"]} left',
                    visible=True,
                )

            yield show


def _epoch_line(train: re.Match, validation: re.Match, epochs: int) -> str:
    return (
        f'epoch {train["epoch"]}/{epochs}  loss {float(train["loss"]):.3f}  '
        f'top-1 {float(validation["top1"]):6.1%}  {train["eta"]} left'
    )
