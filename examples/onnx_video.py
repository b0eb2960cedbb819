"""Classifies a video with an ONNX file of tools/export.py.

    python examples/onnx_video.py model.onnx video.mp4

Needs onnxruntime and decord, and nothing of OpenMMLab or PyTorch. One view of the
video is scored, from the middle of it; the file says how its frames are found.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
from decord import VideoReader


def find_frames(view: dict, num_frames: int, fps: float) -> np.ndarray:
    """Returns the indices of the frames, window by window."""
    window, segments = view['window'], view['segments']
    # Frames of this video from the first of a window to its last.
    span = view['span'] * (fps / view['fps'] if view['fps'] else 1)
    starts = (num_frames - span + 1) * (np.arange(segments) + 0.5) / segments
    starts = np.floor(np.maximum(starts, 0))
    indices = starts[:, None] + np.linspace(0, span - 1, window)
    # A video that is too short repeats its last frame.
    return np.clip(np.floor(indices + 1e-6), 0, num_frames - 1).astype(int).ravel()


def open_video(video: Path, view: dict) -> VideoReader:
    """Opens a video so that its frames have the size before the crop."""
    if view['short_side'] is None:
        return VideoReader(str(video), width=view['width'], height=view['height'])
    height, width = VideoReader(str(video))[0].shape[:2]
    scale = view['short_side'] / min(height, width)
    return VideoReader(
        str(video), width=round(width * scale), height=round(height * scale)
    )


def read_view(video: Path, view: dict) -> np.ndarray:
    """Reads one view, (1, frames, 3, h, w), as RGB pixels."""
    reader = open_video(video, view)
    indices = find_frames(view, len(reader), reader.get_avg_fps())
    frames = reader.get_batch(indices).asnumpy()
    top = (frames.shape[1] - view['height']) // 2
    left = (frames.shape[2] - view['width']) // 2
    frames = frames[:, top : top + view['height'], left : left + view['width']]
    return frames.transpose(0, 3, 1, 2)[None]


def score(model: Path, video: Path) -> tuple[np.ndarray, dict]:
    """Returns the scores of the classes, before the softmax, and the view."""
    session = onnxruntime.InferenceSession(
        str(model), providers=onnxruntime.get_available_providers()
    )
    view = json.loads(session.get_modelmeta().custom_metadata_map['mmtemporal_view'])
    frames = read_view(video, view)
    if session.get_inputs()[0].type != 'tensor(uint8)':
        frames = frames.astype(np.float32)
        if view['mean']:
            mean, std = (np.float32(view[key]) for key in ('mean', 'std'))
            frames = (frames - mean.reshape(3, 1, 1)) / std.reshape(3, 1, 1)
    return session.run(['scores'], {'frames': frames})[0][0], view


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', type=Path, help='ONNX file of tools/export.py')
    parser.add_argument('video', type=Path)
    parser.add_argument('--top', type=int, default=5, help='classes to print')
    args = parser.parse_args()
    for path in (args.model, args.video):
        if not path.is_file():
            raise SystemExit(f'error: {path} is no file')
    scores, view = score(args.model, args.video)
    probabilities = np.exp(scores - scores.max())
    probabilities /= probabilities.sum()
    for index in np.argsort(-scores)[: args.top]:
        name = view['classes'][index] if view['classes'] else f'class {index}'
        print(f'{probabilities[index]:7.2%}  {name}')


if __name__ == '__main__':
    main()
