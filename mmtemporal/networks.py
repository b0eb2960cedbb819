"""The networks of this package, each listed once.

Whatever goes through all of them reads this table: the quick start, the benchmarks,
and the tests of networks and tools.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Network:
    """What there is to know of a registered backbone before it is built.

    Args:
        config: Stem of its base config in ``configs/_base_/models``.
        recipe: Its recipe for the motion clips, in ``configs/recognition`` without
            the ending. ``None``: it has none.
        small: Changes to the backbone of the base config that make it small.
        width: Channels of its features when it is small.
        window: Frames that it takes for each segment.
        min_size: Minimum height and width of frames, in pixels.
        patch: Pixels a side of its patches when it is small, of which height and width
            of frames are multiples. A network of patches is made for frames of one
            size, ``img_size``.
        rows: Feature maps that it gives for each segment.
        takes_clips: Whether its recognizer is a ``Recognizer3D``, which gives clips
            (n, 3, t, h, w), instead of frames (n * t, 3, h, w).
        stage_options: Options that name the stages with temporal layers.
        keeps_norms: Whether ``norm_eval`` and ``partial_bn`` leave the norms of its
            temporal layers in training.
        wrapped: Config of the wrapped backbone, which takes most options.
        baseline: What a plain TSN needs to do as much outside of the temporal layers:
            options of MMAction2's ResNet, and ``max_pool``.
    """

    config: str
    recipe: str | None = None
    small: dict = field(default_factory=lambda: dict(depth=18))
    width: int = 512
    window: int = 1
    min_size: int = 32
    patch: int | None = None
    rows: float = 1
    takes_clips: bool = False
    stage_options: tuple[str, ...] = ('temporal_stages',)
    keeps_norms: bool = True
    wrapped: dict = field(default_factory=dict)
    baseline: dict = field(default_factory=dict)

    @property
    def is_resnet(self) -> bool:
        """Whether it is a ResNet, which any of five depths makes."""
        return 'depth' in self.small


# The plain network that averages the scores of frames.
BASELINE_RECIPE = 'tsn/tsn_scratch-r18_1xb8-1x1x8-5e_motionclips-rgb'

_CONVNEXT: dict[str, Any] = dict(
    arch=dict(_delete_=True, depths=[1, 1, 2, 1], channels=[32, 64, 128, 256]),
    drop_path_rate=0,
)

# By the name in the registry.
NETWORKS = {
    'TANet': Network(
        'tanet_r50',
        'tanet/tanet_scratch-r18_1xb8-1x1x8-5e_motionclips-rgb',
    ),
    'TIN': Network(
        'tin_r50',
        'tin/tin_scratch-r18_1xb8-1x1x8-5e_motionclips-rgb',
    ),
    'TDN': Network(
        'tdn_r50',
        'tdn/tdn_scratch-r18_1xb8-5x1x8-5e_motionclips-rgb',
        window=5,
        min_size=36,
        stage_options=('long_term_stages', 'shift_stages'),
    ),
    'TAda2D': Network(
        'tada2d_r50',
        'tada2d/tada2d_scratch-r18_1xb8-u8-5e_motionclips-rgb',
        takes_clips=True,
        keeps_norms=False,  # on small batches they are noisy
        baseline=dict(strides=(2, 2, 2, 2), max_pool=False),
    ),
    'TAdaConvNeXt': Network(
        'tadaconvnext_tiny', small=_CONVNEXT, width=256, rows=0.5, takes_clips=True
    ),
    'TAdaConvNeXtV2': Network(
        'tadaconvnextv2_tiny',
        'tadaconvnext/tadaconvnextv2_scratch-mini_1xb8-u16-10e_motionclips-rgb',
        small=dict(_CONVNEXT, arch=dict(_CONVNEXT['arch'], head_dim=16)),
        width=256,
        rows=0.5,
        takes_clips=True,
    ),
    'TAdaFormer': Network(
        'tadaformer_base',
        'tadaformer/tadaformer_scratch-mini_1xb8-u16-5e_motionclips-rgb',
        small=dict(
            arch=dict(
                _delete_=True,
                embed_dims=64,
                num_layers=4,
                num_heads=4,
                feedforward_channels=128,
                patch_size=4,
            ),
            img_size=32,
            interpolate_mode='bicubic',
            routing=dict(head_dim=8),
        ),
        width=64,
        patch=4,
        rows=0.5,
        takes_clips=True,
    ),
    'TemporalAdapter': Network(
        'tanet_r50',
        small=dict(
            _delete_=True,
            type='mmtemporal.TemporalAdapter',
            temporal=dict(type='TAM'),
        ),
        wrapped=dict(type='ResNet', depth=18),
    ),
}
