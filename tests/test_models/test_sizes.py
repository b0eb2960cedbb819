"""Parameters and multiply-adds of every model that the papers' numbers are of.

Parameters are to the unit those counted on the authors' implementations. Of their
multiply-adds some digits are known: those of convolutions, linear layers and the
products with temporal weights.
"""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.utils import register_all_modules
from mmengine import Config
from parity import CONFIGS

from mmtemporal.analysis import count_multiply_adds
from mmtemporal.models.layers import TAM, TemporalShift


def build(config, num_classes, changes):
    """Build a recognizer without memory behind its tensors."""
    register_all_modules()
    cfg = Config.fromfile(CONFIGS / f'_base_/models/{config}.py')
    cfg.model.backbone.update(changes)
    cfg.model.cls_head.num_classes = num_classes
    if 'num_segments' in cfg.model.cls_head:
        cfg.model.cls_head.num_segments = cfg.model.backbone.num_segments
    with torch.device('meta'):
        return MODELS.build(cfg.model).eval()


def t(num_segments):
    return dict(num_segments=num_segments)


PARAMETERS = [
    ('tanet_r50', 400, t(8), 25_590_320),
    ('tanet_r50', 400, t(16), 25_597_744),
    ('tanet_r50', 174, t(8), 25_127_246),
    ('tanet_r50', 174, t(16), 25_134_670),
    ('tanet_r50', 400, dict(depth=101), 45_702_272),
    ('tanet_r50', 400, dict(depth=152), 62_268_880),
    ('tin_r50', 174, t(8), 23_895_566),
    ('tin_r50', 174, t(16), 23_899_022),
    ('tin_r50', 400, t(8), 24_358_640),
    ('tin_r50', 174, dict(depth=101), 42_928_443),
    ('tin_r50', 174, dict(depth=101, num_segments=16), 42_935_571),
    # The release has 27,968 (54,080) biases more, which batch norms take off, and
    # 9,472 values that nothing uses.
    ('tdn_r50', 174, t(8), 24_420_046 - 27_968 - 9_472),
    ('tdn_r50', 174, t(16), 24_420_046 - 27_968 - 9_472),
    ('tdn_r50', 400, t(8), 24_883_120 - 27_968 - 9_472),
    ('tdn_r50', 174, dict(depth=101), 43_681_726 - 54_080 - 9_472),
    ('tdn_r50', 400, dict(depth=101), 44_144_800 - 54_080 - 9_472),
    ('tada2d_r50', 400, t(8), 27_485_472),
    ('tada2d_r50', 400, t(16), 27_485_472),
    ('tada2d_r50', 174, t(8), 27_022_398),
    ('tadaconvnext_tiny', 400, {}, 38_661_688),
    ('tadaconvnext_tiny', 400, dict(arch='small'), 68_934_520),
    ('tadaconvnextv2_tiny', 400, {}, 45_971_488),
    ('tadaconvnextv2_small', 400, {}, 82_249_120),
    ('tadaconvnextv2_base', 400, {}, 145_687_632),
    ('tadaformer_base', 400, {}, 104_195_728),
    ('tadaformer_base', 174, {}, 104_021_934),
    ('tadaformer_base', 710, {}, 104_434_118),
    ('tadaformer_base_sthv2', 400, {}, 135_260_560),
    ('tadaformer_base_sthv2', 174, {}, 135_086_766),
    ('tadaformer_large', 400, {}, 364_827_024),
    ('tadaformer_large', 174, {}, 364_595_374),
    ('tadaformer_large', 710, {}, 365_144_774),
    ('tadaformer_large_sthv2', 400, {}, 475_191_696),
    ('tadaformer_large_sthv2', 174, {}, 474_960_046),
    # Nothing in it depends on the number of frames.
    ('tadaformer_base', 400, t(64), 104_195_728),
]


@pytest.mark.parametrize(('config', 'num_classes', 'changes', 'expected'), PARAMETERS)
def test_parameters(config, num_classes, changes, expected):
    model = build(config, num_classes, changes)
    assert sum(p.numel() for p in model.parameters()) == expected


