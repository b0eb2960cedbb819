"""Files that cannot initialise a TAdaFormer: one error each, naming what to change."""

from pathlib import Path

import pytest
import torch
from clip_files import (
    ARCH,
    LAYOUTS,
    TEXT,
    TEXT_OF_TRANSFORMERS,
    add_prefix,
    build,
    tower,
)
from mmengine.runner import load_checkpoint
from parity import build_recognizer

from mmtemporal.checkpoints.advice import describe
from mmtemporal.checkpoints.fit import load_strictly
from mmtemporal.models.backbones import TAdaFormer


@pytest.fixture
def file(tmp_path):
    return tmp_path / 'clip.pt'


def refuse(file, match, **options):
    """Assert that ``pretrained`` and ``init_cfg`` raise one line that names keys."""
    rule = dict(init_cfg=dict(type='Pretrained', checkpoint=str(file)))
    for way in (dict(pretrained=str(file)), rule):
        with pytest.raises(ValueError, match=match) as error:
            build(**way, **options).init_weights()
        assert 'backbone.' in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_other_sizes_of_clip(layout, file):
    arch = dict(ARCH, num_layers=3)
    for changes, match in (
        (
            dict(layers=3),
            r"set backbone.arch={'num_layers': 3, 'embed_dims': 64, .* \(now",
        ),
        (dict(layers=1), r"12 \(.*missing, .*set backbone.arch={'num_layers': 1"),
        (dict(width=96), "mismatched; set backbone.arch=.*'embed_dims': 96"),
        (
            dict(hidden=256),
            "mismatched; set backbone.arch=.*'feedforward_channels': 256",
        ),
        (dict(patch=8, grid=2), "set backbone.arch=.*'patch_size': 8"),
    ):
        torch.save(LAYOUTS[layout](tower(**changes)), file)
        refuse(file, match)
    torch.save(LAYOUTS[layout](tower(layers=3)), file)
    build(arch=arch, pretrained=str(file)).init_weights()


def shapes_of(arch, patch=None, **options):
    """Return the shapes of a network or of OpenAI's file, without its memory."""
    with torch.device('meta'):
        state = TAdaFormer(arch, **options).state_dict()
    return state


@pytest.mark.parametrize('form', ['K', 'S'])
@pytest.mark.parametrize('arch', ['base', 'large'])
def test_the_authors_sizes_are_recognised(arch, form):
    found = describe(
        shapes_of(arch, form=form, img_size=336 if arch == 'large' else 224)
    )
    size = 336 if arch == 'large' else 224
    assert found == {
        'backbone.arch': arch,
        'backbone.form': form,
        'backbone.img_size': size,
    }


@pytest.mark.parametrize(
    ('theirs', 'grid', 'match'),
    [
        (('large', 1024, 24, 14), 16, r"set backbone.arch='large' \(now 'base'\)$"),
        (
            ('large', 1024, 24, 14),
            24,
            r"'large' \(now 'base'\), backbone.img_size=336 \(",
        ),
        (('B/32', 768, 12, 32), 7, r"'patch_size': 32} \(now 'base'\)$"),
        (('base', 768, 12, 16), 24, r'set backbone.img_size=384 \(now 224\), or '),
    ],
)
def test_openai_s_sizes_into_the_base(theirs, grid, match):
    _, width, layers, patch = theirs
    with torch.device('meta'):
        network = TAdaFormer('base')
        weights = tower(width, layers, 4 * width, patch, grid)
    with pytest.raises(ValueError, match=match):
        network.image_network(network).place(weights, 'x', pretrained=True)


def test_another_form(file):
    for ours, theirs, count in (('K', 'S', 'unexpected'), ('S', 'K', 'missing')):
        state = build(theirs).state_dict()
        torch.save(dict(state_dict=add_prefix('backbone.', state)), file)
        match = (
            rf'form=.{ours}.*{count}, .*set backbone.form=.{theirs}. \(now .{ours}.\)'
        )
        refuse(file, match, form=ours)
        holder = torch.nn.Module()
        holder.backbone = build(ours)
        with pytest.raises(ValueError, match=match):
            load_checkpoint(holder, str(file))


