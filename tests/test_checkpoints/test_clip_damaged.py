"""Files that are damaged, empty or of no CLIP, and advice that can be followed."""

import re
from ast import literal_eval

import pytest
import torch
from clip_files import LAYOUTS, as_timm, build, tower

from mmtemporal.models.backbones import TAdaFormer


@pytest.fixture
def file(tmp_path):
    return tmp_path / 'clip.pt'


def ways(file):
    rule = dict(type='Pretrained', checkpoint=str(file))
    return dict(pretrained=str(file)), dict(init_cfg=rule)


def refuse(file, match, **options):
    """Assert that ``pretrained`` and ``init_cfg`` raise one line."""
    for way in ways(file):
        with pytest.raises(ValueError, match=match) as error:
            build(**way, **options).init_weights()
        assert '\n' not in str(error.value)
    return str(error.value)


def test_the_advised_arch_can_be_pasted(file):
    """B/32 is of a size without a name."""
    with torch.device('meta'):
        network = TAdaFormer('base')
        weights = tower(768, 12, 3072, 32, 7)
        with pytest.raises(ValueError, match='set backbone.arch=') as error:
            network.image_network(network).place(weights, 'x', pretrained=True)
        arch = literal_eval(re.search(r'arch=(\{.*?\})', str(error.value))[1])
        other = TAdaFormer(arch)
        other.image_network(other).place(weights, 'x', pretrained=True)
    assert arch['num_heads'] == 12
    # No tensor tells the heads: those of the config are kept if they can be.
    torch.save(LAYOUTS['OpenAI'](tower(layers=3)), file)
    assert "'num_heads': 4" in refuse(file, "arch={'num_layers': 3")
    torch.save(LAYOUTS['OpenAI'](tower(width=128)), file)
    assert "'num_heads': 2" in refuse(file, "arch={'num_layers': 2")


def test_other_frames_into_the_first_layers(file):
    """Layers that are not built say nothing against ``arch``."""
    torch.save(build(img_size=24, out_indices=[0]).state_dict(), file)
    for way in ways(file):
        with pytest.raises(ValueError, match='; set backbone.img_size=24 .now 16.'):
            build(**way, out_indices=[0]).init_weights()


@pytest.mark.parametrize('letter', 'qkv')
def test_a_projection_is_missing(letter, file):
    weights = LAYOUTS['transformers'](tower())
    del weights[f'vision_model.encoder.layers.0.self_attn.{letter}_proj.weight']
    torch.save(weights, file)
    refuse(file, r': 1 \(layers.0.attn.in_proj_weight\) missing, 0 unex.* incomplete')


def test_a_tensor_is_missing(file):
    weights = tower()
    del weights['transformer.resblocks.1.attn.out_proj.bias']
    torch.save(weights, file)
    text = refuse(file, 'bias. missing, 0 un.* mismatched; the file is incomplete, or')
    assert not re.search('backbone.(arch|form|img_size|type) ', text)


def test_there_is_nothing_to_read(file):
    file.touch()
    refuse(file, 'clip.pt is empty$')
    refuse(file.parent, 'is no file, but a folder; give the name of a file$')


@pytest.mark.parametrize('kind', ['SigLIP', 'SigLIP of transformers', 'DINOv2'])
def test_image_transformers_without_a_class_token(kind, file):
    weights = tower()
    if kind == 'SigLIP':
        weights = {f'visual.trunk.{k}': x for k, x in as_timm(weights).items()}
        del weights['visual.trunk.cls_token'], weights['visual.trunk.norm_pre.weight']
    elif kind == 'DINOv2':
        patches = 'embeddings.patch_embeddings.projection.weight'
        weights = {
            'embeddings.cls_token': torch.rand(1, 1, 64),
            patches: weights['conv1.weight'],
            'encoder.layer.0.norm1.weight': torch.rand(64),
        }
    else:
        weights = LAYOUTS['transformers'](weights)
        del weights['vision_model.embeddings.class_embedding']
    torch.save(weights, file)
    refuse(file, 'is of an image transformer that is not of a CLIP, which has a class')


@pytest.mark.parametrize('container', ['model', 'model_state', 'state_dict'])
def test_tensors_by_a_name(container, file):
    weights = tower()
    torch.save({container: LAYOUTS['OpenAI'](weights), 'epoch': 3}, file)
    for way in ways(file):
        backbone = build(**way)
        backbone.init_weights()
        assert torch.equal(backbone.ln_pre.bias, weights['ln_pre.bias'])
