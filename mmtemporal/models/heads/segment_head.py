"""Classification by the mean of the frames' scores."""

from typing import Any, Optional

import torch
from mmaction.models.heads import TSMHead
from torch import Tensor

from .checked_head import CheckedHead


class SegmentHead(CheckedHead, TSMHead):
    """Score every frame and average over the frames of a clip.

    It is the stock ``TSMHead`` with three differences: it takes the feature
    maps of ``fcn_test`` too, what does not fit gets a clear message, and the
    scores of a model in half precision are averaged and returned in float32,
    which loss and metrics need.

    Args:
        num_classes: Number of classes.
        in_channels: Number of channels of the features.
        num_segments: Number T of frames of a clip, that of the backbone.
        dropout_ratio: Probability of dropping a feature before the classifier.
        init_std: Standard deviation of the classifier's initial weights.
        **kwargs: See ``TSMHead`` and ``BaseHead``: ``loss_cls``,
            ``multi_class``, ``label_smooth_eps``, ``topk``, ``average_clips``,
            ``spatial_type``, ``temporal_pool``, ...

    Shape:
        - input: (n * t, c, h, w), or (n, c, t, h, w) with ``fcn_test``
        - output: (n, num_classes)

    Raises:
        ValueError: An argument or the features do not fit, or the number of frames is
            no multiple of ``num_segments``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        num_segments: int = 8,
        dropout_ratio: float = 0.5,
        init_std: float = 0.001,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_classes,
            in_channels,
            num_segments=num_segments,
            dropout_ratio=dropout_ratio,
            init_std=init_std,
            **kwargs,
        )
        if self.consensus is None:
            raise ValueError(
                f'got cls_head.consensus={kwargs["consensus"]}, expected '
                "dict(type='AvgConsensus', dim=1)"
            )

    def forward(
        self,
        x: Tensor,
        num_segs: Optional[int] = None,
        fcn_test: bool = False,
        **kwargs: Any,
    ) -> Tensor:
        if fcn_test:
            # (n, c, t, h, w) -> (n * t, c, h, w)
            x = x.transpose(1, 2).flatten(0, 1)
        self.check_features(x)
        if self.avg_pool is not None:
            x = self.avg_pool(x)
        x = x.flatten(1)
        if self.dropout is not None:
            x = self.dropout(x)
        scores = self.fc_cls(x)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        return self.consensus(scores.unflatten(0, (-1, self.num_rows))).squeeze(1)
