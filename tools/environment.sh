# Prepares and activates a Python environment that can run this project.
#
#     source tools/environment.sh
#
# Without an active environment, .venv in the repository root is created and filled
# with the tested versions. An active virtual or conda environment keeps its torch,
# its numpy and its builds of OpenCV and the OpenMMLab packages; only what it lacks
# is added. MMTEMPORAL_GROUPS names further files of requirements/ to install, such
# as "tests".

_mmt_say() { printf '[mmtemporal] %s\n' "$*" >&2; }

_mmt_activate() {
  local venv=$1/.venv
  if [ -n "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ]; then
    _mmt_say "using the active environment ${VIRTUAL_ENV:-${CONDA_PREFIX:-}}"
    return
  fi
  if [ ! -f "$venv/bin/activate" ]; then
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

# Writes pins.txt, packages.txt and openmmlab.txt, which pip is to read, into the
# folder $2, given the requirements folder $1, the own environment $3 and groups.
_mmt_plan() {
  python - "$@" <<'PYTHON'
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

source, target, own_environment = map(Path, sys.argv[1:4])
groups = sys.argv[4:]
# Under several names, or built in several ways: whatever is there will do.
modules = {
    'torch': 'torch',
    'opencv-python-headless': 'cv2',
    'mmengine': 'mmengine',
    'mmcv-lite': 'mmcv',
    'mmaction2': 'mmaction',
}


def read(name):
    lines = (source / f'{name}.txt').read_text().splitlines()
    lines = [line for line in lines if line and not line.startswith('#')]
    return [(re.match(r'[\w-]+', line)[0], line) for line in lines]


def installed(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


pins = read('constraints')
packages = [item for group in ('runtime', *groups) for item in read(group)]
openmmlab = read('openmmlab')

if Path(sys.prefix) != own_environment:

    def lacks(item):
        return item[0] not in modules or not find_spec(modules[item[0]])

    packages = list(filter(lacks, packages))
    openmmlab = list(filter(lacks, openmmlab))
    keep = [(name, f'{name}=={installed(name)}') for name in ('torch', 'numpy')]
    keep = [(name, pin) for name, pin in keep if installed(name)]
    # With a torch of its own an environment has other versions than the tested ones.
    tested = [] if installed('torch') else pins
    pins = keep + [item for item in tested if not installed(item[0])]

for name, items in dict(pins=pins, packages=packages, openmmlab=openmmlab).items():
    text = ''.join(f'{line}\n' for _, line in items)
    (target / f'{name}.txt').write_text(text)
PYTHON
}

_mmt_pip() { python -m pip install --quiet --disable-pip-version-check "$@"; }

# Of the tests, only those of networks from these libraries may see them, see
# tests/host_libraries.py; hence a folder of their own.
_mmt_install_hosts() {
  local root=$1 lists=$2 hosts
  hosts=$(python -c 'import sys; print(sys.prefix)')/mmtemporal-hosts || return
  _mmt_say 'installing timm, torchvision and mmpretrain, for tests alone'
  rm -rf -- "$hosts"
  # pip would remove from the environment what it wants in another version.
  python -m pip --disable-pip-version-check list --format freeze \
    >"$lists/installed.txt" || return
  _mmt_pip --prefix "$hosts" --no-warn-script-location \
    -c "$lists/pins.txt" -c "$lists/installed.txt" \
    -r "$root/requirements/hosts.txt" && return
  # Not every torch that an environment may have of its own has a torchvision.
  if grep -q '^torchvision==' "$lists/pins.txt"; then return 1; fi
  _mmt_say 'no builds fit what is installed here; tests that need them are skipped'
}

_mmt_install() {
  local root=$1 lists=$2
  # shellcheck disable=SC2086  # the groups are words
  _mmt_plan "$root/requirements" "$lists" "$root/.venv" ${MMTEMPORAL_GROUPS:-} || return
  _mmt_say 'installing the requirements (torch is large, this can take minutes)'
  _mmt_pip -c "$lists/pins.txt" -r "$lists/packages.txt" || return
  if [ -s "$lists/openmmlab.txt" ]; then
    _mmt_say 'installing mmengine, mmcv and mmaction2'
    _mmt_pip --no-deps -c "$lists/pins.txt" -r "$lists/openmmlab.txt" || return
  fi
  case " ${MMTEMPORAL_GROUPS:-} " in
    *' tests '*) _mmt_install_hosts "$root" "$lists" || return ;;
  esac
  _mmt_say 'installing mmtemporal, editable'
  _mmt_pip --no-deps --no-build-isolation --config-settings editable_mode=compat \
    -e "$root"
}

_mmt_environment() {
  local root stamp state lists status
  root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd) || return
  _mmt_activate "$root" || return

  stamp=$(python -c 'import sys; print(sys.prefix)')/.mmtemporal-installed || return
  state=$(
    printf '%s\n' "$root" "${MMTEMPORAL_GROUPS:-}"
    cat "$root"/requirements/*.txt "$root/setup.cfg" "$root/pyproject.toml" | cksum
  ) || return
  if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$state" ]; then
    lists=$(mktemp -d) || return
    status=0
    _mmt_install "$root" "$lists" || status=$?
    rm -rf -- "$lists"
    if [ "$status" -ne 0 ]; then
      _mmt_say 'the installation failed, see above'
      return "$status"
    fi
    printf '%s\n' "$state" >"$stamp"
  fi

  if ! python -c 'import cv2'; then
    _mmt_say 'OpenCV cannot be imported. If a system library is missing, this helps:'
    _mmt_say '    apt-get install -y --no-install-recommends libgl1 libglib2.0-0'
    return 1
  fi
  # More threads per process than free cores spin at barriers and slow all down.
  export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
  _mmt_say 'ready'
}

_mmt_environment
