"""All figures of a network and some videos."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from matplotlib.figure import Figure
from torch import nn

from .clip import Clip
from .grad_cam import default_layer, draw_grad_cam
from .mixing_figure import draw_mixing
from .recording import Record, is_part
from .style import style
from .tada_figures import draw_calibrations, draw_channels
from .tam_figures import draw_histograms, draw_importance, draw_kernels
from .tdn_figures import draw_differences, draw_gates
from .tin_figures import draw_interlacing

# By the names of their files. Each returns None for a network that lacks the layers.
FIGURES = {
    'kernels': draw_kernels,
    'importance': draw_importance,
    'kernel_histograms': draw_histograms,
    'interlacing': draw_interlacing,
    'differences': draw_differences,
    'gates': draw_gates,
    'calibrations': draw_calibrations,
    'channels': draw_channels,
    'mixing': draw_mixing,
}
FORMATS = ('png', 'pdf')


def draw_figures(
    clips: list[Clip], layers: Optional[list[str]] = None
) -> dict[str, Figure]:
    """Draw what the temporal layers of a network computed for some clips.

    Args:
        clips: The clips, seen by the same model.
        layers: Names of layers, or of modules around them, such as 'layer3.1'.
            Defaults to those that say most in each figure.

    Raises:
        ValueError: The network has no layer of such a name.
    """
    _check(clips[0].records, layers or ())
    with style():
        figures = {name: draw(clips, layers) for name, draw in FIGURES.items()}
    return {name: figure for name, figure in figures.items() if figure is not None}


def _check(records: list[Record], layers: Sequence[str]) -> None:
    names = dict.fromkeys(entry.name for entry in records)
    for layer in layers:
        if not any(is_part(name, layer) for name in names):
            raise ValueError(
                f'no layer {layer} can be drawn, there are: {", ".join(names)}'
            )


def draw_cam(
    model: nn.Module, clips: list[Clip], layer: Optional[str] = None
) -> Figure:
    """Draw Grad-CAM at a layer, by default the last with feature maps.

    Raises:
        ValueError: The layer gives no feature maps.
    """
    with style():
        return draw_grad_cam(model, clips, layer or default_layer(model))


def to_png(figure: Figure) -> bytes:
    """Return a figure as a PNG picture."""
    file = io.BytesIO()
    with style():
        figure.savefig(file, format='png')
    return file.getvalue()


def save_figures(
    figures: dict[str, Figure], folder: Path, overwrite: bool = False
) -> list[Path]:
    """Write figures as PNG and PDF.

    Raises:
        ValueError: A file is there already; nothing is written then.
    """
    files = [folder / f'{name}.{kind}' for name in figures for kind in FORMATS]
    existing = [path for path in files if path.exists()]
    if existing and not overwrite:
        raise ValueError(f'{existing[0]} exists; add --force to replace it')
    folder.mkdir(parents=True, exist_ok=True)
    with style():
        for name, figure in figures.items():
            # The layout is found once, not for every format: it takes most of the time.
            figure.get_layout_engine().execute(figure)  # type: ignore[union-attr]
            figure.set_layout_engine('none')
            for kind in FORMATS:
                figure.savefig(folder / f'{name}.{kind}')
    return files
