"""Checkpoints that are of another adapter or wrapped."""

import pytest
from adapters import MOBILENET, RESNET, Odd, adapter, build
from backbone_libraries import import_or_skip
from mmengine.runner import load_checkpoint, save_checkpoint
from torch import nn


def assert_refused(model, state, tmp_path, message):
    """Load tensors of a backbone into one, and those of a recognizer into both."""
    recognizer = nn.Module()
    recognizer.backbone = model
    file = str(tmp_path / 'x.pth')
    for prefix, targets in (('', [model]), ('backbone.', [model, recognizer])):
        tensors = {f'{prefix}{name}': value for name, value in state.items()}
        save_checkpoint(dict(state_dict=tensors), file)
        for target in targets:
            with pytest.raises(ValueError, match=message):
                load_checkpoint(target, file)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(where=r'layer2\.\d\.conv2'), r': 0 missing, \d+ \(.* unexpected'),
        (dict(where=r'layer\d\.\d\.conv1'), r': \d+ \(.* missing, \d+ \(.* unexpected'),
        (
            dict(temporal='TemporalInterlace'),
            r': \d+ \(.* missing, \d+ \(.* unexpected',
        ),
        (
            dict(num_segments=8),
            r'num_segments=8.*, 24 \(.*\(8, 4\) instead.*mismatched',
        ),
        (
            dict(backbone=dict(RESNET, depth=34)),
            r'not fit this .*ResNet.*: \d+ \(.* missing',
        ),
        (dict(backbone=dict(RESNET, depth=50)), r', \d+ \(.* mismatched'),
        (
            dict(backbone=MOBILENET),
            'mismatched; set backbone.backbone, temporal, where and num_segm',
        ),
    ],
)
def test_checkpoints_of_other_adapters_are_refused(changes, message, tmp_path):
    assert_refused(adapter(**changes), adapter().state_dict(), tmp_path, message)


@pytest.mark.parametrize(
    ('wrapped', 'other'),
    [
        (RESNET, dict(RESNET, depth=34)),
        (dict(RESNET, depth=34), RESNET),
        (RESNET, dict(RESNET, depth=50)),
        (MOBILENET, dict(MOBILENET, widen_factor=0.5)),
        (MOBILENET, RESNET),
        (dict(type='X3D'), RESNET),
        (RESNET, dict(type=Odd)),
    ],
    ids=lambda wrapped: f'{wrapped["type"]}{wrapped.get("depth", "")}',
)
def test_checkpoints_of_other_hosts_are_refused(wrapped, other, tmp_path):
    state = build(other).state_dict()
    message = 'checkpoint (does not fit this|is of a .* whose backbone is no) Temporal'
    assert_refused(adapter(wrapped), state, tmp_path, message)


def test_hosts_that_resize_what_they_load_hide_no_other_clip_length(tmp_path):
    import_or_skip('mmpretrain.models')
    arch = dict(embed_dims=48, num_layers=1, num_heads=3, feedforward_channels=96)
    wrapped = dict(
        type='mmpretrain.VisionTransformer',
        arch=arch,
        img_size=32,
        patch_size=8,
        out_type='avg_featmap',
    )
    models = [
        adapter(dict(wrapped, img_size=size), num_segments=t, where=r'layers\.0')
        for size, t in ((32, 4), (64, 4), (32, 8))
    ]
    models[1].load_state_dict(models[0].state_dict(), strict=True)
    message = r', 6 \(.*layers.0.temporal.* mismatched'
    assert_refused(models[2], models[0].state_dict(), tmp_path, message)


def without(state, start):
    return {name: value for name, value in state.items() if not name.startswith(start)}


def test_half_a_checkpoint_is_refused():
    model = adapter()
    state = model.state_dict()
    with pytest.raises(ValueError, match=': 49 .*layer2.0.conv1.conv.weight.* missing'):
        model.load_state_dict(without(state, 'backbone.layer2.'), strict=False)
    with pytest.raises(ValueError, match=r': \d+ .*layer2.0.conv2.temporal.* missing'):
        layer = 'backbone.layer2.0.conv2.temporal.'
        model.load_state_dict(without(state, layer), strict=False)
    wrapped = without(build(RESNET).state_dict(), 'layer2.')
    with pytest.raises(
        ValueError, match=r': \d+ .*backbone.layer2.0.conv1.conv.weight.* missing'
    ):
        model.load_state_dict(wrapped, strict=False)
