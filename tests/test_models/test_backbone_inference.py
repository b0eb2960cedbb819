"""Every backbone without its batch norms, compiled, and exported."""

import pytest
import torch
from mmcv.cnn import fuse_conv_bn
from small_backbones import (
    CASES,
    PARAMS,
    RESNETS,
    T,
    build,
    clips,
    frames,
    scores,
    temporal_stages,
    wake,
)
from torch import nn

from mmtemporal.models import fuse_for_inference


@pytest.fixture(params=PARAMS)
def name(request):
    return request.param


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
    per_clip = T * CASES[name].window
    exported = torch.export.export(
        backbone, (frames(name, 2),), dynamic_shapes=({0: per_clip * n},)
    ).module()
    x = frames(name, 3)
    torch.testing.assert_close(exported(x), backbone(x), rtol=1e-4, atol=1e-5)
