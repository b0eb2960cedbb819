"""A recognizer as a function of the frames alone."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class ClipScores(nn.Module):
    """Map the frames of views to the scores of the classes.

    Whatever the layout and the order of colours that a recognizer takes, here the
    frames of a view are RGB and in their order in time.

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
        self.windows = (shape[0], shape[2]) if len(shape) == 5 else (shape[0], 1)
        self.is_windowed = len(shape) == 5
        self.normalise = normalise
        constants = recognizer.data_preprocessor
        self.to_bgr = constants.to_rgb
        if normalise and hasattr(constants, 'mean'):
            self.register_buffer('mean', constants.mean.reshape(-1, 1, 1))
            self.register_buffer('std', constants.std.reshape(-1, 1, 1))

    def forward(self, frames: Tensor) -> Tensor:
        return self.recognizer(self.prepare(frames), stage='head')

    def prepare(self, frames: Tensor) -> Tensor:
        """Return what the recognizer takes, (n, m, 3, h, w) or (n, m, 3, t, h, w)."""
        x = frames
        if self.to_bgr:
            # The swap that MMAction2 calls to_rgb; pipelines read RGB.
            x = x.flip(2)
        if self.normalise:
            x = x.float()
            if hasattr(self, 'mean'):
                x = (x - self.mean) / self.std
        # (n, m * t, 3, h, w) -> (n, m, t, 3, h, w); another number of frames fails
        x = x.unflatten(1, self.windows)
        x = x.transpose(2, 3) if self.is_windowed else x.squeeze(2)
        return x.contiguous()  # recognizers view their input in other shapes


def check_rows(scores: Tensor, views: int, frames: int) -> None:
    """Check that a recognizer scores each view once.

    Args:
        scores: What it gave, (n, num_classes).
        views: Number n of views that it was given.
        frames: Number of frames of each.

    Raises:
        ValueError: It made other clips of the frames.
    """
    if len(scores) != views:
        raise ValueError(
            f'the model makes {len(scores)} clips of {views} views of {frames} frames; '
            'set num_clips (or clip_len) of the sampler in test_pipeline, '
            'model.backbone.num_segments and, where the head has it, '
            'model.cls_head.num_segments to the same value'
        )


def averages_features(network: ClipScores, views: Tensor) -> bool:
    """Whether a recognizer averages over views before it scores them.

    The stock ``TSNHead`` averages features over all frames that a video has, which is
    averaging scores before the softmax, whatever ``average_clips`` says.

    Args:
        network: The scores of single views.
        views: Two of them.

    Raises:
        ValueError: It neither scores views one by one nor averages over them.
    """
    single = network(views)
    video = network.prepare(views).flatten(0, 1)[None]
    joint = network.recognizer(video, stage='head')
    expected = single.mean(0, keepdim=True) if len(joint) == 1 else single
    close: Any = dict(rtol=1e-4, atol=1e-4 * float(single.abs().max()))
    if joint.shape != expected.shape or not torch.allclose(joint, expected, **close):
        raise ValueError(
            'the model scores several views of a video otherwise than one by one, so '
            'the file could not give its scores; take one view in test_pipeline '
            '(num_clips of a 3-D recognizer, CenterCrop)'
        )
    return len(joint) == 1


def split_views(inputs: Tensor, shape: Sequence[int]) -> Tensor:
    """Return the views of a video as :class:`ClipScores` takes them.

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
    """Draw frames of noise: pixels, or normalised ones.

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
