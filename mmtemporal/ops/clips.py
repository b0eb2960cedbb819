"""From a batch of frames to clips."""

from torch import Tensor

from .tracing import is_symbolic


def split_clips(x: Tensor, num_segments: int) -> Tensor:
    """Return a view in which the frames of a clip have a dimension of their own.

    Shape:
        - x: (n * t, ...), the frames of a clip being consecutive rows
        - output: (n, t, ...)

    Raises:
        ValueError: The number of frames is no multiple of ``num_segments``.
    """
    if not is_symbolic(x) and x.size(0) % num_segments:
        raise ValueError(
            f'got {x.size(0)} frames, not a multiple of num_segments={num_segments}'
        )
    return x.unflatten(0, (-1, num_segments))
