"""Which frames of an MP4 file its edit list shows."""

import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Optional

import numpy as np

from .video_container import walk_boxes

_TABLES = (b'stts', b'ctts', b'mdhd', b'edts')


@dataclass
class _Track:
    """Where the boxes of a video track begin, and where they end."""

    is_video: bool = False
    boxes: dict = field(default_factory=dict)


@dataclass
class Edit:
    """What an edit list leaves of a video.

    Attributes:
        first: Number of the first frame that is shown, in the order of their times.
        count: Number of frames that are shown.
        total: Number of frames that are there.
        position: Where the edit list stands in the file.
    """

    first: int
    count: int
    total: int
    position: int


def find_edit(path: str) -> Optional[Edit]:
    """Return which frames the edit list of an MP4 file shows, None if all.

    A clip that is cut without being encoded anew begins at the key frame ahead of
    the cut. An edit list (ISO/IEC 14496-12, 8.6.6) says from when on it is shown,
    and until when; players, and ffmpeg, leave the frames outside of it away. Lists
    of several parts, and files with several videos or in fragments, give None, too.
    """
    with open(path, 'rb') as file:
        end = file.seek(0, os.SEEK_END)
        tracks, movie = _find_tracks(file, end)
        videos = [track.boxes for track in tracks if track.is_video]
        if len(videos) != 1 or not {b'stts', b'mdhd', b'edts'} <= videos[0].keys():
            return None
        (boxes,) = videos
        parts = _read_edits(file, *boxes[b'edts'])
        times = _read_times(file, boxes)
        if len(parts) != 1 or not len(times):
            return None
        ((duration, start),) = parts
        if duration:
            scale = _read_scale(file, *boxes[b'mdhd']) / _read_scale(file, *movie)
            shown = (times >= start) & (times < start + round(duration * scale))
        else:
            shown = times >= start
        if shown.all() or not shown.any():
            return None
        first, count = int(shown.argmax()), int(shown.sum())
        return Edit(first, count, len(times), boxes[b'edts'][0])


@contextmanager
def without_edit(path: str, edit: Edit) -> Iterator[str]:
    """Give the name of a copy of a file in which all frames are shown."""
    with tempfile.NamedTemporaryFile(suffix='.mp4') as copy:
        with open(path, 'rb') as file:
            shutil.copyfileobj(file, copy)
        # The kind of a box that is to be skipped, ahead of what it holds.
        copy.seek(edit.position - 4)
        copy.write(b'free')
        copy.flush()
        yield copy.name


def _find_tracks(file: BinaryIO, end: int) -> tuple[list[_Track], Any]:
    tracks, movie = [], None
    for kind, *box in walk_boxes(file, 0, end):
        if kind == b'mvhd':
            movie = box
        elif kind == b'tkhd':  # the first box of a track
            tracks.append(_Track())
        elif kind == b'vmhd' and tracks:
            tracks[-1].is_video = True
        elif kind in _TABLES and tracks:
            tracks[-1].boxes[kind] = box
    return tracks, movie


def _read_scale(file: BinaryIO, first: int, last: int) -> int:
    """Return the units of time a second, of a movie or media header."""
    file.seek(first)
    version = file.read(1)[0]
    file.seek(first + (20 if version else 12))
    return int.from_bytes(file.read(4), 'big')


def _read_edits(file: BinaryIO, first: int, last: int) -> list[tuple[int, int]]:
    """Return duration and start of the parts of an edit list, without gaps."""
    file.seek(first)
    data = file.read(last - first)
    if data[4:8] != b'elst':
        return []
    form = '>Qqi' if data[8] else '>Iii'
    (count,) = struct.unpack_from('>I', data, 12)
    parts = struct.iter_unpack(form, data[16 : 16 + count * struct.calcsize(form)])
    return [(duration, start) for duration, start, _ in parts if start >= 0]


def _read_times(file: BinaryIO, boxes: dict) -> np.ndarray:
    """Return the times at which frames are to be shown, in order."""
    durations = _read_runs(file, *boxes[b'stts'])
    times = np.cumsum(durations) - durations
    if b'ctts' in boxes:
        times = times + _read_runs(file, *boxes[b'ctts'])[: len(times)]
    return np.sort(times)


def _read_runs(file: BinaryIO, first: int, last: int) -> np.ndarray:
    """Return the values of a table that gives them by how often they are repeated."""
    file.seek(first + 4)
    (count,) = struct.unpack('>I', file.read(4))
    table = np.frombuffer(file.read(8 * count), '>i4').reshape(-1, 2)
    return np.repeat(table[:, 1].astype(np.int64), table[:, 0])
