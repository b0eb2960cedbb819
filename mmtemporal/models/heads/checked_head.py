"""What the heads check, so that what does not fit together is named."""

from collections.abc import Sequence
from typing import Any, Optional

from mmaction.structures import ActionDataSample
from mmengine.model import initialize
from torch import Tensor

from mmtemporal.checks import check_integer, check_number, check_probability
from mmtemporal.models.init_rules import split_rules

_CLIPS = (
    ", or, for clips, model.type='Recognizer3D', input_format='NCTHW' in FormatShape "
    "and format_shape='NCTHW' in model.data_preprocessor"
)


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
        average_clips: How the scores of several views become one: 'prob', a mean of
            probabilities, or 'score', of scores. None leaves them as they are, which
            metrics cannot take.
        **kwargs: Further arguments of the head.

    Attributes:
        takes_clips: Whether the features may be those of clips, (n, c, t, h, w).

    Raises:
        ValueError: An argument is of the wrong kind or out of its range.
    """

    takes_clips = False

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        num_segments: Optional[int] = None,
        dropout_ratio: float = 0.5,
        init_std: float = 0.001,
        average_clips: Optional[str] = 'prob',
        **kwargs: Any,
    ) -> None:
        check_integer('cls_head.num_classes', num_classes)
        check_integer('cls_head.in_channels', in_channels)
        if num_segments is not None:
            check_integer('cls_head.num_segments', num_segments)
        check_probability('cls_head.dropout_ratio', dropout_ratio)
        check_number('cls_head.init_std', init_std, minimum=0)
        if isinstance(kwargs.get('topk'), list):
            kwargs['topk'] = tuple(kwargs['topk'])  # JSON and YAML have no tuples
        super().__init__(
            num_classes,
            in_channels,
            dropout_ratio=dropout_ratio,
            init_std=init_std,
            average_clips=average_clips,
            **kwargs,
        )
        self.num_segments = num_segments
        # A temporal pool in the backbone, of TSM's kind, halves the frames.
        halved = getattr(self, 'is_shift', False) and self.temporal_pool
        self.num_rows = num_segments // 2 if halved else num_segments

    def init_weights(self) -> None:
        """Initialise the classifier, then by ``init_cfg``, which stock heads ignore."""
        self.init_classifier()
        drawing, loading = split_rules(self.init_cfg)
        initialize(self, drawing + loading)

    def init_classifier(self) -> None:
        """Draw the initial weights of the classifier."""
        super().init_weights()

    def check_features(self, x: Tensor) -> None:
        """Raise a ValueError if the features are none that the head can score.

        Shape:
            - x: (n * t, c, h, w) with t = ``num_segments``; or, if it
              ``takes_clips``, (n, c, t, h, w)
        """
        if isinstance(x, tuple):
            raise ValueError(
                f'{type(self).__name__} takes the features of one stage, got '
                f'{len(x)}; set backbone.out_indices to a single stage'
            )
        if x.dim() == 5 and not self.takes_clips:
            raise ValueError(
                f'{type(self).__name__} takes features of frames, (n * t, c, h, w), '
                f'got those of clips, {tuple(x.shape)}; set cls_head.type='
                "'mmtemporal.TAdaHead', or model.type='Recognizer2D' with "
                "input_format='NCHW' in FormatShape and format_shape='NCHW' in "
                'model.data_preprocessor'
            )
        if x.size(1) != self.in_channels:
            raise ValueError(
                f'got features of {x.size(1)} channels, not of in_channels='
                f'{self.in_channels}; set cls_head.in_channels to those of the backbone'
            )
        if self.avg_pool is None and max(x.shape[2:]) > 1:
            raise ValueError(
                f'got features of {tuple(x.shape[2:])} and cls_head.spatial_type='
                f"{self.spatial_type!r}, which pools nothing; set it to 'avg'"
            )
        if x.dim() == 4 and (not self.num_rows or x.size(0) % self.num_rows):
            raise ValueError(
                f'got features of {x.size(0)} frames, not a multiple of num_segments='
                f'{self.num_segments}; set cls_head.num_segments to the frames of a '
                f'clip behind the backbone{_CLIPS if self.takes_clips else ""}'
            )

    def loss_by_feat(
        self, cls_scores: Tensor, data_samples: Sequence[ActionDataSample]
    ) -> dict:
        _check_clips(len(cls_scores), len(data_samples), per_video=False)
        if self.multi_class and self.num_classes == 1:
            # The stock loss drops the only class of the labels, but not of the scores.
            cls_scores = cls_scores.squeeze(1)
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
