"""Running Python anew, with this package on its path."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def run_python(*arguments, path=(), **environ):
    """Run the interpreter in a fresh process that sees this package."""
    path = os.pathsep.join([*map(str, path), str(REPOSITORY)])
    environ = {**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1', **environ}
    command = [sys.executable, '-W', 'ignore', *map(str, arguments)]
    return subprocess.run(command, env=environ, capture_output=True, text=True)
