"""What every backbone promises, over all that are registered."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.apis import init_recognizer
from mmaction.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine import Config
from mmengine.runner import save_checkpoint
from parity import CONFIGS, build_recognizer
from torch import nn

import mmtemporal.models  # noqa: F401  registers the backbones
from mmtemporal.models import SegmentHead
from mmtemporal.registry import MODELS

# Registered name of the backbone -> base config. A backbone without one fails.
BASE_CONFIGS = {'TANet': 'tanet_r50', 'TIN': 'tin_r50'}
BACKBONES = sorted(
    name for name, cls in MODELS.module_dict.items() if not issubclass(cls, SegmentHead)
)
T = 8
SMALL_HEAD = dict(num_classes=6, in_channels=512, dropout_ratio=0)


def build(name, head=SMALL_HEAD, **backbone):
    """Builds the shipped recognizer, at depth 18 unless told."""
    torch.manual_seed(0)
    backbone.setdefault('depth', 18)
    return build_recognizer(BASE_CONFIGS[name], backbone=backbone, cls_head=head)


def scores(model, x):
    return model(x, stage='head')


def clips(n=2, size=32, dtype=torch.float32, t=T):
    return torch.randn(n, t, 3, size, size, dtype=dtype)


def gradients(model, x):
    """Returns scores, and the gradient of every parameter, by name."""
    model.zero_grad()
    y = scores(model, x)
    F.cross_entropy(y, torch.arange(len(y))).backward()
    return y.detach(), {k: p.grad.clone() for k, p in model.named_parameters()}


@pytest.fixture(params=BACKBONES)
def name(request):
    return request.param


def test_shapes_and_attributes(name):
    model = build(name, out_indices=(0, 3))
    first, last = model.backbone(clips(2).flatten(0, 1))
    assert first.shape == (2 * T, 64, 8, 8)
    assert last.shape == (2 * T, 512, 1, 1)
    assert model.backbone.num_segments == model.backbone.get('num_segments') == T
    assert model.backbone.get('nothing') is None
    assert model.backbone.train() is model.backbone


@pytest.mark.parametrize('depth', [18, 34, 50, 101, 152])
def test_all_depths_build(name, depth):
    model = build(name, depth=depth, head=None)
    width = 2048 if depth >= 50 else 512
    with torch.no_grad():
        out = model.backbone.eval()(torch.randn(T, 3, 32, 32))
    assert out.shape == (T, width, 1, 1)


@pytest.mark.parametrize(
    ('t', 'n', 'size'), [(4, 1, (32, 32)), (8, 3, (33, 47)), (16, 1, (40, 36))]
)
def test_frame_counts_sizes_and_independent_clips(name, t, n, size):
    head = {**SMALL_HEAD, 'num_segments': t}
    model = build(name, head, num_segments=t).eval()
    x = torch.randn(n + 1, t, 3, *size)
    changed = x.clone()
    changed[-1] = torch.randn_like(x[-1])
    with torch.no_grad():
        before, after = scores(model, x), scores(model, changed)
        alone = scores(model, x[:1])
    assert before.shape == (n + 1, 6)
    torch.testing.assert_close(after[:-1], before[:-1], rtol=0, atol=0)
    assert not torch.equal(after[-1], before[-1])
    torch.testing.assert_close(alone, before[:1])


def test_every_parameter_gets_a_gradient(name):
    model = build(name).train()
    _, grads = gradients(model, clips())
    zero = [key for key, grad in grads.items() if not grad.any()]
    assert not zero


@pytest.mark.parametrize('fc_lr5', [False, True])
def test_every_parameter_is_in_one_group_of_the_stock_constructor(name, fc_lr5):
    model = build(name)
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.get('TSMOptimWrapperConstructor')(
        dict(optimizer=dict(type='SGD', lr=1.0)), dict(fc_lr5=fc_lr5)
    )
    groups = constructor(model).optimizer.param_groups
    found = [id(p) for group in groups for p in group['params']]
    assert sorted(found) == sorted(map(id, model.parameters()))
    rates = {id(p): g['lr'] for g in groups for p in g['params']}
    fc = model.cls_head.fc_cls
    assert rates[id(fc.weight)] == (5 if fc_lr5 else 1)


def test_state_dict_round_trip(name):
    model, other = build(name).eval(), build(name).eval()
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    other.load_state_dict(model.state_dict(), strict=True)
    x = clips()
    assert torch.equal(scores(model, x), scores(other, x))
    assert torch.equal(scores(model, x), scores(model, x))


def test_recomputed_activations_change_nothing(name):
    kept, recomputed = build(name).double(), build(name, with_cp=True).double()
    recomputed.load_state_dict(kept.state_dict(), strict=True)
    x = clips(dtype=torch.float64)
    results = []
    for model in (kept, recomputed):
        results.append((*gradients(model.train(), x.clone()), model.state_dict()))
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-11)


def test_bfloat16_autocast_trains(name):
    model = build(name).train()
    x = clips()
    reference = scores(model, x)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        y = scores(model, x)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, reference, rtol=0.1, atol=0.02)
    y.sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_pure_bfloat16(name):
    model = build(name).eval().to(torch.bfloat16)
    x = clips().to(torch.bfloat16)
    assert model.backbone(x.flatten(0, 1)).dtype == torch.bfloat16
    assert scores(model, x).dtype == torch.float32


def test_channels_last_is_equal_and_kept(name):
    model = build(name).eval().double()
    x = clips(size=64, dtype=torch.float64).flatten(0, 1)
    expected = model.backbone(x)
    model.to(memory_format=torch.channels_last)
    y = model.backbone(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(y, expected)
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_frozen_stages(name):
    model = build(name, frozen_stages=2)
    backbone = model.backbone.train()
    frozen = [backbone.conv1, backbone.layer1, backbone.layer2]
    for module in frozen:
        assert not any(p.requires_grad for p in module.parameters())
        norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
        assert norms and not any(norm.training for norm in norms)
    assert all(p.requires_grad for p in backbone.layer3.parameters())
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    scores(model, clips())
    changed = {k for k, v in backbone.state_dict().items() if not v.equal(before[k])}
    assert changed
    assert all(key.startswith(('layer3', 'layer4')) for key in changed)


def test_norm_eval_spares_the_temporal_layers(name):
    backbone = build(name, norm_eval=True).backbone.train()
    for norm in backbone.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert not norm.training and norm.weight.requires_grad
        elif isinstance(norm, nn.BatchNorm1d):
            assert norm.training


def test_partial_bn_freezes_all_but_the_first(name):
    backbone = build(name, partial_bn=True).backbone.train()
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms[0].training and norms[0].weight.requires_grad
    for norm in norms[1:]:
        assert not norm.training and not norm.weight.requires_grad
    temporal = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm1d)]
    assert all(m.training and m.weight.requires_grad for m in temporal)


def test_temporal_stages(name):
    backbone = build(name, temporal_stages=(2, 3)).backbone
    layers = {
        key.split('.')[0]
        for key, module in backbone.named_modules()
        if isinstance(module, backbone.temporal_layer)
    }
    assert layers == {'layer3', 'layer4'}


@pytest.mark.slow
def test_torch_compile_in_one_graph(name):
    model = build(name).eval()
    compiled = torch.compile(model.backbone, fullgraph=True, backend='aot_eager')
    x = clips().flatten(0, 1)
    torch.testing.assert_close(compiled(x), model.backbone(x))


@pytest.mark.slow
def test_export_with_any_number_of_clips(name):
    # Of half the stages, because the exporter's time grows fast with the depth.
    backbone = build(name, temporal_stages=(2, 3)).backbone.eval()
    n = torch.export.Dim('n', min=1, max=64)
    exported = torch.export.export(
        backbone, (torch.randn(2 * T, 3, 32, 32),), dynamic_shapes=({0: T * n},)
    ).module()
    x = torch.randn(3 * T, 3, 32, 32)
    torch.testing.assert_close(exported(x), backbone(x), rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------ ImageNet start


def torchvision_state_dict(backbone):
    """Returns a ResNet in torchvision's layout that fits the backbone."""
    names = map(backbone._torchvision_name, backbone.state_dict())
    values = backbone.state_dict().values()
    state = {
        name: torch.rand_like(value) if value.is_floating_point() else value
        for name, value in zip(names, values)
        if name is not None
    }
    return {**state, 'fc.weight': torch.rand(10, 512), 'fc.bias': torch.rand(10)}


