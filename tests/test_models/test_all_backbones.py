"""What every backbone promises, over all that are registered."""

from dataclasses import dataclass, field

import pytest
import torch
import torch.nn.functional as F
from mmaction.apis import init_recognizer
from mmaction.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmcv.cnn import fuse_conv_bn
from mmengine import Config
from mmengine.runner import save_checkpoint
from parity import CONFIGS, build_recognizer
from torch import nn

from mmtemporal.engine import GroupedOptimWrapperConstructor
from mmtemporal.models import fuse_for_inference
from mmtemporal.models.backbones import TemporalResNet
from mmtemporal.registry import MODELS

T = 8


@dataclass
class Case:
    """How a backbone is tested, whose shipped config is ``config``."""

    config: str
    # What makes it small, and the width of its features then.
    small: dict = field(default_factory=lambda: dict(depth=18))
    width: int = 512
    # Frames that it takes for each of the T of a clip, and gives.
    frames: int = 1
    rows: float = 1
    # Least side of the frames.
    size: int = 32
    # The argument that says which stages are temporal.
    stages: tuple = ('temporal_stages',)
    # Whether its recognizer takes (3, t, h, w).
    is_3d: bool = False
    # The network around which it is, and which takes most arguments.
    host: dict = field(default_factory=dict)


CONVNEXT = dict(
    arch=dict(_delete_=True, depths=[1, 1, 2, 1], channels=[32, 64, 128, 256]),
    drop_path_rate=0,
)
CONVNEXT_V2 = dict(CONVNEXT, arch=dict(CONVNEXT['arch'], head_dim=16))

# Registered name of the backbone -> case. A backbone without one fails.
CASES = {
    'TANet': Case('tanet_r50'),
    'TIN': Case('tin_r50'),
    'TDN': Case(
        'tdn_r50', frames=5, size=40, stages=('long_term_stages', 'shift_stages')
    ),
    'TAda2D': Case('tada2d_r50', is_3d=True),
    'TAdaConvNeXt': Case(
        'tadaconvnext_tiny', CONVNEXT, width=256, rows=0.5, is_3d=True
    ),
    'TAdaConvNeXtV2': Case(
        'tadaconvnextv2_tiny', CONVNEXT_V2, width=256, rows=0.5, is_3d=True
    ),
    'TemporalAdapter': Case(
        'tanet_r50',
        dict(
            _delete_=True,
            type='mmtemporal.TemporalAdapter',
            temporal=dict(type='TAM'),
        ),
        host=dict(type='ResNet', depth=18),
    ),
}
HEADS = {'SegmentHead', 'TAMHead', 'TINHead', 'TDNHead', 'TAdaHead'}
CONVS = {'TAdaConv2d', 'TAdaConv3d', 'Conv2plus1d'}
BACKBONES = sorted(MODELS.module_dict.keys() - HEADS - CONVS)
RESNETS = [n for n in BACKBONES if issubclass(MODELS.get(n), TemporalResNet)]


def build(name, head=True, **backbone):
    """Builds the shipped recognizer in a small size, with T segments."""
    torch.manual_seed(0)
    case = CASES[name]
    num_segments = backbone.pop('num_segments', T)
    if case.host:
        backbone = dict(backbone={**case.host, **backbone})
    backbone = {**case.small, 'num_segments': num_segments, **backbone}
    if head:
        head = dict(num_classes=6, in_channels=case.width, dropout_ratio=0)
        if not case.is_3d:
            head['num_segments'] = num_segments
    model = build_recognizer(
        case.config, backbone=backbone, cls_head=head if head else None
    )
    return wake(model)


