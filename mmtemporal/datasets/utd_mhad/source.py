"""The depth recordings of UTD-MHAD as the authors publish them."""

import hashlib
import re
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from scipy.io import loadmat

from . import recordings
from .recordings import Recording

FRAME_SIZE = (240, 320)
VARIABLE = 'd_depth'

# Beyond these columns no recording has anything.
_COLUMNS = slice(80, 240)
_DEPTH_NAME = re.compile(r'a(\d+)_s(\d+)_t(\d+)_depth\.mat')
# Other modalities of the same recordings; the colour videos are no .mat files.
_OTHER_NAME = re.compile(r'a\d+_s\d+_t\d+_(inertial|skeleton)\.mat')


def find_recordings(source: Path) -> dict[Recording, Path]:
    """Find the files of all recordings anywhere beneath a folder.

    Returns:
        The recordings in the order of their numbers, and their files.

    Raises:
        ValueError: If the source is no folder, a recording is missing or there twice,
            or a MATLAB file is none of this data set.
    """
    if source.suffix.lower() == '.zip' and source.is_file():
        raise ValueError(f'{source} is an archive; unpack it and give the folder')
    if not source.is_dir():
        raise ValueError(f'{source} is no folder; give the one with the *_depth.mat')
    found = defaultdict(list)
    for path in sorted(source.rglob('*')):
        if path.suffix.lower() == '.mat' and not _OTHER_NAME.fullmatch(path.name):
            found[_parse_name(path)].append(path)
    for paths in found.values():
        if len(paths) > 1:
            raise ValueError(f'the same recording twice: {paths[0]} and {paths[1]}')
    missing = [r for r in recordings.RECORDINGS if r not in found]
    if missing:
        raise ValueError(_describe_missing(source, missing))
    return {recording: found[recording][0] for recording in recordings.RECORDINGS}


def _parse_name(path: Path) -> Recording:
    match = _DEPTH_NAME.fullmatch(path.name)
    recording = Recording(*map(int, match.groups())) if match else None
    # Names with leading zeros are none of the authors'.
    if recording is None or path.name != f'{recording.name}_depth.mat':
        raise ValueError(
            f'{path} is no file of UTD-MHAD, whose names are like '
            'a1_s1_t1_depth.mat; move it away'
        )
    if recording not in recordings.RECORDINGS:
        raise ValueError(
            f'{path}: UTD-MHAD has no such recording; it has actions a1 to a27, '
            'persons s1 to s8, trials t1 to t4, without a8_s1_t4, a23_s6_t4 and '
            'a27_s8_t4'
        )
    return recording


def _describe_missing(source: Path, missing: list[Recording]) -> str:
    names = ', '.join(f'{recording.name}_depth.mat' for recording in missing[:5])
    more = ' and others' if len(missing) > 5 else ''
    archive = next(source.rglob('*.zip'), None)
    hint = f'; unpack {archive} first' if archive else ''
    return (
        f'{source} lacks {len(missing)} of {len(recordings.RECORDINGS)} recordings: '
        f'{names}{more}{hint}'
    )


def examine(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file, and the number of its frames.

    Raises:
        ValueError: If the file does not hold a depth recording.
    """
    frames = len(read_depth(path))
    return hashlib.sha256(path.read_bytes()).hexdigest(), frames


def read_depth(path: Path) -> np.ndarray:
    """Read a recording.

    Returns:
        Millimetres, 0 where nothing is: (t, 240, 320), uint16.

    Raises:
        ValueError: If the file does not hold a depth recording.
    """
    # Damaged files make SciPy raise errors of any type.
    try:
        variables = loadmat(path)
    except Exception as error:
        raise ValueError(
            f'{path} cannot be read as a MATLAB file of versions 4 to 7.2: '
            f'{type(error).__name__}: {error}'
        ) from error
    expected = f'{VARIABLE} of 240 x 320 x frames, uint16'
    if VARIABLE not in variables:
        names = [name for name in variables if not name.startswith('__')]
        raise ValueError(f'{path} holds {names}, expected {expected}')
    depth = variables[VARIABLE]
    if depth.dtype != np.uint16 or depth.ndim != 3 or depth.shape[:2] != FRAME_SIZE:
        got = f'{" x ".join(map(str, depth.shape))}, {depth.dtype}'
        raise ValueError(f'{path} holds {VARIABLE} of {got}; expected {expected}')
    if depth.shape[2] == 0:
        raise ValueError(f'{path} holds no frames')
    return np.moveaxis(depth, 2, 0)


def render_depth(depth: np.ndarray) -> np.ndarray:
    """Draw a recording in grey: near is bright, nothing is black.

    1.8 m and less become 255, 3.8 m and more 40. Of the columns the middle 160 are
    kept, and the frames are halved.

    Args:
        depth: Millimetres, 0 where nothing is: (t, 240, 320).

    Returns:
        Frames (t, 120, 80, 3), uint8, whose three channels are equal.
    """
    depth = depth[:, :, _COLUMNS].astype(np.float32)
    grey = np.clip(255 - (depth - 1800) / 2000 * 215, 40, 255)
    grey = np.where(depth == 0, 0, np.rint(grey)).astype(np.uint8)
    half = (grey.shape[2] // 2, grey.shape[1] // 2)
    small = [cv2.resize(frame, half, interpolation=cv2.INTER_AREA) for frame in grey]
    return np.repeat(np.stack(small)[..., None], 3, axis=3)