def count(model, *shape):
    """Count the multiply-adds of a batch, with those of mixing, in units of 1e9."""
    mixing = []

    def note(module, _, output):
        # Three weights for every value, and TAM's importance.
        products = 4 if isinstance(module, TAM) else 3
        mixing.append(products * output.numel())

    for module in model.modules():
        if isinstance(module, (TAM, TemporalShift)):
            module.register_forward_hook(note)
    return (count_multiply_adds(model, *shape) + sum(mixing)) / 1e9


# Config, changes, side of the frames; multiply-adds, and how exactly they are known.
MULTIPLY_ADDS = [
    # ResNet, modules, and the classifier of every frame.
    ('tanet_r50', t(8), 224, 32.70 + 0.072 + 0.007, 0.01),
    ('tanet_r50', t(8), 256, 42.71 + 0.090 + 0.007, 0.01),
    ('tanet_r50', t(16), 224, 65.39 + 0.144 + 0.013, 0.01),
    ('tanet_r50', t(16), 256, 85.41 + 0.182 + 0.013, 0.01),
    ('tdn_r50', t(8), 224, 35.64, 0.005),
    ('tdn_r50', dict(depth=101), 224, 65.84, 0.005),
    ('tdn_r50', t(16), 224, 71.3, 0.05),
    ('tdn_r50', dict(depth=101, num_segments=16), 224, 131.7, 0.05),
    ('tada2d_r50', t(8), 224, 33.0, 0.05),
    ('tada2d_r50', t(8), 256, 43.1, 0.05),
    ('tada2d_r50', t(16), 256, 86.3, 0.05),
    ('tadaconvnextv2_tiny', t(16), 224, 36.0, 0.05),
    ('tadaconvnextv2_tiny', t(16), 256, 47.0, 0.05),
    ('tadaconvnextv2_tiny', t(32), 256, 94.0, 0.05),
    ('tadaconvnextv2_small', t(16), 224, 70.0, 0.05),
    ('tadaconvnextv2_small', t(16), 256, 91.3, 0.05),
    ('tadaconvnextv2_small', t(32), 256, 182.6, 0.05),
    ('tadaconvnextv2_base', t(16), 224, 123.6, 0.05),
    ('tadaconvnextv2_base', t(16), 256, 161.3, 0.05),
    ('tadaconvnextv2_base', t(32), 256, 322.6, 0.05),
    ('tadaconvnext_tiny', t(16), 256, 47, 0.5),
    ('tadaconvnext_tiny', t(32), 256, 94, 0.5),
    # To the unit, counted on the authors' implementation.
    ('tadaformer_base', t(16), 224, 153.595_785_216, 0),
    ('tadaformer_base_sthv2', t(16), 224, 187.033_176_576, 0),
    ('tadaformer_large', t(16), 224, 702.606_229_504, 0),
    ('tadaformer_large_sthv2', t(16), 224, 857.728_923_648, 0),
    ('tadaformer_base_sthv2', t(32), 224, 374.07, 0.005),
    ('tadaformer_large', t(32), 224, 1405.2, 0.05),
    ('tadaformer_large', t(64), 224, 2810.4, 0.05),
    ('tadaformer_large_sthv2', t(32), 224, 1715.5, 0.05),
]
QUICK = [(t(8), 224), (t(16), 224)]


@pytest.mark.parametrize(
    ('config', 'changes', 'size', 'expected', 'exactness'),
    [
        pytest.param(*row, marks=[] if row[1:3] in QUICK else [pytest.mark.slow])
        for row in MULTIPLY_ADDS
    ],
)
def test_multiply_adds(config, changes, size, expected, exactness):
    num_classes = 174 if 'tdn' in config or 'sthv2' in config else 400
    model = build(config, num_classes, changes)
    frames = model.backbone.num_segments
    if config.startswith('tada'):
        shape = (1, 1, 3, frames, size, size)
    else:
        windows = 5 if 'tdn' in config else 1
        shape = (1, frames * windows, 3, size, size)
    assert count(model, *shape) == pytest.approx(expected, abs=exactness)
