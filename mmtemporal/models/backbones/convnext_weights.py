"""Weights for TAdaConvNeXt: what ImageNet files are called, and what is refused."""

import re

from mmengine.logging import MMLogger
from torch import Tensor, nn

from mmtemporal.checkpoints.compare import compare
from mmtemporal.checkpoints.convert import find_tensors

from .checkpoint_report import read_pretrained, repeat_colours, summarise
from .recognizer_checkpoint import (
    check_names,
    is_recognizer,
    load_recognizer,
    take_backbone,
)

_STEM = 'downsample_layers.0.0.weight'

# What becomes a name of Facebook's release, which are ours, if done in turn.
_RENAMINGS = (
    # torchvision
    (r'^features\.0\.', 'downsample_layers.0.'),
    (r'^features\.([246])\.', lambda match: f'downsample_layers.{int(match[1]) // 2}.'),
    (r'^features\.([1357])\.', lambda match: f'stages.{int(match[1]) // 2}.'),
    (r'\.block\.0\.', '.dwconv.'),
    (r'\.block\.2\.', '.norm.'),
    (r'\.block\.3\.', '.pwconv1.'),
    (r'\.block\.5\.', '.pwconv2.'),
    (r'\.layer_scale$', '.gamma'),
    (r'^classifier\.0\.', 'norm.'),
    (r'^classifier\.2\.', 'head.'),
    # timm
    (r'^stem\.', 'downsample_layers.0.'),
    (r'^stages\.(\d)\.downsample\.', r'downsample_layers.\1.'),
    (r'^stages\.(\d)\.blocks\.', r'stages.\1.'),
    (r'\.conv_dw\.', '.dwconv.'),
    (r'\.mlp\.fc([12])\.', r'.pwconv\1.'),
    (r'^(head\.norm|norm_pre)\.', 'norm.'),
    # mmpretrain
    (r'^backbone\.', ''),
    (r'\.depthwise_conv\.', '.dwconv.'),
    (r'\.pointwise_conv([12])\.', r'.pwconv\1.'),
    (r'^norm3\.', 'norm.'),
)


def facebook_name(name: str) -> str:
    """Returns the name that a tensor has in Facebook's release of ConvNeXt.

    Args:
        name: That of torchvision, timm or mmpretrain, or already Facebook's. An
            unknown one is returned as it is.
    """
    for pattern, replacement in _RENAMINGS:
        name = re.sub(pattern, replacement, name)
    return name


