# Prepares and activates a Python environment that can run this project.
#
#     source tools/environment.sh
#
# Without an active environment, .venv in the repository root is created and filled
# with the tested versions. An active virtual or conda environment keeps its torch,
# its numpy and its builds of OpenCV, decord and the OpenMMLab packages; only what it
# lacks is added, and nothing where it belongs to somebody else or cannot be written.
# MMTEMPORAL_GROUPS names further files of requirements/ to install, such as "tests".
# What pip does is in mmtemporal-install.log in the environment; of it only large
# downloads are shown, unless MMTEMPORAL_VERBOSE is set.

_mmt_say() { printf '[mmtemporal] %s\n' "$*" >&2; }

_mmt_is_recent() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' && return
  _mmt_say "$("$1" --version) is too old: this needs Python 3.10 or newer"
  return 1
}

_mmt_activate() {
  local venv=$1/.venv
  if [ -n "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ]; then
    _mmt_say "using the active environment ${VIRTUAL_ENV:-${CONDA_PREFIX:-}}"
    _mmt_is_recent python
    return
  fi
  if [ ! -f "$venv/bin/activate" ]; then
    _mmt_is_recent python3 || return
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
      _mmt_say 'Python cannot create virtual environments here. This helps:'
      _mmt_say '    apt-get install -y python3-venv'
      return 1
    fi
    _mmt_say "creating $venv"
    python3 -m venv "$venv" || return
  fi
  _mmt_say "activating $venv"
  source "$venv/bin/activate"
}

# Runs pip. Its errors are kept in the folder $1: without a network they are about
# versions that conflict. The log is that of _mmt_fill.
_mmt_pip() {
  local lists=$1
  shift
  local command=(python -m pip install --disable-pip-version-check --log "$log" "$@")
  if [ -n "${MMTEMPORAL_VERBOSE:-}" ]; then
    "${command[@]}" >&2 2>"$lists/errors.txt"
    return
  fi
  # Colours are what makes pip draw its progress bars into a pipe.
  [ -t 2 ] && local -x FORCE_COLOR=1 || command+=(--progress-bar off)
  (
    set -o pipefail
    "${command[@]}" 2>"$lists/errors.txt" | python "$root/tools/pip_screen.py" >&2
  )
}

# Of the tests, only those of networks from these libraries may see them, see
# tests/backbone_libraries.py; hence a folder of their own.
_mmt_install_wrapped_backbones() {
  local root=$1 lists=$2 prefix=$3 folder=$3/mmtemporal-wrapped-backbones
  _mmt_say 'installing timm, torchvision and mmpretrain, for tests alone'
  rm -rf -- "$folder"
  # pip would remove from the environment what it wants in another version.
  python -m pip --disable-pip-version-check list --format freeze \
    >"$lists/installed.txt" || return
  _mmt_pip "$lists" --prefix "$folder" --no-warn-script-location \
    -c "$lists/pins.txt" -c "$lists/installed.txt" \
    -r "$root/requirements/wrapped_backbones.txt" && return
  # Not every torch that an environment may have of its own has a torchvision.
  if grep -q '^torchvision==' "$lists/pins.txt"; then return 1; fi
  _mmt_say 'no builds fit what is installed here; tests that need them are skipped'
}

_mmt_install() {
  local root=$1 lists=$2 prefix=$3
  if grep -q '^torch[>=]' "$lists/missing.txt"; then
    _mmt_say 'installing the requirements: about 2.9 GB to download from PyPI, whose' \
      'torch is built for GPUs, or 0.4 GB where pip finds a torch for CPUs'
  else
    _mmt_say 'installing the requirements'
  fi
  _mmt_pip "$lists" -c "$lists/pins.txt" -r "$lists/packages.txt" || return
  if [ -s "$lists/openmmlab.txt" ]; then
    _mmt_say 'installing mmengine, mmcv and mmaction2'
    _mmt_pip "$lists" --no-deps -c "$lists/pins.txt" -r "$lists/openmmlab.txt" || return
  fi
  case " ${MMTEMPORAL_GROUPS:-} " in
    *' tests '*) _mmt_install_wrapped_backbones "$root" "$lists" "$prefix" || return ;;
  esac
  _mmt_say 'installing mmtemporal, editable'
  _mmt_say_what_is_replaced "$root/mmtemporal"
  _mmt_pip "$lists" --no-deps --no-build-isolation \
    --config-settings editable_mode=compat -e "$root"
}

