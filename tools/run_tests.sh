#!/usr/bin/env bash
# Checks the style and runs the tests.
#
#     bash tools/run_tests.sh [--all] [pytest arguments]
#
# Without --all these are the quick tests, which are not marked as slow. --all adds the
# long ones: trainings, kills, mutated videos, several processes, the pages in a browser.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
MMTEMPORAL_GROUPS='tests export pyav'
selected=(-m 'not slow')
if [ "${1:-}" = --all ]; then
  shift
  MMTEMPORAL_GROUPS+=' docs demo'
  selected=()
fi
source tools/environment.sh

check() {
  python -m ruff check . &&
    python -m ruff format --check . &&
    # A process each for some of the cores; tests that share a model mostly stay together.
    python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal \
      "${selected[@]}" "$@"
}

TIMEFORMAT='[mmtemporal] %0R s of wall time, %0U + %0S CPU seconds'
time check "$@"
