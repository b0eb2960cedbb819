"""Multiply-adds and parameters, as the stock ``get_flops.py`` counts them."""

import re
from functools import partial

import pytest
import torch
from mmaction.registry import MODELS
from mmengine import Config
from mmengine.analysis import FlopAnalyzer
from mmengine.registry import init_default_scope
from network_names import base_config
from stock_config import run_tool

from mmtemporal.networks import NETWORKS

# Of a clip, for those that do not take single frames.
SHAPES = {
    'TDN': (8, 3, 5, 64, 64),
    'TAda2D': (1, 3, 8, 64, 64),
    'TAdaConvNeXtV2': (1, 3, 16, 64, 64),
    'TAdaFormer': (1, 3, 16, 64, 64),
}
T = 8
IMAGE = 224


def read(name):
    cfg = Config.fromfile(base_config(name))
    if NETWORKS[name].patch:
        cfg.model.backbone.img_size = 64
    return cfg


def build(name, num_classes=400):
    cfg = read(name)
    cfg.model.cls_head.num_classes = num_classes
    init_default_scope('mmaction')
    return MODELS.build(cfg.model).eval()


# ------------------------------------------------------------- multiply-adds


def bottlenecks():
    """Yield the input channels, width, stride and input side of every block."""
    channels, side = 64, IMAGE // 4
    for stage, number in enumerate((3, 4, 6, 3)):
        width = 64 * 2**stage
        for block in range(number):
            stride = 2 if stage and not block else 1
            yield channels, width, stride, side
            channels, side = 4 * width, side // stride


def resnet_convs():
    """Count the convolutions of ResNet-50 for an image."""
    total = 7 * 7 * 3 * 64 * (IMAGE // 2) ** 2
    for channels, width, stride, side in bottlenecks():
        out = (side // stride) ** 2
        total += channels * width * side**2  # conv1
        total += 3 * 3 * width * width * out  # conv2, which has the stride
        total += width * 4 * width * out  # conv3
        if channels != 4 * width:
            total += channels * 4 * width * out  # shortcut
    return total


def test_resnet_convs_are_those_of_the_literature():
    assert resnet_convs() == 4_087_136_256


def tanet_operators(classes, alpha=2, kernel=3, beta=4):
    """Count a clip of TANet-50.

    The mixing itself, ``kernel`` multiply-adds a value, is element-wise, and the
    analyzer counts no element-wise operators.
    """
    widths = [width for _, width, _, _ in bottlenecks()]
    # Local branch: c to c / beta channels with kernels of 3, and back of one.
    local = sum(4 * c * (c // beta) * T for c in widths)
    # Global branch of every channel: T to alpha * T to K.
    branch = T * alpha * T + alpha * T * kernel
    return dict(
        conv=T * resnet_convs() + local,
        linear=branch * sum(widths) + T * 2048 * classes,
    )


def tin_operators(classes, shift_div=4, groups=2):
    """Count a clip of TIN-50. As for TANet, the mixing is element-wise."""
    conv, linear = T * resnet_convs(), T * 2048 * classes
    for channels, *_ in bottlenecks():
        moved = channels // shift_div
        # Kernels of three: to one channel for the offsets, to one a group for weights.
        conv += 3 * moved * T + 3 * moved * groups * T
        linear += T * T + T * groups
    return dict(conv=conv, linear=linear)


EXPECTED = {
    ('TANet', 400): tanet_operators(400),
    ('TIN', 174): tin_operators(174),
}
# Not multiply-adds but estimates, a few per value.
ESTIMATES = {'batch_norm', 'adaptive_avg_pool2d'}


def count(model, shape, stage):
    model.forward = partial(model._forward, stage=stage)
    clip = torch.randn(1, *shape)
    analyzer = FlopAnalyzer(model, (clip,))
    analyzer.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return analyzer


@pytest.mark.slow
@pytest.mark.parametrize('method, classes', EXPECTED)
def test_multiply_adds(method, classes):
    model = build(method, num_classes=classes)
    operators = count(model, (T, 3, IMAGE, IMAGE), 'head').by_operator()
    counted = {key: n for key, n in operators.items() if key not in ESTIMATES}
    assert counted == EXPECTED[method, classes]


def test_multiply_adds_in_figures():
    assert EXPECTED['TANet', 400] == dict(conv=32_707_149_824, linear=7_218_176)


@pytest.mark.slow
def test_get_flops(name, tmp_path):
    shape = SHAPES.get(name, (T, 3, 64, 64))
    read(name).dump(tmp_path / 'config.py')
    printed = run_tool('get_flops', tmp_path / 'config.py', '--shape', *shape).stdout
    assert f'Input shape: {shape}' in printed
    model = build(name)
    # The tool stops ahead of the head.
    flops = count(model, shape, 'neck').total()
    parameters = sum(p.numel() for p in model.parameters())
    assert float(re.search(r'Flops: (.+)G', printed)[1]) == round(flops / 1e9, 3)
    number, unit = re.search(r'Params: (.+)([MG])', printed).groups()
    assert float(number) == round(parameters / dict(M=1e6, G=1e9)[unit], 3)