# Another checkout may share the environment, which can import one of them only.
_mmt_say_what_is_replaced() {
  local before
  before=$(
    cd / && python -c 'from importlib.util import find_spec
spec = find_spec("mmtemporal")
print(spec.submodule_search_locations[0] if spec else "")'
  )
  if [ -n "$before" ] && [ ! "$before" -ef "$1" ]; then
    _mmt_say "import mmtemporal was $before in this environment and is $1 from now on"
  fi
}

# Installs what is asked for, and says why where that fails.
_mmt_fill() {
  local root=$1 lists=$2 prefix=$3 site status=0 log=$3/mmtemporal-install.log
  site=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') || return
  # Who cannot write there, or does not own it, uses it as it is.
  if [ ! -w "$prefix" ] || [ ! -O "$prefix" ] || [ ! -w "$site" ] || [ ! -O "$site" ]; then
    if [ -s "$lists/missing.txt" ]; then
      _mmt_say "$prefix belongs to somebody else or cannot be written, and lacks" \
        "$(paste -sd, "$lists/missing.txt"); have this installed there, or activate" \
        'another environment'
      return 1
    fi
    _mmt_say 'nothing is installed there, as it belongs to somebody else or cannot be' \
      'written'
    export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
    return
  fi
  _mmt_is_stamped "$root" "$prefix" && return
  rm -f -- "$log"
  _mmt_install "$root" "$lists" "$prefix" || status=$?
  if [ "$status" -eq 0 ]; then
    _mmt_stamp "$root" "$prefix"
  elif grep -qiE 'connection (broken|error)|NewConnectionError|NameResolutionError' \
    "$log"; then
    _mmt_say 'the installation failed: pip reached no package index. It needs a' \
      'network, or an environment that has all of requirements/runtime.txt and' \
      'requirements/openmmlab.txt'
  else
    cat "$lists/errors.txt" >&2
    _mmt_say "the installation failed, see above; all that pip did is in $log"
  fi
  return "$status"
}

# What an installation depends on.
_mmt_state() {
  printf '%s\n' "$1"
  cat "$1"/requirements/*.txt "$1/setup.cfg" "$1/pyproject.toml" | cksum
}

# A group stays installed when the next command asks for others.
_mmt_stamp() {
  local group
  for group in runtime ${MMTEMPORAL_GROUPS:-}; do
    _mmt_state "$1" >"$2/.mmtemporal-$group" || return
  done
}

_mmt_is_stamped() {
  local group state
  state=$(_mmt_state "$1") || return
  for group in runtime ${MMTEMPORAL_GROUPS:-}; do
    [ "$(cat "$2/.mmtemporal-$group" 2>/dev/null)" = "$state" ] || return
  done
}

# Imports what everything here needs, and says in a line what is wrong with it.
_mmt_check() {
  if ! python -c 'import cv2'; then
    _mmt_say 'OpenCV cannot be imported. If a system library is missing, this helps:'
    _mmt_say '    apt-get install -y --no-install-recommends libgl1 libglib2.0-0'
    return 1
  fi
  local problem
  problem=$(
    python -W ignore - <<'PYTHON'
try:
    import mmtemporal  # noqa: F401  first, as it makes the next one work
    import mmaction  # noqa: F401
except Exception as error:
    print(f'{type(error).__name__}: {error}'.replace('\n', ' '))
PYTHON
  ) || return
  if [ -n "$problem" ]; then
    _mmt_say "this environment cannot run MMAction2. $problem"
    return 1
  fi
}

_mmt_environment() {
  local root prefix lists status=0
  root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd) || return
  _mmt_activate "$root" || return
  prefix=$(python -c 'import sys; print(sys.prefix)') || return
  lists=$(mktemp -d) || return
  # shellcheck disable=SC2086  # the groups are words
  python "$root/tools/environment_plan.py" "$root/requirements" "$lists" \
    "$root/.venv" ${MMTEMPORAL_GROUPS:-} &&
    _mmt_fill "$root" "$lists" "$prefix" || status=$?
  rm -rf -- "$lists"
  [ "$status" -eq 0 ] || return "$status"
  _mmt_check || return

  # More threads per process than free cores spin at barriers and slow all down.
  export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
  _mmt_say 'ready'
}

_mmt_environment