def wake(model):
    """Moves what starts at zero, so that every branch has an effect."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
            elif (parameter.abs() <= 1e-5).all():  # layer scales
                parameter.fill_(0.5)
    return model


def scores(model, x):
    return model(x, stage='head')


def clips(name, n=2, size=None, dtype=torch.float32, t=T):
    """Returns a batch as the recognizer of the shipped config takes it."""
    case = CASES[name]
    h, w = size or (case.size, case.size)
    if case.is_3d:
        return torch.randn(n, 1, 3, t, h, w, dtype=dtype)
    return torch.randn(n, t * case.frames, 3, h, w, dtype=dtype)


def frames(name, n=2, size=None, dtype=torch.float32):
    """Returns frames as a 2-D recognizer gives them to the backbone."""
    case = CASES[name]
    size = size or case.size
    return torch.randn(n * T * case.frames, 3, size, size, dtype=dtype)


def gradients(model, x):
    """Returns scores, and the gradient of every parameter, by name."""
    model.zero_grad()
    y = scores(model, x)
    F.cross_entropy(y, torch.arange(len(y))).backward()
    return y.detach(), {k: p.grad.clone() for k, p in model.named_parameters()}


def temporal_stages(name, *stages):
    return {argument: stages for argument in CASES[name].stages}


def is_norm(module, *kinds):
    return isinstance(module, kinds or (nn.BatchNorm1d, nn.BatchNorm2d))


@pytest.fixture(params=BACKBONES)
def name(request):
    return request.param


@pytest.fixture(params=RESNETS)
def resnet(request):
    return request.param


def test_no_backbone_is_left_out():
    assert set(BACKBONES) == set(CASES)


def test_shapes_and_attributes(name):
    case = CASES[name]
    model = build(name, out_indices=(0, 3))
    first, last = model.backbone(frames(name, size=64))
    assert first.shape[0] == 2 * T * case.rows
    assert first.shape[2:] == (16, 16)
    assert last.shape[1] == case.width
    assert model.backbone.num_segments == model.backbone.get('num_segments') == T
    assert model.backbone.get('nothing') is None
    assert model.backbone.train() is model.backbone


@pytest.mark.parametrize('depth', [18, 34, 50, 101, 152])
def test_all_depths_build(resnet, depth):
    model = build(resnet, depth=depth, head=False)
    width = 2048 if depth >= 50 else 512
    with torch.no_grad():
        out = model.backbone.eval()(frames(resnet, n=1, size=40))
    assert out.shape == (T, width, 2, 2)


@pytest.mark.parametrize(
    ('t', 'n', 'size'), [(4, 1, (40, 40)), (8, 3, (41, 47)), (16, 1, (40, 36))]
)
def test_frame_counts_sizes_and_independent_clips(name, t, n, size):
    model = build(name, num_segments=t).eval()
    x = clips(name, n + 1, size, t=t)
    changed = x.clone()
    changed[-1] = torch.randn_like(x[-1])
    with torch.no_grad():
        before, after = scores(model, x), scores(model, changed)
        alone = scores(model, x[:1])
    assert before.shape == (n + 1, 6)
    torch.testing.assert_close(after[:-1], before[:-1], rtol=0, atol=0)
    assert not torch.equal(after[-1], before[-1])
    torch.testing.assert_close(alone, before[:1])


@pytest.mark.parametrize('name', [n for n in BACKBONES if CASES[n].is_3d])
def test_clips_are_equal_to_frames(name):
    backbone = build(name).backbone.eval().double()
    x = torch.randn(2, 3, T, 32, 32, dtype=torch.float64)
    from_clips = backbone(x)
    from_frames = backbone(x.transpose(1, 2).flatten(0, 1))
    assert from_clips.dim() == 5 and from_frames.dim() == 4
    if len(from_frames) == 2:  # which are means
        from_clips = from_clips.mean((2, 3, 4), keepdim=True)
    else:
        from_clips = from_clips.transpose(1, 2)
    torch.testing.assert_close(from_clips.reshape(from_frames.shape), from_frames)


def test_every_parameter_gets_a_gradient(name):
    model = build(name).train()
    _, grads = gradients(model, clips(name))
    zero = [key for key, grad in grads.items() if not grad.any()]
    # A batch norm behind it takes off the bias of a routing's first layer, which
    # the authors' checkpoints have, and those of a long-term module, of which only
    # rounding is left.
    biases = ('routing.a.bias', 'pooled_bn.bias', 'full_bn.bias')
    assert all(key.endswith(biases) for key in zero)


@pytest.mark.parametrize('name', ['TANet', 'TIN', 'TDN', 'TAda2D'])
def test_stages_behind_the_output_wait_for_no_gradient(name):
    kind = MODELS.get(f'mmtemporal.{name}')
    backbone = kind(depth=18, num_segments=T, out_indices=(1,)).train()
    shape = (T, 3, 5, 64, 64) if name == 'TDN' else (T, 3, 64, 64)
    backbone(torch.randn(shape)).sum().backward()
    named = backbone.named_parameters()
    assert not [n for n, p in named if p.requires_grad and p.grad is None]


def test_every_parameter_is_in_one_group(name):
    model = build(name)
    rules = [
        dict(kind='norm', decay_mult=0),
        dict(name=r'^cls_head\.', lr_mult=5),
    ]
    constructor = GroupedOptimWrapperConstructor(
        dict(optimizer=dict(type='SGD', lr=1.0, weight_decay=0.1)), dict(groups=rules)
    )
    groups = constructor(model).optimizer.param_groups
    found = [id(p) for group in groups for p in group['params']]
    assert sorted(found) == sorted(map(id, model.parameters()))


@pytest.mark.parametrize('fc_lr5', [False, True])
def test_every_parameter_is_in_one_group_of_the_stock_constructor(resnet, fc_lr5):
    model = build(resnet)
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
    x = clips(name)
    assert torch.equal(scores(model, x), scores(other, x))
    assert torch.equal(scores(model, x), scores(model, x))


# MMAction2's networks move their batch norms once more when they recompute.
@pytest.mark.parametrize('name', [n for n in BACKBONES if not CASES[n].host])
def test_recomputed_activations_change_nothing(name):
    kept, recomputed = build(name).double(), build(name, with_cp=True).double()
    recomputed.load_state_dict(kept.state_dict(), strict=True)
    x = clips(name, dtype=torch.float64)
    results = []
    for model in (kept, recomputed):
        results.append((*gradients(model.train(), x.clone()), model.state_dict()))
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-11)


def test_bfloat16_autocast_trains(name):
    model = build(name).train()
    x = clips(name)
    reference = scores(model, x)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        y = scores(model, x)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, reference, rtol=0.1, atol=0.05)
    y.sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_pure_bfloat16(name):
    model = build(name).eval().to(torch.bfloat16)
    x = frames(name).to(torch.bfloat16)
    assert model.backbone(x).dtype == torch.bfloat16
    assert scores(model, clips(name).to(torch.bfloat16)).dtype == torch.float32


def test_channels_last_is_equal_and_kept(name):
    out_indices = (2,) if 'ConvNeXt' in name else (3,)
    model = build(name, head=False, out_indices=out_indices).eval().double()
    x = frames(name, size=64, dtype=torch.float64)
    expected = model.backbone(x)
    for module in model.modules():
        # Not the whole model: torch refuses ConvNeXt's stem, of five dimensions.
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)
    y = model.backbone(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(y, expected)
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_fusing_for_inference_changes_nothing_but_the_work(name):
    model = build(name).double()
    wake(model)
    with torch.no_grad():  # so that the batch norms have statistics
        model.train().backbone(frames(name, dtype=torch.float64))
    model.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    x = clips(name, dtype=torch.float64)
    expected = scores(model, x)
    fused = fuse_for_inference(model.train())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    torch.testing.assert_close(scores(fused, x), expected, rtol=1e-9, atol=1e-9)
    assert model.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    # What the stock benchmark does by --fuse-conv-bn: less, but nothing wrong.
    torch.testing.assert_close(scores(fuse_conv_bn(model.eval()), x), expected)


def test_frozen_stages(resnet):
    model = build(resnet, frozen_stages=2)
    backbone = model.backbone.train()
    names = ('conv1', 'layer1', 'layer2', 'diff_conv1', 'diff_layer1')
    frozen = [child for key, child in backbone.named_children() if key in names]
    for module in frozen:
        assert not any(p.requires_grad for p in module.parameters())
        norms = [m for m in module.modules() if is_norm(m)]
        assert norms and not any(norm.training for norm in norms)
    assert all(p.requires_grad for p in backbone.layer3.parameters())
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    scores(model, clips(resnet))
    changed = {k for k, v in backbone.state_dict().items() if not v.equal(before[k])}
    assert changed
    assert all(key.startswith(('layer3', 'layer4')) for key in changed)


def norms_of(backbone):
    """Returns the batch norms of the ResNet and those of the temporal layers."""
    temporal = {
        inner
        for module in backbone.modules()
        if isinstance(module, backbone.temporal_layer)
        for inner in module.modules()
    }
    norms = [m for m in backbone.modules() if is_norm(m)]
    return (
        [m for m in norms if m not in temporal],
        [m for m in norms if m in temporal],
    )


# Those of TAda follow the others: on small batches they are noisy.
SPARED = {'TANet': True, 'TIN': True, 'TDN': True, 'TAda2D': False}


def test_norm_eval(resnet):
    backbone = build(resnet, norm_eval=True).backbone.train()
    host, temporal = norms_of(backbone)
    assert not any(norm.training for norm in host)
    assert all(norm.training == SPARED[resnet] for norm in temporal)
    assert all(p.requires_grad for p in backbone.parameters())


def test_partial_bn_freezes_all_but_the_first(resnet):
    backbone = build(resnet, partial_bn=True).backbone.train()
    host, temporal = norms_of(backbone)
    assert host[0] is backbone.conv1.bn
    assert host[0].training and host[0].weight.requires_grad
    for norm in host[1:]:
        assert not norm.training and not norm.weight.requires_grad
    assert all(norm.training == SPARED[resnet] for norm in temporal)
    assert all(norm.weight.requires_grad for norm in temporal)


def test_temporal_stages(resnet):
    backbone = build(resnet, **temporal_stages(resnet, 2, 3)).backbone
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
    x = frames(name)
    torch.testing.assert_close(compiled(x), model.backbone(x))


@pytest.mark.slow
def test_export_with_any_number_of_clips(name):
    # Of half the stages, because the exporter's time grows fast with the depth.
    half = temporal_stages(name, 2, 3) if name in RESNETS else {}
    backbone = build(name, **half).backbone.eval()
    n = torch.export.Dim('n', min=1, max=64)
    per_clip = T * CASES[name].frames
    exported = torch.export.export(
        backbone, (frames(name, 2),), dynamic_shapes=({0: per_clip * n},)
    ).module()
    x = frames(name, 3)
    torch.testing.assert_close(exported(x), backbone(x), rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------ ImageNet start


def torchvision_state_dict(backbone):
    """Returns a ResNet in torchvision's layout that fits the backbone."""
    state = {'fc.weight': torch.rand(10, 512), 'fc.bias': torch.rand(10)}
    for key, value in backbone.state_dict().items():
        name = backbone.image_name(key)
        if name is not None and name not in state:
            new = torch.rand_like(value) if value.is_floating_point() else value
            state[name] = new
    return state


