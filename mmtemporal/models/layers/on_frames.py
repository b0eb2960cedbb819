"""Running layers for frames on features of any layout."""

import torch
from torch import Tensor, nn

from mmtemporal.ops import checkpointed

from .temporal_layer import TemporalLayer


class OnFrames(TemporalLayer, nn.Sequential):
    """Layers in sequence, on features that need not be feature maps of frames.

    The layers see feature maps of frames, (n * t, c, h, w), and their outputs have the
    layout of the input again. Tokens become feature maps that are one pixel high.

    Args:
        *layers: Temporal layers. They keep the shape of what they are given.
        layout: 'NCHW': (n * t, c, h, w); 'NHWC': (n * t, h, w, c); 'NLC': tokens,
            (n * t, l, c); 'NCTHW': clips, (n, c, t, h, w); 'NTHWC': (n, t, h, w, c);
            'NTLC': tokens of clips, (n, t * l, c), frame by frame; 'NLTC': (n, l * t,
            c), position by position. Class tokens may stand in front of the tokens of
            clips, fewer than t; they stay as they are.
        num_segments: Number T of frames of a clip.

    Shape:
        - input, output: as ``layout`` says
    """

    num_segments: int

    def __init__(self, *layers: nn.Module, layout: str, num_segments: int) -> None:
        super().__init__(*layers)
        self.layout = layout
        self.num_segments = num_segments
        self.checkpoint_forward = any(layer.checkpoint_forward for layer in layers)

    def forward(self, x: Tensor) -> Tensor:
        if self.layout == 'NHWC':
            return self._run(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        if self.layout == 'NLC':
            x = self._run(x.transpose(1, 2).unsqueeze(2))
            return x.squeeze(2).transpose(1, 2)
        if self.layout in ('NTLC', 'NLTC'):
            return self._run_tokens(x)
        if self.layout == 'NCTHW':
            x = self._run(x.transpose(1, 2).flatten(0, 1))
            return x.unflatten(0, (-1, self.num_segments)).transpose(1, 2)
        if self.layout == 'NTHWC':
            x = self._run(x.flatten(0, 1).permute(0, 3, 1, 2))
            return x.permute(0, 2, 3, 1).unflatten(0, (-1, self.num_segments))
        return self._run(x)

    def _run_tokens(self, x: Tensor) -> Tensor:
        t, by_frame = self.num_segments, self.layout == 'NTLC'
        extra = x[:, : x.size(1) % t]
        x = x[:, x.size(1) % t :].unflatten(1, (t, -1) if by_frame else (-1, t))
        # (n, t, l, c) -> (n * t, c, 1, l), and back
        x = x if by_frame else x.transpose(1, 2)
        x = self._run(x.flatten(0, 1).transpose(1, 2).unsqueeze(2))
        x = x.squeeze(2).transpose(1, 2).unflatten(0, (-1, t))
        x = x if by_frame else x.transpose(1, 2)
        return torch.cat((extra, x.flatten(1, 2)), 1)

    def _run(self, x: Tensor) -> Tensor:
        if self.checkpoint_forward:
            return checkpointed(super().forward, x, *self, small=False)
        return super().forward(x)

    def extra_repr(self) -> str:
        return f'layout={self.layout}, num_segments={self.num_segments}'
