"""Conversion of third-party checkpoints."""

import pytest
import torch
from parity import build_recognizer, load_fixture, make_state_dict

from mmtemporal.checkpoints import convert_state_dict

FIXTURES = {
    'tanet_r50_8f': 'tanet_r50',
    'tin_r50_8f': 'tin_r50',
    'tdn_r50_8f': 'tdn_r50',
    'tada2d_r50_8f': 'tada2d_r50',
    'tadaconvnextv2_t_16f': 'tadaconvnextv2_tiny',
}
# Tensors of backbone and classifier, after the conversion.
NUMBERS = {
    'tanet_r50': 542 + 2,
    'tin_r50': 446 + 2,
    'tdn_r50': 722 + 2,
    'tada2d_r50': 558 + 2,
    'tadaconvnextv2_tiny': 432 + 2,
}


@pytest.fixture(params=FIXTURES)
def official(request):
    return request.param, make_state_dict(load_fixture(request.param))


def test_names_shapes_and_values_arrive(official):
    name, state_dict = official
    converted = convert_state_dict(state_dict)
    model = build_recognizer(FIXTURES[name], cls_head=dict(num_classes=174))
    assert {k: v.shape for k, v in converted.items()} == {
        k: v.shape for k, v in model.state_dict().items()
    }
    assert len(converted) == NUMBERS[FIXTURES[name]]
    # Every tensor arrived once: in the same memory, but where something was folded.
    theirs = {tensor.data_ptr() for tensor in state_dict.values()}
    ours = [
        tensor.data_ptr()
        for key, tensor in converted.items()
        if 'tdn' not in name or not key.endswith('running_mean')
    ]
    assert len(set(ours)) == len(ours) and set(ours) <= theirs


def test_prefixes_and_containers_do_not_matter(official):
    _, state_dict = official
    expected = convert_state_dict(state_dict)
    parallel = {f'module.{k}': v for k, v in state_dict.items()}
    for source in (parallel, dict(state_dict=parallel, epoch=3, best_prec1=46.5)):
        converted = convert_state_dict(source)
        assert converted.keys() == expected.keys()
        torch.testing.assert_close(converted, expected, rtol=0, atol=0)


def test_our_names_stay(official):
    converted = convert_state_dict(official[1])
    again = convert_state_dict(converted)
    assert list(again) == list(converted)


def test_both_names_of_the_classifier():
    state_dict = make_state_dict(load_fixture('tanet_r50_8f'))
    renamed = {k.replace('base_model.fc.', 'new_fc.'): v for k, v in state_dict.items()}
    assert convert_state_dict(renamed).keys() == convert_state_dict(state_dict).keys()


def test_prerelease_names_of_tam():
    state_dict = make_state_dict(load_fixture('tanet_r50_8f'))
    old = {
        k.replace('.tam.G.', '.self_conv.conv_f.').replace(
            '.tam.L.', '.self_conv.conv_g.'
        ): v
        for k, v in state_dict.items()
    }
    assert old.keys() != state_dict.keys()
    assert list(convert_state_dict(old)) == list(convert_state_dict(state_dict))


def test_class_order(official):
    state_dict = official[1]
    order = torch.randperm(174).tolist()
    plain = convert_state_dict(state_dict)
    ordered = convert_state_dict(state_dict, class_order=order)
    for key in ('cls_head.fc_cls.weight', 'cls_head.fc_cls.bias'):
        for ours, theirs in enumerate(order):
            assert torch.equal(ordered[key][ours], plain[key][theirs])
    for wrong in (order[:-1], [0] * 174):
        with pytest.raises(ValueError, match='each of the 174 class indices'):
            convert_state_dict(state_dict, class_order=wrong)


def test_unknown_formats_and_tensors_are_named(official):
    with pytest.raises(ValueError, match='unknown checkpoint format: 1 tensors.*conv9'):
        convert_state_dict({'conv9.weight': torch.zeros(1)})
    strange = {**official[1], 'base_model.layer9.extra': torch.zeros(1)}
    with pytest.raises(ValueError, match=r"no tensors such as \['base_model.layer9"):
        convert_state_dict(strange)
