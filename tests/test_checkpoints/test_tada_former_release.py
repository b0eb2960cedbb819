"""Checkpoints of TAdaFormer as its authors released them."""

import re

import pytest
import torch
from convert_tool import convert as run_tool
from convert_tool import refuse
from mmengine import Config
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader, load_checkpoint
from parity import CONFIGS, build_recognizer, load_fixture
from small_tada_formers import ARCH

from mmtemporal.checkpoints import convert_state_dict
from mmtemporal.checkpoints.convert import convert
from mmtemporal.registry import MODELS

FIXTURES = {'K': 'tadaformer_b16_8f', 'S': 'tadaformer_b16_ssv2_8f'}
CONFIG_NAMES = {
    ('base', 'K'): 'tadaformer_base',
    ('base', 'S'): 'tadaformer_base_sthv2',
    ('large', 'K'): 'tadaformer_large',
    ('large', 'S'): 'tadaformer_large_sthv2',
}
ENTRIES = {
    ('base', 'K'): 489,
    ('base', 'S'): 825,
    ('large', 'K'): 969,
    ('large', 'S'): 1641,
}
SIZES = {'base': (768, 16, 12, 197), 'large': (1024, 14, 24, 257)}
# Those of our modules that have other names there.
NAMES = (
    (r'\.conv\.', '.tadaconv.'),
    (r'\.routing\.norm_attn\.', '.tadaconv.rf_func.norm_transformer.'),
    (r'\.routing\.qkv\.', '.tadaconv.rf_func.qkv_proj.'),
    (r'\.routing\.proj\.', '.tadaconv.rf_func.attn_out.'),
    (r'\.routing\.', '.tadaconv.rf_func.'),
    (r'\.bn\.', '.tadaconv.bn_a.'),
    (r'\.bn_avg\.', '.tadaconv.bn_b.'),
    (r'\.proj_in\.', '.tada_pre_proj.'),
    (r'\.proj_out\.', '.tada_proj.'),
    (r'^cls_head\.fc_cls\.', 'head.out.'),
)


