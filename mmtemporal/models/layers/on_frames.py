"""Running layers for frames on features of any layout."""

from torch import Tensor, nn


class OnFrames(nn.Sequential):
    """Layers in sequence, on features that need not be maps of single frames.

    The layers see maps of frames, (n * t, c, h, w), and their outputs have the
    layout of the input again. Tokens become maps that are one pixel high.

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

    def forward(self, x: Tensor) -> Tensor:
        if self.layout == 'NHWC':
            return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        if self.layout == 'NLC':
            x = super().forward(x.transpose(1, 2).unsqueeze(2))
            return x.squeeze(2).transpose(1, 2)
        if self.layout == 'NCTHW':
            x = super().forward(x.transpose(1, 2).flatten(0, 1))
            return x.unflatten(0, (-1, self.num_segments)).transpose(1, 2)
        if self.layout == 'NTHWC':
            x = super().forward(x.flatten(0, 1).permute(0, 3, 1, 2))
            return x.permute(0, 2, 3, 1).unflatten(0, (-1, self.num_segments))
        return super().forward(x)

    def extra_repr(self) -> str:
        return f'layout={self.layout}, num_segments={self.num_segments}'
