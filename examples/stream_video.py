"""Classify a camera, or a file as a stream, with an ONNX file of tools/export.py.

    python examples/stream_video.py model.onnx 0
    python examples/stream_video.py model.onnx video.mp4 --stride 16 --out labelled.mp4

Needs onnxruntime, OpenCV, numpy, and onnx_video.py, which stands beside it. A window
slides over the stream: after each stride the frames are taken from it that
test_pipeline of the config takes from a video of that length, and scored. Scores are
smoothed over time. --seconds of the window should be how long the videos of the
training are; networks that take every n-th frame have their own.

The frames per second are those that went through this program. Where a camera has
more, give a larger stride. Ctrl-C ends it.
"""

import argparse
import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import Optional

import cv2
import numpy as np
from onnx_video import (
    find_frames,
    find_size,
    open_model,
    scaled_span,
    score_view,
    softmax,
)

DEFAULT_FPS, DEFAULT_SECONDS = 30, 2
WHITE, BLACK = (255, 255, 255), (0, 0, 0)

# --------------------------------------------------------------------- sampling


def clip_span(s: dict, fps: float) -> float:
    """Return how many frames a clip lasts whose frames have a fixed distance, or 1."""
    interval, length = s.get('frame_interval'), s['clip_len']
    if interval is None or (s['sampler'] == 'SampleFrames' and length == 1):
        return 1
    if s['sampler'] == 'DenseSampleFrames':
        return s['sample_range'] + (length - 1) * interval
    if s['target_fps'] is None:
        return (length - 1) * interval + 1
    return scaled_span(s, fps if s['reads_fps'] else None)


def find_lengths(s: dict, fps: float) -> tuple[int, int]:
    """Return how many frames a window has at least, and by default."""
    span = int(np.ceil(clip_span(s, fps)))
    if span > 1 and (s['num_clips'] == 1 or s['sampler'] == 'DenseSampleFrames'):
        return span, span
    # With fewer, samplers do as for short videos: frames come twice, or out of order.
    minimum = max(span, s['clip_len']) + s['num_clips']
    return minimum, max(minimum, round(DEFAULT_SECONDS * fps))


def window_length(s: dict, fps: float, seconds: Optional[float]) -> int:
    """Return how many frames the window has."""
    minimum, default = find_lengths(s, fps)
    length = default if seconds is None else round(seconds * fps)
    if length < minimum:
        raise ValueError(
            f'--seconds {seconds}: {minimum} frames are needed at {fps:g} fps; give '
            f'{minimum / fps:.4g} or more'
        )
    return length


# --------------------------------------------------------------------- pictures


def prepare(frame: np.ndarray, steps: list[dict]) -> np.ndarray:
    """Resize and crop a frame of OpenCV, (h, w, 3), and return it as RGB."""
    for [(kind, value)] in (step.items() for step in steps):
        height, width = frame.shape[:2]
        if kind != 'center_crop':
            size = find_size(width, height, kind, value)
            frame = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
            continue
        x, y = (width - value[0]) // 2, (height - value[1]) // 2
        if min(x, y) < 0:
            raise ValueError(f'frames of {width} x {height} have no crop of {value}')
        frame = frame[y : y + value[1], x : x + value[0]]
    return frame[..., ::-1].copy()  # a crop alone would be a view of the frame


def write_on(frame: np.ndarray, lines: list[str]) -> None:
    """Write lines into the upper left corner."""
    scale, font = frame.shape[0] / 480, cv2.FONT_HERSHEY_SIMPLEX
    for i, line in enumerate(lines):
        for colour, shift in (BLACK, 2), (WHITE, 0):  # with a shadow
            place = int((10 + shift) * scale), int((30 + 30 * i + shift) * scale)
            cv2.putText(frame, line, place, font, 0.8 * scale, colour)


# ----------------------------------------------------------------------- stream


def open_stream(source: str) -> cv2.VideoCapture:
    """Open a camera by its number, or a file."""
    is_camera = source.isdigit()
    if not is_camera and not Path(source).is_file():
        raise ValueError(f'{source} is no file, and no number of a camera')
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    capture = cv2.VideoCapture(int(source) if is_camera else source)
    if not capture.isOpened():
        what = f'open a camera {source}' if is_camera else f'read {source} as a video'
        raise ValueError(f'cannot {what}')
    return capture


def open_writer(path: Path, fps: float, frame: np.ndarray) -> cv2.VideoWriter:
    codec, (width, height) = cv2.VideoWriter_fourcc(*'mp4v'), frame.shape[1::-1]
    writer = cv2.VideoWriter(str(path), codec, fps, (width, height))
    if not writer.isOpened():
        raise ValueError(f'cannot write {path} with frames of {width} x {height}')
    return writer


