"""Print the versions that a report needs: ``python -m mmtemporal.environment``."""

from importlib.metadata import packages_distributions, version

from mmtemporal.version import __version__

# Several of these exist under more than one name, hence asked for by module.
MODULES = ('mmengine', 'mmcv', 'mmaction', 'cv2', 'decord', 'numpy', 'torchvision')


def installed() -> dict[str, str]:
    """Map the installed distributions of :data:`MODULES` to their versions."""
    found = packages_distributions()
    names = sorted({name for module in MODULES for name in found.get(module, ())})
    return {name: version(name) for name in names}


def report() -> str:
    """Return the version of this package, of those around it, and the machine."""
    from mmaction.utils import collect_env

    lines = {'mmtemporal': __version__, **installed(), **collect_env()}
    return '\n'.join(f'{name}: {value}' for name, value in lines.items())


if __name__ == '__main__':
    print(report())
