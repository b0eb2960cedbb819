"""Checkpoints of TANet and TIN for another number of frames.

Both have a small network that takes, for each channel or clip, the values of its T
frames::

    y = last(relu(first(x))),    first: T -> h,    last: h -> k

in TAM with a batch norm behind ``first`` and h = alpha * T, in TIN with h = T. For T'
frames ``first`` is applied to x resized to T frames: each of these is the mean of what
it overlaps in the new clip. Further hidden units are copies of the old ones, which
share the weight in ``last``. Both keep the function: the new network gives for x what
the old one gives for the resized x, and so the same for what does not change in time.
Fewer hidden units cannot do that. Then, one by one, a unit is removed and the unit that
comes nearest to a multiple of it takes its part, which loses nothing of copies. Kernels
and offsets are counted in frames, as they are in networks trained with T' frames.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Optional

import torch
from torch import Tensor

_EPS = 1e-5  # of the batch norms in TAM, torch's default
# Of each such network: the first layer, what else has an entry for each hidden unit,
# and the last layer.
_LAYERS = {
    'tam.G': (
        '0.weight',
        *('1.weight', '1.bias', '1.running_mean', '1.running_var'),
        '3.weight',
    ),
    'offset_net': ('fc1.weight', 'fc1.bias', 'fc2.weight'),
}
_FIRST = re.compile(r'(.*\.)?(tam\.G(?=\.0\.)|offset_net(?=\.fc1\.))\.\w+\.weight')


def depends_on_segments(names: Iterable[str]) -> bool:
    """Whether the shape of one of these tensors depends on the number of frames."""
    return any(_FIRST.match(name) for name in names)


def resize_segments(
    tensors: dict[str, Tensor],
    num_segments: int,
    own: Optional[Mapping[str, Tensor]] = None,
) -> list[str]:
    """Resize the tensors of a TANet or TIN, in place, to another number of frames.

    Args:
        tensors: The tensors by our names. Those of other networks are left as they
            are.
        num_segments: The number of frames.
        own: Tensors of the network that shall take them, which say the number of
            hidden units. Defaults to as many for each frame as there are.

    Returns:
        The names of the tensors that changed.

    Raises:
        ValueError: A part of a layer is not there, or a clip would be shorter than a
            kernel.
    """
    resized = []
    for name in filter(_FIRST.fullmatch, [*tensors]):
        hidden, segments = tensors[name].shape
        if segments == num_segments:
            continue
        count = hidden * num_segments // segments
        if own and name in own:
            count = own[name].size(0)
        prefix, kind = _FIRST.fullmatch(name).groups(default='')  # type: ignore[union-attr]
        names = [f'{prefix}{kind}.{layer}' for layer in _LAYERS[kind]]
        missing = [part for part in names if part not in tensors]
        if missing:
            raise ValueError(f'{name} cannot be resized without {missing[0]}')
        kernel_size = tensors[names[-1]].size(0)
        if kind == 'tam.G' and num_segments < kernel_size:
            raise ValueError(
                f'got num_segments={num_segments}, expected at least the {kernel_size} '
                f'frames of the kernels, as {names[-1]} has them'
            )
        values = [tensors[part].cpu().double() for part in names]
        for part, value in zip(names, _resize(values, num_segments, count)):
            tensors[part] = value.to(tensors[part])
        resized += names
    return resized


def _resize(values: list[Tensor], num_segments: int, count: int) -> list[Tensor]:
    first, *per_unit, last = values
    first = first @ _overlap(first.size(1), num_segments)
    index, last = _resize_hidden(_hidden_units(first, *per_unit), last, count)
    return [first[index], *(value[index] for value in per_unit), last]


def _overlap(segments: int, num_segments: int) -> Tensor:
    """Return the share that each new frame has in each old one, rows adding up to 1."""
    # In units in which an old frame lasts num_segments and a new one segments.
    old = torch.arange(segments)[:, None] * num_segments
    new = torch.arange(num_segments) * segments
    start, end = old.maximum(new), (old + num_segments).minimum(new + segments)
    return (end - start).clamp(min=0).double() / num_segments


def _hidden_units(first: Tensor, *per_unit: Tensor) -> Tensor:
    """Return weights and bias of each hidden unit, (h, t + 1)."""
    if len(per_unit) == 1:
        return torch.cat((first, per_unit[0][:, None]), 1)
    weight, bias, mean, var = per_unit
    scale = weight / (var + _EPS).sqrt()
    return torch.cat((first * scale[:, None], (bias - mean * scale)[:, None]), 1)


def _resize_hidden(units: Tensor, last: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return which hidden units the new ones are, and the last layer behind them."""
    if count >= len(units):
        index = torch.arange(count) * len(units) // count
        return index, last[:, index] / index.bincount()[index]
    kept, last = [*range(len(units))], last.clone()
    while len(kept) > count:
        weights, size = units[kept], last[:, kept].norm(dim=0)
        products = weights @ weights.T
        squares = products.diagonal()
        # relu(scale * x) is scale * relu(x): unit j as a multiple of unit i.
        scale = (products / squares.clamp(min=1e-12)[:, None]).clamp(min=0)
        distance = squares - 2 * scale * products + scale**2 * squares[:, None]
        error = (distance.clamp(min=0).sqrt() * size).fill_diagonal_(torch.inf)
        i, j = divmod(int(error.argmin()), len(kept))
        last[:, kept[i]] += scale[i, j] * last[:, kept[j]]
        del kept[j]
    return torch.tensor(kept), last[:, kept]