def test_imagenet_weights_reach_every_layer(resnet, tmp_path):
    reference = build(resnet).backbone
    state = torchvision_state_dict(reference)
    # The names are those of the file, and none is missing.
    assert {'conv1.weight', 'bn1.running_var', 'layer1.0.conv1.weight'} < state.keys()
    assert {'layer4.1.bn2.bias', 'layer2.0.downsample.1.weight'} < state.keys()
    assert len(state) == 122  # those of ResNet-18
    path = tmp_path / 'resnet18.pth'
    torch.save(state, path)
    backbone = build(resnet, pretrained=str(path)).backbone
    # init_recognizer switches `pretrained` off, training does not.
    backbone.pretrained = str(path)
    backbone.init_weights()
    loaded = {
        backbone.image_name(key): value
        for key, value in backbone.state_dict().items()
        if not key.startswith('diff_')
    }
    for key in state.keys() - {'fc.weight', 'fc.bias'}:
        assert torch.equal(loaded[key], state[key]), key


def test_unfit_pretrained_files_are_refused(resnet, tmp_path):
    state = torchvision_state_dict(build(resnet).backbone)
    backbone = build(resnet, depth=34, head=False).backbone
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
    case = CASES[name]
    model = build(name)
    with pytest.raises(
        ValueError, match=r'num_segments=8.*; set .*(num_clips|clip_len)'
    ):
        model.backbone(torch.randn(12, 3, case.size, case.size))
    if case.is_3d:
        with pytest.raises(ValueError, match='12 frames.*num_segments=8; set clip_len'):
            model.backbone(torch.randn(1, 3, 12, 32, 32))
    else:
        with pytest.raises(ValueError, match='set cls_head.num_segments'):
            model.cls_head(torch.randn(12, 512, 1, 1), 12)


