"""Classify a video with an ONNX file of tools/export.py.

    python examples/onnx_video.py model.onnx video.mp4

Needs onnxruntime and decord, and nothing of OpenMMLab or PyTorch. The file says how
test_pipeline of the config prepares a video: it is done here in the same way, so all
views that testing takes are scored and averaged.
"""

import argparse
import json
from pathlib import Path
from typing import Optional

import numpy as np
import onnxruntime

# --------------------------------------------------------------------- sampling
# Each sampler gives the frames of all clips, (clips, frames of a clip), for its
# arguments s, the number n of frames of the video, and their rate, None if unknown.


def sample_frames(s: dict, n: int, fps: Optional[float]) -> np.ndarray:
    length, clips = s['clip_len'], s['num_clips']
    if s['target_fps'] is None:
        span = (length - 1) * s['frame_interval'] + 1
        offsets = np.arange(length) * s['frame_interval']
    else:
        span = scaled_span(s, fps)
        offsets = np.linspace(0, span - 1, length).astype(int)
    if length == 1:  # the middles of segments
        edges = np.arange(clips) * (n / clips)
        starts = edges + n / clips / 2
        if s['twice_sample']:
            starts = np.concatenate([starts, edges])
    else:  # from the beginning to the end
        room = max(n - span, 0)
        starts = np.array([room // 2])
        if clips > 1:
            step = room / (clips - 1)
            step = step if s['target_fps'] is None else np.floor(step)
            starts = np.arange(clips * (2 if s['twice_sample'] else 1)) * step
            starts = np.round(starts)
    return keep_within(starts[:, None] + offsets, n, s['out_of_bound_opt'])


def dense_sample_frames(s: dict, n: int, fps: Optional[float]) -> np.ndarray:
    room = max(0, n - s['sample_range'])
    firsts = np.linspace(0, room, s['num_sample_positions'], dtype=int)
    interval = s['sample_range'] // s['num_clips']
    starts = (firsts[:, None] + np.arange(s['num_clips']) * interval) % n
    offsets = np.arange(s['clip_len']) * s['frame_interval']
    return keep_within(starts.reshape(-1, 1) + offsets, n, s['out_of_bound_opt'])


def uniform_sample(s: dict, n: int, fps: Optional[float]) -> np.ndarray:
    segment = (n - 1) / s['clip_len']
    starts = np.round(segment * np.arange(s['clip_len']))
    shifts = segment / (s['num_clips'] + 1) * np.arange(1, s['num_clips'] + 1)
    return starts + np.floor(shifts)[:, None]


def uniform_sample_frames(s: dict, n: int, fps: Optional[float]) -> np.ndarray:
    random = np.random.RandomState(s['seed'])
    length, clips = s['clip_len'], s['num_clips']

    def clip(i: int) -> np.ndarray:
        if n < length:
            return np.arange(length) + (i if n < clips else i * n // clips)
        if n < 2 * length:
            skipped = random.choice(length + 1, n - length, replace=False)
            skips = np.isin(np.arange(length), skipped)
            return np.arange(length) + np.cumsum(skips)
        edges = np.arange(length + 1) * n // length
        return edges[:-1] + random.randint(np.diff(edges))

    return np.stack([clip(i) for i in range(clips)]) % n


def sample_windows(s: dict, n: int, fps: Optional[float]) -> np.ndarray:
    segments, views = s['num_clips'], s['num_views']
    room = n - s['clip_len'] + 1
    parts = 2 * views * np.arange(segments) + 2 * np.arange(views)[:, None] + 1
    starts = room * parts // (2 * views * segments)
    if room <= segments:
        starts = np.zeros_like(starts)
    windows = starts.reshape(-1, 1) + np.arange(s['clip_len'])
    return keep_within(windows, n, 'repeat_last')


def sample_segments(s: dict, n: int, fps: Optional[float]) -> np.ndarray:
    segments, clips = s['clip_len'], s['num_clips']
    parts = 2 * np.arange(segments)[None] + 1  # the middles, in halves of a segment
    whole = 2
    if clips > 1:
        parts = clips * np.arange(segments) + np.arange(1, clips + 1)[:, None]
        whole = clips
    return np.minimum(np.round(n * parts / (whole * segments)), n - 1)


def sample_dense_clips(s: dict, n: int, fps: Optional[float]) -> np.ndarray:
    span, clips = scaled_span(s, fps), s['num_clips']
    room = max(n - span, 0)
    starts = room * np.arange(clips) / clips if clips > 1 else np.array([room / 2])
    positions = starts[:, None] + np.linspace(0, span - 1, s['clip_len'])
    return np.clip(positions + 1e-6, 0, n - 1)


def scaled_span(s: dict, fps: Optional[float]) -> float:
    """Return how many frames of the video a clip lasts."""
    ratio = fps / s['target_fps'] if fps else 1
    return max(1, s['clip_len'] * s['frame_interval'] * ratio)


def keep_within(frames: np.ndarray, n: int, how: str) -> np.ndarray:
    """Go on at the first frame behind the last, or repeat the last of the clip."""
    if how == 'loop':
        return frames % n
    last = np.max(np.where(frames < n, frames, 0), axis=1, keepdims=True)
    return np.where(frames < n, frames, last)


SAMPLERS = {
    'SampleFrames': sample_frames,
    'DenseSampleFrames': dense_sample_frames,
    'UniformSample': uniform_sample,
    'UniformSampleFrames': uniform_sample_frames,
    'SampleWindows': sample_windows,
    'SampleSegments': sample_segments,
    'SampleDenseClips': sample_dense_clips,
}


def find_frames(view: dict, num_frames: int, fps: Optional[float]) -> np.ndarray:
    """Return the indices of the frames, clip by clip."""
    sampling = view['sampling']
    fps = fps if sampling['reads_fps'] else None
    return SAMPLERS[sampling['sampler']](sampling, num_frames, fps).astype(int).ravel()


# --------------------------------------------------------------------- pictures


def resize(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Interpolate between the centres of pixels, as OpenCV does."""
    picture = picture.astype(np.float32)
    for axis, size in ((0, height), (1, width)):
        old = picture.shape[axis]
        position = (np.arange(size) + 0.5) * (old / size) - 0.5
        position = np.clip(position, 0, old - 1)
        low = position.astype(int)
        high = np.minimum(low + 1, old - 1)
        weight = np.expand_dims(position - low, [i for i in range(3) if i != axis])
        low, high = picture.take(low, axis), picture.take(high, axis)
        picture = low + (high - low) * weight.astype(np.float32)
    return (picture + 0.5).astype(np.uint8)


def find_size(width: int, height: int, kind: str, value) -> tuple[int, int]:
    """Return the width and height to which a step resizes."""
    if kind == 'resize':
        return tuple(value)
    factor = value
    if kind == 'fit':
        longest, shortest = value
        factor = shortest / min(width, height)
        if longest is not None:
            factor = min(longest / max(width, height), factor)
    return int(width * factor + 0.5), int(height * factor + 0.5)


def find_corners(x: int, y: int, kind: str) -> list[tuple[int, int]]:
    """Return the upper left corners of the crops, for the room beside them."""
    if kind == 'center_crop':
        return [(x // 2, y // 2)]
    if kind == 'three_crops':  # one of the two is 0
        x, y = x // 2, y // 2
        return [(0, 0), (2 * x, 2 * y), (x, y)]
    x, y = x // 4, y // 4
    return [(0, 0), (4 * x, 0), (0, 4 * y), (4 * x, 4 * y), (2 * x, 2 * y)]


def prepare(frame: np.ndarray, steps: list[dict]) -> list[np.ndarray]:
    """Resize and crop a frame, (h, w, 3), and return all its crops."""
    crops = [frame]
    for step in steps:
        [(kind, value)] = step.items()
        height, width = crops[0].shape[:2]
        if kind in ('resize', 'scale', 'fit'):
            size = find_size(width, height, kind, value)
            crops = [resize(crop, *size) for crop in crops]
            continue
        x, y = width - value[0], height - value[1]
        if min(x, y) < 0 or (kind == 'three_crops' and min(x, y) > 0):
            raise ValueError(f'frames of {width} x {height} have no {kind} of {value}')
        crops = [
            crop[top : top + value[1], left : left + value[0]][:, ::direction]
            for left, top in find_corners(x, y, kind)
            for direction in ((1, -1) if kind == 'ten_crops' else (1,))
            for crop in crops
        ]
    return crops


def read_view(video: Path, view: dict) -> np.ndarray:
    """Read all views of a video, (views, frames, 3, h, w), as RGB pixels."""
    from decord import VideoReader  # here, because stream_video.py does without it

    try:
        reader = VideoReader(str(video))
        indices = find_frames(view, len(reader), reader.get_avg_fps())
        frames = reader.get_batch(indices).asnumpy()
    except Exception as error:  # each fault of a file has an exception of its own
        reason = ' '.join(str(error).split())[:200]
        raise ValueError(f'decord cannot read {video}: {reason}') from error
    # (frames, crops, h, w, 3), of which all frames of a crop follow one another
    crops = np.stack([prepare(frame, view['steps']) for frame in frames])
    crops = crops.swapaxes(0, 1).reshape(-1, view['frames'], *crops.shape[2:])
    return crops.transpose(0, 1, 4, 2, 3)


# ----------------------------------------------------------------------- scores


def softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def average(scores: np.ndarray, how: str) -> np.ndarray:
    """Average (views, classes); the softmax of the result are the probabilities."""
    if how == 'prob' and len(scores) > 1:
        return np.log(softmax(scores).mean(0))
    return scores.mean(0)


def open_model(path: Path) -> tuple[onnxruntime.InferenceSession, dict]:
    """Return a session, and the view that the file describes."""
    try:
        session = onnxruntime.InferenceSession(
            str(path), providers=onnxruntime.get_available_providers()
        )
    except Exception as error:  # as above
        raise ValueError(f'cannot read {path} as ONNX: {error}') from error
    entries = session.get_modelmeta().custom_metadata_map
    if 'mmtemporal_view' not in entries:
        raise ValueError(f'{path} does not say what it takes; give a file of export.py')
    return session, json.loads(entries['mmtemporal_view'])


def score_view(session, view: dict, frames: np.ndarray) -> np.ndarray:
    """Return the scores of the classes for RGB pixels, (frames, 3, h, w)."""
    if session.get_inputs()[0].type != 'tensor(uint8)':
        frames = frames.astype(np.float32)
        if view['mean']:
            mean, std = (np.float32(view[key]) for key in ('mean', 'std'))
            frames = (frames - mean.reshape(3, 1, 1)) / std.reshape(3, 1, 1)
    return session.run(['scores'], {'frames': frames[None]})[0][0]


def score(model: Path, video: Path) -> tuple[np.ndarray, dict]:
    """Return the scores of the classes, before the softmax, and the view."""
    session, view = open_model(model)
    scores = [score_view(session, view, frames) for frames in read_view(video, view)]
    return average(np.float64(scores), view['average_clips']), view


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', type=Path, help='ONNX file of tools/export.py')
    parser.add_argument('video', type=Path)
    parser.add_argument('--top', type=int, default=5, help='classes to print')
    args = parser.parse_args()
    if args.top < 1:
        parser.error(f'--top {args.top}: give 1 or more')
    for path in (args.model, args.video):
        if not path.is_file():
            raise SystemExit(f'error: {path} is no file')
    try:
        scores, view = score(args.model, args.video)
    except ValueError as error:
        raise SystemExit(f'error: {error}') from None
    probabilities = softmax(scores)
    for index in np.argsort(-scores)[: args.top]:
        name = view['classes'][index] if view['classes'] else f'class {index}'
        print(f'{probabilities[index]:7.2%}  {name}')


if __name__ == '__main__':
    main()
