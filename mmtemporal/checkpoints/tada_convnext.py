"""Names and shapes of TAdaConvNeXt's tensors in the authors' releases."""

import re
from typing import Optional

from torch import Tensor

_BLOCK = r'backbone\.stages\.[0-3]\.\d+\.'

# What differs in a block: (theirs, ours). The routing functions of the first
# version are called the same but for their parent.
_RENAMINGS = (
    ('.norm_avgpool.', '.norm_avg.'),
    ('.dwconv_rf.', '.dwconv.routing.'),
    ('.routing.norm_transformer.', '.routing.norm_attn.'),
    ('.routing.qkv_proj.', '.routing.qkv.'),
    ('.routing.attn_out.', '.routing.proj.'),
)

_KNOWN = re.compile(
    r'backbone\.(?:downsample_layers\.[0-3]\.[01]|norm)\.(?:weight|bias)'
    rf'|{_BLOCK}gamma'
    rf'|{_BLOCK}(?:dwconv|norm|norm_avgpool|pwconv[12])\.(?:weight|bias)'
    rf'|{_BLOCK}dwconv_rf\.(?:g|a|ln|norm|norm_transformer|qkv_proj|attn_out)'
    r'\.(?:weight|bias)'
    rf'|{_BLOCK}dwconv_rf\.bn\.'
    r'(?:weight|bias|running_mean|running_var|num_batches_tracked)'
    rf'|{_BLOCK}dwconv_rf\.(?:b|b_bias)\.weight'
)


def is_official(name: str) -> bool:
    """Whether only the authors of TAdaConvNeXt use such a name."""
    return re.match(rf'{_BLOCK}dwconv_rf\.', name) is not None


def rename_official(name: str) -> Optional[str]:
    """Return our name of a tensor of the authors' TAdaConvNeXt, else None."""
    if name in ('head.out.weight', 'head.out.bias'):
        return name.replace('head.out.', 'cls_head.fc_cls.')
    if not _KNOWN.fullmatch(name):
        return None
    for theirs, ours in _RENAMINGS:
        name = name.replace(theirs, ours)
    return name


def reshape_official(name: str, tensor: Tensor) -> Tensor:
    """Drop the dimensions of size one that the authors have and we do not.

    Args:
        name: The authors' name.
        tensor: The authors' tensor.

    Returns:
        The same values: calibrated kernels (c, 1, 7, 7) and biases (c), kernels
        in time (o, i, t), in space (o, i, h, w), and of linear layers (o, i).
        Other tensors, and the stem's kernel, keep their shape.
    """
    if name.endswith('.dwconv.bias'):
        return tensor.flatten()  # (1, 1, c)
    if tensor.dim() == 6:
        return tensor.flatten(0, 2)  # (1, 1, c, 1, 7, 7)
    if tensor.dim() != 5 or '.downsample_layers.0.' in name:
        return tensor
    if re.search(r'\.(qkv_proj|attn_out)\.', name):
        return tensor.flatten(1)  # (o, i, 1, 1, 1)
    if '.dwconv_rf.' in name:
        return tensor.flatten(2)  # (o, i, t, 1, 1)
    return tensor.flatten(1, 2)  # (o, i, 1, h, w)
