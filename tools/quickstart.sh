#!/usr/bin/env bash
# Makes the motion clips, trains and tests a network on them, and prints what it
# reached. All options: bash tools/quickstart.sh --help
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
case " $* " in *' --verbose '*) MMTEMPORAL_VERBOSE=1 ;; esac
source tools/environment.sh

exec python tools/quickstart.py "$@"
