"""TAdaFormer for inference alone: the same features with less work."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine import Config
from mmengine.registry import init_default_scope
from parity import CONFIGS
from selection import slow_but
from small_tada_formers import FORMS, build_trained, clips
from torch import nn

from mmtemporal.analysis import count_multiply_adds
from mmtemporal.models import fuse_for_inference

forms = pytest.mark.parametrize('form', FORMS)


@forms
@pytest.mark.parametrize(
    'options', [{}, dict(frame_features=True), dict(out_indices=(0, 1))], ids=str
)
def test_equal_for_all_features(form, options):
    model = build_trained(form, **options).eval()
    fused = fuse_for_inference(model)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())
    for t in (1, 6, 7):
        x = clips(t=t)
        torch.testing.assert_close(fused(x), model(x), rtol=0, atol=1e-12)


# Of a view of 16 frames, in billions: queries, projections and MLPs of patches that
# nothing reads, and in form S the last block.
SAVED = {
    'tadaformer_base': 9.7,
    'tadaformer_base_sthv2': 11.6,
    'tadaformer_large': 22.6,
    'tadaformer_large_sthv2': 26.9,
}


@pytest.mark.parametrize('name', slow_but(['tadaformer_base_sthv2'], SAVED))
def test_the_last_layer_computes_what_is_read(name):
    init_default_scope('mmaction')
    with torch.device('meta'):
        model = MODELS.build(
            Config.fromfile(CONFIGS / f'_base_/models/{name}.py').model
        )
    shape = (1, 1, 3, 16, 224, 224)
    before = count_multiply_adds(model, *shape)
    after = count_multiply_adds(fuse_for_inference(model), *shape)
    assert (before - after) / 1e9 == pytest.approx(SAVED[name], abs=0.05)