def release(arch, form):
    """Return all names and shapes of a release, from those of the fixture's layers."""
    shapes = load_fixture(FIXTURES[form])['state_dict']
    width, patch, layers, rows = SIZES[arch]
    state = {}
    for name, shape in shapes.items():
        shape = [size * width // 768 if size % 96 == 0 else size for size in shape]
        if name.endswith('conv1.weight'):
            shape = (width, 3, 3, patch, patch)
        elif name.endswith('positional_embedding'):
            shape = (rows, width)
        elif name.startswith('head.'):
            shape = (400 if form == 'K' else 174, *shape[1:])
        tensor = torch.empty(tuple(shape), device='meta')
        layer = re.fullmatch(r'backbone\.layers\.(\d+)\.(.*)', name)
        if layer is None:
            state[name] = tensor
        elif layer[1] == '0':
            for i in range(layers):
                state[f'backbone.layers.{i}.{layer[2]}'] = torch.empty_like(tensor)
    return state


sizes = pytest.mark.parametrize(('arch', 'form'), ENTRIES)


@sizes
def test_every_name_is_mapped(arch, form):
    state = release(arch, form)
    assert len(state) == ENTRIES[arch, form]
    conversion = convert(state)
    assert conversion.format.name == 'TAdaFormer of its authors'
    assert conversion.old_names.keys() == conversion.tensors.keys()
    assert sorted(conversion.old_names.values()) == sorted(state)
    report = conversion.report
    assert len(report.loaded) == len(state)
    assert not (report.skipped or report.folded)

    cfg = Config.fromfile(CONFIGS / f'_base_/models/{CONFIG_NAMES[arch, form]}.py')
    init_default_scope('mmaction')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    own = {name: x.shape for name, x in model.state_dict().items()}
    assert {name: x.shape for name, x in conversion.tensors.items()} == own


@sizes
def test_strange_names_are_refused(arch, form):
    state = release(arch, form)
    for strange in (
        'backbone.time_embedding',
        'backbone.layers.0.tada.tadaconv.extra',
        'backbone.layers.0.tada3.tada_proj.weight',
        'head.bias',
        'backbone.conv1.bias',
    ):
        extra = {**state, strange: torch.empty(1, device='meta')}
        with pytest.raises(
            ValueError, match=rf"no tensors such as \['{strange}'\]; 1 "
        ):
            convert_state_dict(extra)


# ------------------------------------------------------------- small networks


def build(form, **options):
    backbone = dict(
        _delete_=True,
        type='mmtemporal.TAdaFormer',
        arch=ARCH,
        form=form,
        img_size=16,
        routing=dict(head_dim=4),
        **options,
    )
    head = dict(num_classes=5, in_channels=32)
    return build_recognizer('tadaformer_base', backbone=backbone, cls_head=head)


def as_released(model):
    """Give the tensors of a small recognizer the names and shapes of the authors."""
    state = {}
    for name, x in model.state_dict().items():
        for ours, theirs in NAMES:
            name = re.sub(ours, theirs, name)
        if name.endswith(('.tadaconv.weight', '.tadaconv.bias')):
            x = x[None, None]
        elif re.search(r'rf_func\.(a|b|b_bias|qkv_proj|attn_out)\.weight$', name):
            x = x[..., None, None] if x.dim() == 3 else x[..., None, None, None]
        elif name.endswith('.tada_pre_proj.weight') and x.dim() == 3:
            x = x[..., None, None]
        elif name.endswith('.tada_proj.weight') and model.backbone.form == 'S':
            x = x[..., None, None, None]
        state[name] = x
    return state


@pytest.fixture(params=['K', 'S'])
def released(request, tmp_path):
    """A network with random weights, and the file with them that its authors write."""
    model = build(request.param)
    for x in model.parameters():
        torch.nn.init.normal_(x)
    torch.save(dict(model_state=as_released(model), epoch=30), tmp_path / 'x.pyth')
    return model, str(tmp_path / 'x.pyth')


def test_made_up_releases_have_the_authors_shapes(released):
    model, file = released
    state = torch.load(file)['model_state']
    theirs = load_fixture(FIXTURES[model.backbone.form])['state_dict']
    assert {k for k in theirs if re.match(r'backbone\.layers\.[2-9]', k) is None} == {
        *state
    }
    assert {k: x.dim() for k, x in state.items()} == {k: len(theirs[k]) for k in state}


def test_they_load_everywhere(released):
    model, file = released
    by_load_from, by_init_cfg = build(model.backbone.form), build(model.backbone.form)
    load_checkpoint(by_load_from, file)
    rule = dict(type='Pretrained', checkpoint=file)
    by_init_cfg.backbone.init_cfg = rule
    by_pretrained = build(model.backbone.form)
    by_pretrained.backbone.pretrained = file
    for other in (by_init_cfg, by_pretrained):
        other.backbone.init_weights()
    for name, x in model.state_dict().items():
        assert torch.equal(by_load_from.state_dict()[name], x), name
        if name.startswith('backbone.'):
            assert torch.equal(by_init_cfg.state_dict()[name], x), name
            assert torch.equal(by_pretrained.state_dict()[name], x), name


@pytest.mark.parametrize(
    'missing',
    [
        'backbone.layers.1.tada.tadaconv.bn_b.running_var',
        'backbone.layers.0.attn.in_proj_bias',
        'backbone.class_embedding',
    ],
)
def test_a_missing_tensor_is_refused(missing, released, tmp_path, dst):
    model, file = released
    content = torch.load(file)
    del content['model_state'][missing]
    torch.save(content, file)
    match = rf'1 \(.*{missing.rpartition(".")[2]}\) missing, 0 unexpected, 0 mis'
    with pytest.raises(ValueError, match=match):
        load_checkpoint(build(model.backbone.form), file)
    model.cfg.dump(tmp_path / 'config.py')
    source = tmp_path / 'x.pyth'
    refuse(match, source, dst, '--from', 'authors', '--config', tmp_path / 'config.py')
    content['model_state']['backbone.layers.0.strange'] = torch.rand(1)
    torch.save(content, file)
    with pytest.raises(ValueError, match=r'x.pyth: .*no tensors such as .*strange'):
        CheckpointLoader.load_checkpoint(file)


def test_another_form_or_size_is_named(released, tmp_path, dst):
    model, file = released
    ours, theirs = ('S', 'K') if model.backbone.form == 'K' else ('K', 'S')
    match = rf"[sS]et (model.)?backbone.form='{theirs}' \(now '{ours}'\)"
    other = build(ours)
    with pytest.raises(ValueError, match=match):
        load_checkpoint(other, file)
    other.cfg.dump(tmp_path / 'config.py')
    arguments = (tmp_path / 'x.pyth', dst, '--config', tmp_path / 'config.py')
    refuse(match, *arguments)
    fit = ('--cfg-options', f'model.backbone.form={theirs}')
    refuse(
        r'Set model.cls_head.num_classes=5 \(now 6\)',
        *(*arguments, *fit, 'model.cls_head.num_classes=6'),
    )
    refuse(
        r'Set model.backbone.img_size=16 \(now 32\)',
        *(*arguments, *fit, 'model.backbone.img_size=32'),
    )
    larger = (*fit, 'model.backbone.img_size=[16,64]')
    run_tool(*arguments, *larger, 'model.backbone.interpolate_mode=bilinear')
    run_tool(*arguments, *fit, '--force')
    converted = torch.load(dst)['state_dict']
    for name, x in model.state_dict().items():
        assert torch.equal(converted[name], x), name
