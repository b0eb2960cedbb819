"""What does not fit a TAdaFormer is refused, with the key to change."""

import pytest
import torch
from small_tada_formers import ARCH, build, clips

from mmtemporal.models import TAdaFormer


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(arch='huge'), r"backbone.arch='huge' is none of \['base', 'large'\]"),
        (dict(arch=dict(ARCH, depths=3)), 'backbone.arch=.* no dict of'),
        (dict(arch=dict(ARCH, embed_dims=36)), 'got backbone.arch.embed_dims=36'),
        (dict(form='L'), r"backbone.form='L' is none of \['K', 'S'\]"),
        (dict(img_size=18), 'got backbone.img_size=18, .*a multiple of 4'),
        (dict(img_size=(16, 18)), 'got backbone.img_size=18, .*a multiple of 4'),
        (dict(arch=5), r'backbone.arch=5 is none of .*, and no dict of'),
        (dict(arch=[5]), r'backbone.arch=\[5\] is none of .*, and no dict of'),
        (dict(img_size=-32), 'got backbone.img_size=-32, .*positive number or two'),
        (dict(img_size=0), 'got backbone.img_size=0, .*positive number or two'),
        (dict(in_channels='3'), "got backbone.in_channels='3', expected at least 1"),
        (dict(in_channels=None), 'got backbone.in_channels=None'),
        (dict(in_channels=0), 'got backbone.in_channels=0'),
        (dict(freeze_clip='False'), "backbone.freeze_clip='False', expected True or"),
        (dict(frame_features='no'), "backbone.frame_features='no', expected True or"),
        (dict(with_cp=None), 'backbone.with_cp=None, expected True or False'),
        (dict(norm_eval='True'), "backbone.norm_eval='True', expected True or False"),
        (dict(partial_bn=2), 'backbone.partial_bn=2, expected True or False'),
        (dict(img_size=[16]), r'got backbone.img_size=\[16\], expected pixels'),
        (dict(interpolate_mode='cubic'), "backbone.interpolate_mode='cubic' is none"),
        (dict(activation='relu'), "backbone.activation='relu' is none of"),
        (dict(out_indices=(2,)), 'backbone.out_indices names a stage'),
        (dict(out_indices=()), 'backbone.out_indices names no layer'),
        (dict(frozen_stages=3), 'got backbone.frozen_stages=3, expected -1 to 2'),
        (dict(num_segments=0), 'got backbone.num_segments=0'),
        (dict(drop_path_rate=1), 'got backbone.drop_path_rate=1'),
        (
            dict(routing=dict(head_dim=3)),
            r'got backbone.routing=.*no multiple of routing.head_dim=3',
        ),
        (dict(routing=dict(heads=3)), r"backbone.routing has the keys \['heads'\]"),
        (dict(routing=dict(out_channels=3)), 'expected some of .*head_dim.*reduct'),
        (dict(routing='attention'), "got backbone.routing='attention'"),
        (dict(pretrained='a', init_cfg=dict(type='Normal')), 'not both'),
    ],
    ids=lambda value: '-'.join(value) if isinstance(value, dict) else '',
)
def test_arguments(options, message):
    options = dict(arch=ARCH, routing=dict(head_dim=4), img_size=16) | options
    with pytest.raises(ValueError, match=message):
        TAdaFormer(**options)


@pytest.mark.parametrize(
    ('shape', 'message'),
    [
        ((4, 3, 16, 16), r'with frames alone set backbone.num_segments'),
        ((2, 3, 4, 16, 18), r'16 x 18 pixels, expected multiples of the patch, 4'),
        ((2, 3, 4, 20, 16), r'expected backbone.img_size=\(16, 16\).*interpolate_mode'),
        ((3, 16, 16), r"clips, \(n, 3, t, h, w\).*Recognizer3D.*'NCTHW'"),
        ((2, 1, 3, 4, 16, 16), r"clips, \(n, 3, t, h, w\).*Recognizer3D.*'NCTHW'"),
        ((2, 1, 4, 16, 16), r'images of 1 channels, expected in_channels=3'),
    ],
)
def test_inputs(shape, message):
    with pytest.raises(ValueError, match=message):
        build().eval()(torch.zeros(shape, dtype=torch.float64))


def test_another_number_of_frames():
    model = build(num_segments=4)
    with pytest.raises(ValueError, match='clips of 6 frames, not num_segments=4'):
        model(clips(t=6))
    with pytest.raises(ValueError, match='got 6 frames, not a multiple of num_segm'):
        model(clips(n=1, t=6)[0].transpose(0, 1))
