"""The T x T matrix by which a layer mixes the frames of a clip."""

from torch import Tensor, nn

from mmtemporal.models.backbones.tada2d import FoldedTAdaConv, TAdaConvModule
from mmtemporal.models.layers import TAM, TemporalInterlace, TemporalShift


def mixes_frames(layer: nn.Module) -> bool:
    """Tells whether a layer mixes frames by one matrix a clip and channel.

    Not so are TAM's variant 'conv', which also mixes channels, and poolings by the
    maximum.
    """
    if isinstance(layer, TAM):
        return layer.variant != 'conv'
    if isinstance(layer, TAdaConvModule):
        return layer.modes == ('avg',)
    return isinstance(layer, (TemporalInterlace, TemporalShift))


def mixing_matrix(layer: nn.Module, x: Tensor) -> Tensor:
    r"""Computes the matrices A of :math:`y_t = \sum_s A_{ts} x_s`.

    Those of ``TAdaConvModule`` stand for its pooling over frames and its two batch
    norms, whose scales they have; their shift is left out.

    Args:
        layer: One that :func:`mixes_frames`, in eval mode.
        x: Its input.

    Shape:
        - x: (n * t, c, h, w)
        - output: (n or 1, g, t, t) for g equal runs of the channels that it mixes,
          rows being output frames
    """
    if isinstance(layer, TAM):
        taps = layer.taps(x)
    elif isinstance(layer, TemporalInterlace):
        taps = layer.taps(x[:, : layer.num_moved])
    elif isinstance(layer, TemporalShift):
        # (c, 1, k) -> (1, k, 1, c)
        taps = layer.conv.weight.permute(1, 2, 0).unsqueeze(2)
    else:
        taps = FoldedTAdaConv(layer).taps
    return taps_to_matrix(taps, layer.num_segments)


def taps_to_matrix(taps: Tensor, num_segments: int) -> Tensor:
    """Writes the taps of :func:`mmtemporal.ops.temporal_mix` as matrices.

    Shape:
        - taps: (n, k, t or 1, g)
        - output: (n, g, t, t)
    """
    n, k, _, g = taps.shape
    t, reach = num_segments, k // 2
    taps = taps.expand(-1, -1, t, -1)
    # With columns for the frames beyond both ends, which count as zero.
    matrix = taps.new_zeros(n, g, t, t + 2 * reach)
    for i in range(k):
        matrix.diagonal(i, -2, -1).copy_(taps[:, i].transpose(1, 2))
    return matrix[..., reach : reach + t]
