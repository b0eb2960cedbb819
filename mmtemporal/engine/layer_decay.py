"""Learning rates that become smaller from the last layer to the first."""

import re
from numbers import Real
from typing import Optional

_KEYS = ('rate', 'layers', 'before')


class LayerDecay:
    r"""Give every parameter a multiplier of its learning rate, by its layer.

    With D layers and a rate r, layer i of 0, ..., D - 1 has ``r ** (D - i)``, what
    comes before the layers ``r ** (D + 1)``, and all else 1.

    Args:
        cfg: ``dict(rate=r, layers=..., before=...)``, where ``layers`` is a regular
            expression with one group, the number of the layer, and ``before`` one
            for what comes before them. Both are searched for in the full names.

    Raises:
        TypeError: ``cfg`` is no dict.
        ValueError: A key or a value is not valid.

    Example:
        TAdaFormer-B::

            dict(
                rate=0.7,
                layers=r'^backbone\.layers\.(\d+)\.',
                before=r'^backbone\.(conv1|\w+_embedding|ln_pre)\b')
    """

    def __init__(self, cfg: dict) -> None:
        if not isinstance(cfg, dict):
            raise TypeError(f'paramwise_cfg.layer_decay must be a dict, got {cfg!r}')
        if sorted(cfg) != sorted(_KEYS):
            raise ValueError(
                f'paramwise_cfg.layer_decay has the keys {sorted(cfg)}, expected '
                f'{[*_KEYS]}'
            )
        rate = cfg['rate']
        if not isinstance(rate, Real) or not 0 < rate <= 1:  # type: ignore[operator]
            raise ValueError(
                f'got paramwise_cfg.layer_decay.rate={rate!r}, expected a number '
                'above 0, 1 or smaller'
            )
        self.rate = float(rate)  # type: ignore[arg-type]
        self.layers = _compile(cfg, 'layers', groups=1)
        self.before = _compile(cfg, 'before')

    def multipliers(self, names: list[str]) -> dict[str, float]:
        """Return the multiplier of each parameter.

        Args:
            names: The full names of all parameters of the model.

        Raises:
            ValueError: An expression fits none of them, or takes no number out of one.
        """
        number = {name: self._number(name) for name in names}
        depth = 1 + max((n for n in number.values() if n is not None), default=-1)
        if not depth:
            raise ValueError(
                f'paramwise_cfg.layer_decay.layers={self.layers.pattern!r} matches no '
                'parameter'
            )
        first = {name for name in names if self.before.search(name)}
        if not first:
            raise ValueError(
                f'paramwise_cfg.layer_decay.before={self.before.pattern!r} matches no '
                'parameter'
            )
        exponents = {
            name: depth + 1 if name in first else 0 if n is None else depth - n
            for name, n in number.items()
        }
        return {name: self.rate**exponent for name, exponent in exponents.items()}

    def _number(self, name: str) -> Optional[int]:
        """Return the number of the layer that a parameter is in, None if in none."""
        match = self.layers.search(name)
        if match is None:
            return None
        try:
            return int(match[1])
        except (TypeError, ValueError) as error:
            raise ValueError(
                f'paramwise_cfg.layer_decay.layers={self.layers.pattern!r} takes '
                f'{match[1]!r} out of {name}, expected the number of a layer'
            ) from error


def _compile(cfg: dict, key: str, groups: int = 0) -> re.Pattern:
    text = f'paramwise_cfg.layer_decay.{key}={cfg[key]!r}'
    try:
        pattern = re.compile(cfg[key])
    except (re.error, TypeError) as error:
        raise ValueError(f'{text} is no regular expression: {error}') from error
    if groups and pattern.groups != groups:
        raise ValueError(
            f'{text} has {pattern.groups} groups, expected one, for the number of the '
            r"layer, such as in r'\.layers\.(\d+)\.'"
        )
    return pattern
