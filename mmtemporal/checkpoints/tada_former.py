"""Names and shapes of TAdaFormer's tensors in the authors' releases."""

import re
from typing import Optional

from torch import Tensor

_LAYER = r'backbone\.layers\.\d+\.'
_BLOCK = rf'{_LAYER}tada2?\.'

# What differs in a block: (theirs, ours), done in turn.
_RENAMINGS = (
    ('.tada_pre_proj.', '.proj_in.'),
    ('.tada_proj.', '.proj_out.'),
    ('.tadaconv.rf_func.norm_transformer.', '.routing.norm_attn.'),
    ('.tadaconv.rf_func.qkv_proj.', '.routing.qkv.'),
    ('.tadaconv.rf_func.attn_out.', '.routing.proj.'),
    ('.tadaconv.rf_func.', '.routing.'),
    ('.tadaconv.bn_a.', '.bn.'),
    ('.tadaconv.bn_b.', '.bn_avg.'),
    ('.tadaconv.', '.conv.'),
)

_KNOWN = re.compile(
    r'backbone\.(?:class|positional)_embedding'
    r'|backbone\.conv1\.weight'
    r'|backbone\.ln_(?:pre|post)\.(?:weight|bias)'
    rf'|{_LAYER}(?:ln_[12]|mlp\.c_(?:fc|proj)|attn\.out_proj)\.(?:weight|bias)'
    rf'|{_LAYER}attn\.in_proj_(?:weight|bias)'
    rf'|{_BLOCK}(?:tada_pre_proj|tada_proj|tadaconv)\.(?:weight|bias)'
    rf'|{_BLOCK}tadaconv\.rf_func\.'
    r'(?:a|norm|norm_transformer|qkv_proj|attn_out)\.(?:weight|bias)'
    rf'|{_BLOCK}tadaconv\.rf_func\.(?:b|b_bias)\.weight'
    rf'|{_BLOCK}tadaconv\.bn_[ab]\.'
    r'(?:weight|bias|running_mean|running_var|num_batches_tracked)'
)


def is_official(name: str) -> bool:
    """Whether only the authors of TAdaFormer use such a name."""
    return re.match(rf'{_BLOCK}tadaconv\.rf_func\.', name) is not None


def rename_official(name: str) -> Optional[str]:
    """Return our name of a tensor of the authors' TAdaFormer, else None."""
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
        The same values: calibrated kernels (m, 1, 3, 3) and biases (m), kernels in time
        (o, i, t), and of linear layers (o, i). Other tensors, and the stem's kernel,
        keep their shape.
    """
    if name.endswith('.tadaconv.bias'):
        return tensor.flatten()  # (1, 1, m)
    if tensor.dim() == 6:
        return tensor.flatten(0, 2)  # (1, 1, m, 1, 3, 3)
    if tensor.dim() != 5 or name.endswith('conv1.weight'):
        return tensor
    if re.search(r'\.(qkv_proj|attn_out|tada_proj)\.', name):
        return tensor.flatten(1)  # (o, i, 1, 1, 1)
    return tensor.flatten(2)  # (o, i, t, 1, 1)
