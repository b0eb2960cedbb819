"""The head of the TAda networks."""

from typing import Any, Optional

import torch
from mmaction.models.heads import I3DHead
from torch import Tensor

from mmtemporal.registry import MODELS

from .checked_head import CheckedHead


@MODELS.register_module()
class TAdaHead(CheckedHead, I3DHead):
    """Score the mean of the features over frames and space.

    It is the stock ``I3DHead`` with three differences: it takes the frames of a
    2-D recognizer too, its classifier keeps PyTorch's initial weights, as in
    the authors' release, and the scores of a model in half precision are
    returned in float32, which loss and metrics need.

    Args:
        num_classes: Number of classes.
        in_channels: Number of channels of the features.
        num_segments: Number of frames of a clip in the features, which a
            ``Recognizer2D`` needs: T for TAda2D; 1 for TAdaConvNeXt, which
            has averaged over them already.
        dropout_ratio: Probability of dropping a feature before the classifier.
        **kwargs: See ``BaseHead``: ``loss_cls``, ``multi_class``,
            ``label_smooth_eps``, ``topk``, ``average_clips``, ... ``init_std`` is that
            of ``I3DHead``, and has no meaning here.

    Shape:
        - input: (n, c, t, h, w), or (n * t, c, h, w) with t = ``num_segments``
        - output: (n, num_classes)

    Raises:
        ValueError: An argument or the features do not fit, the number of frames is
            no multiple of ``num_segments``, or ``num_segments`` is missing.
    """

    takes_clips = True

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        num_segments: Optional[int] = None,
        dropout_ratio: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_classes, in_channels, num_segments, dropout_ratio, **kwargs
        )
        if self.avg_pool is None:
            raise ValueError(
                f'got cls_head.spatial_type={self.spatial_type!r}, expected '
                "'avg': the head averages over frames and space"
            )

    def init_classifier(self) -> None:
        self.fc_cls.reset_parameters()

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        self.check_features(x)
        if x.dim() == 4:
            x = x.unflatten(0, (-1, self.num_segments)).transpose(1, 2)
        x = x.mean((2, 3, 4))
        if self.dropout is not None:
            x = self.dropout(x)
        scores = self.fc_cls(x)
        return scores.to(torch.promote_types(scores.dtype, torch.float32))
