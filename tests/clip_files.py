"""Made-up CLIPs, their files in all layouts, and small TAdaFormers for them."""

import re

import torch
from torch import nn

from mmtemporal.models import TAdaFormer

WIDTH, LAYERS, HEADS, HIDDEN, PATCH, SIZE = 64, 2, 4, 128, 4, 16
ARCH = dict(
    embed_dims=WIDTH,
    num_layers=LAYERS,
    num_heads=HEADS,
    feedforward_channels=HIDDEN,
    patch_size=PATCH,
)


def build(form='K', **options):
    """Build a small network for frames of 16 x 16 pixels."""
    options = dict(dict(arch=ARCH, img_size=SIZE, routing=dict(head_dim=4)), **options)
    return TAdaFormer(form=form, **options)


def tower(width=WIDTH, layers=LAYERS, hidden=HIDDEN, patch=PATCH, grid=SIZE // PATCH):
    """Return a random image tower by OpenAI's names, exact in half precision."""
    shapes = dict(
        class_embedding=(width,),
        positional_embedding=(1 + grid**2, width),
        proj=(width, 8),
    )
    shapes['conv1.weight'] = (width, 3, patch, patch)

    def add(name, *shape, joint='.'):
        shapes[f'{name}{joint}weight'] = shape
        shapes[f'{name}{joint}bias'] = shape[:1]

    add('ln_pre', width)
    add('ln_post', width)
    for i in range(layers):
        layer = f'transformer.resblocks.{i}'
        add(f'{layer}.ln_1', width)
        add(f'{layer}.ln_2', width)
        add(f'{layer}.attn.in_proj', 3 * width, width, joint='_')
        add(f'{layer}.attn.out_proj', width, width)
        add(f'{layer}.mlp.c_fc', hidden, width)
        add(f'{layer}.mlp.c_proj', width, hidden)
    return {k: (0.3 * torch.randn(s)).half().float() for k, s in shapes.items()}


def as_timm(weights):
    names = (
        ('transformer.resblocks.', 'blocks.'),
        ('.attn.in_proj_', '.attn.qkv.'),
        ('.attn.out_proj.', '.attn.proj.'),
        ('.c_fc.', '.fc1.'),
        ('.c_proj.', '.fc2.'),
        ('.ln_', '.norm'),
        ('ln_pre.', 'norm_pre.'),
        ('ln_post.', 'norm.'),
        ('conv1.', 'patch_embed.proj.'),
    )
    renamed = _rename({k: x for k, x in weights.items() if k != 'proj'}, names)
    renamed['cls_token'] = renamed.pop('class_embedding')[None, None]
    renamed['pos_embed'] = renamed.pop('positional_embedding')[None]
    renamed['head.weight'] = weights['proj'].T
    renamed['head.bias'] = torch.zeros(8)
    return renamed


def as_mmpretrain(weights):
    names = (
        ('blocks.', 'layers.'),
        ('.mlp.fc1.', '.ffn.layers.0.0.'),
        ('.mlp.fc2.', '.ffn.layers.1.'),
        ('.norm', '.ln'),
        ('norm_pre.', 'pre_norm.'),
        ('norm.', 'ln1.'),
        ('patch_embed.proj.', 'patch_embed.projection.'),
    )
    timm = as_timm(weights)
    return _rename({k: x for k, x in timm.items() if 'head' not in k}, names)


def as_transformers(weights):
    names = (
        ('transformer.resblocks.', 'encoder.layers.'),
        ('.attn.out_proj.', '.self_attn.out_proj.'),
        ('.c_fc.', '.fc1.'),
        ('.c_proj.', '.fc2.'),
        ('.ln_', '.layer_norm'),
        ('ln_pre.', 'pre_layrnorm.'),
        ('ln_post.', 'post_layernorm.'),
        ('conv1.', 'embeddings.patch_embedding.'),
        ('class_embedding', 'embeddings.class_embedding'),
        ('positional_embedding', 'embeddings.position_embedding.weight'),
    )
    renamed = {}
    for name, x in _rename(weights, names).items():
        if '.attn.in_proj_' in name:
            for letter, part in zip('qkv', x.chunk(3)):
                new = name.replace('.attn.in_proj_', f'.self_attn.{letter}_proj.')
                renamed[new] = part
        elif name != 'proj':
            renamed[name] = x
    rows = len(weights['positional_embedding'])
    renamed['embeddings.position_ids'] = torch.arange(rows)[None]
    return renamed


def _rename(weights, names):
    renamed = {}
    for name, x in weights.items():
        for old, new in names:
            start = '' if old.startswith('.') else r'(^|(?<=\.))'
            name = re.sub(start + re.escape(old), new, name)
        renamed[name] = x
    return renamed


def add_prefix(prefix, weights):
    return {f'{prefix}{name}': x for name, x in weights.items()}


TEXT = {
    'positional_embedding': torch.rand(7, 8),
    'transformer.resblocks.0.ln_1.weight': torch.rand(8),
    'transformer.resblocks.0.attn.in_proj_weight': torch.rand(24, 8),
    'token_embedding.weight': torch.rand(9, 8),
    'logit_scale': torch.tensor(4.6),
}
TEXT_OF_TRANSFORMERS = {
    'text_model.embeddings.token_embedding.weight': torch.rand(9, 8),
    'text_model.encoder.layers.0.layer_norm1.weight': torch.rand(8),
    'visual_projection.weight': torch.rand(8, WIDTH),
}
INTEGERS = {
    'input_resolution': torch.tensor(16),
    'context_length': torch.tensor(7),
    'vocab_size': torch.tensor(9),
}
# A file by who writes it and which prefix is in it: what torch.save writes.
LAYOUTS = {
    'OpenAI': lambda w: {**add_prefix('visual.', w), **TEXT, **INTEGERS},
    'open_clip': lambda w: {**add_prefix('visual.', w), **TEXT},
    'open_clip, trained': lambda w: dict(
        epoch=3,
        name='vit',
        state_dict=add_prefix('module.', {**add_prefix('visual.', w), **TEXT}),
    ),
    'open_clip, with timm': lambda w: {
        **add_prefix('visual.trunk.', as_timm(w)),
        **TEXT,
    },
    'the tower alone': dict,
    'timm': as_timm,
    'mmpretrain, a classifier': lambda w: dict(
        meta={},
        state_dict={
            **add_prefix('backbone.', as_mmpretrain(w)),
            'head.layers.head.weight': torch.rand(5, WIDTH),
        },
    ),
    'mmpretrain, zero-shot': lambda w: {
        **add_prefix('visual.', as_mmpretrain(w)),
        **TEXT,
        'visual_proj.proj': torch.rand(WIDTH, 8),
    },
    'transformers': lambda w: {
        **add_prefix('vision_model.', as_transformers(w)),
        **TEXT_OF_TRANSFORMERS,
    },
    'transformers, the tower alone': as_transformers,
}


class _Holder(nn.Module):
    """A module with given tensors, for torch.jit."""


def save_torchscript(tensors, path):
    """Write a TorchScript archive whose state dict has these tensors."""
    root = _Holder()
    for name, x in tensors.items():
        module = root
        *parents, last = name.split('.')
        for parent in parents:
            if not hasattr(module, parent):
                module.add_module(parent, _Holder())
            module = getattr(module, parent)
        if x.is_floating_point():
            module.register_parameter(last, nn.Parameter(x, requires_grad=False))
        else:
            module.register_buffer(last, x)
    torch.jit.script(root).save(str(path))
