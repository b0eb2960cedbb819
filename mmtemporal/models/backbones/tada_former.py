"""TAdaFormer: CLIP's image transformer with temporally-adaptive blocks.

Paper: Temporally-Adaptive Models for Efficient Video Understanding,
https://arxiv.org/abs/2308.05787
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Optional, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtemporal.checkpoints.image_clip import ImageCLIP
from mmtemporal.checks import (
    check_choice,
    check_flags,
    check_integer,
    check_probability,
    check_stages,
)
from mmtemporal.ops import checkpointed
from mmtemporal.registry import MODELS

from .image_based_backbone import ImageBasedBackbone
from .position_embedding import resize_positions
from .tada_former_layer import ACTIVATIONS, EPS, TAdaFormerLayer, to_feature_maps
from .tada_former_sizes import ARCHS, read_arch, read_size

# Frames that the first linear layer of a TAda block sees, and blocks in a layer.
_FORMS = dict(K=(1, 1), S=(3, 2))
_INTERPOLATIONS = (None, 'bicubic', 'bilinear')


@MODELS.register_module()
class TAdaFormer(ImageBasedBackbone):
    """CLIP's image transformer on every frame, with TAda blocks that relate the frames.

    The stem halves the number of frames: its convolution sees three frames and has
    stride 2 in time, so t' = ceil(t / 2) frames come out. A new network with CLIP's
    weights is exactly CLIP on frames 0, 2, 4, ..., whose class tokens are averaged; the
    others have no influence before the stem has been trained.

    Args:
        arch: 'base' (CLIP's B/16), 'large' (its L/14), or a dict of ``embed_dims``,
            ``num_layers``, ``num_heads``, ``feedforward_channels`` and ``patch_size``.
        num_segments: Number T of frames of the clips that come in. None: that of each
            input, which then must be clips (n, 3, t, h, w).
        form: 'K', of the authors' networks for Kinetics; or 'S', of those for
            Something-Something: each layer has two TAda blocks, whose first linear
            layer sees three frames.
        img_size: Height and width of the frames, in pixels; one number for both. The
            position embedding is made for it.
        interpolate_mode: How a position embedding for another grid of patches is
            resized, 'bicubic' or 'bilinear': that of a checkpoint when it is loaded,
            and that of the network for frames of another size. None: both are errors.
        activation: 'quick_gelu' or 'gelu', in CLIP's MLPs. Weights need the one that
            they were trained with: OpenAI's, those of DFN, most of MetaCLIP and the
            released TAdaFormers the first; those of LAION, DataComp and CommonPool the
            second. TAda blocks always have the first.
        drop_path_rate: Stochastic depth: how often, in training, a summand of the last
            layer is skipped by a clip. For the others it grows linearly from zero.
        out_indices: Layers whose output is returned, 0 being the first; None: the last.
            Those behind the last of them are not built.
        frame_features: Whether the last layer gives features of each frame. They are
            normalised by the statistics of their mean, so that their mean is the
            feature of the clip, which is given otherwise.
        frozen_stages: What is in front of the layers (0 or more), and this many layers
            are frozen; -1 freezes nothing.
        freeze_clip: Whether all that CLIP has is frozen, so that TAda blocks alone are
            trained. The stem is part of it, so every other frame has no influence.
        norm_eval: Whether batch norms keep their statistics. The only ones are those of
            the TAda blocks.
        partial_bn: The same.
        with_cp: Whether to use activation checkpointing.
        routing: Arguments of :class:`~mmtemporal.models.layers.AttentionRouting`. A
            quarter of ``embed_dims`` must be a multiple of its ``head_dim``, 64.
        pretrained: A checkpoint of CLIP, a file or a URL: of OpenAI (TorchScript, of
            which only tensors are read), open_clip, timm, mmpretrain or transformers;
            or a checkpoint of a recognizer with this backbone.
        in_channels: Number of channels of a frame.
        init_cfg: Initialisation by mmengine's rules;
            ``dict(type='Pretrained', checkpoint=...)`` loads a checkpoint of this
            backbone or of CLIP.

    Shape:
        - input: (n, 3, t, h, w), as ``Recognizer3D`` gives it; or (n * t, 3, h, w), the
          frames of a clip being consecutive rows. h and w are multiples of the patch
        - output of the last layer: (n, c, 1, 1, 1) or (n, c, 1, 1); with
          ``frame_features`` (n, c, t', 1, 1) or (n * t', c, 1, 1)
        - output of other layers: the patches, (n, c, t', h', w') or
          (n * t', c, h', w'); a tuple for several ``out_indices``

    Raises:
        ValueError: An argument does not fit, clips do not have ``num_segments`` frames,
            frames do not fit the patches or ``img_size``, or a checkpoint is of another
            network.
    """

    image_network = ImageCLIP
    arch_settings = ARCHS

    def __init__(
        self,
        arch: Union[str, dict],
        num_segments: Optional[int] = None,
        form: str = 'K',
        img_size: Union[int, Sequence[int]] = 224,
        interpolate_mode: Optional[str] = None,
        activation: str = 'quick_gelu',
        drop_path_rate: float = 0.0,
        out_indices: Optional[Sequence[int]] = None,
        frame_features: bool = False,
        frozen_stages: int = -1,
        freeze_clip: bool = False,
        norm_eval: bool = False,
        partial_bn: bool = False,
        with_cp: bool = False,
        routing: Optional[dict] = None,
        pretrained: Optional[str] = None,
        in_channels: int = 3,
        init_cfg: Union[dict, list, None] = None,
    ) -> None:
        super().__init__(
            num_segments, in_channels, norm_eval, partial_bn, pretrained, init_cfg
        )
        settings = read_arch(arch)
        width, depth = settings['embed_dims'], settings['num_layers']
        if num_segments is not None:
            check_integer('backbone.num_segments', num_segments)
        check_flags(
            frame_features=frame_features, freeze_clip=freeze_clip, with_cp=with_cp
        )
        check_choice('backbone.form', form, _FORMS)
        check_choice('backbone.activation', activation, ACTIVATIONS)
        check_choice('backbone.interpolate_mode', interpolate_mode, _INTERPOLATIONS)
        check_probability('backbone.drop_path_rate', drop_path_rate)
        out_indices = (depth - 1,) if out_indices is None else out_indices
        check_stages('backbone.out_indices', out_indices, depth)
        if not out_indices:
            raise ValueError('backbone.out_indices names no layer')
        self.num_stages = max(out_indices) + 1
        check_integer(
            'backbone.frozen_stages', frozen_stages, minimum=-1, maximum=self.num_stages
        )
        self.arch = arch
        self.form = form
        self.patch_size = settings['patch_size']
        self.interpolate_mode = interpolate_mode
        self.activation = activation
        self.out_indices = out_indices
        self.frame_features = frame_features
        self.frozen_stages = frozen_stages
        self.freeze_clip = freeze_clip
        self.with_cp = with_cp
        self.img_size = read_size(img_size, self.patch_size)
        self.grid = tuple(size // self.patch_size for size in self.img_size)

        p = self.patch_size
        self.conv1 = nn.Conv3d(
            in_channels, width, (3, p, p), (2, p, p), (1, 0, 0), bias=False
        )
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(
            torch.empty(1 + self.grid[0] * self.grid[1], width)
        )
        if self.grid[0] != self.grid[1]:
            # For checkpoints: the number of rows does not tell it. Without, it is
            # square, as in the files of CLIP and of the authors.
            self.register_buffer('position_grid', torch.tensor(self.grid))
        self.ln_pre = nn.LayerNorm(width, eps=EPS)
        kernel_size, num_blocks = _FORMS[form]
        self.layers = nn.ModuleList(
            TAdaFormerLayer(
                width,
                settings['num_heads'],
                settings['feedforward_channels'],
                kernel_size,
                num_blocks,
                routing,
                activation,
                drop_path_rate * i / max(depth - 1, 1),
                is_last=i == depth - 1,
            )
            for i in range(self.num_stages)
        )
        self.has_end = self.num_stages == depth
        if self.has_end:
            self.ln_post = nn.LayerNorm(width, eps=EPS)
        self._draw_tokens()
        self.freeze()

    @property
    def feature_frames(self) -> Optional[int]:
        if len(self.out_indices) > 1 or self.num_segments is None:
            return None
        pooled = self.has_end and not self.frame_features
        return 1 if pooled else (self.num_segments + 1) // 2

    def forward(self, x: Tensor) -> Union[Tensor, tuple]:
        is_clip = x.dim() == 5
        self.check_input(x)
        if not is_clip:
            x = x.unflatten(0, (-1, self.num_segments)).transpose(1, 2)
        x = self.conv1(x)
        n, _, t, *grid = x.shape
        x = x.flatten(3).permute(0, 2, 3, 1)  # (n, t', h' * w', c)
        token = self.class_embedding.expand(n, t, 1, -1)
        x = torch.cat((token, x), 2) + self._positions(grid)
        x = self.ln_pre(x)
        outputs = []
        for i, layer in enumerate(self.layers):
            function = partial(layer, grid=grid)
            if self.with_cp:
                x = checkpointed(function, x, layer, random=True)
            else:
                x = function(x)
            if i in self.out_indices:
                outputs.append(self._output(x, i, grid, is_clip))
        return tuple(outputs) if len(self.out_indices) > 1 else outputs[0]

    def check_input(self, x: Tensor) -> None:
        super().check_input(x)
        size, p = tuple(x.shape[-2:]), self.patch_size
        if any(side < p or side % p for side in size):
            raise ValueError(
                f'got frames of {size[0]} x {size[1]} pixels, expected multiples of '
                f'the patch, {p}; set scale in Resize or crop_size in the pipeline'
            )
        if size != self.img_size and self.interpolate_mode is None:
            raise ValueError(
                f'got frames of {size[0]} x {size[1]} pixels, expected '
                f'backbone.img_size={self.img_size}; set that, or scale in Resize or '
                "crop_size in the pipeline, or backbone.interpolate_mode='bicubic'"
            )

    def _positions(self, grid: Sequence[int]) -> Tensor:
        if tuple(grid) == self.grid:
            return self.positional_embedding
        return self.resize_positions(self.positional_embedding, self.grid, grid)

    def resize_positions(
        self, embedding: Tensor, old: Sequence[int], new: Sequence[int]
    ) -> Tensor:
        """Resize a position embedding by ``interpolate_mode``, which must be given."""
        return resize_positions(embedding, old, new, self.interpolate_mode)  # type: ignore[arg-type]

    def _output(self, x: Tensor, i: int, grid: Sequence[int], is_clip: bool) -> Tensor:
        """Give the tokens of a layer (n, t', l, c) the form of the input."""
        if not (self.has_end and i == self.num_stages - 1):
            features = to_feature_maps(x, grid)
        else:
            tokens = x[:, :, 0]
            mean = tokens.mean(1, keepdim=True)  # (n, 1, c)
            features = self.ln_post(mean)
            if self.frame_features:
                features = features + self._deviation(tokens, mean)
            features = features.transpose(1, 2)[..., None, None]
        return features if is_clip else features.transpose(1, 2).flatten(0, 1)

    @property
    def cam_layer(self) -> str:  # type: ignore[override]
        # The last one of which the score depends on patches, and not alone on the
        # class token.
        return f'layers.{self.num_stages - 1}.ln_1' if self.has_end else ''

    def feature_maps(self, x: Tensor, size: Sequence[int]) -> Tensor:
        return to_feature_maps(x, [side // self.patch_size for side in size])

    def _deviation(self, tokens: Tensor, mean: Tensor) -> Tensor:
        """Return what the norm of the mean would make of the distance to it."""
        variance = mean.var(-1, correction=0, keepdim=True)
        return (tokens - mean) * self.ln_post.weight * (variance + EPS).rsqrt()

    # --------------------------------------------------- freezing and weights

    def freeze_stages(self) -> None:
        if self.freeze_clip or self.frozen_stages >= 0:
            for part in (self.conv1, self.ln_pre):
                part.requires_grad_(False)
            self.class_embedding.requires_grad_(False)
            self.positional_embedding.requires_grad_(False)
        for layer in self.layers[: max(self.frozen_stages, 0)]:
            layer.eval().requires_grad_(False)
        if self.freeze_clip:
            for layer in self.layers:
                for part in (layer.ln_1, layer.attn, layer.ln_2, layer.mlp):
                    part.requires_grad_(False)
            if self.has_end:
                self.ln_post.requires_grad_(False)

    def draw_weights(self) -> None:
        self._draw_tokens()
        self.conv1.reset_parameters()
        self.ln_pre.reset_parameters()
        for layer in self.layers:
            layer.init_weights()  # type: ignore[operator]
        if self.has_end:
            self.ln_post.reset_parameters()

    def _draw_tokens(self) -> None:
        std = self.class_embedding.size(0) ** -0.5
        nn.init.normal_(self.class_embedding, std=std)
        nn.init.normal_(self.positional_embedding, std=std)

    def init_identity(self) -> None:
        for layer in self.layers:
            layer.init_identity()  # type: ignore[operator]

    def image_name(self, key: str) -> Optional[str]:
        """Return the name of a tensor in an image CLIP, None for a temporal one."""
        return None if re.match(r'layers\.\d+\.tada2?\.', key) else key

    def adapt(self, key: str, tensor: Tensor) -> Tensor:
        """Return a tensor of an image CLIP in the form that the backbone has it in.

        The kernel of the stem becomes the middle frame of ours, whose other frames are
        zero, so that every output frame starts from one input frame alone.
        """
        if key == 'conv1.weight':
            # (c, 3, p, p) -> (c, 3, 3, p, p)
            return F.pad(tensor[:, :, None], (0, 0, 0, 0, 1, 1))
        return tensor
