"""Names and shapes in the official checkpoints of TAdaConvNeXt."""

import re

import torch
from parity import load_fixture
from small_convnexts import build

from mmtemporal.checkpoints.tada_convnext import (
    is_official,
    rename_official,
    reshape_official,
)
from mmtemporal.models.backbones.tada_convnext import TAdaConvNeXt


def test_official_names():
    names = load_fixture('tadaconvnextv2_t_16f')['state_dict']
    assert len(names) == 434
    # The twelve tensors of every routing function tell the format.
    assert sum(map(is_official, names)) == 18 * 12
    block = 'backbone.stages.2.8.'
    for theirs, ours in [
        ('dwconv_rf.g.bias', 'dwconv.routing.g.bias'),
        ('dwconv_rf.bn.running_var', 'dwconv.routing.bn.running_var'),
        ('dwconv_rf.ln.weight', 'dwconv.routing.ln.weight'),
        ('dwconv_rf.norm_transformer.bias', 'dwconv.routing.norm_attn.bias'),
        ('norm_avgpool.weight', 'norm_avg.weight'),
    ]:
        assert rename_official(block + theirs) == block + ours
    for foreign in [
        'backbone.conv2.res_1.conv_branch.b_rf.a.weight',
        'backbone.stages.4.0.gamma',
        'backbone.stages.0.0.gamma.weight',
        'backbone.stages.0.0.dwconv_rf.b.bias',
        'backbone.norm1.weight',
        'head.weight',
    ]:
        assert rename_official(foreign) is None


def test_official_tensors_of_the_first_version():
    backbone = build(TAdaConvNeXt)
    own = backbone.state_dict(prefix='backbone.')
    theirs = {}
    for name, tensor in own.items():
        name = name.replace('.dwconv.routing.', '.dwconv_rf.')
        if name.endswith('dwconv.weight'):
            tensor = tensor[None, None, :, :]  # (1, 1, c, 1, 7, 7)
        elif name.endswith('dwconv.bias'):
            tensor = tensor[None, None]
        elif tensor.dim() == 3:
            tensor = tensor[..., None, None]  # (o, i, t, 1, 1)
        elif re.search(r'downsample_layers\.[123]\.1\.weight', name):
            tensor = tensor[:, :, None]  # (o, i, 1, 2, 2)
        theirs[name] = tensor
    back = {rename_official(k): reshape_official(k, v) for k, v in theirs.items()}
    assert back.keys() == own.keys()
    for name, tensor in own.items():
        assert torch.equal(back[name], tensor), name
