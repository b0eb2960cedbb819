"""Checks of what a config gives; their errors name the key."""

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite
from numbers import Integral, Real
from typing import Any, Optional


def check_integer(
    name: str,
    value: Any,
    minimum: int = 1,
    maximum: Optional[int] = None,
    multiple: int = 1,
    of: str = '',
) -> None:
    """Raise a ValueError if a value is not an integer within bounds.

    Args:
        name: The key, as messages write it.
        value: What the config has there.
        minimum: The minimum allowed.
        maximum: The maximum allowed. None: any.
        multiple: What it must be a multiple of.
        of: What that is, for the message.
    """
    limit = inf if maximum is None else maximum
    if not _is_integer(value, minimum, limit) or value % multiple:
        bounds = f'at least {minimum}' if maximum is None else f'{minimum} to {maximum}'
        kind = 'an integer' if multiple == 1 else f'a multiple of {multiple}'
        kind += f' ({of})' if of else ''
        raise ValueError(f'got {name}={value!r}, expected {bounds}, {kind}')


def check_odd(name: str, value: Any) -> None:
    """Raise a ValueError if a value is not an odd integer of 1 or more."""
    if not _is_integer(value, 1) or value % 2 == 0:
        raise ValueError(f'{name} must be odd, got {value!r}')


def check_number(name: str, value: Any, minimum: float = -inf) -> None:
    """Raise a ValueError if a value is not a finite number of ``minimum`` or more."""
    if not isinstance(value, Real) or not isfinite(value) or value < minimum:
        bounds = '' if minimum == -inf else f' of at least {minimum}'
        raise ValueError(f'got {name}={value!r}, expected a number{bounds}')


def check_numbers(name: str, values: Any, length: int) -> None:
    """Raise a ValueError if a value is not a list of so many finite numbers."""
    if not is_list(values) or len(values) != length:
        raise ValueError(f'got {name}={values!r}, expected {length} numbers')
    for value in values:
        check_number(name, value)


def check_probability(name: str, value: Any) -> None:
    """Raise a ValueError if a value is not how often something may be dropped.

    What is always dropped cannot be made up for, so that is refused.
    """
    if not isinstance(value, Real) or not 0 <= value < 1:  # type: ignore[operator]
        raise ValueError(f'got {name}={value!r}, expected at least 0 and less than 1')


def check_flags(**values: Any) -> None:
    """Raise a ValueError if an argument of a backbone is neither true nor false.

    A text is always true, also 'False'.

    Args:
        **values: What the config has, by the name of the argument.
    """
    for name, value in values.items():
        if not isinstance(value, Integral) or value not in (0, 1):
            raise ValueError(f'got backbone.{name}={value!r}, expected True or False')


def check_choice(name: str, value: Any, choices: Iterable) -> None:
    """Raise a ValueError if a value is none of those known."""
    choices = [*choices]
    if value not in choices:
        raise ValueError(f'{name}={value!r} is none of {choices}')


def check_options(name: str, value: Any) -> dict:
    """Return a dict of arguments, which is empty where there is None.

    Raises:
        ValueError: The value is something else.
    """
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f'got {name}={value!r}, expected a dict of arguments')
    return dict(value or {})


def check_stages(name: str, stages: Any, num_stages: int) -> None:
    """Raise a ValueError if a value is not a list of indices of a network's stages."""
    if not is_list(stages):
        raise ValueError(f'got {name}={stages!r}, expected a list of stages')
    if not all(_is_integer(stage, 0, num_stages - 1) for stage in stages):
        raise ValueError(
            f'{name} names a stage that is not there: got {stages!r}, the network has '
            f'num_stages={num_stages}, which are 0 to {num_stages - 1}'
        )


def is_list(value: Any) -> bool:
    """Whether a value is a list, a tuple or a range, and not a text."""
    return isinstance(value, Sequence) and not isinstance(value, str)


def are_integers(values: Any, length: int, minimum: int = 1) -> bool:
    """Whether a value is a list of so many integers."""
    return (
        is_list(values)
        and len(values) == length
        and all(_is_integer(value, minimum) for value in values)
    )


def _is_integer(value: Any, minimum: float, maximum: float = inf) -> bool:
    return isinstance(value, Integral) and minimum <= value <= maximum  # type: ignore[operator]
