"""Write what pip is to install for tools/environment.sh, and what is missing.

Reads the folder REQUIREMENTS and writes pins.txt, packages.txt and openmmlab.txt,
which pip reads, and missing.txt, which has those of their lines that nothing
installed meets, into the folder TARGET.
"""

import argparse
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement

# Under several names, or built in several ways: whatever is there will do.
MODULES = {
    'torch': 'torch',
    'opencv-python-headless': 'cv2',
    'decord': 'decord',
    'mmengine': 'mmengine',
    'mmcv-lite': 'mmcv',
    'mmaction2': 'mmaction',
}


def read(file: Path) -> list:
    """Return pairs of a name and the line that asks for it."""
    lines = [line for line in file.read_text().splitlines() if line]
    lines = [line for line in lines if not line.startswith('#')]
    return [(re.match(r'[\w-]+', line)[0], line) for line in lines]


def installed(name: str):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def is_there(name: str) -> bool:
    """Whether a module is installed that comes under several names."""
    return name in MODULES and find_spec(MODULES[name]) is not None


def is_met(name: str, line: str) -> bool:
    requirement = Requirement(line)
    if is_there(name) or requirement.marker and not requirement.marker.evaluate():
        return True
    return bool(installed(name)) and requirement.specifier.contains(
        installed(name), prereleases=True
    )


def make_plan(requirements: Path, is_own: bool, groups: list) -> dict:
    """Return the lines of each file by its name."""
    pins = read(requirements / 'constraints.txt')
    packages = [
        item
        for group in ('runtime', *groups)
        for item in read(requirements / f'{group}.txt')
    ]
    openmmlab = read(requirements / 'openmmlab.txt')
    if not is_own:
        packages = [item for item in packages if not is_there(item[0])]
        openmmlab = [item for item in openmmlab if not is_there(item[0])]
        keep = [(name, f'{name}=={installed(name)}') for name in ('torch', 'numpy')]
        keep = [(name, pin) for name, pin in keep if installed(name)]
        # With a torch of its own an environment has other versions than the tested.
        tested = [] if installed('torch') else pins
        pins = keep + [item for item in tested if not installed(item[0])]
    missing = [item for item in packages + openmmlab if not is_met(*item)]
    return dict(pins=pins, packages=packages, openmmlab=openmmlab, missing=missing)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('requirements', type=Path, metavar='REQUIREMENTS')
    parser.add_argument('target', type=Path, metavar='TARGET')
    parser.add_argument(
        'own',
        type=Path,
        metavar='OWN_ENVIRONMENT',
        help='the one that is filled with the tested versions; any other keeps its own',
    )
    parser.add_argument(
        'groups', nargs='*', metavar='GROUP', help='further files of REQUIREMENTS'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    is_own = Path(sys.prefix) == args.own
    for name, items in make_plan(args.requirements, is_own, args.groups).items():
        text = ''.join(f'{line}\n' for _, line in items)
        (args.target / f'{name}.txt').write_text(text)


if __name__ == '__main__':
    main()
