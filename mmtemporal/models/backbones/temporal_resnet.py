"""What all temporal networks on a ResNet share."""

from collections.abc import Sequence
from typing import Any, Optional, Union

from mmaction.models.backbones.resnet import ResNet
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from typing_extensions import Self

from mmtemporal.checkpoints.load import load_pretrained, prepare_checkpoint
from mmtemporal.checkpoints.resnet_names import ImageResNet, torchvision_name
from mmtemporal.checks import (
    are_integers,
    check_choice,
    check_integer,
    check_stages,
)
from mmtemporal.models.frame_counts import TemporalBackbone, check_frames
from mmtemporal.models.init_rules import init_in_order
from mmtemporal.models.layers.temporal_layer import new_modules, temporal_layers

from .checkpointed_stage import CheckpointedStage


class TemporalResNet(TemporalBackbone, ResNet):
    """A ResNet whose residual blocks are given a temporal layer.

    A network overrides :meth:`make_block`. This class adds to mmaction2's ``ResNet``:
    the check of the frame count, activation checkpointing that leaves batch norm
    statistics exact and works with basic blocks, freezing that knows the ImageNet
    layers from the temporal ones, and ImageNet initialisation that skips nothing
    silently.

    Args:
        depth: 18, 34, 50, 101 or 152.
        num_segments: Number T of frames of a clip.
        temporal_stages: Indices of the stages that become temporal, 0 being
            ``layer1``. Defaults to all.
        num_stages: Number of stages, 1 to 4. Fewer need as many ``strides`` and
            ``dilations``, and ``out_indices`` among them.
        out_indices: Indices of the stages whose output is returned.
        strides: Stride of each stage.
        dilations: Dilation of each stage.
        with_cp: Whether to use activation checkpointing.
        norm_eval: Whether the batch norms of the ResNet keep their statistics.
            Those of the temporal layers, which no ImageNet checkpoint has, go
            on learning.
        partial_bn: Whether, as in TSN, all batch norms of the ResNet but the
            first are frozen.
        frozen_stages: The stem (0 or more) and this many stages are frozen as
            a whole; -1 freezes nothing.
        **kwargs: Arguments of mmaction2's ``ResNet``: ``pretrained``,
            ``norm_cfg``, ``init_cfg``, ...
            ``pretrained`` is a ResNet checkpoint in torchvision's layout, a
            file or ``torchvision://resnet50``; that of a ResNet, TSN or TSM of
            MMAction2; or that of a recognizer with this backbone, its authors'
            release too; with ``torchvision_pretrain=False`` one of this
            backbone. A stem for colours is averaged for other ``in_channels``.

    Attributes:
        wrapper: Name of the child under which a new block keeps the modules of the old
            one, if it does. It tells ImageNet names from ours.

    Shape:
        - input: (n * t, 3, h, w), the frames of a clip being consecutive rows
        - output: (n * t, c, h / 32, w / 32), or a tuple with such a feature map for
          each of several ``out_indices``

    Raises:
        ValueError: An argument does not fit, the number of
            frames is no multiple of ``num_segments``, or a checkpoint is of
            another network.
    """

    image_network = ImageResNet
    wrapper: Optional[str] = None
    is_init: bool

    def __init__(
        self,
        depth: int,
        num_segments: int,
        temporal_stages: Optional[Sequence[int]] = None,
        num_stages: int = 4,
        out_indices: Sequence[int] = (3,),
        strides: Sequence[int] = (1, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1),
        with_cp: bool = False,
        norm_eval: bool = False,
        partial_bn: bool = False,
        frozen_stages: int = -1,
        **kwargs: Any,
    ) -> None:
        check_choice('backbone.depth', depth, self.arch_settings)
        check_integer('backbone.num_segments', num_segments)
        _check_stages(num_stages, strides, dilations, out_indices, frozen_stages)
        if temporal_stages is None:
            temporal_stages = range(num_stages)
        check_stages('backbone.temporal_stages', temporal_stages, num_stages)
        super().__init__(
            depth,
            num_stages=num_stages,
            out_indices=out_indices,
            strides=strides,
            dilations=dilations,
            frozen_stages=frozen_stages,
            **kwargs,
        )
        self.num_segments = num_segments
        self.norm_eval = norm_eval
        self.partial_bn = partial_bn
        self.stage_type = CheckpointedStage if with_cp else nn.Sequential
        self.make_stages(temporal_stages)
        # Frozen from the start, so that neither the optimizer nor a
        # distributed wrapper ever waits for these gradients.
        self._freeze()

    def make_stages(self, temporal_stages: Sequence[int]) -> None:
        """Replace the blocks of the ResNet by those of the network."""
        for index, name in enumerate(self.res_layers):
            blocks = list(getattr(self, name))
            if index in temporal_stages:
                blocks = [self.make_block(block, index) for block in blocks]
            setattr(self, name, self.stage_type(*blocks))

    def make_block(self, block: nn.Module, stage: int) -> nn.Module:
        """Return the block with temporal layers that replaces a residual block.

        Args:
            block: mmaction2's ``Bottleneck`` or ``BasicBlock``, which may be changed.
            stage: Index of its stage, 0 being ``layer1``.
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> Union[Tensor, tuple]:
        check_frames(x, self.in_channels, self.num_segments)
        return super().forward(x)

    # ------------------------------------------------------------- freezing

    def train(self, mode: bool = True) -> Self:
        BaseModule.train(self, mode)
        self._freeze()
        return self

    def _freeze(self) -> None:
        self._freeze_stages()
        # No gradient reaches stages behind the output, for which DDP would wait.
        for name in self.res_layers[max(self.out_indices) + 1 :]:
            getattr(self, name).requires_grad_(False)
        norms = self._image_norms()
        if self.partial_bn:
            for norm in norms[1:]:
                norm.requires_grad_(False)
        if self.norm_eval or self.partial_bn:
            for norm in norms if self.norm_eval else norms[1:]:
                norm.eval()

    def _image_norms(self) -> list:
        """List the batch norms that are the ResNet's own, in network order."""
        new = {m for part in new_modules(self).values() for m in part.modules()}
        norms = [module for module in self.modules() if isinstance(module, _BatchNorm)]
        return [norm for norm in norms if norm not in new]

    # -------------------------------------------------------------- weights

    def init_weights(self) -> None:
        if self.is_init:
            BaseModule.init_weights(self)  # which only warns
            return
        # First everything, then what the files hold.
        init_in_order(self, self._init_temporal)
        if self.pretrained:
            try:
                load_pretrained(self)
            except ValueError:
                self.is_init = False
                raise

    def _init_temporal(self) -> None:
        """Initialise what the rules of ``init_cfg`` do not do right."""
        for _, layer in temporal_layers(self):
            layer.init_identity()

    def image_name(self, key: str) -> Optional[str]:
        """Return torchvision's name of a tensor, None for a temporal one."""
        name = key.replace(f'.{self.wrapper}.', '.') if self.wrapper else key
        return torchvision_name(name)

    def adapt(self, key: str, tensor: Tensor) -> Tensor:
        """Return a tensor of a ResNet in the form that the backbone has it in."""
        return tensor

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        """Take the checkpoint of a ResNet, too, and refuse those of other networks.

        mmengine loads checkpoints loosely and would only log the difference.
        """
        prepare_checkpoint(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _check_stages(
    num_stages: int,
    strides: Sequence[int],
    dilations: Sequence[int],
    out_indices: Sequence[int],
    frozen_stages: int,
) -> None:
    """Raise errors with the keys that mmaction2's ResNet only asserts."""
    check_integer('backbone.num_stages', num_stages, maximum=4)
    for name, sizes in (('strides', strides), ('dilations', dilations)):
        if not are_integers(sizes, num_stages):
            raise ValueError(
                f'got backbone.{name}={sizes!r}, expected a number of at least 1 for '
                f'each of backbone.num_stages={num_stages}'
            )
    check_stages('backbone.out_indices', out_indices, num_stages)
    if not out_indices:
        raise ValueError('got no backbone.out_indices, expected a stage or more')
    check_integer('backbone.frozen_stages', frozen_stages, minimum=-1)
    check_stages('backbone.frozen_stages', range(frozen_stages), num_stages)
