"""Change modules of other packages when they are imported, and import none of them."""

import sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Callable

_asked: set[tuple[str, Callable]] = set()


class _Finder(MetaPathFinder):
    """Find one module as the others do, and have it changed."""

    def __init__(self, name: str, change: Callable) -> None:
        self.name = name
        self.change = change

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec: Any = find_spec(fullname)
        run = spec.loader.exec_module

        def run_and_change(module: ModuleType) -> None:
            run(module)
            self.change(module)

        spec.loader.exec_module = run_and_change
        return spec


def change_module(name: str, change: Callable) -> bool:
    """Call ``change(module)`` now if the module is there, else once it is imported.

    Returns:
        Whether it was asked for the first time.
    """
    if (name, change) in _asked:
        return False
    _asked.add((name, change))
    if name in sys.modules:
        change(sys.modules[name])
    else:
        sys.meta_path.insert(0, _Finder(name, change))
    return True
