"""Networks that compute what the papers write, as the papers write it.

``naive(network)`` is what our speed is compared with, and the reference of whole
networks: the same modules, parameters and names, but temporal layers without
any of our reformulations. Each is vectorised as a direct implementation would be.
"""

from copy import deepcopy
from types import MethodType

import torch
import torch.nn.functional as F

from mmtemporal.models.backbones.tada_conv_module import (
    TAdaConvModule,
    TemporalAggregation,
)
from mmtemporal.models.backbones.tada_convnext_block import TAdaConvNeXtV2Block
from mmtemporal.models.backbones.tada_former_layer import TAdaFormerLayer
from mmtemporal.models.backbones.tdn import TDBlock
from mmtemporal.models.layers import (
    TAM,
    InterlacedConv,
    LongTermTDM,
    MixingLayer,
    ShortTermTDM,
    TAdaConv2d,
    TemporalInterlace,
    TemporalShift,
)
from mmtemporal.models.layers.tada_block import TAdaBlock

from . import tada_former
from .tam import gate_and_convolve
from .tdn import excite


def naive(model):
    """Return a copy of a network that computes naively.

    Raises:
        ValueError: The network has a temporal layer in a variant that is not the
            published one, or none at all.
    """
    model = deepcopy(model)
    for layer in model.modules():
        if isinstance(layer, MixingLayer) and type(layer) not in _NAIVE:
            raise ValueError(f'no naive form of {type(layer).__name__}')
    layers = [layer for layer in model.modules() if type(layer) in _NAIVE]
    if not layers:
        raise ValueError(f'{type(model).__name__} has no temporal layers')
    for layer in layers:
        method, function = _NAIVE[type(layer)]
        setattr(layer, method, MethodType(function, layer))
    for layer in model.modules():
        if isinstance(layer, TAdaConvModule) and layer.modes and not layer.aggregation:
            raise ValueError('no naive form of separate_norm=False')
    return model


def _to_clips(x, t):
    """Views (n * t, c, h, w) as (n, c, t, h, w)."""
    return x.unflatten(0, (-1, t)).transpose(1, 2)


def _to_frames(x):
    """Copy (n, c, t, h, w) to (n * t, c, h, w)."""
    return x.transpose(1, 2).flatten(0, 1)


# ----------------------------------------------------------------- TANet


def adapt(self, x):
    """TAM: weight the frames, then convolve each channel with its own kernel.

    The features are copied to (n, c, t, h, w) and back, since the convolution, which
    has a group for every clip and channel, needs time beside the pixels. The gate
    is a pass over the feature maps of its own, and its result is kept for the backward
    pass beside its input.
    """
    means = _to_clips(x.mean((2, 3), keepdim=True), self.num_segments)[..., 0, 0]
    kernel = self.G(means.flatten(0, 1)).unflatten(0, means.shape[:2])
    return gate_and_convolve(x, kernel, self.L(means))


# ------------------------------------------------------------------- TIN


def interlace(self, x):
    """TIN: moves channels by the two whole offsets around theirs, and blends.

    The moved channels are copied out of the map, shifted twice, scaled twice,
    summed and weighted, each a pass with a result to keep. Then they and the
    channels that stay are copied into a buffer of zeros.
    """
    t, size = self.num_segments, self.num_mixed
    moved = x[:, :size].contiguous()
    means = moved.mean((2, 3)).unflatten(0, (-1, t)).transpose(1, 2)
    offset, weight = self.offset_net(means), self.weight_net(means)
    if self.reverse:
        offset, weight = torch.cat((offset, -offset), 1), torch.cat((weight, weight), 1)
    frames = moved.unflatten(0, (-1, t)).unflatten(2, (offset.size(1), -1))
    whole = offset.detach().floor()
    part = (offset - whole)[:, None, :, None, None, None]
    blend = (1 - part) * shift_frames(frames, whole)
    blend = blend + part * shift_frames(frames, whole + 1)
    # (n, g, t) -> (n, t, g, 1, 1, 1)
    mixed = blend * weight.transpose(1, 2)[..., None, None, None]
    out = torch.zeros_like(x)
    out[:, :size] = mixed.reshape(moved.shape)
    out[:, size:] = x[:, size:]
    return out


def interlace_and_convolve(self, x):
    """TIN: keeps what it computes for the backward pass, a second map."""
    return self.net2(self.net1(x))


def shift_frames(frames, shift):
    """Move groups by an integer number of frames, with zeros coming in.

    Shape:
        - frames: (n, t, g, ...)
        - shift: (n, g); positive moves to later frames
    """
    n, t, g = frames.shape[:3]
    source = torch.arange(t, device=shift.device)[:, None] - shift.long()[:, None]
    inside = (source >= 0) & (source < t)
    # As rows, (n * t * g, ...); a row from outside is some row, set to zero.
    clip = torch.arange(n, device=shift.device)[:, None, None]
    group = torch.arange(g, device=shift.device)
    rows = (clip * t + source.clamp(0, t - 1)) * g + group
    moved = frames.flatten(0, 2).index_select(0, rows.flatten())
    outside = ~inside.flatten().view(-1, *[1] * (moved.dim() - 1))
    return moved.masked_fill_(outside, 0).view(frames.shape)


