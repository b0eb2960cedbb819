"""What the temporal networks on a ConvNeXt share: all but the block."""

import re
from collections.abc import Sequence
from typing import Optional, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from mmtemporal.checkpoints.convnext_names import ImageConvNeXt
from mmtemporal.checks import (
    are_integers,
    check_flags,
    check_integer,
    check_number,
    check_options,
    check_probability,
    is_list,
)

from .checkpointed_stage import CheckpointedStage
from .image_based_backbone import ImageBasedBackbone

EPS = 1e-6  # of all layer norms, as in ConvNeXt
_STAGES = 4


class ChannelNorm(nn.LayerNorm):
    """A layer norm over the channels of features (n, c, ...), keeping their layout."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x.movedim(1, -1)).movedim(-1, 1)
        return y.contiguous() if x.is_contiguous() else y


class TemporalConvNeXt(ImageBasedBackbone):
    """A ConvNeXt with a block of its own.

    Args, Shape, Raises: See :class:`~mmtemporal.models.TAdaConvNeXt`.

    Attributes:
        arch_settings: Depths, channels and options of the routing function, by name.
        block: Class of the blocks.
        routing_type: Type of their routing function.
    """

    image_network = ImageConvNeXt
    arch_settings: dict
    block: type
    routing_type: str

    def __init__(
        self,
        arch: Union[str, dict],
        num_segments: int,
        drop_path_rate: float = 0.0,
        out_indices: Sequence[int] = (3,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        partial_bn: bool = False,
        with_cp: bool = False,
        routing: Optional[dict] = None,
        gap_before_final_norm: Optional[bool] = None,
        layer_scale_init_value: float = 1e-6,
        pretrained: Optional[str] = None,
        in_channels: int = 3,
        init_cfg: Union[dict, list, None] = None,
    ) -> None:
        super().__init__(
            num_segments, in_channels, norm_eval, partial_bn, pretrained, init_cfg
        )
        depths, channels, options = self._read_arch(arch)
        check_integer('backbone.num_segments', num_segments)
        check_flags(with_cp=with_cp)
        self._check_stages(out_indices, frozen_stages)
        check_probability('backbone.drop_path_rate', drop_path_rate)
        check_number('backbone.layer_scale_init_value', layer_scale_init_value)
        routing = check_options('backbone.routing', routing)
        self.arch = arch
        self.num_frames = (num_segments + 1) // 2  # behind the stem
        self.num_stages = max(out_indices) + 1
        self.out_indices = out_indices
        self.frozen_stages = frozen_stages
        self.gap_before_final_norm = gap_before_final_norm
        routing = {'type': self.routing_type, **options, **routing}
        last = max(sum(depths) - 1, 1)
        rates = [drop_path_rate * i / last for i in range(sum(depths))]
        stage = CheckpointedStage if with_cp else nn.Sequential
        self.downsample_layers = nn.ModuleList()
        self.stages = nn.ModuleList()
        for i, depth in enumerate(depths[: self.num_stages]):
            width, before = channels[i], channels[i - 1] if i else in_channels
            self.downsample_layers.append(_downsampling(before, width, is_stem=i == 0))
            blocks = [
                self.block(
                    width, self.num_frames, routing, rate, layer_scale_init_value
                )
                for rate in rates[sum(depths[:i]) :][:depth]
            ]
            self.stages.append(stage(*blocks))
        if self.num_stages == _STAGES:
            self.norm = ChannelNorm(channels[-1], eps=EPS)
        self.freeze()

    def _read_arch(self, arch: Union[str, dict]) -> tuple[tuple, tuple, dict]:
        """Return depths, channels and the options of the routing functions."""
        if isinstance(arch, str):
            options = dict(self.arch_settings.get(arch, {}))
        else:
            options = check_options('backbone.arch', arch)
        depths, channels = (options.pop(key, None) for key in ('depths', 'channels'))
        keys = self.arch_settings['tiny'].keys()
        if (
            not are_integers(depths, _STAGES, minimum=0)
            or not are_integers(channels, _STAGES)
            or not options.keys() <= keys
        ):
            raise ValueError(
                f'backbone.arch={arch!r} is none of {[*self.arch_settings]}, and no '
                f'dict of {[*keys]} with four depths and four channels'
            )
        return tuple(depths), tuple(channels), options

    @staticmethod
    def _check_stages(out_indices: Sequence[int], frozen_stages: int) -> None:
        known = is_list(out_indices) and all(i in range(_STAGES) for i in out_indices)
        if not known or not out_indices:
            raise ValueError(
                f'backbone.out_indices={out_indices} must name stages, 0 to 3'
            )
        check_integer('backbone.frozen_stages', frozen_stages, minimum=-1)
        if frozen_stages > max(out_indices) + 1:
            raise ValueError(
                f'backbone.frozen_stages={frozen_stages} names a stage that is not '
                f'there: backbone.out_indices={out_indices} needs '
                f'{max(out_indices) + 1}'
            )

    @property
    def feature_frames(self) -> Optional[int]:
        if len(self.out_indices) > 1:
            return None
        pooled = self.gap_before_final_norm is not False
        pooled &= self.num_stages == _STAGES
        return 1 if pooled else self.num_frames

    def forward(self, x: Tensor) -> Union[Tensor, tuple]:
        is_clip = x.dim() == 5
        self.check_input(x)
        if not is_clip:
            x = x.unflatten(0, (-1, self.num_segments)).transpose(1, 2)
        x = self._stem(x)
        outs = []
        for i, stage in enumerate(self.stages):
            x = stage(x if i == 0 else self.downsample_layers[i](x))
            if i in self.out_indices:
                outs.append(self._output(x, i == _STAGES - 1, is_clip))
        return tuple(outs) if len(outs) > 1 else outs[0]

    def _stem(self, x: Tensor) -> Tensor:
        """Map clips (n, c, t, h, w) to frames (n * t', c, h, w) of their layout."""
        conv, norm = self.downsample_layers[0]
        frames = conv(x).transpose(1, 2).flatten(0, 1)
        # Some 3-D convolutions on CPUs lose it.
        if x.is_contiguous(memory_format=torch.channels_last_3d):
            frames = frames.contiguous(memory_format=torch.channels_last)
        return norm(frames)

    def check_input(self, x: Tensor) -> None:
        super().check_input(x)
        minimum = 2 ** (self.num_stages + 1)
        if min(x.shape[-2:]) < minimum:
            raise ValueError(
                f'got frames of {x.size(-2)} x {x.size(-1)} pixels, the network needs '
                f'{minimum} x {minimum}; set a larger scale in Resize or size in the '
                'crop'
            )

    def _output(self, x: Tensor, is_last: bool, is_clip: bool) -> Tensor:
        """Give the output of a stage its norm and the form of the input."""
        gap = is_last and self.gap_before_final_norm is not False
        if is_last and not gap:
            x = self.norm(x)
        if not is_clip and not gap:
            return x
        clips = x.unflatten(0, (-1, self.num_frames)).transpose(1, 2)
        if not gap:
            return clips
        mean = clips.mean((2, 3, 4), keepdim=True)  # (n, c, 1, 1, 1)
        if not is_clip:
            return self.norm(mean).squeeze(2)
        if self.gap_before_final_norm:
            return self.norm(mean)
        return self.norm(mean) + self._deviation(clips, mean)

    def _deviation(self, clips: Tensor, mean: Tensor) -> Tensor:
        """Return what the norm of the mean would make of the distance to it."""
        variance = mean.var(1, correction=0, keepdim=True)
        scale = self.norm.weight[:, None, None, None] * (variance + EPS).rsqrt()
        return (clips - mean) * scale

    # --------------------------------------------------- freezing and weights

    def freeze_stages(self) -> None:
        if self.frozen_stages >= 0:
            stages = self.stages[: self.frozen_stages]
            for module in (*self.downsample_layers[: len(stages) or 1], *stages):
                module.eval().requires_grad_(False)

    def draw_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, (_ConvNd, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, (nn.LayerNorm, _BatchNorm)):
                module.reset_parameters()

    def init_identity(self) -> None:
        for stage in self.stages:
            for block in stage:
                block.init_identity()

    def image_name(self, key: str) -> Optional[str]:
        """Return the name of a tensor in an image ConvNeXt, None for a temporal one."""
        return None if re.search(r'\.(routing|norm_avg)\.', key) else key

    def adapt(self, key: str, tensor: Tensor) -> Tensor:
        """Return a tensor of an image ConvNeXt in the form that the backbone has it in.

        The kernel of the stem becomes the middle frame of ours, whose other frames are
        zero, so that every output frame starts from one input frame alone.
        """
        if key == 'downsample_layers.0.0.weight' and tensor.dim() == 4:
            # (c, 3, 4, 4) -> (c, 3, 3, 4, 4)
            return F.pad(tensor[:, :, None], (0, 0, 0, 0, 1, 1))
        # Others have layer scales of (c, 1, 1), and convolutions for linear layers.
        value = self.get_parameter(key)
        if tensor.squeeze().shape == value.squeeze().shape:
            return tensor.reshape(value.shape)
        return tensor


def _downsampling(in_channels: int, channels: int, is_stem: bool) -> nn.Sequential:
    if is_stem:
        conv = nn.Conv3d(in_channels, channels, (3, 4, 4), (2, 4, 4), (1, 0, 0))
        return nn.Sequential(conv, ChannelNorm(channels, eps=EPS))
    conv = nn.Conv2d(in_channels, channels, 2, stride=2)
    return nn.Sequential(ChannelNorm(in_channels, eps=EPS), conv)
