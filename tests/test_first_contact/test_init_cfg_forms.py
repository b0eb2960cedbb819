"""Weights that an ``init_cfg`` loads are kept, in whichever form it is written."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine import Config
from mmengine.model import PretrainedInit
from mmengine.registry import DefaultScope
from selection import slow_but
from small_tada_formers import ARCH

from mmtemporal.models.heads import TAdaHead, TAMHead
from mmtemporal.models.layers import AttentionRouting, ConvRouting, TAdaConv2d

CONVNEXT = dict(depths=(1, 1, 1, 1), channels=(16, 32, 64, 128))
BACKBONES = {
    'TANet': dict(depth=18),
    'TIN': dict(depth=18),
    'TDN': dict(depth=18),
    'TAda2D': dict(depth=18),
    'TAdaConvNeXt': dict(arch=CONVNEXT),
    'TAdaConvNeXtV2': dict(arch=dict(CONVNEXT, head_dim=8)),
    'TAdaFormer': dict(arch=ARCH, img_size=16, routing=dict(head_dim=4)),
    'TemporalAdapter': dict(
        backbone=dict(type='ResNet', depth=18), temporal=dict(type='TAM')
    ),
}
KAIMING = dict(type='Kaiming', layer=['Conv2d', 'Conv1d', 'Linear'])
ONES = dict(type='Constant', layer=['BatchNorm2d', 'BatchNorm1d', 'LayerNorm'], val=1)
FORMS = {
    'dict': lambda file: dict(type='Pretrained', checkpoint=file),
    'list': lambda file: [dict(type='Pretrained', checkpoint=file)],
    'tuple': lambda file: (dict(type='Pretrained', checkpoint=file),),
    'class': lambda file: dict(type=PretrainedInit, checkpoint=file),
    'class in a list': lambda file: [dict(type=PretrainedInit, checkpoint=file)],
    'scope': lambda file: dict(type='mmengine.Pretrained', checkpoint=file),
    'scope in a list': lambda file: [
        dict(type='mmengine.Pretrained', checkpoint=file),
        KAIMING,
    ],
    'name of the class': lambda file: dict(type='PretrainedInit', checkpoint=file),
    'path of the class': lambda file: dict(
        type='mmengine.model.weight_init.PretrainedInit', checkpoint=file
    ),
    'first of three': lambda file: [
        dict(type='Pretrained', checkpoint=file),
        KAIMING,
        ONES,
    ],
    'last of three': lambda file: (
        KAIMING,
        ONES,
        dict(type=PretrainedInit, checkpoint=file),
    ),
}
# The rest runs in the long suite.
QUICK = ('list', 'last of three')
forms = pytest.mark.parametrize('form', slow_but(QUICK, FORMS))


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(cfg)


def backbone(kind, **changes):
    return build(
        dict(type=f'mmtemporal.{kind}', num_segments=4, **BACKBONES[kind], **changes)
    )


def shake(model):
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.randn_like(tensor) * 0.05)
    return model


def assert_equal(model, state):
    lost = [k for k, v in model.state_dict().items() if not torch.equal(v, state[k])]
    assert not lost, lost


@pytest.fixture(scope='module', params=BACKBONES)
def trained(request, tmp_path_factory):
    """Return the name of a backbone, trained tensors, and the file with them."""
    state = shake(backbone(request.param)).state_dict()
    file = str(tmp_path_factory.mktemp('trained') / 'x.pth')
    torch.save(dict(state_dict=state, meta=dict(epoch=1)), file)
    return request.param, state, file


@forms
def test_weights_of_a_backbone_are_those_of_the_file(trained, form):
    kind, state, file = trained
    model = backbone(kind, init_cfg=FORMS[form](file))
    model.init_weights()
    assert_equal(model, state)
    # A second call must not undo what was learnt meanwhile.
    shake(model)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.init_weights()
    assert_equal(model, before)


BASE = """
from mmengine.model import PretrainedInit
from mmtemporal.models import {kind}
backbone = dict(type={kind}, num_segments=4, **{options})
rule = dict(type=PretrainedInit, checkpoint={file!r})
"""
LAZY = """
from mmengine.config import read_base
with read_base():
    from .base import *
