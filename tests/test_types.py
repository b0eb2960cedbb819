"""The type annotations, as a type checker sees them."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def test_package_and_its_use(tmp_path):
    """By the rules in setup.cfg: all functions are annotated, and results are told."""
    done = subprocess.run(
        [sys.executable, '-m', 'mypy', 'mmtemporal', 'tests/typed_user.py']
        + ['--cache-dir', str(tmp_path), '--no-incremental'],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_type_checkers_are_told():
    assert (REPOSITORY / 'mmtemporal' / 'py.typed').is_file()
