"""From the order of the classes in one list to that in another."""

from pathlib import Path
from typing import Optional

from .report import summarise


def read_class_order(ours: Path, theirs: Optional[Path] = None) -> list[int]:
    """Read the ``class_order`` of :func:`convert_state_dict` from lists of names.

    Args:
        ours: File with the name of a class in each line, in the order of the data
            set that the network will see.
        theirs: The same names in the order of the checkpoint. Defaults to the
            names sorted, as the authors' scripts for Something-Something V1
            sort them.

    Returns:
        The index in the checkpoint of each of our classes.

    Raises:
        ValueError: A file has no names or one of them twice, or the two differ.
        OSError: A file cannot be read.
    """
    our_names = _read_names(ours)
    their_names = sorted(our_names) if theirs is None else _read_names(theirs)
    for first, second, path in (
        (our_names, their_names, ours),
        (their_names, our_names, theirs),
    ):
        known = set(second)
        lonely = [repr(name) for name in first if name not in known]
        if lonely:
            raise ValueError(
                f'{ours} and {theirs} differ in more than the order: only {path} has '
                f'{summarise(lonely)}'
            )
    index = {name: i for i, name in enumerate(their_names)}
    return [index[name] for name in our_names]


def _read_names(path: Path) -> list[str]:
    lines = path.read_text(encoding='utf-8').splitlines()
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ValueError(f'{path} holds no class names')
    twice = [repr(name) for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ValueError(f'{path} has more than once: {summarise(twice)}')
    return names
