"""Folding what is constant after training into as few operations as possible."""

from copy import deepcopy

from mmcv.cnn import ConvModule, fuse_conv_bn
from torch import nn

from .adapter import TemporalAdapter
from .layers import TemporalLayer


def fuse_for_inference(model: nn.Module) -> nn.Module:
    """Return a copy of a trained network that computes the same, but faster.

    Batch norms go into the convolutions in front of them, also in the long-term
    module of TDN and behind TIN's interlacing. TAda2D's average over frames, its
    batch norm and that of the frame itself become one mixing of three frames.
    Outputs are those of the model in eval mode, up to rounding.

    The copy is for inference alone: its tensors have other names and other values
    than those of a checkpoint, so load weights before and save those of ``model``.
    Networks of timm and torchvision inside a TemporalAdapter stay as they are: not all
    of their batch norms are nothing but that.

    Args:
        model: A backbone or a whole recognizer. It is left as it is.
    """
    model = deepcopy(model)
    model.eval()  # MMAction2's ResNet returns nothing here
    for module in list(model.modules()):
        if isinstance(module, ConvModule) and isinstance(module.conv, TemporalLayer):
            if module.with_norm:
                module.conv = module.conv.fold(module.norm)
                setattr(module, module.norm_name, nn.Identity())
            continue
        for name, child in module.named_children():
            if isinstance(child, TemporalLayer):
                setattr(module, name, child.fold())
            elif isinstance(child, nn.Conv2d) and child._forward_hooks:
                # A temporal layer is between it and the batch norm.
                setattr(module, name, nn.Sequential(child))
    kept = [
        (module, module.backbone)
        for module in model.modules()
        if isinstance(module, TemporalAdapter)
        and module.library in ('timm', 'torchvision')
    ]
    for module, _ in kept:
        module.backbone = nn.Identity()
    fuse_conv_bn(model)
    for module, backbone in kept:
        module.backbone = backbone
    return model