class Display:
    """Print what a stream shows, and write it on the frames if they are wanted."""

    def __init__(self, args: argparse.Namespace, names: Optional[list], fps: float):
        self.args, self.names, self.fps = args, names, fps
        self.lines, self.writer, self.since = [], None, (time.perf_counter(), 0)

    def update(self, number: int, probabilities: np.ndarray) -> None:
        """Take new probabilities after a number of frames."""
        (then, before), now = self.since, time.perf_counter()
        self.since = now, number
        rate = f'{(number - before) / max(now - then, 1e-9):.0f} fps'
        best = np.argsort(-probabilities)[: self.args.top]
        labels = [self.names[i] if self.names else f'class {i}' for i in best]
        classes = [f'{probabilities[i]:.1%} {x}' for i, x in zip(best, labels)]
        print(f'{number / self.fps:8.2f} s', rate, *classes, sep='  ', flush=True)
        self.lines = [rate, *classes]

    def show(self, frame: np.ndarray) -> bool:
        """Write and show a frame, and return whether the user pressed q."""
        write_on(frame, self.lines)
        if self.args.out:
            self.writer = self.writer or open_writer(self.args.out, self.fps, frame)
            self.writer.write(frame)
        if not self.args.show:
            return False
        try:
            cv2.imshow('stream', frame)
            return cv2.waitKey(1) == ord('q')
        except cv2.error as error:
            raise ValueError(
                '--show: this OpenCV opens no windows; install opencv-python in place '
                'of opencv-python-headless'
            ) from error

    def close(self) -> None:
        if self.writer:
            self.writer.release()


def check_view(path: Path, view: dict) -> None:
    if view['views'] > 1:
        raise ValueError(
            f'{path} takes {view["views"]} views of a video, a stream has one; export '
            'it with CenterCrop and a sampler of one clip in test_pipeline, as '
            'docs/export.md says'
        )


def stream(args: argparse.Namespace) -> None:
    session, view = open_model(args.model)
    check_view(args.model, view)
    capture = open_stream(args.source)
    fps = capture.get(cv2.CAP_PROP_FPS)
    fps = fps if 0 < fps < 1000 else DEFAULT_FPS  # a camera may not know
    length = window_length(view['sampling'], fps, args.seconds)
    taken = find_frames(view, length, fps)
    display = Display(args, view['classes'], fps)
    window, smoothed, number = deque(maxlen=length), None, 0
    try:
        # read gives whether there was a frame, and the frame
        for number, (_, frame) in enumerate(iter(capture.read, (False, None)), 1):
            window.append(prepare(frame, view['steps']))
            if number >= length and (number - length) % args.stride == 0:
                frames = np.stack([window[i] for i in taken]).transpose(0, 3, 1, 2)
                found = softmax(np.float64(score_view(session, view, frames)))
                old = found if smoothed is None else smoothed
                smoothed = args.smoothing * old + (1 - args.smoothing) * found
                display.update(number, smoothed)
            if display.show(frame):
                return
    finally:
        capture.release()
        display.close()
    if smoothed is None:
        if args.out:
            args.out.unlink(missing_ok=True)  # it has no classes
        short = describe_short(number, length, view['sampling'], fps)
        raise ValueError(f'OpenCV reads {number} frames of {args.source}, {short}')


def describe_short(number: int, length: int, s: dict, fps: float) -> str:
    """Say what to do about a stream of fewer frames than the window."""
    minimum, _ = find_lengths(s, fps)
    if number < minimum:
        return f'and {minimum} or more are needed'
    return f'fewer than the {length} of the window; give --seconds {number / fps:.4g}'


def parse_args(arguments: Optional[list]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('model', type=Path, help='ONNX file of tools/export.py')
    add('source', help='a video, or the number of a camera')
    add('--stride', type=int, default=8, help='frames from one window to the next')
    add('--seconds', type=float, help='of the window, see above; otherwise 2')
    add('--smoothing', type=float, default=0.5, help='share of the scores before')
    add('--top', type=int, default=3, help='classes to show')
    add('--out', type=Path, help='write the frames with the classes to a new .mp4 file')
    add('--show', action='store_true', help='open a window, which q closes')
    args = parser.parse_args(arguments)
    if min(args.stride, args.top) < 1 or not 0 <= args.smoothing < 1:
        parser.error('--stride and --top are 1 or more, --smoothing is 0 to below 1')
    if not 0 < (1 if args.seconds is None else args.seconds) < 1e6:
        parser.error(f'--seconds {args.seconds}: give a number above 0, such as 2')
    if not args.model.is_file():
        parser.error(f'{args.model} is no file')
    if args.out:
        check_out(args.out, parser)
    # Where there is none, some builds of OpenCV end the process.
    known = os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')
    if args.show and sys.platform == 'linux' and not known:
        parser.error('--show needs a display; DISPLAY is not set')
    return args


def check_out(path: Path, parser: argparse.ArgumentParser) -> None:
    if path.suffix != '.mp4':
        parser.error(f'--out {path}: give a name that ends in .mp4')
    if path.exists():  # it could be the source
        parser.error(f'--out {path} exists; give another name')
    if not path.parent.is_dir():
        parser.error(f'--out {path}: {path.parent} is no folder')


def main(arguments: Optional[list] = None) -> None:
    try:
        stream(parse_args(arguments))
    except ValueError as error:
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt:
        pass


if __name__ == '__main__':
    main()
