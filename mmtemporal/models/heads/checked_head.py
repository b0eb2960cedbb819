"""What the heads check, so that what does not fit together is named."""

from collections.abc import Sequence
from typing import Optional

from mmaction.structures import ActionDataSample
from torch import Tensor

from mmtemporal.checks import check_number, check_probability, check_whole


class CheckedHead:
    """A mixin for heads of MMAction2: errors that name the keys of the config.

    Without it a head and a backbone that do not fit fail in a product of matrices,
    and clips with another number of frames, which the network regroups, in the loss.

    Args:
        num_classes: Number of classes.
        in_channels: Number of channels of the features.
        num_segments: Number of frames of a clip in the features, or None.
        dropout_ratio: Probability of dropping a feature.
        init_std: Standard deviation of the classifier's initial weights.
        **kwargs: Further arguments of the head.

    Raises:
        ValueError: An argument is of the wrong kind or out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        num_segments: Optional[int] = None,
        dropout_ratio: float = 0.5,
        init_std: float = 0.001,
        **kwargs,
    ) -> None:
        check_whole('cls_head.num_classes', num_classes)
        check_whole('cls_head.in_channels', in_channels)
        if num_segments is not None:
            check_whole('cls_head.num_segments', num_segments)
        check_probability('cls_head.dropout_ratio', dropout_ratio)
        check_number('cls_head.init_std', init_std, least=0)
        super().__init__(
            num_classes,
            in_channels,
            dropout_ratio=dropout_ratio,
            init_std=init_std,
            **kwargs,
        )
        self.num_segments = num_segments

    def check_features(self, x: Tensor) -> None:
        """Raises a ValueError if the features are none that the head can score.

        Shape:
            - x: (n * t, c, h, w) with t = ``num_segments``, or (n, c, t, h, w)
        """
        if isinstance(x, tuple):
            raise ValueError(
                f'{type(self).__name__} takes the features of one stage, got '
                f'{len(x)}; set backbone.out_indices to a single stage'
            )
        if x.size(1) != self.in_channels:
            raise ValueError(
                f'got features of {x.size(1)} channels, not of in_channels='
                f'{self.in_channels}; set cls_head.in_channels to those of the backbone'
            )
        if x.dim() == 4 and (not self.num_segments or x.size(0) % self.num_segments):
            raise ValueError(
                f'got features of {x.size(0)} frames, not a multiple of num_segments='
                f'{self.num_segments}; set cls_head.num_segments to that of the '
                'backbone'
            )

    def loss_by_feat(
        self, cls_scores: Tensor, data_samples: Sequence[ActionDataSample]
    ) -> dict:
        _check_clips(len(cls_scores), len(data_samples), per_video=False)
        return super().loss_by_feat(cls_scores, data_samples)

    def predict_by_feat(
        self, cls_scores: Tensor, data_samples: Sequence[ActionDataSample]
    ) -> Sequence[ActionDataSample]:
        _check_clips(len(cls_scores), len(data_samples), per_video=True)
        return super().predict_by_feat(cls_scores, data_samples)


def _check_clips(clips: int, videos: int, per_video: bool) -> None:
    if clips % videos if per_video else clips != videos:
        raise ValueError(
            f'the frames of {videos} videos make {clips} clips; set num_clips (or '
            'clip_len, for recognizers of 3-D networks) in the sampler, '
            'backbone.num_segments and, where the head has it, cls_head.num_segments '
            'to the same value'
        )