def test_imagenet_weights_reach_every_layer(name, tmp_path):
    reference = build(name).backbone
    state = torchvision_state_dict(reference)
    # The names are those of the file, and none is missing.
    assert {'conv1.weight', 'bn1.running_var', 'layer1.0.conv1.weight'} < state.keys()
    assert {'layer4.1.bn2.bias', 'layer2.0.downsample.1.weight'} < state.keys()
    assert len(state) == 122  # those of ResNet-18
    path = tmp_path / 'resnet18.pth'
    torch.save(state, path)
    backbone = build(name, pretrained=str(path)).backbone
    # init_recognizer switches `pretrained` off, training does not.
    backbone.pretrained = str(path)
    backbone.init_weights()
    loaded = {
        backbone._torchvision_name(key): value
        for key, value in backbone.state_dict().items()
    }
    for key in state.keys() - {'fc.weight', 'fc.bias'}:
        assert torch.equal(loaded[key], state[key]), key


def test_unfit_pretrained_files_are_refused(name, tmp_path):
    state = torchvision_state_dict(build(name).backbone)
    backbone = build(name, depth=34, head=None).backbone
    backbone.pretrained = str(tmp_path / 'resnet.pth')
    with pytest.raises(
        ValueError, match='cannot read backbone.pretrained=.*resnet.pth'
    ):
        backbone.init_weights()
    (tmp_path / 'resnet.pth').write_bytes(b'not a checkpoint')
    with pytest.raises(
        ValueError, match='cannot read backbone.pretrained=.*resnet.pth'
    ):
        backbone.init_weights()
    torch.save(state, backbone.pretrained)
    with pytest.raises(ValueError, match='is no ResNet-34 in torchvision layout'):
        backbone.init_weights()


