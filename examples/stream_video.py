"""Classify a camera, or a file as a stream, with an ONNX file of tools/export.py.

    python examples/stream_video.py model.onnx 0
    python examples/stream_video.py model.onnx video.mp4 --stride 16 --out labelled.mp4

Needs onnxruntime, OpenCV and numpy. A window slides over the stream: after each stride
the frames are taken from it that test_pipeline of the config takes from a video of that
length, and scored. Scores are smoothed over time. --seconds of the window should be how
long the videos of the training are; networks that take every n-th frame have their own.

The frames per second are those that went through this program. Where a camera has
more, give a larger stride. Ctrl-C ends it.
"""

import argparse
import json
import time
from collections import deque
from pathlib import Path
from typing import Optional

import cv2
import numpy as np
import onnxruntime

DEFAULT_FPS, DEFAULT_SECONDS = 30, 2
WHITE, BLACK = (255, 255, 255), (0, 0, 0)

# --------------------------------------------------------------------- sampling


def random_frames(s: dict, n: int) -> np.ndarray:
    """Return the frames of UniformSampleFrames, which a seed draws."""
    random, length = np.random.RandomState(s['seed']), s['clip_len']
    if n < 2 * length:
        skipped = random.choice(length + 1, n - length, replace=False)
        return np.arange(length) + np.cumsum(np.isin(np.arange(length), skipped))
    edges = np.arange(length + 1) * n // length
    return edges[:-1] + random.randint(np.diff(edges))


