"""Small TAdaFormers, and weights far from their start."""

import torch
from parity import named_tensor

from mmtemporal.models import TAdaFormer

WIDTH = 32
ARCH = dict(
    embed_dims=WIDTH,
    num_layers=2,
    num_heads=2,
    feedforward_channels=64,
    patch_size=4,
)
FORMS = ('K', 'S')


def build(form='K', **options):
    """Build one for clips of any length and frames of 16 x 16 pixels, in float64."""
    options = {'img_size': 16, **options}
    return TAdaFormer(ARCH, form=form, routing=dict(head_dim=4), **options).double()


def build_trained(form='K', **options):
    """Build one whose TAda blocks do something."""
    model = build(form, **options)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(named_tensor(name, value.shape, 0))
    return model


def clips(n=2, t=6, h=16, w=16):
    return torch.randn(n, 3, t, h, w, dtype=torch.float64)
