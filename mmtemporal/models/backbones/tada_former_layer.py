"""A layer of CLIP's image transformer with TAda blocks.

Paper: Temporally-Adaptive Models for Efficient Video Understanding,
https://arxiv.org/abs/2308.05787
"""

from collections.abc import Sequence
from typing import Any, Callable, Optional

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from mmtemporal.models.layers import TemporalLayer, quick_gelu
from mmtemporal.models.layers.tada_block import STD, TAdaBlock

EPS = 1e-5  # of the transformer's layer norms, as in CLIP
# By the name in a config: the function of the MLPs.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    'quick_gelu': quick_gelu,
    'gelu': F.gelu,
}


class Attention(nn.MultiheadAttention):
    """Self-attention with the parameters of torch's class, whose fast path is not used.

    That path, which is taken in eval mode alone, is what export tools do not know.

    Args:
        channels: Number of channels.
        num_heads: Number of heads.

    Shape:
        - input: (n, l, channels), and the number q of the first tokens that ask
        - output: (n, q, channels)
    """

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__(channels, num_heads, batch_first=True)

    def forward(self, x: Tensor, queries: Optional[int] = None) -> Tensor:  # type: ignore[override]
        if queries is None:
            qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
            q, k, v = qkv.chunk(3, -1)
        else:
            sizes = (self.embed_dim, 2 * self.embed_dim)
            weights = self.in_proj_weight.split(sizes)
            biases = self.in_proj_bias.split(sizes)
            q = F.linear(x[:, :queries], weights[0], biases[0])
            k, v = F.linear(x, weights[1], biases[1]).chunk(2, -1)
        q, k, v = map(self._split_heads, (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(y.transpose(1, 2).flatten(2))

    def _split_heads(self, x: Tensor) -> Tensor:
        """Map (n, l, c) to (n, heads, l, c / heads)."""
        return x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)


class MLP(nn.Module):
    """Two linear layers with an activation between them, named as in CLIP.

    Args:
        channels: Number of channels.
        hidden_channels: Number of channels between the two.
        activation: The function between them.

    Shape:
        - input, output: (..., channels)
    """

    def __init__(
        self,
        channels: int,
        hidden_channels: int,
        activation: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.c_fc = nn.Linear(channels, hidden_channels)
        self.activation = activation
        self.c_proj = nn.Linear(hidden_channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(self.activation(self.c_fc(x)))


def to_feature_maps(x: Tensor, grid: Sequence[int]) -> Tensor:
    """Return tokens, or patches in their grid, as feature maps; others as they are.

    Shape:
        - input: (n, t, 1 + h * w, c) or (n, t, h, w, c), with the grid (h, w)
        - output: (n, c, t, h, w), whose frames are channels last
    """
    h, w = grid
    if x.dim() == 4 and x.size(2) == 1 + h * w:
        x = x[:, :, 1:].contiguous().unflatten(2, (h, w))
    elif x.dim() != 5 or x.shape[2:4] != (h, w) or x.shape[3:] == (h, w):
        return x
    return x.permute(0, 4, 1, 2, 3)


class TAdaFormerLayer(TemporalLayer, nn.Module):
    """A transformer layer in whose residual stream TAda blocks relate the frames.

    ::

        patches + TAda(patches), x + attention(ln_1(x)), [patches + TAda2(patches),]
        x + mlp(ln_2(x))

    Attention is within a frame. The class tokens pass by the TAda blocks.

    Args:
        channels: Number of channels C.
        num_heads: Number of attention heads.
        hidden_channels: Number of channels in the MLP.
        kernel_size: Frames that the first linear layers of the TAda blocks see.
        num_blocks: Number of TAda blocks, 1 or 2.
        routing: Arguments of their routing functions.
        activation: Name of the MLP's activation.
        drop_path_rate: How often, in training, each summand is skipped by a clip.
        is_last: Whether nothing but the class tokens of the output is used.

    Shape:
        - input, output: (n, t, 1 + h * w, channels), the class token of each frame
          first, and the grid (h, w)
    """

    new_modules = ()

    def __init__(
        self,
        channels: int,
        num_heads: int,
        hidden_channels: int,
        kernel_size: int,
        num_blocks: int,
        routing: Optional[dict],
        activation: str,
        drop_path_rate: float,
        is_last: bool,
    ) -> None:
        super().__init__()
        self.tada = TAdaBlock(channels, kernel_size, routing)
        self.tada2 = (
            TAdaBlock(channels, kernel_size, routing) if num_blocks > 1 else None
        )
        if self.tada2 is not None and is_last:
            self.tada2.records = ()  # It changes patches, which nothing reads any more.
        self.ln_1 = nn.LayerNorm(channels, eps=EPS)
        self.attn = Attention(channels, num_heads)
        self.ln_2 = nn.LayerNorm(channels, eps=EPS)
        self.mlp = MLP(channels, hidden_channels, ACTIVATIONS[activation])
        self.drop_path = DropPath(drop_path_rate)
        self.is_last = is_last
        self.queries: Optional[int] = None

    @property
    def tada_blocks(self) -> list[TAdaBlock]:
        return [block for block in (self.tada, self.tada2) if block is not None]

    def init_weights(self) -> None:
        """Initialise all weights; the TAda blocks then do nothing."""
        for block in self.tada_blocks:
            block.init_weights()
        for norm in (self.ln_1, self.ln_2):
            norm.reset_parameters()
        self.attn._reset_parameters()
        for linear in (self.attn.out_proj, self.mlp.c_fc, self.mlp.c_proj):
            nn.init.normal_(linear.weight, std=STD)
            nn.init.zeros_(linear.bias)

    def init_identity(self) -> None:
        for block in self.tada_blocks:
            block.init_identity()

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        x = self._relate_frames(self.tada, x, grid)
        n = x.size(0)
        attended = self.attn(self.ln_1(x).flatten(0, 1), self.queries)
        x = x[:, :, : self.queries] + self.drop_path(attended.unflatten(0, (n, -1)))
        if self.tada2 is not None:
            x = self._relate_frames(self.tada2, x, grid)
        return x + self.drop_path(self.mlp(self.ln_2(x)))

    def _relate_frames(self, block: Any, x: Tensor, grid: tuple[int, int]) -> Tensor:
        token, patches = x[:, :, :1], x[:, :, 1:]
        # A clip is skipped as a whole.
        change = self.drop_path(block(patches.unflatten(2, grid)).flatten(2, 3))
        return torch.cat((token, patches + change), 2)

    def fold(self, norm: Optional[nn.Module] = None) -> nn.Module:
        """Compute nothing of the last layer that its class tokens do not depend on."""
        if self.is_last:
            self.queries, self.tada2 = 1, None
        return self