def test_bad_arguments_name_the_keys(resnet):
    with pytest.raises(ValueError, match=r'backbone.depth=20 is none of \[18, 34'):
        build(resnet, depth=20)
    argument = CASES[resnet].stages[0]
    with pytest.raises(ValueError, match=f'backbone.{argument} names a stage'):
        build(resnet, **temporal_stages(resnet, 3, 4))
    with pytest.raises(ValueError, match='backbone.frozen_stages names a stage'):
        build(resnet, frozen_stages=5)


def test_checkpoints_of_another_network_are_refused(resnet, tmp_path):
    def save(model):
        save_checkpoint(dict(state_dict=model.state_dict()), str(tmp_path / 'x.pth'))

    def load(depth=18, segments=T, other=resnet):
        cfg = Config.fromfile(CONFIGS / f'_base_/models/{CASES[other].config}.py')
        cfg.model.backbone.update(depth=depth, num_segments=segments)
        cfg.model.cls_head.update(in_channels=2048 if depth == 50 else 512)
        return init_recognizer(cfg, str(tmp_path / 'x.pth'), device='cpu')

    save(build(resnet))
    with pytest.raises(ValueError, match='8 residual blocks.*depth=34.*has 16'):
        load(depth=34)
    if resnet in ('TANet', 'TIN'):  # the others have no tensor that depends on T
        with pytest.raises(
            ValueError, match='other shapes.*set .*backbone.num_segments=4'
        ):
            load(segments=4)
    save(build(resnet, depth=34))
    with pytest.raises(ValueError, match='other shapes.*set backbone.depth=50'):
        load(depth=50)
    save(build(resnet))
    for other in set(RESNETS) - {resnet}:
        with pytest.raises(ValueError, match=f'is not of a {other}'):
            load(other=other)
