"""Weights of image ResNets, in the layout of torchvision, for every backbone on one."""

import pytest
import torch
from small_backbones import PARAMS, RESNETS, build


@pytest.fixture(params=PARAMS)
def name(request):
    return request.param


@pytest.fixture(params=RESNETS)
def resnet(request):
    return request.param


def torchvision_state_dict(backbone):
    """Return a ResNet in torchvision's layout that fits the backbone."""
    state = {'fc.weight': torch.rand(10, 512), 'fc.bias': torch.rand(10)}
    for key, value in backbone.state_dict().items():
        name = backbone.image_name(key)
        if name is not None and name not in state:
            new = torch.rand_like(value) if value.is_floating_point() else value
            state[name] = new
    return state


def test_imagenet_weights_reach_every_layer(resnet, tmp_path):
    reference = build(resnet).backbone
    state = torchvision_state_dict(reference)
    # The names are those of the file, and none is missing.
    assert {'conv1.weight', 'bn1.running_var', 'layer1.0.conv1.weight'} < state.keys()
    assert {'layer4.1.bn2.bias', 'layer2.0.downsample.1.weight'} < state.keys()
    assert len(state) == 122  # those of ResNet-18
    path = tmp_path / 'resnet18.pth'
    torch.save(state, path)
    backbone = build(resnet, pretrained=str(path)).backbone
    # init_recognizer switches `pretrained` off, training does not.
    backbone.pretrained = str(path)
    backbone.init_weights()
    loaded = {
        backbone.image_name(key): value
        for key, value in backbone.state_dict().items()
        if not key.startswith('diff_')
    }
    for key in state.keys() - {'fc.weight', 'fc.bias'}:
        assert torch.equal(loaded[key], state[key]), key


def test_unfit_pretrained_files_are_refused(resnet, tmp_path):
    state = torchvision_state_dict(build(resnet).backbone)
    backbone = build(resnet, depth=34, head=False).backbone
    backbone.pretrained = str(tmp_path / 'resnet.pth')
    with pytest.raises(
        ValueError, match='cannot read backbone.pretrained=.*resnet.pth'
    ):
        backbone.init_weights()
    (tmp_path / 'resnet.pth').write_bytes(b'not a checkpoint')
    with pytest.raises(
        ValueError, match='cannot read backbone.pretrained=.*resnet.pth'
    ):
        backbone.init_weights()
    torch.save(state, backbone.pretrained)
    with pytest.raises(ValueError, match='resnet.pth does not fit .*depth=18 .now 34'):
        backbone.init_weights()
