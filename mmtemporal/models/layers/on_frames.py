"""Running layers for frames on features of any layout."""

from torch import Tensor, nn

from mmtemporal.ops import recompute

from .temporal_difference import LongTermTDM


class OnFrames(nn.Sequential):
    """Layers in sequence, on features that need not be maps of single frames.

    The layers see maps of frames, (n * t, c, h, w), and their outputs have the
    layout of the input again. Tokens become maps that are one pixel high. The many
    maps inside a long-term module are computed again in the backward pass instead of
    being kept.

    Args:
        *layers: The layers. They keep the shape of what they are given.
        layout: 'NCHW': (n * t, c, h, w); 'NHWC': (n * t, h, w, c); 'NLC': tokens,
            (n * t, l, c); 'NCTHW': clips, (n, c, t, h, w); 'NTHWC': (n, t, h, w, c).
        num_segments: Number T of frames of a clip.

    Shape:
        - input, output: as ``layout`` says
    """

    def __init__(self, *layers: nn.Module, layout: str, num_segments: int) -> None:
        super().__init__(*layers)
        self.layout = layout
        self.num_segments = num_segments
        self.keeps_maps = not any(isinstance(layer, LongTermTDM) for layer in layers)

    def forward(self, x: Tensor) -> Tensor:
        if self.layout == 'NHWC':
            return self._run(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        if self.layout == 'NLC':
            x = self._run(x.transpose(1, 2).unsqueeze(2))
            return x.squeeze(2).transpose(1, 2)
        if self.layout == 'NCTHW':
            x = self._run(x.transpose(1, 2).flatten(0, 1))
            return x.unflatten(0, (-1, self.num_segments)).transpose(1, 2)
        if self.layout == 'NTHWC':
            x = self._run(x.flatten(0, 1).permute(0, 3, 1, 2))
            return x.permute(0, 2, 3, 1).unflatten(0, (-1, self.num_segments))
        return self._run(x)

    def _run(self, x: Tensor) -> Tensor:
        if self.keeps_maps:
            return super().forward(x)
        return recompute(super().forward, x, *self)

    def extra_repr(self) -> str:
        return f'layout={self.layout}, num_segments={self.num_segments}'
