"""TDN: a ResNet with temporal difference modules.

Paper: TDN: Temporal Difference Networks for Efficient Action Recognition
(CVPR 2021), https://arxiv.org/abs/2012.10071
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Optional, Union

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmtemporal.checks import (
    check_choice,
    check_integer,
    check_numbers,
    check_options,
    check_stages,
    is_list,
)
from mmtemporal.models.layers import LongTermTDM, ShortTermTDM, TemporalShift
from mmtemporal.ops.tracing import is_symbolic
from mmtemporal.registry import MODELS

from .td_block import TDBlock
from .temporal_resnet import TemporalResNet

# How the frame's features F and the differences' features H become one.
_FUSIONS = {
    'sum': lambda frame, difference, alpha, beta: torch.add(
        alpha * frame, difference, alpha=beta
    ),
    'product': lambda frame, difference, *_: frame * difference,
    'product_sum': lambda frame, difference, *_: frame + frame * difference,
}


def default_fusion(num_segments: int) -> tuple[float, float]:
    """Return the fusion weights of the authors' release."""
    return (0.5, 0.5) if num_segments == 8 else (0.75, 0.25)


@MODELS.register_module()
class TDN(TemporalResNet):
    """ResNet with short-term and long-term temporal difference modules.

    A clip has T segments, and each segment a window of a few frames. The centre
    frames go through a ResNet. The short-term module (S-TDM) sends what changes
    within each window through a second stem and a copy of the first stage, and
    adds it to the features of the centre frames after both. The long-term
    module (L-TDM) weights the features of each segment by what changes between
    segments; behind it, a learnable shift mixes neighbouring segments.

    No tensor depends on T, so a checkpoint can be used with any number of
    segments. But the fusion weights do, by default: to use a checkpoint trained
    with 8 segments at another number, set ``fusion=(0.5, 0.5)``.

    Args:
        depth: 18, 34, 50, 101 or 152.
        num_segments: Number T of segments of a clip.
        frames_per_segment: Number of frames of a segment's window, 5 in the
            paper. 1 gives a network without S-TDM the plain frames.
        short_term: After which layers the differences are fused in, of
            'conv1', 'layer1', 'layer2', ... Empty: no S-TDM.
        fusion: Weights of the features of the frame and of the differences.
            Defaults to those of the authors' release: (0.5, 0.5) for 8
            segments, else (0.75, 0.25).
        fusion_form: 'sum'; or the paper's alternatives, 'product', F * H, and
            'product_sum', F + F * H, of frame features F and difference
            features H, which have no weights.
        long_term_stages: Indices of the stages with L-TDM, 0 being ``layer1``.
        shift_stages: Indices of the stages with the learnable shift.
        ltdm_cfg: Further arguments of
            :class:`~mmtemporal.models.layers.LongTermTDM`: ``reduction``,
            ``num_scales``.
        **kwargs: See :class:`TemporalResNet`. From ``pretrained`` the stem and
            the copies of stages for the differences are initialised too; the stem is
            averaged over colours.

    Shape:
        - input, with t segments of k frames: (n * t, 3, k, h, w), as
          ``FormatShape('NCTHW')`` makes it of clips of k frames; or
          (n * t * k, 3, h, w), as ``FormatShape('NCHW')`` does; or (n * t,
          3 * k, h, w), frame by frame. Sides are 33 pixels or more.
        - output: (n * t, c, h / 32, w / 32), c = 2048, or 512 for depths 18, 34

    Raises:
        ValueError: An argument does not fit, the frames are of another number,
            or a checkpoint is of another network.
    """

    def __init__(
        self,
        depth: int,
        num_segments: int,
        frames_per_segment: int = 5,
        short_term: Sequence[str] = ('conv1', 'layer1'),
        fusion: Optional[tuple[float, float]] = None,
        fusion_form: str = 'sum',
        long_term_stages: Sequence[int] = (1, 2, 3),
        shift_stages: Sequence[int] = (1, 2, 3),
        ltdm_cfg: Optional[dict] = None,
        num_stages: int = 4,
        **kwargs: Any,
    ) -> None:
        check_integer('backbone.num_stages', num_stages, maximum=4)
        check_stages('backbone.long_term_stages', long_term_stages, num_stages)
        check_stages('backbone.shift_stages', shift_stages, num_stages)
        check_integer('backbone.frames_per_segment', frames_per_segment)
        check_choice('backbone.fusion_form', fusion_form, _FUSIONS)
        fusion = default_fusion(num_segments) if fusion is None else fusion
        check_numbers('backbone.fusion', fusion, length=2)
        self.frames_per_segment = frames_per_segment
        self.short_term = short_term
        self.fusion = fusion
        self.fusion_form = fusion_form
        self.long_term_stages = long_term_stages
        self.shift_stages = shift_stages
        self.ltdm_cfg = check_options('backbone.ltdm_cfg', ltdm_cfg)
        super().__init__(depth, num_segments, num_stages=num_stages, **kwargs)

    def make_stages(self, temporal_stages: Sequence[int]) -> None:
        plain = {name: deepcopy(getattr(self, name)) for name in self.res_layers}
        super().make_stages(temporal_stages)
        self._make_difference_path(plain)

    def make_block(self, block: Any, stage: int) -> nn.Module:
        channels = block.conv1.out_channels
        ltdm = shift = None
        if stage in self.long_term_stages:
            ltdm = LongTermTDM(channels, self.num_segments, **self.ltdm_cfg)
        if stage in self.shift_stages:
            shift = TemporalShift(channels, self.num_segments)
        return TDBlock(block, ltdm, shift) if ltdm or shift else block

    def _make_difference_path(self, plain: dict[str, nn.Sequential]) -> None:
        """Add a stem and copies of the stages up to the last fusion."""
        layers = ['conv1', *self.res_layers]
        if not is_list(self.short_term) or any(
            name not in layers for name in self.short_term
        ):
            raise ValueError(
                f'backbone.short_term={self.short_term!r} must list some of {layers}'
            )
        if not self.short_term:
            self.difference_layers = []
            return
        if self.frames_per_segment < 2:
            raise ValueError(
                f'differences need 2 frames or more, got backbone.frames_per_segment='
                f'{self.frames_per_segment}; raise it or set backbone.short_term=()'
            )
        last = max(map(layers.index, self.short_term))
        self.difference_layers = layers[: last + 1]
        self.short_term_tdm = ShortTermTDM(self.num_segments)
        self.diff_conv1 = ConvModule(
            self.in_channels * (self.frames_per_segment - 1),
            64,
            kernel_size=7,
            stride=2,
            padding=3,
            bias=False,
            conv_cfg=self.conv_cfg,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
        )
        for name in self.difference_layers[1:]:
            self.add_module(f'diff_{name}', self.stage_type(*plain[name]))

    def rows_of_clip(self, shape: Sequence[int]) -> int:
        single = len(shape) == 3 and shape[0] == self.in_channels
        return self.num_segments * (self.frames_per_segment if single else 1)

    def forward(self, x: Tensor) -> Union[Tensor, tuple]:
        windows = self._windows(x)
        x = windows[:, self.frames_per_segment // 2]
        difference: Any = self.short_term_tdm(windows) if self.short_term else None
        outs = []
        for index, name in enumerate(['conv1', *self.res_layers]):
            x = self._run(name, x)
            if name in self.difference_layers:
                difference = self._run(f'diff_{name}', difference)
            if name in self.short_term:
                x = self._fuse(x, difference)
            if index - 1 in self.out_indices:
                outs.append(x)
        return outs[0] if len(outs) == 1 else tuple(outs)

    def _run(self, name: str, x: Tensor) -> Tensor:
        x = getattr(self, name)(x)
        return self.maxpool(x) if name.endswith('conv1') else x

    def _fuse(self, x: Tensor, difference: Tensor) -> Tensor:
        enlarged = F.interpolate(difference, size=x.shape[-2:])
        return _FUSIONS[self.fusion_form](x, enlarged, *self.fusion)

    def _windows(self, x: Tensor) -> Tensor:
        """Return a view of any of the inputs as (n * t, k, c, h, w)."""
        c, k, t = self.in_channels, self.frames_per_segment, self.num_segments
        if is_symbolic(x):
            return x.transpose(1, 2)
        if x.dim() == 5 and x.shape[1:3] == (c, k) and x.size(0) % t == 0:
            return x.transpose(1, 2)
        if x.dim() == 4 and x.size(1) == c and x.size(0) % (k * t) == 0:
            return x.unflatten(0, (-1, k))
        if x.dim() == 4 and x.size(1) == c * k and x.size(0) % t == 0:
            return x.unflatten(1, (k, c))
        raise ValueError(
            f'got input of shape {tuple(x.shape)}, expected windows of '
            f'frames_per_segment={k} frames, a multiple of num_segments={t} of them: '
            f'(n * {t}, {c}, {k}, h, w), (n * {t * k}, {c}, h, w) or (n * {t}, '
            f'{c * k}, h, w); set clip_len={k} and num_clips={t} in SampleFrames or '
            f'mmtemporal.SampleWindows, and backbone.num_segments and '
            f'cls_head.num_segments to that num_clips; or backbone.in_channels={c} to '
            'the channels of an image'
        )

    def _freeze_stages(self) -> None:
        super()._freeze_stages()
        names = ['diff_conv1', *(f'diff_{name}' for name in self.res_layers)]
        for name, child in self.named_children():
            if name in names[: self.frozen_stages + 1]:
                child.eval()
                child.requires_grad_(False)

    # -------------------------------------------------------------- weights

    def _init_temporal(self) -> None:
        super()._init_temporal()
        own = self.state_dict()
        for key in own:
            if key.startswith('diff_') and self.image_name(key):
                own[key].copy_(self.adapt(key, own[key.removeprefix('diff_')]))

    def image_name(self, key: str) -> Optional[str]:
        # The statistics of differences are not those of frames.
        if not key.startswith('diff_conv1.bn.'):
            key = key.removeprefix('diff_')
        return super().image_name(key)

    def adapt(self, key: str, tensor: Tensor) -> Tensor:
        if key != 'diff_conv1.conv.weight':
            return tensor
        channels = self.diff_conv1.in_channels
        return tensor.mean(1, keepdim=True).repeat_interleave(channels, 1)
