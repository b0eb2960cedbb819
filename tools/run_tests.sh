#!/usr/bin/env bash
# Checks the style and runs the tests. Arguments go to pytest; without any, all tests
# run, the slow ones too.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
MMTEMPORAL_GROUPS='tests export docs'
source tools/environment.sh

python -m ruff check .
python -m ruff format --check .
# A process each for some of the cores; tests that share a model mostly stay together.
python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal "$@"
