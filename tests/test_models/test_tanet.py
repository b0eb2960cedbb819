"""What TANet offers beyond the other backbones: places and ablations."""

import pytest
import torch
from parity import build_recognizer

from mmtemporal.models import TemporalAdapter
from mmtemporal.models.layers import TAM

# Sums over the 16 modules of TANet-50, style b, of their widths and squared widths.
WIDTHS = 3 * 64 + 4 * 128 + 6 * 256 + 3 * 512
SQUARES = 3 * 64**2 + 4 * 128**2 + 6 * 256**2 + 3 * 512**2
C2D = 24_327_632  # ResNet-50 with 400 classes
T, K, ALPHA, BETA = 8, 3, 2, 4
KERNEL_BRANCHES = 16 * (ALPHA * T * T + 2 * ALPHA * T + K * ALPHA * T)


def inputs_of_modules(backbone, x):
    """Return shape, and whether negative values occur, of each module's input."""
    seen = []

    def note(module, args):
        seen.append((*args[0].shape[1:], bool(args[0].min() < 0)))

    for module in backbone.modules():
        if isinstance(module, TAM):
            module.register_forward_pre_hook(note)
    backbone(x)
    return seen


@pytest.mark.parametrize(
    ('style', 'first', 'strided'),
    [
        ('a', (64, 16, 16, False), (256, 16, 16, False)),
        ('b', (64, 16, 16, False), (128, 16, 16, False)),
        ('c', (64, 16, 16, False), (128, 8, 8, False)),
        ('d', (256, 16, 16, True), (512, 8, 8, True)),
    ],
)
def test_places_in_a_bottleneck(style, first, strided):
    backbone = build_recognizer('tanet_r50', backbone=dict(block_style=style)).backbone
    seen = inputs_of_modules(backbone, torch.randn(8, 3, 64, 64))
    assert len(seen) == 16
    assert seen[0] == first
    assert seen[3] == strided  # the first block of the second stage


def test_places_in_a_basic_block():
    x = torch.randn(8, 3, 64, 64)
    seen = {}
    for style in 'abcd':
        changes = dict(depth=18, block_style=style)
        backbone = build_recognizer(
            'tanet_r50', backbone=changes, cls_head=dict(in_channels=512)
        ).backbone
        seen[style] = inputs_of_modules(backbone, x)[2]
    assert seen['a'] == (64, 16, 16, False)
    assert seen['b'] == (128, 8, 8, False)
    assert seen['c'] == seen['d'] == (128, 8, 8, True)


@pytest.mark.parametrize(
    ('variant', 'parameters', 'paper'),
    [
        ('tam', C2D + KERNEL_BRANCHES + SQUARES + WIDTHS // 2, 25.59),
        ('reversed', C2D + KERNEL_BRANCHES + SQUARES + WIDTHS // 2, 25.59),
        ('global', C2D + KERNEL_BRANCHES, 24.33),
        ('local', C2D + SQUARES + WIDTHS // 2, 25.59),
        ('global_se', C2D + KERNEL_BRANCHES + SQUARES // 4 + WIDTHS * 9 // 8, 24.65),
        ('pool', C2D, 24.33),
        ('conv', C2D + K * SQUARES, 28.10),
    ],
)
def test_parameters_of_the_ablations(variant, parameters, paper):
    model = build_recognizer('tanet_r50', backbone=dict(tam_cfg=dict(variant=variant)))
    assert sum(p.numel() for p in model.parameters()) == parameters
    # The paper's table prints millions.
    assert round(parameters / 1e6, 2) == paper


def test_kernel_size_leaves_the_local_branch_alone():
    backbone = build_recognizer(
        'tanet_r50', backbone=dict(tam_cfg=dict(adaptive_kernel_size=5))
    ).backbone
    tam = backbone.layer1[0].tam
    assert tam.G[3].weight.shape == (5, 16)
    assert tam.L[0].weight.shape == (16, 64, 3)


@pytest.mark.parametrize('variant', ['pool', 'conv', 'local'])
def test_an_ablation_changes_the_variant_alone(variant):
    options = dict(alpha=2, beta=4, conv1d_kernel_size=3, variant=variant)
    build_recognizer('tanet_r50', backbone=dict(depth=18, tam_cfg=options))
    layer = dict(type='TAM', **options)
    wrapped = dict(type='mmaction.ResNet', depth=18)
    adapted = TemporalAdapter(backbone=wrapped, temporal=layer, num_segments=8)
    assert len(adapted.temporal_layers()) == 8


def test_unknown_style_is_named():
    with pytest.raises(ValueError, match="backbone.block_style='e' is none of"):
        build_recognizer('tanet_r50', backbone=dict(block_style='e'))


def test_too_few_frames_are_named():
    with pytest.raises(ValueError, match='num_segments=2 frames are fewer than'):
        build_recognizer('tanet_r50', backbone=dict(num_segments=2))