@pytest.mark.parametrize(
    ('ours', 'theirs', 'match'),
    [
        ({}, dict(form='S'), "model.backbone.form='S' .now 'K'."),
        ({}, dict(img_size=24), 'model.backbone.img_size=24 .now 16.'),
        (
            {},
            dict(arch=dict(ARCH, num_layers=1)),
            "model.backbone.arch={'num_layers': 1",
        ),
        (
            dict(out_indices=[0]),
            {},
            r'model.backbone.out_indices=\(1,\) \(now \[0\]\), in',
        ),
    ],
)
def test_strict_tools_name_the_same_keys(ours, theirs, match):
    def holder(options):
        model = torch.nn.Module()
        model.backbone = build(**options)
        return model

    with pytest.raises(ValueError, match=f'does not fit the model: .*Set {match}'):
        load_strictly(holder(ours), holder(theirs).state_dict())


def test_no_image_tower(file):
    for text in (TEXT, TEXT_OF_TRANSFORMERS):
        torch.save(text, file)
        refuse(
            file, 'has the text tower of a CLIP, but no image tower that .*pretrained$'
        )


@pytest.mark.parametrize('prefix', ['visual.', 'module.visual.', 'visual.trunk.'])
def test_a_resnet_tower(prefix, file):
    names = ('conv1.weight', 'layer1.0.conv1.weight', 'attnpool.positional_embedding')
    resnet = {f'{prefix}{name}': torch.rand(8, 3, 3, 3) for name in names}
    torch.save({**resnet, **TEXT}, file)
    refuse(file, 'is of a CLIP whose image tower is a ResNet, expected .*pretrained$')


@pytest.mark.parametrize(
    ('layout', 'norm'),
    [('timm', 'norm_pre'), ('mmpretrain, a classifier', 'backbone.pre_norm')],
)
def test_an_image_transformer_that_is_not_of_a_clip(layout, norm, file):
    content = LAYOUTS[layout](tower())
    weights = content.get('state_dict', content)
    for tensor in ('weight', 'bias'):
        del weights[f'{norm}.{tensor}']
    torch.save(content, file)
    refuse(file, f'that is not of a CLIP: it has no norm before .*{norm}.weight; give')


def test_other_networks(file):
    torch.save({'layer1.0.conv1.weight': torch.rand(1)}, file)
    refuse(
        file, 'missing.*set backbone.type, backbone.arch, backbone.form, backbone.im'
    )
    weights = tower()
    torch.save({**weights, 'attn_pool.probe': torch.rand(1)}, file)
    refuse(file, r'1 \(attn_pool.probe\) unexpected')
    del weights['transformer.resblocks.1.attn.out_proj.bias']
    torch.save(weights, file)
    refuse(file, r'1 \(layers.1.attn.out_proj.bias\) missing')
    model = build_recognizer(
        'tanet_r50', backbone=dict(depth=18), cls_head=dict(in_channels=512)
    )
    torch.save(dict(state_dict=model.state_dict()), file)
    refuse(file, 'of a recognizer whose backbone is no TAdaFormer.* set backbone.type')


def test_own_tensors_alone_are_for_init_cfg(file):
    torch.save(build().state_dict(), file)
    with pytest.raises(ValueError, match='takes a CLIP; .*backbone.init_cfg=dict'):
        build(pretrained=str(file)).init_weights()
    build(init_cfg=dict(type='Pretrained', checkpoint=str(file))).init_weights()


def test_unreadable_files(file):
    with pytest.raises(ValueError, match='cannot read backbone.pretrained=.*clip.pt'):
        build(pretrained=str(file)).init_weights()
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(file))
    content = file.read_bytes()
    for damaged in (
        content[:-40],
        content[: len(content) // 2],
        b'<!DOCTYPE html>',
        b'',
    ):
        Path(file).write_bytes(damaged)
        with pytest.raises(
            ValueError, match='cannot read backbone.pretrained=.*clip.pt'
        ):
            build(pretrained=str(file)).init_weights()


# ------------------------------------------------------------- the activation


def activation_lines(log):
    return [line for line in log.messages if 'backbone.activation' in line]


def test_the_activation_is_named(file, log):
    torch.save(LAYOUTS['OpenAI'](tower()), file)
    build(pretrained=str(file)).init_weights()
    assert not activation_lines(log)
    build(pretrained=str(file), activation='gelu').init_weights()
    (line,) = activation_lines(log)
    assert "backbone.activation='gelu' is used; OpenAI's weights were" in line
    assert line.endswith("trained with 'quick_gelu'; set that")
    log.clear()
    for activation in ('quick_gelu', 'gelu'):
        torch.save(LAYOUTS['timm'](tower()), file)
        build(pretrained=str(file), activation=activation).init_weights()
        (line,) = activation_lines(log)
        assert f"backbone.activation='{activation}' is used; the file does not" in line
        assert "LAION, DataComp and CommonPool 'gelu'" in line
        assert log.records[-1].levelname == 'INFO'  # the report follows
        log.clear()