# ----------------------------------------------------------------- bad input


def test_wrong_number_of_frames_names_the_keys(name):
    model = build(name)
    with pytest.raises(
        ValueError, match='got 12 frames.*num_segments=8; set num_clips'
    ):
        model.backbone(torch.randn(12, 3, 32, 32))
    with pytest.raises(ValueError, match='set cls_head.num_segments'):
        model.cls_head(torch.randn(12, 512, 1, 1), 12)


def test_bad_arguments_name_the_keys(name):
    with pytest.raises(ValueError, match=r'backbone.depth=20 is none of \[18, 34'):
        build(name, depth=20)
    with pytest.raises(ValueError, match='backbone.temporal_stages names a stage'):
        build(name, temporal_stages=(3, 4))
    with pytest.raises(ValueError, match='backbone.frozen_stages names a stage'):
        build(name, frozen_stages=5)


def test_checkpoints_of_another_network_are_refused(name, tmp_path):
    def save(model):
        save_checkpoint(dict(state_dict=model.state_dict()), str(tmp_path / 'x.pth'))

    def load(depth=18, segments=T, other=name):
        cfg = Config.fromfile(CONFIGS / f'_base_/models/{BASE_CONFIGS[other]}.py')
        cfg.model.backbone.update(depth=depth, num_segments=segments)
        cfg.model.cls_head.update(in_channels=2048 if depth == 50 else 512)
        return init_recognizer(cfg, str(tmp_path / 'x.pth'), device='cpu')

    save(build(name))
    with pytest.raises(ValueError, match='8 residual blocks.*depth=34.*has 16'):
        load(depth=34)
    with pytest.raises(ValueError, match='other shapes.*set .*backbone.num_segments=4'):
        load(segments=4)
    save(build(name, depth=34))
    with pytest.raises(ValueError, match='other shapes.*set backbone.depth=50'):
        load(depth=50)
    other = next(key for key in BASE_CONFIGS if key != name)
    save(build(name))
    with pytest.raises(ValueError, match=f'is not of a {other}'):
        load(other=other)
