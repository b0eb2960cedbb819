"""TAdaConvNeXt: a ConvNeXt whose depthwise convolutions are calibrated.

Papers: TAda! Temporally-Adaptive Convolutions for Video Understanding (ICLR
2022), https://arxiv.org/abs/2110.06178; Temporally-Adaptive Models for
Efficient Video Understanding, https://arxiv.org/abs/2308.05787
"""

from mmtemporal.registry import MODELS

from .tada_convnext_block import TAdaConvNeXtBlock, TAdaConvNeXtV2Block
from .temporal_convnext import TemporalConvNeXt

_TINY = dict(depths=(3, 3, 9, 3), channels=(96, 192, 384, 768))
_SMALL = dict(depths=(3, 3, 27, 3), channels=(96, 192, 384, 768))
_BASE = dict(depths=(3, 3, 27, 3), channels=(128, 256, 512, 1024))


@MODELS.register_module()
class TAdaConvNeXt(TemporalConvNeXt):
    """ConvNeXt with calibrated depthwise convolutions.

    The stem halves the number of frames: its convolution sees three frames and
    has stride 2 in time, so t' = ceil(t / 2) frames come out. With ImageNet
    weights a new network is, for every other frame, the image network. The
    authors released no weights, and results of the size 'tiny' only.

    Args:
        arch: 'tiny', 'small', or ``dict(depths=..., channels=...)`` with four
            numbers each.
        num_segments: Number T of frames of the clips that come in.
        drop_path_rate: Stochastic depth: how often, in training, the last block
            is skipped by a clip. For the others it grows linearly from zero.
        out_indices: Stages whose output is returned, 0 being the first. Stages
            behind the last of them are not built. Only the last stage's output
            is normalised.
        frozen_stages: The stem (0 or more) and this many stages, each with the
            downsampling before it, are frozen; -1 freezes nothing. The final
            norm is never frozen.
        norm_eval: Whether batch norms keep their statistics. The only ones are
            those of the routing functions, which small batches make noisy.
        partial_bn: The same, as ConvNeXt has no batch norms to freeze.
        with_cp: Whether to use activation checkpointing.
        routing: Arguments of :class:`~mmtemporal.models.layers.ConvRouting`,
            such as ``dict(norm='ln')``. Which of the two norms the paper's
            results were made with is not known.
        gap_before_final_norm: True: the last stage's output is the mean of the clip,
            normalised, which is what the release classifies. False: a feature
            map for each frame, normalised by itself. The default, None, gives clips a
            feature map whose mean is that normalised mean, since it is normalised by
            the statistics of the mean: the same for a classifier, and of use to a
            detector, too. Frames of a 2-D recognizer get the mean alone.
        layer_scale_init_value: Initial value of the scales of the blocks.
        pretrained: An ImageNet checkpoint of ConvNeXt, of Facebook,
            torchvision, timm or mmpretrain, a file or a URL. A stem for colours
            is averaged for other ``in_channels``.
        in_channels: Number of channels of a frame.
        init_cfg: Initialisation by mmengine's rules;
            ``dict(type='Pretrained', checkpoint=...)`` loads a checkpoint of
            this backbone.

    Shape:
        - input: (n, 3, t, h, w), as ``Recognizer3D`` gives it; or
          (n * t, 3, h, w), the frames of a clip being consecutive rows
        - output: (n, c, t', h', w') or (n * t', c, h', w'), but for a pooled last
          stage (n, c, 1, 1, 1) or (n, c, 1, 1); a tuple for several ``out_indices``

    Raises:
        ValueError: An argument does not fit, clips do not have
            ``num_segments`` frames, frames are too small, or a checkpoint is
            of another network.
    """

    arch_settings = dict(tiny=_TINY, small=_SMALL)
    block = TAdaConvNeXtBlock
    routing_type = 'conv'


@MODELS.register_module()
class TAdaConvNeXtV2(TemporalConvNeXt):
    """TAdaConvNeXt with temporal attention and temporal aggregation.

    As the authors' release it has QuickGELU in the place of GELU, so that with
    ImageNet weights a new network is near the image network, not equal to it.

    Args:
        arch: 'tiny', 'small', 'base', or ``dict(depths=..., channels=...,
            head_dim=...)``; see ``routing`` for the last.
        routing: Arguments of
            :class:`~mmtemporal.models.layers.AttentionRouting`. Half the
            channels of every stage must be a multiple of ``head_dim``.
        **kwargs: See :class:`TAdaConvNeXt`, as for Shape and Raises.
    """

    arch_settings = dict(
        tiny=dict(_TINY, head_dim=48),
        small=dict(_SMALL, head_dim=48),
        base=dict(_BASE, head_dim=64),
    )
    block = TAdaConvNeXtV2Block
    routing_type = 'attention'
