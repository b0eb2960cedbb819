"""Writing videos."""

from pathlib import Path

import cv2
import numpy as np

# FFV1 is lossless. A lossy codec would give the label away: MPEG-4, for one, codes
# the first frame by itself and lets errors build up after it, so that artefacts
# tell the beginning of a clip from its end in a single frame.
CODEC = 'FFV1'
FRAMES_PER_SECOND = 24


def write_video(
    path: Path,
    frames: np.ndarray,
    codec: str = CODEC,
    frames_per_second: float = FRAMES_PER_SECOND,
) -> None:
    """Encode a video.

    Args:
        path: The file.
        frames: (t, h, w, 3), uint8, BGR.
        codec: Four letters by which OpenCV knows the codec.
        frames_per_second: Speed at which players show it.

    Raises:
        RuntimeError: If this build of OpenCV cannot write the video.
        OSError: If the written video is incomplete, as on a full disk.
    """
    fourcc = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, fourcc, frames_per_second, frames.shape[2:0:-1]
    )
    if not writer.isOpened():
        raise RuntimeError(
            f'OpenCV {cv2.__version__} cannot write {codec} video to {path}; install '
            'opencv-python-headless>=4.13 (or opencv-python)'
        )
    for frame in frames:
        writer.write(frame)
    writer.release()
    # The writer reports no failure; the index at the end of the file tells.
    written = int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))
    if written != len(frames):
        raise OSError(
            f'{path} has {written} of {len(frames)} frames; is the disk full?'
        )
