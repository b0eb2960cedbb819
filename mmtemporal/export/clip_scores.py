"""A recognizer as a function of the frames alone."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ClipScores(nn.Module):
    """Maps the frames of views to the scores of the classes.

    Whatever the layout that a recognizer takes, here the frames of a view are in
    their order in time.

    Args:
        recognizer: An MMAction2 recognizer.
        shape: Shape of one of its inputs, (m, 3, h, w) or (m, 3, t, h, w), see
            :func:`mmtemporal.datasets.input_shape.input_shape`.
        normalise: Whether it takes pixels, and does to them what the recognizer's
            ``data_preprocessor`` does. Without, they are normalised already.

    Shape:
        - input: (n, m or m * t, 3, h, w), RGB, uint8 if ``normalise``, else float32
        - output: (n, num_classes)
    """

    def __init__(
        self, recognizer: nn.Module, shape: Sequence[int], normalise: bool = False
    ) -> None:
        super().__init__()
        self.recognizer = recognizer
        # The windows that one of its inputs has, and the frames of a window.
        self.windows = (shape[0], shape[2]) if len(shape) == 5 else None
        self.normalise = normalise
        constants = recognizer.data_preprocessor
        if normalise and hasattr(constants, 'mean'):
            self.register_buffer('mean', constants.mean.reshape(3, 1, 1))
            self.register_buffer('std', constants.std.reshape(3, 1, 1))

    def forward(self, frames: Tensor) -> Tensor:
        x = frames
        if self.normalise:
            x = x.float()
            if hasattr(self, 'mean'):
                x = (x - self.mean) / self.std
        if self.windows:
            # (n, m * t, 3, h, w) -> (n, m, 3, t, h, w)
            x = x.unflatten(1, self.windows).transpose(2, 3)
        return self.recognizer(x, stage='head')


def split_views(inputs: Tensor, shape: Sequence[int]) -> Tensor:
    """Returns the views of a video as :class:`ClipScores` takes them.

    Args:
        inputs: What ``PackActionInputs`` gives for one video.
        shape: Shape of one view of it.

    Shape:
        - inputs: (v * m, 3, h, w) or (v * m, 3, t, h, w)
        - shape: (m, 3, h, w) or (m, 3, t, h, w)
        - output: (v, m or m * t, 3, h, w)
    """
    views = inputs.unflatten(0, (-1, shape[0]))
    if len(shape) == 5:
        views = views.transpose(2, 3).flatten(1, 2)
    return views


def random_views(
    batch: int, shape: Sequence[int], normalised: bool, seed: int = 0
) -> Tensor:
    """Draws frames of noise: pixels, or normalised ones.

    Args:
        batch: Number of views.
        shape: Shape of a view, (frames, 3, h, w).
        normalised: Whether they are normalised already.
        seed: Of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    if normalised:
        return torch.randn(batch, *shape, generator=generator)
    return torch.randint(256, (batch, *shape), generator=generator).to(torch.uint8)