def find_frames(s: dict, n: int, fps: float) -> np.ndarray:
    """Return which frames of a window a view has, in their order.

    Args:
        s: Name and arguments of the sampler of test_pipeline.
        n: Number of frames of the window, at least those of a clip.
        fps: Their rate.
    """
    kind, length, clips = s['sampler'], s['clip_len'], s['num_clips']
    span, offsets = clip_span(s, fps), np.arange(length) * s.get('frame_interval', 1)
    if kind == 'SampleFrames' and length == 1 and not s['twice_sample']:
        found = np.arange(clips) * (n / clips) + n / clips / 2  # middles of segments
    elif kind == 'SampleFrames' and clips == 1:
        if s['target_fps'] is not None:
            offsets = np.linspace(0, span - 1, length).astype(int)
        found = (n - span) // 2 + offsets
    elif kind == 'DenseSampleFrames':
        found = np.arange(clips)[:, None] * (s['sample_range'] // clips) + offsets
    elif kind == 'UniformSample':
        segment = (n - 1) / length
        found = np.round(segment * np.arange(length)) + np.floor(segment / 2)
    elif kind == 'UniformSampleFrames':
        found = random_frames(s, n)
    elif kind == 'SampleWindows':
        parts = 2 * np.arange(clips) + 1
        found = ((n - length + 1) * parts // (2 * clips))[:, None] + offsets
    elif kind == 'SampleSegments':
        found = np.round(n * (2 * np.arange(length) + 1) / (2 * length))
    elif kind == 'SampleDenseClips':
        found = (n - span) / 2 + np.linspace(0, span - 1, length) + 1e-6
    else:
        raise ValueError(f'{s} of test_pipeline is not known to this program')
    return np.clip(found, 0, n - 1).astype(int).ravel()


def clip_span(s: dict, fps: float) -> float:
    """Return how many frames a clip lasts whose frames have a fixed distance, or 1."""
    interval, length = s.get('frame_interval'), s['clip_len']
    if interval is None or (s['sampler'] == 'SampleFrames' and length == 1):
        return 1
    if s['sampler'] == 'DenseSampleFrames':
        return s['sample_range'] + (length - 1) * interval
    if s['target_fps'] is None:
        return (length - 1) * interval + 1
    return max(1, length * interval * (fps / s['target_fps'] if s['reads_fps'] else 1))


def window_length(s: dict, fps: float, seconds: Optional[float]) -> int:
    """Return how many frames the window has."""
    span = int(np.ceil(clip_span(s, fps)))
    least = span if span > 1 else s['clip_len'] + s['num_clips']
    if seconds is None:
        return span if span > 1 else max(least, round(DEFAULT_SECONDS * fps))
    if round(seconds * fps) < least:
        raise ValueError(f'--seconds {seconds}: {least} frames are needed at {fps} fps')
    return round(seconds * fps)


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
    return frame[..., ::-1]


def find_size(width: int, height: int, kind: str, value) -> tuple[int, int]:
    if kind == 'resize':
        return tuple(value)
    factor = value
    if kind == 'fit':
        longest, shortest = value
        factor = shortest / min(width, height)
        if longest is not None:
            factor = min(longest / max(width, height), factor)
    return int(width * factor + 0.5), int(height * factor + 0.5)


def write_on(frame: np.ndarray, lines: list[str]) -> None:
    """Write lines into the upper left corner."""
    scale, font = frame.shape[0] / 480, cv2.FONT_HERSHEY_SIMPLEX
    for i, line in enumerate(lines):
        for colour, shift in (BLACK, 2), (WHITE, 0):  # with a shadow
            place = int((10 + shift) * scale), int((30 + 30 * i + shift) * scale)
            cv2.putText(frame, line, place, font, 0.8 * scale, colour)


# ----------------------------------------------------------------------- scores


def open_model(path: Path) -> tuple[onnxruntime.InferenceSession, dict]:
    """Return a session and what its input is."""
    try:
        session = onnxruntime.InferenceSession(
            str(path), providers=onnxruntime.get_available_providers()
        )
    except Exception as error:  # each fault of a file has an exception of its own
        raise ValueError(f'cannot read {path} as ONNX: {error}') from error
    entries = session.get_modelmeta().custom_metadata_map
    if 'mmtemporal_view' not in entries:
        raise ValueError(f'{path} does not say what it takes; give a file of export.py')
    view = json.loads(entries['mmtemporal_view'])
    if view['views'] > 1:
        raise ValueError(
            f'{path} takes {view["views"]} views of a video, a stream has one; export '
            'it with one clip and CenterCrop in test_pipeline'
        )
    return session, view


def score(session, view: dict, frames: np.ndarray) -> np.ndarray:
    """Return the probabilities of the classes for frames, (frames, h, w, 3)."""
    x = frames.transpose(0, 3, 1, 2)
    if session.get_inputs()[0].type != 'tensor(uint8)':
        x = x.astype(np.float32)
        if view['mean']:
            mean, std = (np.float32(view[key]) for key in ('mean', 'std'))
            x = (x - mean.reshape(3, 1, 1)) / std.reshape(3, 1, 1)
    (scores,) = session.run(['scores'], {'frames': x[None]})[0]
    exponentials = np.exp(np.float64(scores) - scores.max())
    return exponentials / exponentials.sum()


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
    codec, size = cv2.VideoWriter_fourcc(*'mp4v'), frame.shape[1::-1]
    writer = cv2.VideoWriter(str(path), codec, fps, size)
    if not writer.isOpened():
        raise ValueError(f'cannot write {path}; give a name that ends in .mp4')
    return writer


class Display:
    """Prints what a stream shows, and writes it on the frames if they are wanted."""

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

    def is_ended_by(self, frame: np.ndarray) -> bool:
        """Write and show a frame; whether the user pressed q."""
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
            raise ValueError('--show needs a display, and an OpenCV for it') from error

    def close(self) -> None:
        if self.writer:
            self.writer.release()


def stream(args: argparse.Namespace) -> None:
    session, view = open_model(args.model)
    capture = open_stream(args.source)
    fps = capture.get(cv2.CAP_PROP_FPS)
    fps = fps if 0 < fps < 1000 else DEFAULT_FPS  # a camera may not know
    length = window_length(view['sampling'], fps, args.seconds)
    taken = find_frames(view['sampling'], length, fps)
    if len(taken) != view['frames']:
        raise ValueError(f'{args.model} takes several clips at once, a stream has one')
    display = Display(args, view['classes'], fps)
    window, smoothed, number = deque(maxlen=length), None, 0
    try:
        # read gives whether there was a frame, and the frame
        for number, (_, frame) in enumerate(iter(capture.read, (False, None)), 1):
            window.append(prepare(frame, view['steps']))
            if number >= length and (number - length) % args.stride == 0:
                found = score(session, view, np.stack([window[i] for i in taken]))
                old = found if smoothed is None else smoothed
                smoothed = args.smoothing * old + (1 - args.smoothing) * found
                display.update(number, smoothed)
            if display.is_ended_by(frame):
                return
    finally:
        capture.release()
        display.close()
    if smoothed is None:
        raise ValueError(
            f'{args.source} has {number} frames, fewer than the {length} of the window'
        )


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
    add('--out', type=Path, help='write the frames with the classes to this .mp4 file')
    add('--show', action='store_true', help='open a window, which q closes')
    args = parser.parse_args(arguments)
    if min(args.stride, args.top) < 1 or not 0 <= args.smoothing < 1:
        parser.error('--stride and --top are 1 or more, --smoothing is 0 to below 1')
    if not args.model.is_file():
        parser.error(f'{args.model} is no file')
    return args


def main(arguments: Optional[list] = None) -> None:
    try:
        stream(parse_args(arguments))
    except ValueError as error:
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt:
        pass


if __name__ == '__main__':
    main()