def load_imagenet_weights(backbone: nn.Module, path: str) -> None:
    """Loads an image ConvNeXt into a TAdaConvNeXt and logs what it did.

    The kernel of the stem becomes the middle frame of ours, whose other frames
    are zero, so that every output frame starts from one input frame alone. For
    other channels than colours it is averaged and repeated. The classifier is
    skipped, as are stages that the backbone does not have.

    Args:
        backbone: A network with Facebook's names, freshly initialised.
        path: A checkpoint of Facebook's release, torchvision, timm or
            mmpretrain, a file or a URL; or that of a recognizer with this
            backbone, which is loaded as it is.

    Raises:
        ValueError: The file cannot be read, or is not of this network.
    """
    tensors = find_tensors(read_pretrained(path))
    # mmpretrain's image networks have a backbone, too.
    if is_recognizer(tensors) and any('.routing.' in name for name in tensors):
        load_recognizer(backbone, tensors)
        return
    source = {facebook_name(name): tensor for name, tensor in tensors.items()}
    own = backbone.state_dict(keep_vars=True)
    new = [key for key in own if re.search(r'\.(routing|norm_avg)\.', key)]
    image = {key: value for key, value in own.items() if key not in new}
    image[_STEM] = own[_STEM][:, :, 0]
    fitted = {key: _fit(key, source[key], image[key]) for key in image if key in source}
    missing, _, mismatched = compare(image, fitted)
    skipped = sorted(source.keys() - fitted.keys())
    unexpected = [name for name in skipped if not _may_be_skipped(name, backbone)]
    if missing or mismatched or unexpected:
        raise ValueError(
            f'{path} is no ConvNeXt of backbone.arch={backbone.arch!r}: '
            f'{summarise(missing)} missing, {summarise(mismatched)} of another shape, '
            f'{summarise(unexpected)} unknown; set backbone.pretrained to an ImageNet '
            'checkpoint of that size or backbone.arch to that of the file. A '
            'checkpoint of this backbone itself is loaded by backbone.init_cfg='
            "dict(type='Pretrained', checkpoint=...)"
        )
    for key, tensor in fitted.items():
        value = own[key].data
        if key == _STEM:
            # (c, 3, frames, 4, 4) -> (c, 3, 4, 4), the middle frame of zeros
            value = value.zero_()[:, :, value.size(2) // 2]
        value.copy_(tensor)
    averaged = source[_STEM].shape != image[_STEM].shape
    MMLogger.get_current_instance().info(
        f'{path}: loaded {len(fitted)} tensors, one of them ({_STEM}) as the middle '
        f'of three frames{" and averaged over colours" * averaged}, skipped '
        f'{summarise(skipped)}, newly initialised {summarise(new)}'
    )


def _fit(key: str, tensor: Tensor, value: Tensor) -> Tensor:
    """Return a tensor in the shape of ours, or as it is if it cannot have it."""
    if key == _STEM:
        return repeat_colours(tensor, value)
    # torchvision's layer scales and convolutions for linear layers.
    if [n for n in tensor.shape if n != 1] == [n for n in value.shape if n != 1]:
        return tensor.reshape(value.shape)
    return tensor


def _may_be_skipped(name: str, backbone: nn.Module) -> bool:
    """Whether a name is of a classifier, a data preprocessor or a stage not built."""
    match = re.match(r'(?:stages|downsample_layers)\.(\d)\.', name)
    if match:
        return int(match[1]) >= backbone.num_stages
    return name.startswith(('head.', 'norm.', 'cls_head.', 'data_preprocessor.'))


def check_checkpoint(backbone: nn.Module, state_dict: dict, prefix: str) -> None:
    """Refuses the checkpoint of another network, which mmengine would half load.

    Args:
        backbone: The network that the checkpoint is being loaded into.
        state_dict: The tensors of the checkpoint. Those of a whole recognizer are
            reduced to those of its backbone, if this is what is being loaded.
        prefix: What comes before the names of those of the backbone.

    Raises:
        ValueError: The checkpoint has some of the blocks of a ConvNeXt, but not
            all tensors of this one.
    """
    if not prefix:
        take_backbone(backbone, state_dict)
    else:
        check_names(backbone, state_dict, prefix)
    own = backbone.state_dict(prefix=prefix)
    missing, _, mismatched = compare(own, state_dict)
    name, last = type(backbone).__name__, backbone.num_stages - 1
    blocks = re.compile(re.escape(prefix) + rf'stages\.[0-{last}]\.\d+\.')
    theirs = {match[0] for match in map(blocks.match, state_dict) if match}
    ours = {match[0] for match in map(blocks.match, own) if match}
    if theirs and theirs != ours:
        raise ValueError(
            f'the checkpoint has {len(theirs)} blocks, this {name} (arch='
            f'{backbone.arch!r}) has {len(ours)}; set backbone.arch to that of the '
            'checkpoint'
        )
    if mismatched:
        raise ValueError(
            f'the checkpoint has tensors of other shapes: {summarise(mismatched)}; '
            f'set backbone.arch={backbone.arch!r} and backbone.routing to those of '
            'the checkpoint'
        )
    if theirs and missing:
        raise ValueError(
            f'the checkpoint is not of this {name}: it lacks {summarise(missing)}; set '
            'backbone.type and backbone.routing to those of the checkpoint, or give '
            'an ImageNet ConvNeXt as backbone.pretrained'
        )