backbone.update(init_cfg={init_cfg})
"""


@pytest.mark.parametrize('init_cfg', ['rule', '[rule]'])
def test_pure_python_configs(trained, init_cfg, tmp_path):
    kind, state, file = trained
    options = BACKBONES[kind]
    (tmp_path / 'base.py').write_text(
        BASE.format(kind=kind, options=options, file=file)
    )
    (tmp_path / 'lazy.py').write_text(LAZY.format(init_cfg=init_cfg))
    cfg = Config.fromfile(tmp_path / 'lazy.py')
    cfg.dump(tmp_path / 'dumped.py')
    for config in (cfg, Config.fromfile(tmp_path / 'dumped.py')):
        model = build(config.backbone)
        model.init_weights()
        assert_equal(model, state)


@forms
@pytest.mark.parametrize('head', ['TAMHead', 'TINHead', 'TDNHead', 'TAdaHead'])
def test_weights_of_a_head_are_those_of_the_file(head, form, tmp_path):
    cfg = dict(type=f'mmtemporal.{head}', num_classes=3, in_channels=8, num_segments=4)
    trained = shake(build(dict(cfg)))
    file = str(tmp_path / 'x.pth')
    torch.save(trained.state_dict(), file)
    model = build(dict(cfg, init_cfg=FORMS[form](file)))
    model.init_weights()
    assert_equal(model, trained.state_dict())


def test_rules_for_a_head_are_followed():
    for head in (TAMHead, TAdaHead):
        rule = dict(type='Constant', layer='Linear', val=3, bias=2)
        model = head(3, 8, num_segments=4, init_cfg=rule)
        model.init_weights()
        assert model.fc_cls.weight.eq(3).all() and model.fc_cls.bias.eq(2).all()


@pytest.mark.parametrize('form', ['dict', 'list', 'tuple', 'class', 'last of three'])
@pytest.mark.parametrize(('kind', 'head'), [('TDN', 'TDNHead'), ('TAda2D', 'TAdaHead')])
def test_weights_of_a_recognizer_are_those_of_the_file(kind, head, form, tmp_path):
    cfg = dict(
        type='Recognizer2D',
        backbone=dict(type=f'mmtemporal.{kind}', num_segments=4, depth=18),
        cls_head=dict(
            type=f'mmtemporal.{head}', num_classes=3, in_channels=512, num_segments=4
        ),
    )
    trained = shake(build(dict(cfg)))
    file = str(tmp_path / 'x.pth')
    torch.save(dict(state_dict=trained.state_dict()), file)
    model = build(dict(cfg))
    # MMAction2's recognizers do not take it as an argument; their subclasses may.
    model.init_cfg = FORMS[form](file)
    model.init_weights()
    assert_equal(model, trained.state_dict())


def test_rules_that_load_nothing_leave_the_identity():
    for init_cfg in (KAIMING, [KAIMING, ONES], (ONES,)):
        model = backbone('TAda2D', init_cfg=init_cfg)
        model.init_weights()
        norm = model.layer1[0].conv1.aggregation['avg']
        assert not norm.weight.any() and not norm.bias.any()


@pytest.mark.parametrize(
    ('name', 'kind'), [('conv', ConvRouting), ('attention', AttentionRouting)]
)
def test_routing_functions_by_class(name, kind):
    path = f'{kind.__module__}.{kind.__name__}'
    for form in (name, kind, kind.__name__, path):
        conv = TAdaConv2d(96, 96, 3, num_segments=4, routing=dict(type=form))
        assert type(conv.routing) is kind
    with pytest.raises(ValueError, match="routing.type='Conv2d' is none of"):
        TAdaConv2d(32, 32, 3, routing=dict(type=torch.nn.Conv2d))
