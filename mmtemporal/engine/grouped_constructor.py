"""Parameter groups of an optimizer, by ordered rules."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Optional

from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.utils.dl_utils import is_norm
from torch import nn

from mmtemporal.registry import OPTIM_WRAPPER_CONSTRUCTORS

from .layer_decay import LayerDecay

_KINDS = ('weight', 'bias', 'norm')
_KEYS = ('name', 'kind', 'lr_mult', 'decay_mult')


@dataclass(frozen=True)
class _Rule:
    """One checked entry of ``paramwise_cfg.groups``; ``text`` is for messages."""

    text: str
    name: Optional[re.Pattern]
    kind: Optional[str]
    lr_mult: float
    decay_mult: float

    def matches(self, name: str, kind: str) -> bool:
        if self.kind not in (None, kind):
            return False
        return self.name is None or self.name.search(name) is not None


def _read_rule(index: int, cfg: dict) -> _Rule:
    text = f'paramwise_cfg.groups[{index}]'
    if not isinstance(cfg, dict):
        raise TypeError(f'{text} must be a dict, got {cfg!r}')
    text = f'{text}={dict(cfg)}'
    unknown = sorted(set(cfg) - set(_KEYS))
    if unknown:
        raise ValueError(f'{text} has unknown keys {unknown}; known are {[*_KEYS]}')
    name, kind = cfg.get('name'), cfg.get('kind')
    if kind is not None and kind not in _KINDS:
        raise ValueError(f'{text}: kind={kind!r} is none of {[*_KINDS]}')
    try:
        name = None if name is None else re.compile(name)
    except (re.error, TypeError) as error:
        raise ValueError(f'{text}: name is no regular expression: {error}') from error
    factors = [cfg.get(key, 1.0) for key in ('lr_mult', 'decay_mult')]
    if not all(isinstance(factor, Real) and factor >= 0 for factor in factors):  # type: ignore[operator]
        raise ValueError(f'{text}: multipliers must be numbers, 0 or greater')
    return _Rule(text, name, kind, *factors)


def _kind_of(owner: nn.Module, name: str) -> str:
    if is_norm(owner):
        return 'norm'
    # The second form is that of MultiheadAttention.in_proj_bias.
    return 'bias' if name == 'bias' or name.endswith('_bias') else 'weight'


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    r"""Give every trainable parameter its learning rate and decay by ordered rules.

    The first rule that matches a parameter decides; a parameter without a rule has
    the learning rate and the decay of the optimizer. Parameters with equal values
    form one group. Unlike MMAction2's ``TSMOptimWrapperConstructor`` it knows
    parameters of any module, and unlike mmengine's ``custom_keys`` it accepts no
    rule without effect and tells weights from biases under one name.

    A parameter that two modules share counts once, under its first name. One that
    is frozen when the optimizer is built is skipped, as in mmengine.

    Args:
        optim_wrapper_cfg: The optimizer wrapper, with its ``optimizer``.
        paramwise_cfg: ``dict(groups=[...])``, the rules. A rule is a dict of

            - ``name``: regular expression, searched for in the full name
            - ``kind``: ``'norm'``, any parameter of a normalisation layer (the
              classes of mmengine's ``is_norm``, a ``LayerNorm`` written from
              scratch is none of them); ``'bias'``, a bias of another layer;
              ``'weight'``, all else
            - ``lr_mult``, ``decay_mult``: multipliers, 1 by default

            A rule without ``name`` takes any name, one without ``kind`` any kind.
            With ``layer_decay`` beside ``groups``, learning rates are multiplied by
            what :class:`LayerDecay` says, too; None is off.

    Raises:
        TypeError: A part of the configuration has the wrong type.
        ValueError: A key, kind, multiplier or regular expression is not valid, the
            optimizer has no ``lr`` or ``weight_decay`` to multiply, or a rule
            decides no parameter of the model.

    Example:
        TAda2D, with decay on the weights alone::

            optim_wrapper = dict(
                constructor='mmtemporal.GroupedOptimWrapperConstructor',
                optimizer=dict(
                    type='SGD', lr=0.24, momentum=0.9, nesterov=True,
                    weight_decay=1e-4),
                paramwise_cfg=dict(groups=[
                    dict(kind='norm', decay_mult=0),
                    dict(kind='bias', decay_mult=0),
                ]))

        The groups of TSM, with a faster classifier for fine-tuning::

            paramwise_cfg=dict(groups=[
                dict(name=r'^cls_head\.fc_cls\.weight$', lr_mult=5),
                dict(name=r'^cls_head\.fc_cls\.bias$', lr_mult=10, decay_mult=0),
                dict(kind='norm', decay_mult=0),
                dict(kind='bias', lr_mult=2, decay_mult=0),
            ])

        Where the classifier's bias is the only one, as in TANet, TDN and a plain
        ResNet, the last rule would decide nothing and is omitted.
    """

    def _validate_cfg(self) -> None:
        super()._validate_cfg()
        unknown = sorted(set(self.paramwise_cfg) - {'groups', 'layer_decay'})
        if unknown:
            raise ValueError(
                f"paramwise_cfg has unknown keys {unknown}; known are ['groups', "
                "'layer_decay']. Keys of a base config go with paramwise_cfg="
                'dict(_delete_=True, groups=...)'
            )
        groups = self.paramwise_cfg.get('groups')
        if not isinstance(groups, (list, tuple)):
            raise TypeError(
                f'paramwise_cfg.groups must be a list of rules, got {groups!r}'
            )
        self._rules = [_read_rule(i, cfg) for i, cfg in enumerate(groups)]
        self._check_bases(groups)
        self._layer_decay = None
        layer_decay = self.paramwise_cfg.get('layer_decay')
        if layer_decay is not None:
            self._layer_decay = LayerDecay(layer_decay)
            if self.base_lr is None:
                raise ValueError(
                    'paramwise_cfg.layer_decay needs a learning rate to multiply; set '
                    'optim_wrapper.optimizer.lr'
                )

    def _check_bases(self, groups: Sequence[dict]) -> None:
        """Raise an error if a rule multiplies what the optimizer does not have."""
        for rule, cfg in zip(self._rules, groups):
            for key, option, base in (
                ('lr_mult', 'lr', self.base_lr),
                ('decay_mult', 'weight_decay', self.base_wd),
            ):
                if key in cfg and base is None:
                    raise ValueError(
                        f'{rule.text}: {key} needs a value to multiply; set '
                        f'optim_wrapper.optimizer.{option}'
                    )

    def _options(self, rule: Optional[_Rule], factor: float) -> dict:
        """Return what a rule sets; what the optimizer config lacks stays unset.

        Args:
            rule: The rule, None if no one matches.
            factor: Another multiplier of the learning rate.
        """
        lr = None if self.base_lr is None else self.base_lr * factor
        decay = self.base_wd
        if rule is not None:
            lr = None if lr is None else lr * rule.lr_mult
            decay = None if decay is None else decay * rule.decay_mult
        options = dict(lr=lr, weight_decay=decay)
        return {key: value for key, value in options.items() if value is not None}

    def add_params(self, params: list, module: nn.Module, **kwargs: Any) -> None:
        """Append the groups of all trainable parameters.

        Args:
            params: The list of groups, modified in place.
            module: The model.
            **kwargs: Nothing; the signature is that of mmengine.

        Raises:
            ValueError: A rule decides no parameter.
        """
        matched, decided = set(), set()
        groups: dict[tuple, dict] = {}
        parameters = dict(module.named_parameters())
        factors = dict.fromkeys(parameters, 1.0)
        if self._layer_decay is not None:
            factors = self._layer_decay.multipliers([*parameters])
        for full_name, param in parameters.items():
            owner, _, name = full_name.rpartition('.')
            kind = _kind_of(module.get_submodule(owner), name)
            rules = [rule for rule in self._rules if rule.matches(full_name, kind)]
            matched.update(rules)
            decided.update(rules[:1])
            if param.requires_grad:
                rule = rules[0] if rules else None
                options = self._options(rule, factors[full_name])
                group = groups.setdefault(tuple(options.items()), options)
                group.setdefault('params', []).append(param)
        for rule in self._rules:
            if rule not in decided:
                reason = (
                    'earlier rules take all that it matches; move or remove it'
                    if rule in matched
                    else 'no name and kind match it'
                )
                raise ValueError(f'{rule.text} decides no parameter: {reason}')
        params.extend(groups.values())
        self._log(params)

    @staticmethod
    def _log(groups: list) -> None:
        for index, group in enumerate(groups):
            options = ''.join(f', {k}={v:g}' for k, v in group.items() if k != 'params')
            values = sum(param.numel() for param in group['params'])
            print_log(
                f'Parameter group {index}: {len(group["params"])} tensors, '
                f'{values:,} values{options}',
                logger='current',
            )
