"""Grad-CAM: which regions and frames a score depends on.

Paper: Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization (ICCV 2017), https://arxiv.org/abs/1610.02391
"""

import torch
import torch.nn.functional as F
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from torch import Tensor, nn

from mmtemporal.models.frame_counts import TemporalBackbone

from .clip import Clip
from .style import SEQUENTIAL, frame_size, new_figure, row_label, show_strip

# Height and width of the feature maps of which one tells places.
MIN_PIXELS = 7


def default_layer(model: nn.Module) -> str:
    """Return the name of what gives the last feature maps of a recognizer.

    That is the backbone, but for TAdaConvNeXt, which pools them, and TAdaFormer, which
    gives class tokens. In a ResNet it is the output of the last block's ReLU, where
    MMAction2's tool looks.
    """
    stages = getattr(model.backbone, 'stages', None)
    if stages is not None:
        return f'backbone.stages.{len(stages) - 1}'
    return '.'.join(filter(None, ('backbone', _cam_layer(model))))


def _cam_layer(model: nn.Module) -> str:
    return getattr(model.backbone, 'cam_layer', '')


def readable_layer(model: nn.Module, data: dict) -> str:
    """Return the name of the last stage whose feature maps are not too small to show.

    Of frames of a common size that is :func:`default_layer`. Small frames have feature
    maps of a few pixels there, which show no position.

    Args:
        model: Recognizer in eval mode.
        data: Batch of one clip in one view, as the pipeline makes it.
    """
    default = default_layer(model)
    if _cam_layer(model):
        return default
    parent = default.rpartition('.')[0] or 'backbone'
    names = _children(model, parent)
    while len(names) == 1:  # what an adapter wraps
        names = _children(model, names[0])
    sizes = {}

    def keep(name: str, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() in (4, 5):
            sizes[name] = min(output.shape[-2:])

    handles = [
        _find(model, name).register_forward_hook(
            lambda module, args, output, name=name: keep(name, output)
        )
        for name in dict.fromkeys([*names, default])
    ]
    try:
        with torch.no_grad():
            model(model.data_preprocessor(data)['inputs'], stage='head')
    finally:
        for handle in handles:
            handle.remove()
    # In the order in which they ran.
    readable = [name for name, size in sizes.items() if size >= MIN_PIXELS]
    return readable[-1] if readable else default


def _children(model: nn.Module, parent: str) -> list[str]:
    return [f'{parent}.{name}' for name, _ in _find(model, parent).named_children()]


def grad_cam(model: nn.Module, data: dict, layer: str) -> Tensor:
    """Compute Grad-CAM of the highest score of a clip.

    ``mmaction.utils.GradCAM`` gives the same, where it works: it asks for features
    in the layout of the input, which neither TDN's windows nor 2-D networks in
    ``Recognizer3D`` have, and it changes the head of the model.

    Args:
        model: Recognizer in eval mode.
        data: Batch of one clip in one view, as the pipeline makes it.
        layer: Name of a module that gives (t, c, h, w) or (1, c, t, h, w); or, in
            TAdaFormer, tokens.

    Shape:
        - output: (t, h, w), of the layer

    Raises:
        ValueError: There is no such module, it gives something else, or the score does
            not depend on what it gives.
    """
    kept = {}

    def cut(_: nn.Module, __: tuple, output: object) -> object:
        if not isinstance(output, Tensor) or output.dim() not in (4, 5):
            raise ValueError(
                f'Grad-CAM needs feature maps, which {layer} does not give'
            )
        # From here on, whatever is frozen before. A copy, as ReLUs may write into it.
        kept['maps'] = output.detach().requires_grad_()
        return kept['maps'].clone()

    handle = _find(model, layer).register_forward_hook(cut)
    try:
        inputs = model.data_preprocessor(data)['inputs']
        scores = model(inputs, stage='head')
    finally:
        handle.remove()
    if 'maps' not in kept:
        raise ValueError(f'Grad-CAM needs feature maps, but {layer} does not run')
    maps = kept['maps']
    (gradient,) = torch.autograd.grad(scores.max(), maps)
    if isinstance(model.backbone, TemporalBackbone):
        maps, gradient = (
            model.backbone.feature_maps(x, inputs.shape[-2:]) for x in (maps, gradient)
        )
    if maps.dim() == 5:
        # (1, c, t, h, w) -> (t, c, h, w)
        maps, gradient = maps[0].transpose(0, 1), gradient[0].transpose(0, 1)
    if maps.shape[-2:] == (1, 1):
        raise ValueError(
            f'Grad-CAM needs feature maps, but those of {layer} have one pixel; choose '
            'a layer before it'
        )
    if not gradient.any():
        raise ValueError(
            f'Grad-CAM shows on which feature maps the score depends, but those of '
            f'{layer} have no effect on it; choose a layer before it'
        )
    weights = gradient.mean((2, 3), keepdim=True)
    return (weights * maps.detach()).sum(1).relu()


def _find(model: nn.Module, layer: str) -> nn.Module:
    try:
        return model.get_submodule(layer)
    except AttributeError:
        raise ValueError(f'the model has no layer {layer}') from None


def enlarge(heat: Tensor, t: int, h: int, w: int) -> Tensor:
    """Scale a heat map to the size of the frames and to values from 0 to 1."""
    heat = F.interpolate(heat[None, None], (t, h, w), mode='trilinear')[0, 0]
    heat = heat - heat.min()
    return heat / heat.max().clamp_min(1e-20)


def draw_grad_cam(model: nn.Module, clips: list[Clip], layer: str) -> Figure:
    """Draw the frames of every clip, and the heat over them."""
    t, height, width = clips[0].frames.shape[:3]
    size = frame_size(t)
    figure = new_figure(
        f'Grad-CAM of the recognised class, at {layer}',
        size * t + 2,
        (2 * size * height / width + 0.35) * len(clips) + 0.5,
    )
    axes = figure.subplots(2 * len(clips), 1)
    for above, below, clip in zip(axes[::2], axes[1::2], clips):
        frames = clip.frames / 255
        heat = enlarge(grad_cam(model, clip.data, layer), *frames.shape[:3])
        colours = torch.from_numpy(colormaps[SEQUENTIAL](heat.cpu().numpy()))[..., :3]
        show_strip(above, frames.numpy())
        show_strip(below, (0.5 * frames + 0.5 * colours).numpy())
        above.set_title(clip.title, loc='left')
        row_label(above, 'frame')
        row_label(below, 'Grad-CAM')
    scale = ScalarMappable(cmap=SEQUENTIAL)
    bar = figure.colorbar(scale, ax=axes, label='part in the score')
    bar.set_ticks([0, 1], labels=['none', 'most'])
    return figure
