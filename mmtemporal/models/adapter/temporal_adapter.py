"""A temporal layer in any backbone."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Optional, Union

from mmengine.logging import print_log
from mmengine.model import BaseModule, initialize
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from typing_extensions import Self

from mmtemporal.checkpoints.load import prepare_checkpoint
from mmtemporal.checkpoints.report import summarise
from mmtemporal.checkpoints.wrapped_backbone import WrappedBackbone
from mmtemporal.checks import check_integer
from mmtemporal.models.frame_counts import (
    TemporalBackbone,
    check_channels,
    check_clips,
    check_frames,
)
from mmtemporal.models.init_rules import split_rules
from mmtemporal.models.layers.temporal_layer import new_modules
from mmtemporal.ops.tracing import is_symbolic
from mmtemporal.registry import MODELS

from .insertion import insert, reduce_to_frames, replace_conv
from .insertion_points import find_insertion_points
from .layer_types import find_layers
from .tracing import Trace, build_backbone, run_backbone, trace_backbone


@MODELS.register_module()
class TemporalAdapter(TemporalBackbone, BaseModule):
    """Any backbone, with temporal layers inside.

    The wrapped backbone keeps its modules and their names; a layer becomes a child,
    ``temporal``, of the module that it stands before or behind. Its number of
    channels, the layout of the features and, in networks for clips, the number of
    frames at that insertion point are found by running the backbone once without
    data. What went where is logged.

    ::

        model = dict(
            type='Recognizer2D',
            backbone=dict(
                type='mmtemporal.TemporalAdapter',
                num_segments=8,
                backbone=dict(type='MobileNetV2', pretrained='mobilenet_v2.pth'),
                temporal=dict(type='TAM'),
            ),
            ...
        )

    Checkpoints of the wrapped backbone, and of recognizers with it, are loaded as they
    are; the layers are then newly initialised. The backbone's own rules for
    initialising do not reach them. ``frozen_stages`` of MMAction2's networks freezes a
    stage with the layers in it; ``norm_eval`` and ``partial_bn`` spare their batch
    norms.

    Papers: see the layers.

    Args:
        backbone: Config of the backbone to wrap. ``timm.xxx``, ``torchvision.xxx``
            and ``mmpretrain.Xxx`` are built as MMAction2's recognizers build them.
        temporal: Config of the layer, or of several in sequence. The type is
            ``'TAM'`` or one of its ablations, ``'TemporalInterlace'``,
            ``'LongTermTDM'``, ``'TemporalShift'``, or a
            :class:`~mmtemporal.models.layers.TemporalLayer` of your own: its class,
            its name in :data:`mmtemporal.registry.MODELS` or the path to import it
            from, such as ``'my_package.MyLayer'``; or, alone, ``'TAdaConv2d'`` or
            ``'TAdaConv3d'``, which take the place of a convolution and start as it is,
            or ``'TAdaConv'``, which is that of the two whose convolutions the backbone
            has. The rest are arguments of the class.
        num_segments: Number T of frames of a clip.
        where: Name of a rule, or a regular expression for whole names of modules of
            the backbone, or several of these. The rules are the insertion points known
            for the layer in a family of networks: 'resnet' (also ResNeXt), 'tdn' (the
            last three stages), 'slowfast', 'mobilenet_v2', 'shufflenet_v2', both also
            with '_residual' (blocks that keep the shape alone), 'inception_v3',
            'mobileone' and 'transformer' (before the norm in front of attention);
            and two kinds of convolutions, 'spatial_convs' and
            'temporal_convs'. At temporal convolutions a layer mixes the frames
            instead: they are reduced to one frame, and it stands behind them and
            their norm and activation. Defaults to the first rule that fits.
        position: Whether the layer goes 'before' those modules, where the known
            insertion points are, or 'after' them. It means nothing at temporal
            convolutions and for TAdaConv.
        image_size: Height and width, or side, in pixels of the images of a backbone
            that takes a single size and does not say which. Needed where neither 224
            nor 112 will do.
        init_cfg: mmengine's initialisation; ``dict(type='Pretrained', ...)`` takes
            checkpoints of the wrapped backbone, too.

    Shape:
        - input: (n * t, 3, h, w), the frames of a clip being consecutive rows; or,
          for a backbone that takes clips, (n, 3, t, h, w)
        - output: that of the backbone. Of those of other libraries: (n * t, c, h', w'),
          with (l, 1) or (1, 1) as size where there are tokens or a vector.

    Raises:
        ImportError: The library of the backbone is missing.
        ValueError: An argument does not fit, no module is found, features at an
            insertion point are none of frames, the number of frames is wrong, or a
            checkpoint is of another network.
    """

    image_network = WrappedBackbone

    def __init__(
        self,
        backbone: dict,
        temporal: Union[dict, Sequence[dict]],
        num_segments: int,
        where: Union[str, Sequence[str], None] = None,
        position: str = 'before',
        image_size: Union[int, Sequence[int], None] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        if position not in ('before', 'after'):
            raise ValueError(
                f"backbone.position={position!r} is none of 'before', 'after'"
            )
        check_integer('backbone.num_segments', num_segments)
        self.num_segments = num_segments
        self.backbone, self.library = build_backbone(backbone)
        layers = find_layers(temporal, self.backbone)
        trace = trace_backbone(self.backbone, self.library, num_segments, image_size)
        self._check_length()
        self._freeze_unused(trace.unused)
        self.takes_frames = trace.rows is not None
        self.in_channels = trace.input[1]
        features = trace.features_of(trace.output)
        self.out_layout = features and features.layout
        self.out_rows: Optional[int] = trace.output and trace.output[0]
        self._insert(layers, where, position, trace)
        # Backbones freeze here what is to be frozen: from the start, so that neither
        # the optimizer nor a distributed wrapper ever waits for these gradients.
        self.train()

    def _insert(
        self,
        layers: Sequence[tuple[type, dict]],
        where: Union[str, Sequence[str], None],
        position: str,
        trace: Trace,
    ) -> None:
        """Put layers at all insertion points, and log these."""
        points = []
        first, options = layers[0]
        found = find_insertion_points(self.backbone, trace, where, first)
        for name, rule in found.items():
            if first.replaces:
                point = replace_conv(self.backbone, name, first, options, trace)
            else:
                side = position
                if rule == 'temporal_convs':
                    name, side = reduce_to_frames(self.backbone, name), 'after'
                point = insert(self.backbone, name, side, layers, trace)
            points.append(point)
        names = ' and '.join(layer.__name__ for layer, _ in layers)
        print_log(
            f'{names} at {len(points)} insertion points of '
            f'{type(self.backbone).__name__}:'
            + ''.join(f'\n    {point}' for point in points),
            logger='current',
        )

    def temporal_layers(self) -> dict[str, nn.Module]:
        """Return what the wrapped backbone did not have, by its name."""
        return new_modules(self)

    @property
    def feature_frames(self) -> Optional[int]:
        return self.out_rows

    def _check_length(self) -> None:
        """Refuse a backbone that mixes the frames of clips of another length."""
        theirs = getattr(self.backbone, 'num_segments', None) or self.num_segments
        if theirs != self.num_segments:
            raise ValueError(
                f'got backbone.backbone.num_segments={theirs} and '
                f'backbone.num_segments={self.num_segments}; set both to the number of '
                'frames of a clip'
            )

    def _freeze_unused(self, names: Sequence[str]) -> None:
        """Freeze what would have a distributed wrapper wait for its gradient."""
        for name in names:
            self.backbone.get_parameter(name).requires_grad_(False)
        if names:
            print_log(
                f'{summarise(names)} parameters of {type(self.backbone).__name__} do '
                'not take part in the features: they are frozen',
                logger='current',
            )

    def forward(self, x: Tensor) -> Union[Tensor, tuple]:
        if not is_symbolic(x):
            self._check_input(x)
        x = run_backbone(self.backbone, self.library, x)
        if self.library == 'mmaction2' or isinstance(x, tuple):
            return x
        return self._to_maps(x)

    def _check_input(self, x: Tensor) -> None:
        if x.dim() != (4 if self.takes_frames else 5):
            check = check_frames if self.takes_frames else check_clips
            check(x, self.in_channels, self.num_segments)
        check_channels(x.size(1), self.in_channels)
        frames = x.size(2) if x.dim() == 5 else x.size(0)
        if frames % self.num_segments or (x.dim() == 5 and frames != self.num_segments):
            raise ValueError(
                f'got input of shape {tuple(x.shape)}, whose {frames} frames are not '
                f'clips of num_segments={self.num_segments}; set num_clips (2-D '
                'backbones) or clip_len (backbones for clips) in the sampler, '
                'backbone.num_segments and, where the head has it, '
                'cls_head.num_segments to the same value'
            )

    def _to_maps(self, x: Tensor) -> Tensor:
        """Return features as the heads want them: (n * t, c, h, w)."""
        if self.out_layout == 'NHWC':
            return x.permute(0, 3, 1, 2)
        if self.out_layout == 'NLC':
            return x.transpose(1, 2).unsqueeze(3)
        return x[..., None, None] if x.dim() == 2 else x

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        # Norms that the backbone stops because they are ImageNet's.
        for layer in self.temporal_layers().values():
            if any(p.requires_grad for p in layer.parameters()):
                layer.train(mode)
                for norm in layer.modules():
                    if isinstance(norm, _BatchNorm):
                        norm.requires_grad_(True)
        return self

    # -------------------------------------------------------------- weights

    def init_weights(self) -> None:
        if self.is_init:
            super().init_weights()  # which warns
            return
        init_cfg, self.init_cfg = self.init_cfg, None
        layers = self.temporal_layers()
        new = {name: deepcopy(layer.state_dict()) for name, layer in layers.items()}
        if self.library in ('timm', 'torchvision'):
            # These are initialised, or loaded, when they are built.
            self.backbone.is_init = True
        super().init_weights()
        for name, layer in layers.items():
            layer.load_state_dict(new[name])
        self.init_cfg = init_cfg
        drawing, loading = split_rules(init_cfg)
        initialize(self, drawing + loading)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        prepare_checkpoint(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)
