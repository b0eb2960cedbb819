"""Checks of the prepared data set, by the files as they were written."""

import hashlib
from collections import Counter
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Optional, Union

import cv2  # ahead of decord, whose libraries would stand in for its own
import decord
import numpy as np

from . import recordings
from .files import CLASSES_NAME, MANIFEST_NAME, read_manifest, track
from .recordings import CLASS_NAMES, LISTS

_REMEDY = '; delete it and prepare the data again'
# tune_train and tune_val are parts of train.
_DISJOINT = (('train', 'test'), *combinations(('tune_train', 'tune_val', 'test'), 2))


def check_utd_mhad(root: Union[str, Path], num_workers: int = 1) -> list[str]:
    """Check a prepared data set: persons, numbers of videos, frames.

    No person is on both sides of a split, the lists have the videos that the data set
    has, in number and in each class, no two recordings are the same, and two decoders
    give for every video the frames that were written.

    Args:
        root: Folder of the prepared data set.
        num_workers: Number of processes that decode.

    Returns:
        What was found right, in a few lines.

    Raises:
        ValueError: If something is wrong.
    """
    root = Path(root)
    manifest = read_manifest(root)
    if manifest is None:
        raise ValueError(f'{root} has no {MANIFEST_NAME} of UTD-MHAD; prepare it first')
    rows = {row['video']: row for row in manifest['recordings']}
    lists = {name: _read_list(root / f'{name}.txt', rows) for name in LISTS}
    return [
        _check_persons(lists, rows),
        _check_lists(lists),
        _check_classes(root, lists, rows),
        _check_frames(root, rows, num_workers),
    ]


def _read_list(path: Path, rows: dict[str, dict]) -> list[str]:
    """Return the videos of a list."""
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except OSError as error:
        raise ValueError(f'{path} cannot be read: {error}') from error
    expected = {f'{video} {row["label"]}': video for video, row in rows.items()}
    for number, line in enumerate(lines, 1):
        if line not in expected:
            raise ValueError(
                f'line {number} of {path} is {line!r}, which is no video of '
                f'{MANIFEST_NAME} and its label{_REMEDY}'
            )
    repeated = [line for line, count in Counter(lines).items() if count > 1]
    if repeated:
        raise ValueError(f'{path} has {repeated[0]!r} more than once{_REMEDY}')
    return [expected[line] for line in lines]


def _check_persons(lists: dict[str, list[str]], rows: dict[str, dict]) -> str:
    persons = {
        name: {rows[video]['person'] for video in videos}
        for name, videos in lists.items()
    }
    for left, right in _DISJOINT:
        both = persons[left] & persons[right]
        if both:
            raise ValueError(f'person {min(both)} is in {left}.txt and in {right}.txt')
    parts = [f'{name} {sorted(persons[name])}' for name in lists]
    return f'persons: {", ".join(parts)}; none on both sides'


def _check_lists(lists: dict[str, list[str]]) -> str:
    for name, persons in LISTS.items():
        expected = sum(r.person in persons for r in recordings.RECORDINGS)
        if len(lists[name]) != expected:
            raise ValueError(
                f'{name}.txt has {len(lists[name])} lines, expected {expected}{_REMEDY}'
            )
    return 'lines: ' + ', '.join(f'{name} {len(lists[name])}' for name in lists)


def _check_classes(
    root: Path, lists: dict[str, list[str]], rows: dict[str, dict]
) -> str:
    if (root / CLASSES_NAME).read_text(encoding='utf-8').split() != [*CLASS_NAMES]:
        raise ValueError(f'{root / CLASSES_NAME} has other classes than the data set')
    expected = Counter(r.label for r in recordings.RECORDINGS)
    found = Counter(
        rows[video]['label']
        for video in lists['train'] + lists['test']
        if (root / video).is_file()
    )
    for label, count in expected.items():
        if found[label] != count:
            name = CLASS_NAMES[label]
            raise ValueError(
                f'class {name} has {found[label]} videos, expected {count}'
            )
    usual = max(expected.values())
    fewer = [f'{CLASS_NAMES[i]} {n}' for i, n in expected.items() if n != usual]
    but = f', but {", ".join(fewer)}' if fewer else ''
    return f'classes: {len(expected)}, {usual} videos each{but}'


def _check_frames(root: Path, rows: dict[str, dict], num_workers: int) -> str:
    hashes = Counter(row['frames_sha256'] for row in rows.values())
    for digest, count in hashes.items():
        if count > 1:
            same = [v for v, row in rows.items() if row['frames_sha256'] == digest]
            raise ValueError(f'{same[0]} and {same[1]} are the same recording')
    check = partial(_check_video, root)
    results = track(check, [*rows.values()], num_workers, 'Decoding all videos twice')
    wrong = [problem for problem in results if problem]
    if wrong:
        raise ValueError(
            f'{len(wrong)} of {len(rows)} videos do not decode to the frames that were '
            f'written: {"; ".join(wrong[:5])}. Delete these and prepare the data again'
        )
    frames = sum(row['frames'] for row in rows.values())
    return f'decoding: {len(rows)} videos, {frames} frames, twice the same frames'


def _check_video(root: Path, row: dict) -> Optional[str]:
    path = root / row['video']
    # OpenCV first: with a corrupt file decord can end the process.
    for decoder, decode in (('OpenCV', _decode_all), ('decord', _decode_at_random)):
        frames = decode(path)
        if hashlib.sha256(frames.tobytes()).hexdigest() != row['frames_sha256']:
            return f'{row["video"]} by {decoder}'
    return None


def _decode_all(path: Path) -> np.ndarray:
    """Decode a video from its beginning to its end, BGR."""
    video = cv2.VideoCapture(str(path))
    frames: list[np.ndarray] = []
    while True:
        found, frame = video.read()
        if not found:
            return np.array(frames, np.uint8)
        frames.append(frame)


def _decode_at_random(path: Path) -> np.ndarray:
    """Decode a video as samplers do, not one frame after the other, BGR."""
    reader = decord.VideoReader(str(path), num_threads=1)
    count = len(reader)
    order = [*range(1, count, 2), *range(0, count, 2)]
    frames = reader.get_batch(order).asnumpy()
    return frames[np.argsort(order), ..., ::-1]
