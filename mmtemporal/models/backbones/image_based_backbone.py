"""What the temporal networks on a ConvNeXt and on CLIP share."""

from typing import Any, Optional, Union

from mmengine.model import BaseModule
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from typing_extensions import Self

from mmtemporal.checkpoints.load import load_pretrained, prepare_checkpoint
from mmtemporal.checks import check_flags, check_integer
from mmtemporal.models.frame_counts import (
    TemporalBackbone,
    check_clips,
    check_frames,
)
from mmtemporal.models.init_rules import init_in_order


class ImageBasedBackbone(TemporalBackbone, BaseModule):
    """A backbone that is an image network with temporal layers, for clips or frames.

    A subclass ends its constructor with ``freeze``.

    Args:
        num_segments: Number T of frames of the clips that come in. None: that of each
            input.
        in_channels: Number of channels of a frame.
        norm_eval: Whether batch norms keep their statistics.
        partial_bn: The same: all batch norms are in temporal layers.
        pretrained: A checkpoint of the image network.
        init_cfg: Initialisation by mmengine's rules.

    Raises:
        ValueError: An argument is of the wrong kind, or both ``pretrained`` and
            ``init_cfg`` are given.
    """

    def __init__(
        self,
        num_segments: Optional[int],
        in_channels: int,
        norm_eval: bool,
        partial_bn: bool,
        pretrained: Optional[str],
        init_cfg: Union[dict, list, None],
    ) -> None:
        super().__init__(init_cfg)
        if pretrained and init_cfg:
            raise ValueError('set backbone.pretrained or backbone.init_cfg, not both')
        check_integer('backbone.in_channels', in_channels)
        check_flags(norm_eval=norm_eval, partial_bn=partial_bn)
        self.num_segments = num_segments  # type: ignore[assignment]
        self.in_channels = in_channels
        self.norm_eval = norm_eval
        self.partial_bn = partial_bn
        self.pretrained = pretrained

    def check_input(self, x: Tensor) -> None:
        """Raise a ValueError if the input is neither clips nor frames of clips.

        Shape:
            - x: (n, c, t, h, w) or (n * t, c, h, w), t being ``num_segments``, and c
              ``in_channels``
        """
        t = self.num_segments
        if x.dim() != 4:
            check_clips(x, self.in_channels, t)
        elif t is None:
            raise ValueError(
                f'got input of shape {tuple(x.shape)}, expected clips, (n, '
                f'{self.in_channels}, t, h, w): with frames alone set '
                'backbone.num_segments to their number in a clip'
            )
        else:
            check_frames(x, self.in_channels, t)

    # ------------------------------------------------------------- freezing

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.freeze()
        return self

    def freeze(self) -> None:
        """Freeze what the arguments say.

        That is done from the start, so that neither the optimizer nor a distributed
        wrapper ever waits for these gradients.
        """
        self.freeze_stages()
        if self.norm_eval or self.partial_bn:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def freeze_stages(self) -> None:
        """Freeze the stages that the arguments name."""
        raise NotImplementedError

    # -------------------------------------------------------------- weights

    def init_weights(self) -> None:
        if self._is_init:
            super().init_weights()  # which only warns
            return
        self.draw_weights()
        # A checkpoint of this backbone has temporal layers of its own.
        init_in_order(self, self.init_identity)
        if self.pretrained:
            load_pretrained(self)

    def draw_weights(self) -> None:
        """Initialise all weights."""
        raise NotImplementedError

    def init_identity(self) -> None:
        """Give the temporal layers the weights with which they do nothing."""
        raise NotImplementedError

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        """Take a checkpoint of the image network, too, and refuse those of others.

        mmengine loads checkpoints loosely and would only log the difference.
        """
        prepare_checkpoint(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)
