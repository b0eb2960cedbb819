"""Initialising TAdaFormer from the files of CLIPs, whoever writes them."""

import re

import pytest
import torch
from clip_files import HEADS, LAYOUTS, build, save_torchscript, tower
from mmaction.apis import init_recognizer
from mmengine.runner import load_checkpoint
from parity import build_recognizer
from reference.clip import clip_features
from safetensors.torch import save_file

from mmtemporal.checkpoints.clip_names import rename_tower

# Text, projections, classifiers and numbers, for which there is no use.
SKIPPED = {
    'OpenAI': 9,
    'open_clip': 6,
    'open_clip, trained': 6,
    'open_clip, with timm': 7,
    'the tower alone': 1,
    'timm': 2,
    'mmpretrain, a classifier': 1,
    'mmpretrain, zero-shot': 6,
    'transformers': 4,
    'transformers, the tower alone': 1,
}
forms = pytest.mark.parametrize('form', ['K', 'S'])


def assert_is_clip(backbone, weights):
    """Assert that a new network is a CLIP on every other frame, to rounding errors."""
    weights = {name: x.double() for name, x in weights.items()}
    clips = torch.randn(2, 3, 5, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        features = backbone.double().eval()(clips)
    assert features.shape == (2, 64, 1, 1, 1)
    expected = clip_features(weights, clips, HEADS)
    torch.testing.assert_close(features.flatten(1), expected, rtol=1e-12, atol=1e-12)


def assert_holds(backbone, weights):
    """Assert that a network has the very weights of a CLIP, and new blocks."""
    state = backbone.state_dict()
    kernel = state.pop('conv1.weight')
    assert torch.equal(kernel[:, :, 1], weights['conv1.weight'])
    assert not kernel[:, :, [0, 2]].any()
    for name in weights.keys() - {'conv1.weight', 'proj'}:
        ours = name.replace('transformer.resblocks.', 'layers.')
        assert torch.equal(state.pop(ours), weights[name]), name
    assert all(re.match(r'layers\.\d\.tada2?\.', name) for name in state)
    assert not any(x.any() for name, x in state.items() if '.proj_out.' in name)
    assert not any(x.any() for name, x in state.items() if '.bn_avg.weight' in name)
    return state


def find_report(log):
    (report,) = (line for line in log.messages if ': loaded ' in line)
    return report.partition(': loaded ')[2]


@forms
@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_layout(layout, form, tmp_path, log):
    weights = tower()
    torch.save(LAYOUTS[layout](weights), tmp_path / 'clip.pt')
    backbone = build(form, pretrained=str(tmp_path / 'clip.pt'))
    backbone.init_weights()
    blocks = assert_holds(backbone, weights)
    report = find_report(log)
    assert report.startswith(f'{len(weights) - 1} tensors, inflated 1 (conv1.weight), ')
    assert f'skipped {SKIPPED[layout]} (' in report
    assert f'newly initialised {len(blocks)} (layers.0.tada.' in report
    assert_is_clip(backbone, weights)


def save(kind, content, path):
    if kind == 'TorchScript':
        save_torchscript(content, path)
    elif kind == 'safetensors':
        save_file({name: x.contiguous() for name, x in content.items()}, path)
    else:
        torch.save(content, path)


def init_cfg(file):
    return dict(init_cfg=dict(type='Pretrained', checkpoint=file))


@forms
@pytest.mark.parametrize('way', [lambda file: dict(pretrained=file), init_cfg])
@pytest.mark.parametrize(
    ('kind', 'name', 'layout'),
    [
        ('TorchScript', 'ViT-B-16.pt', 'OpenAI'),
        ('safetensors', 'open_clip_model.safetensors', 'open_clip'),
        ('safetensors', 'model.safetensors', 'transformers'),
        ('torch', 'pytorch_model.bin', 'transformers'),
    ],
)
def test_files_and_urls_in_half_precision(
    kind, name, layout, way, form, url, tmp_path, monkeypatch
):
    weights = tower()
    content = {
        key: x.half() if x.is_floating_point() else x
        for key, x in LAYOUTS[layout](weights).items()
    }
    save(kind, content, tmp_path / name)

    def run_program(*args, **kwargs):
        raise AssertionError('the program of a file was loaded')

    monkeypatch.setattr(torch.jit, 'load', run_program)
    (tmp_path / 'cache').mkdir()
    for file in (str(tmp_path / name), f'{url}/{name}?download=true'):
        backbone = build(form, **way(file))
        backbone.init_weights()
        assert_holds(backbone, weights)
        assert all(x.dtype == torch.float32 for x in backbone.parameters())
    (cached,) = (tmp_path / 'cache').rglob(name)
    # It is not fetched again.
    (tmp_path / name).unlink()
    build(form, **way(f'{url}/{name}')).init_weights()
    assert cached.exists()


def recognizer(**options):
    small = build()
    backbone = dict(
        _delete_=True,
        type='mmtemporal.TAdaFormer',
        arch=small.arch,
        img_size=16,
        routing=dict(head_dim=4),
        **options,
    )
    head = dict(num_classes=5, in_channels=64)
    return build_recognizer('tadaformer_base', backbone=backbone, cls_head=head)


def test_load_from(tmp_path):
    weights, file = tower(), str(tmp_path / 'clip.pt')
    torch.save(LAYOUTS['mmpretrain, a classifier'](weights), file)
    model = recognizer()
    load_checkpoint(model, file)
    assert_holds(model.backbone, weights)
    torch.save(LAYOUTS['OpenAI'](weights), file)
    with pytest.raises(ValueError, match='no tensor of model.backbone.*pretrained'):
        load_checkpoint(model, file)


def test_own_checkpoints_stay_whole(tmp_path, log):
    model = recognizer(form='S')
    for x in model.parameters():
        torch.nn.init.normal_(x)
    file = str(tmp_path / 'own.pth')
    torch.save(dict(state_dict=model.state_dict(), meta={}), file)
    other = init_recognizer(recognizer(form='S').cfg, file, device='cpu')
    again = [build('S', pretrained=file), build('S', **init_cfg(file))]
    for backbone in again:
        backbone.init_weights()
    for backbone in (other.backbone, *again):
        for name, x in model.backbone.state_dict().items():
            assert torch.equal(backbone.state_dict()[name], x), name
    assert not [line for line in log.messages if 'backbone.activation' in line]


def test_some_of_the_layers(tmp_path, log):
    weights, file = tower(layers=4), str(tmp_path / 'clip.pt')
    torch.save(LAYOUTS['OpenAI'](weights), file)
    arch = dict(build().arch, num_layers=4)
    backbone = build(arch=arch, out_indices=(1,), pretrained=file)
    backbone.init_weights()
    kernel = backbone.layers[1].mlp.c_fc.weight
    assert torch.equal(kernel, weights['transformer.resblocks.1.mlp.c_fc.weight'])
    # Two layers of twelve tensors, the last norm, and what is always skipped.
    assert f'skipped {24 + 2 + SKIPPED["OpenAI"]} (' in find_report(log)


def test_names_in_full():
    # As the files have them.
    for layout, names in {
        'transformers': (
            'vision_model.embeddings.patch_embedding.weight',
            'vision_model.pre_layrnorm.bias',
            'vision_model.encoder.layers.11.layer_norm2.weight',
            'vision_model.encoder.layers.11.self_attn.out_proj.weight',
            'vision_model.post_layernorm.weight',
        ),
        'mmpretrain, zero-shot': (
            'visual.patch_embed.projection.weight',
            'visual.pre_norm.bias',
            'visual.layers.11.ln2.weight',
            'visual.layers.11.attn.proj.weight',
            'visual.ln1.weight',
        ),
        'open_clip, with timm': (
            'visual.trunk.patch_embed.proj.weight',
            'visual.trunk.norm_pre.bias',
            'visual.trunk.blocks.11.norm2.weight',
            'visual.trunk.blocks.11.attn.proj.weight',
            'visual.trunk.norm.weight',
        ),
    }.items():
        weights = LAYOUTS[layout](tower(layers=12))
        assert set(names) <= weights.keys()
        kept = {name: weights[name] for name in names}
        kept.update(
            (k, x) for k, x in weights.items() if 'cls_tok' in k or 'class_' in k
        )
        assert rename_tower(kept).keys() == {
            *('conv1.weight', 'ln_pre.bias', 'layers.11.ln_2.weight'),
            *('layers.11.attn.out_proj.weight', 'ln_post.weight', 'class_embedding'),
        }
