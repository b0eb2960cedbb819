"""Print what modules change in mmengine, mmcv and mmaction2.

Each argument names a module to import, or MODULE:CLASS to build a class of one too.
"""

import importlib
import importlib.metadata
import pkgutil
import sys
import types
import warnings

warnings.simplefilter('ignore')
HOSTS = ('mmengine', 'mmcv', 'mmaction')


def import_hosts():
    """Import all of them that can be, with what the wheel of mmaction2 lacks."""
    sys.modules.setdefault('importlib_metadata', importlib.metadata)
    for name in ('drn', 'drn.drn'):
        module = types.ModuleType(f'mmaction.models.localizers.{name}')
        module.DRN = object
        sys.modules[module.__name__] = module
    for host in HOSTS:
        package = importlib.import_module(host)
        for info in pkgutil.walk_packages(package.__path__, f'{host}.', lambda _: None):
            try:
                importlib.import_module(info.name)
            except Exception:  # what needs libraries that are not here
                continue


def is_of_host(name):
    return name.partition('.')[0] in HOSTS


def snapshot():
    """Return what modules and classes hold, and a copy of what can change inside."""
    found = {}
    for name, module in sorted(sys.modules.items()):
        if not is_of_host(name) or module is None:
            continue
        owners = {name: module}
        for value in list(vars(module).values()):
            if isinstance(value, type) and value.__module__ == name:
                owners[f'{name}.{value.__qualname__}'] = value
        for owner, holder in owners.items():
            for key, value in list(vars(holder).items()):
                is_open = type(value) in (dict, list, set)
                inside = type(value)(value) if is_open else None
                found[f'{owner}.{key}'] = value, inside
    # What the interpreter and all other packages share.
    found['warnings.filters'] = warnings.filters, list(warnings.filters)
    found['pkgutil.find_loader'] = getattr(pkgutil, 'find_loader', None), None
    return found


def changed(old, new):
    if old[0] is not new[0]:
        return True
    if new[1] is None or isinstance(new[0], dict) and '__builtins__' in new[0]:
        return False
    return list(map(id, old[1])) != list(map(id, new[1])) or old[1] != new[1]


import_hosts()
before = snapshot()
for name in sys.argv[1:]:
    name, _, kind = name.partition(':')
    module = importlib.import_module(name)
    if kind:
        getattr(module, kind)()
after = snapshot()
for name in sorted(before.keys() | after.keys()):
    module = name
    while module not in sys.modules:
        module = module.rpartition('.')[0]
    if not any(key.startswith(f'{module}.') for key in before):
        continue  # a module that was not there
    if name not in before and isinstance(after[name][0], types.ModuleType):
        continue  # of a module that is imported for the first time
    if name not in before or name not in after or changed(before[name], after[name]):
        print(name)