# ------------------------------------------------------------------- TDN


def differ(self, windows):
    """TDN: takes differences of whole frames, and halves their size behind it.

    The differences of five frames are four images, at full size, which are copied
    to stand one behind another, and only then averaged over 2 x 2 pixels.
    """
    frames = windows.unbind(1)
    pairs = zip(frames[1:], frames)
    return F.avg_pool2d(torch.cat([later - sooner for later, sooner in pairs], 1), 2)


def gate_both_ways(self, x):
    """L-TDM: runs the branches on each direction's differences by themselves.

    So every layer of the branches is called twice, on few channels. The gate is
    written as x + x * (F / 2 + G / 2), with a map of all channels for each of the
    two sigmoids, subtractions, halves and the sum.
    """
    reduced = self.reduce_bn(self.reduce(x))
    aligned = self.align(reduced).unflatten(0, (-1, self.num_segments))
    reduced = reduced.unflatten(0, (-1, self.num_segments))
    zeros = torch.zeros_like(reduced[:, :1])
    # Forward first: in training the batch norms see the directions in this order.
    differences = (
        torch.cat((aligned[:, 1:] - reduced[:, :-1], zeros), 1).flatten(0, 1),
        torch.cat((zeros, aligned[:, :-1] - reduced[:, 1:]), 1).flatten(0, 1),
    )
    forward, backward = (excite(self, difference) for difference in differences)
    return x + x * (0.5 * forward + 0.5 * backward)


def run_block(self, x):
    """A block of TDN: keeps what it computes for the backward pass, seven
    feature maps."""
    out = x
    for layer in (self.conv1, self.ltdm, self.shift, self.conv2, self.conv3):
        if layer is not None:
            out = layer(out)
    shortcut = x if self.downsample is None else self.downsample(x)
    return self.relu(out + shortcut)


def shift_channels(self, x):
    """TDN's shift: convolve the frames of every pixel in one dimension.

    The features are copied to (n * h * w, c, t), where a row of t numbers is all that
    the convolution sees at once, and back.
    """
    t, (h, w) = self.num_segments, x.shape[2:]
    pixels = x.unflatten(0, (-1, t)).permute(0, 3, 4, 2, 1)  # (n, h, w, c, t)
    mixed = self.conv(pixels.flatten(0, 2))
    return mixed.unflatten(0, (-1, h, w)).permute(0, 4, 3, 1, 2).reshape(x.shape)


# ------------------------------------------------------------------ TAda


def calibrate(self, x):
    """TAdaConv: makes a kernel for each frame, and convolves it with that.

    One convolution has a group for every frame (and group). The kernels of all
    frames are kept for the backward pass, and no group is larger than a frame.
    """
    rows, groups = x.size(0), self.groups
    means = x.mean((2, 3)).unflatten(0, (-1, self.num_segments))
    alpha, beta = (None if v is None else 1 + v for v in self.routing(means))
    # (o, c / g, k, k) -> (g, o / g, c / g, k, k)
    weight = self.weight.unflatten(0, (groups, -1))
    if self.calibrate == 'cin':
        alpha = alpha.reshape(rows, groups, 1, -1, 1, 1)
    else:
        alpha = alpha.reshape(rows, groups, -1, 1, 1, 1)
    bias = self.bias
    if bias is not None:
        bias = bias.expand(rows, -1) if beta is None else beta.flatten(0, 1) * bias
        bias = bias.flatten()
    y = F.conv2d(
        x.flatten(0, 1)[None],
        (alpha * weight).flatten(0, 2),
        bias,
        self.stride,
        self.padding,
        self.dilation,
        rows * groups,
    )
    return y.view(rows, -1, *y.shape[2:])


def aggregate(self, x):
    """TAda2D: pools clips in three dimensions, which are copied there and back."""
    pooled = (norm(_pool(x, self.num_segments, mode)) for mode, norm in self.items())
    return sum(pooled)


def normalise(self, y):
    """TAdaConvNeXtV2: the same with layer norms, on (n * t, h, w, c)."""
    mean = _pool(y, self.num_segments, 'avg')
    return self.norm(y.permute(0, 2, 3, 1)) + self.norm_avg(mean.permute(0, 2, 3, 1))


def _pool(x, t, mode):
    pool = F.avg_pool3d if mode == 'avg' else F.max_pool3d
    return _to_frames(pool(_to_clips(x, t), (3, 1, 1), 1, (1, 0, 0)))


# What is replaced in a layer, and by what.
_NAIVE = {
    TAM: ('forward', adapt),
    TemporalInterlace: ('forward', interlace),
    InterlacedConv: ('forward', interlace_and_convolve),
    ShortTermTDM: ('forward', differ),
    TDBlock: ('forward', run_block),
    LongTermTDM: ('forward', gate_both_ways),
    TemporalShift: ('forward', shift_channels),
    TAdaConv2d: ('forward', calibrate),
    TemporalAggregation: ('forward', aggregate),
    TAdaConvNeXtV2Block: ('normalise', normalise),
    TAdaFormerLayer: ('_relate_frames', tada_former.relate_frames),
    TAdaBlock: ('forward', tada_former.run_block),
}
