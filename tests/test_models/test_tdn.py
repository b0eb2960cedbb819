"""What TDN offers beyond the other backbones: windows, places, two paths."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from parity import build_recognizer, load_fixture, make_state_dict

from mmtemporal.checkpoints import convert_state_dict
from mmtemporal.models.layers import LongTermTDM, TemporalShift


def build(depth=18, num_segments=2, **changes):
    """Build a backbone; its windows are larger than a stride of the stages."""
    torch.manual_seed(0)
    backbone = dict(depth=depth, num_segments=num_segments, **changes)
    return build_recognizer('tdn_r50', backbone=backbone, cls_head=None).backbone


def windows(n=2, t=2, k=5, size=40, dtype=torch.float32):
    """Return frames, (n, t, k, 3, h, w)."""
    return torch.randn(n, t, k, 3, size, size, dtype=dtype)


def test_the_three_inputs_are_one():
    backbone = build().double().eval()
    x = windows(dtype=torch.float64)
    images = backbone(x.flatten(0, 2))
    clips = backbone(x.flatten(0, 1).transpose(1, 2).contiguous())
    stacked = backbone(x.flatten(0, 1).flatten(1, 2))
    assert images.shape == (4, 512, 2, 2)
    torch.testing.assert_close(clips, images)
    torch.testing.assert_close(stacked, images)


@pytest.mark.parametrize(
    'shape',
    [
        (15, 3, 40, 40),  # three windows, not a multiple of two segments
        (12, 3, 40, 40),
        (3, 15, 40, 40),
        (4, 12, 40, 40),
        (3, 3, 5, 40, 40),
        (4, 3, 4, 40, 40),
        (4, 5, 3, 40, 40),
        (4, 3, 40),
    ],
)
def test_other_inputs_name_the_keys(shape):
    with pytest.raises(ValueError, match=r'set clip_len=5 and num_clips=2 in Sample'):
        build()(torch.randn(shape))


def test_least_size():
    backbone = build().eval()
    assert backbone(windows(size=33).flatten(0, 2)).shape[2:] == (2, 2)
    with pytest.raises(ValueError, match='33 pixels or more'):
        backbone(windows(size=32).flatten(0, 2))


def test_the_centre_frame_and_differences_are_what_is_seen():
    backbone = build().eval()
    x = windows()
    brighter = x + 0.5  # changes the centre, but no difference
    seen = []
    backbone.diff_conv1.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    backbone.conv1.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    for frames in (x, brighter):
        backbone(frames.flatten(0, 2))
    centres, differences = seen[::2], seen[1::2]
    assert torch.equal(centres[0], x[:, :, 2].flatten(0, 1))
    torch.testing.assert_close(differences[0], differences[1], rtol=0, atol=1e-6)


# ----------------------------------------------------------------- ablations

PLACES = [
    (dict(), ('conv1', 'layer1'), (1, 2, 3)),
    (dict(long_term_stages=()), ('conv1', 'layer1'), ()),
    (dict(short_term=()), (), (1, 2, 3)),
    (dict(short_term=('conv1',), long_term_stages=(0, 1)), ('conv1',), (0, 1)),
    (dict(short_term=('layer2',)), ('conv1', 'layer1', 'layer2'), (1, 2, 3)),
    (dict(shift_stages=(), long_term_stages=(3,)), ('conv1', 'layer1'), (3,)),
]


@pytest.mark.parametrize(('changes', 'path', 'long_term'), PLACES)
def test_places(changes, path, long_term):
    backbone = build(**changes)
    diff = [k for k, _ in backbone.named_children() if k.startswith('diff_')]
    assert diff == [f'diff_{name}' for name in path]
    found = {
        int(key[5]) - 1
        for key, module in backbone.named_modules()
        if isinstance(module, LongTermTDM)
    }
    assert found == set(long_term)
    shifts = sum(isinstance(m, TemporalShift) for m in backbone.modules())
    assert shifts == (0 if 'shift_stages' in changes else 6)
    backbone(windows().flatten(0, 2)).pow(3).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in backbone.parameters())


@pytest.mark.parametrize('k', [2, 3, 7])
def test_other_windows(k):
    backbone = build(frames_per_segment=k)
    assert backbone.diff_conv1.in_channels == 3 * (k - 1)
    assert backbone(windows(k=k).flatten(0, 2)).shape[0] == 4


def test_single_frames_without_short_term_module():
    backbone = build(frames_per_segment=1, short_term=())
    assert backbone(torch.randn(4, 3, 40, 40)).shape[0] == 4


def test_fusion_weights():
    assert build(num_segments=8).fusion == (0.5, 0.5)
    assert build(num_segments=16).fusion == (0.75, 0.25)
    assert build(num_segments=16, fusion=(0.5, 0.5)).fusion == (0.5, 0.5)


@pytest.mark.parametrize(
    ('form', 'formula'),
    [
        ('sum', lambda f, h: 0.6 * f + 0.4 * h),
        ('product', lambda f, h: f * h),
        ('product_sum', lambda f, h: f + f * h),
    ],
)
def test_fusion_forms(form, formula):
    backbone = build(fusion=(0.6, 0.4), fusion_form=form, short_term=('conv1',)).eval()
    x = windows()
    entered = []
    backbone.layer1.register_forward_pre_hook(lambda _, args: entered.append(args[0]))
    backbone(x.flatten(0, 2))
    centre = backbone.maxpool(backbone.conv1(x[:, :, 2].flatten(0, 1)))
    pooled = F.avg_pool2d(x.flatten(0, 2), 2).unflatten(0, (4, 5))
    change = (pooled[:, 1:] - pooled[:, :-1]).flatten(1, 2)
    change = F.interpolate(
        backbone.maxpool(backbone.diff_conv1(change)), centre.shape[2:]
    )
    torch.testing.assert_close(entered[0], formula(centre, change))


def test_options_of_the_long_term_module():
    ltdm = build(ltdm_cfg=dict(reduction=8, num_scales=2)).layer2[0].ltdm
    assert ltdm.reduce.weight.shape == (16, 128, 1, 1)
    assert not hasattr(ltdm, 'full')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(short_term=('stem',)), "backbone.short_term=.*'conv1', 'layer1'"),
        (dict(fusion_form='mean'), "backbone.fusion_form='mean' is none of"),
        (dict(frames_per_segment=1), 'raise it or set backbone.short_term='),
        (dict(shift_stages=(4,)), 'backbone.shift_stages names a stage'),
    ],
)
def test_bad_arguments_name_the_keys(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


# -------------------------------------------------------------------- weights


def assert_difference_path_is_a_copy(backbone):
    stem = backbone.conv1.conv.weight.mean(1, keepdim=True).expand(-1, 12, -1, -1)
    torch.testing.assert_close(backbone.diff_conv1.conv.weight, stem)
    copied = backbone.diff_layer1.state_dict()
    for key, value in backbone.layer1.state_dict().items():
        assert torch.equal(copied[key], value), key
    fresh = backbone.diff_conv1.bn.state_dict()
    assert fresh['weight'].eq(1).all() and fresh['running_mean'].eq(0).all()


def test_the_difference_path_starts_as_the_frames_path(tmp_path, caplog):
    random = build()
    random.init_weights()
    assert_difference_path_is_a_copy(random)
    # The shift and the batch norms of the new layers survive.
    assert random.layer2[0].shift.conv.weight[:16, 0].eq(torch.tensor([0, 0, 1])).all()

    state = {}
    for key, value in random.state_dict().items():
        name = random.image_name(key)
        if name and not key.startswith('diff_'):
            state[name] = torch.rand_like(value) if value.dim() else value
    torch.save(state, tmp_path / 'resnet18.pth')
    backbone = build()
    backbone.pretrained = str(tmp_path / 'resnet18.pth')
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    backbone.init_weights()
    logger.removeHandler(caplog.handler)
    assert torch.equal(backbone.conv1.conv.weight, state['conv1.weight'])
    assert torch.equal(
        backbone.diff_layer1[1].conv2.conv.weight, state['layer1.1.conv2.weight']
    )
    assert_difference_path_is_a_copy(backbone)
    message = caplog.messages[-1]
    # Stem and its ten tensors a block, each copied to the difference path.
    assert 'loaded 120 tensors, copied 25 (diff_conv1' in message
    assert 'newly initialised' in message


def test_checkpoints_of_its_own_are_not_copied_over(tmp_path):
    source = build()
    for parameter in source.parameters():
        torch.nn.init.normal_(parameter)
    torch.save(source.state_dict(), tmp_path / 'tdn.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'tdn.pth'))
    by_init_cfg = build(init_cfg=init_cfg)
    by_pretrained = build(torchvision_pretrain=False)
    by_pretrained.pretrained = str(tmp_path / 'tdn.pth')
    for backbone in (by_init_cfg, by_pretrained):
        backbone.init_weights()
        torch.testing.assert_close(backbone.state_dict(), source.state_dict())


def test_names_of_the_release():
    weights = make_state_dict(load_fixture('tdn_r50_8f'))
    # What files from before March 2021 have besides.
    old = {**weights, 'base_model.conv1_temp1.weight': torch.zeros(64, 3, 7, 7)}
    assert len(weights) == 789
    assert convert_state_dict(old).keys() == convert_state_dict(weights).keys()
    backbone = [k for k in convert_state_dict(weights) if k.startswith('backbone.')]
    assert len(backbone) == 722  # 724 with the classifier
