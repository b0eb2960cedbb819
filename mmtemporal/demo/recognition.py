"""What a network makes of one video: scores, times and pictures."""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Optional

# Also imported when the first pipeline is built, whose video would wait for it.
import decord  # noqa: F401
import mmaction.datasets.transforms  # noqa: F401
import torch
from torch import Tensor, nn

from mmtemporal.datasets.read_video import read_video
from mmtemporal.visualization.clip import Clip, first_view
from mmtemporal.visualization.figures import draw_cam, draw_figures, to_png
from mmtemporal.visualization.grad_cam import readable_layer
from mmtemporal.visualization.recording import record

NO_LAYERS = (
    'This network has no temporal layers of mmtemporal, so Grad-CAM is the only '
    'picture of it.'
)


@dataclass
class Recognition:
    """What a network computed for a video.

    Attributes:
        scores: Name and probability of every class, the likeliest first.
        clip: The first view of the video, and what the layers computed for it.
        reading: Seconds in which the video was decoded and prepared.
        computing: Seconds in which the network saw all views.
    """

    scores: list[tuple[str, float]]
    clip: Clip
    reading: float
    computing: float


class Viewer:
    """A recognizer that says what it makes of videos, one at a time.

    Layers record into themselves, and figures have one style for all of a process;
    so calls from several threads wait for each other.

    Args:
        model: Recognizer in eval mode, with its config as ``cfg``.
        class_names: Names of the classes, instead of numbers.
        cam_layer: Module at which Grad-CAM looks. Defaults to the last one whose
            feature maps are not too small to show regions.

    Raises:
        ValueError: The config does not say how a video is read, or there is no such
            layer.
    """

    def __init__(
        self,
        model: nn.Module,
        class_names: Optional[list[str]] = None,
        cam_layer: Optional[str] = None,
    ) -> None:
        if 'test_pipeline' not in model.cfg:
            raise ValueError(
                'the config has no test_pipeline, which says how a video is read'
            )
        if cam_layer is not None and cam_layer not in dict(model.named_modules()):
            raise ValueError(f'the model has no layer {cam_layer}')
        self.model = model
        self.class_names = class_names
        self.cam_layer = cam_layer
        self._lock = Lock()

    def recognise(self, video: Path) -> Recognition:
        """Score a video, and keep what its layers compute.

        Args:
            video: The file.

        Raises:
            ValueError: The video cannot be read.
        """
        with self._lock:
            start = perf_counter()
            data = read_video(self.model.cfg, video, strict=True)
            read = perf_counter()
            with torch.no_grad(), record(self.model) as records:
                (result,) = self.model.test_step(data)
            scores = _probabilities(self.model, result.pred_score.cpu())
            end = perf_counter()
        ranked = [
            (self._name(i), float(scores[i]))
            for i in scores.argsort(descending=True).tolist()
        ]
        data, frames, views = first_view(self.model, data)
        clip = Clip(ranked[0][0], frames, data, records, views)
        return Recognition(ranked, clip, read - start, end - read)

    def draw(self, recognition: Recognition) -> tuple[dict[str, bytes], list[str]]:
        """Draw Grad-CAM and what the temporal layers computed.

        Returns:
            PNG pictures by the names of the figures, and sentences that say what
            could not be drawn.
        """
        clips, notes, figures = [recognition.clip], [], {}
        with self._lock:
            try:
                layer = self.cam_layer or readable_layer(self.model, clips[0].data)
                figures['grad_cam'] = draw_cam(self.model, clips, layer)
            except ValueError as error:
                notes.append(f'{error}.')
            if clips[0].records:
                figures.update(draw_figures(clips))
            else:
                notes.append(NO_LAYERS)
            return {name: to_png(figure) for name, figure in figures.items()}, notes

    def _name(self, label: int) -> str:
        return self.class_names[label] if self.class_names else f'class {label}'


def _probabilities(model: nn.Module, scores: Tensor) -> Tensor:
    """Return the probability of every class, of scores as the head averages them."""
    if model.cls_head.average_clips != 'prob':
        scores = scores.softmax(-1)
    return scores.reshape(-1, scores.shape[-1]).mean(0)  # None: one row for each view
