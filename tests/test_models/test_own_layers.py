"""Layers of a user that take the place of convolutions, and some that do not fit."""

import pytest
import torch
from adapters import RESNET, T, adapter, build, frames, shake
from parity import CONFIGS
from torch import nn

from mmtemporal.models.layers import MixingLayer, TemporalLayer
from mmtemporal.ops import split_clips

LAYER = dict(type='motion_excitation.MotionExcitation')


class Damping(nn.Linear):
    """How much each channel counts in a frame, by how it differs from the clip."""

    def __init__(self, channels):
        super().__init__(channels, channels)
        self.init_identity()

    def init_identity(self):
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x):
        means = split_clips(x.mean((2, 3)), T)
        changes = means - means.mean(1, keepdim=True)
        return 1 + super().forward(changes).flatten(0, 1)[..., None, None]


class WholeConv(TemporalLayer, nn.Conv2d):
    replaces = nn.Conv2d
    insertion_rules = ('spatial_convs',)

    def __init__(self, *args, num_segments):
        super().__init__(*args)
        self.num_segments = num_segments
        self.damping = Damping(self.in_channels)

    def forward(self, x):
        return super().forward(x * self.damping(x))


class DampedConv(WholeConv):
    new_modules = ('damping',)


def test_a_convolution_of_ones_own_keeps_the_weights(tmp_path):
    plain = build(RESNET)
    shake(plain)
    file = str(tmp_path / 'plain.pth')
    torch.save(plain.state_dict(), file)
    wrapped = dict(RESNET, init_cfg=dict(type='Pretrained', checkpoint=file))
    net = adapter(wrapped, dict(type=DampedConv))
    net.init_weights()
    for model in (net, plain):
        model.double().eval()
    assert len(net.temporal_layers()) == 8
    x = frames()
    assert torch.equal(net(x), plain(x))
    for layer in net.temporal_layers().values():
        nn.init.normal_(layer.weight)
    assert not torch.allclose(net(x), plain(x))
    # Its own checkpoint is loaded as a whole, whatever else there is in it.
    again = adapter(RESNET, dict(type=DampedConv)).double().eval()
    again.load_state_dict({**net.state_dict(), 'fc.bias': torch.ones(1)}, strict=False)
    assert torch.equal(again(x), net(x))


class Own(TemporalLayer, nn.Module):
    def __init__(self, in_channels, num_segments):
        super().__init__()


class NoLayer(nn.Module):
    """A module that did not say what it is."""


class NoModule(TemporalLayer):
    """A layer that forgot what it is."""


class Thin(Own):
    def forward(self, x):
        return x[:, :1]


class Pair(Own):
    def forward(self, x):
        return x, x


class Broken(Own):
    def forward(self, x):
        raise KeyError('a bug')


class Unbuilt(Own):
    def __init__(self, in_channels, num_segments):
        self.conv = nn.Conv2d(in_channels, in_channels, 1)


class Weightless(MixingLayer):
    def __init__(self, in_channels, num_segments):
        super().__init__(num_segments)


AT = r'layer1.0.conv2'
NOT_OWN = r"temporal.type=.* is none of \['TAM', .*\], and no layer of your own, as it "


@pytest.mark.parametrize(
    ('temporal', 'message'),
    [
        (dict(type=NoLayer), f'{NOT_OWN}is no nn.Module and mmtemporal.models.layers'),
        (dict(type=NoModule), f'{NOT_OWN}is no nn.Module and '),
        (dict(type='torch.nn.Linear'), f'{NOT_OWN}is no nn.Module and '),
        (dict(type='nowhere.Nothing'), f"{NOT_OWN}.*imported: No module named 'nowh"),
        (
            dict(type='motion_excitation.Nix'),
            f"{NOT_OWN}.*imported: module 'motion_excitation' has no attribute 'Nix'",
        ),
        (dict(type='half_written.Layer'), f'{NOT_OWN}.*imported: .*half_written.py, l'),
        (
            dict(LAYER, nix=1),
            f"MotionExcitation does not fit {AT} .* argument 'nix'; its arguments are",
        ),
        (
            dict(LAYER, reduction=0),
            f'MotionExcitation does not fit {AT} with 64 .*: ZeroDivisionError .*its',
        ),
        (dict(type=Unbuilt), f'Unbuilt does not fit {AT} .* before Module.__init__'),
        (
            dict(type=Thin),
            rf'Thin makes \(4, 1, 56, 56\) of .* \(4, 64, 56, 56\) at {AT}; expected a '
            'layer that keeps the shape; change backbone.temporal',
        ),
        (dict(type=Pair), f'Pair makes tuple of the features .* at {AT}; expected'),
        (
            dict(type=Broken),
            f"Broken cannot run at {AT} .*: KeyError 'a bug'; change backbone.where or",
        ),
        (
            dict(type=WholeConv),
            'WholeConv takes the place of convolutions .* its new_modules is that of a',
        ),
        (dict(type=Weightless), f'Weightless cannot run at {AT} .*: NotImplemented'),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else '',
)
def test_what_does_not_fit_is_one_clear_error(temporal, message, tmp_path, monkeypatch):
    (tmp_path / 'half_written.py').write_text('class Layer(\n')
    for folder in (tmp_path, CONFIGS.parent / 'examples'):
        monkeypatch.syspath_prepend(folder)
    with pytest.raises(ValueError, match=message):
        adapter(temporal=temporal)
