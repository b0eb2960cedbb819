"""What can be told about a video file before a decoder is trusted with it."""

import os
import os.path as osp
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

_MATROSKA, _SEGMENT = b'\x1a\x45\xdf\xa3', b'\x18\x53\x80\x67'
# Each of these is in the one before it.
_FOLDERS = (b'moov', b'trak', b'mdia', b'minf', b'stbl')
_SIZES = (b'stsz', b'stz2')  # the second, compact form has its count at the same place
# Some writers of AVI count these bytes, the kind and the size itself, as well.
_AVI_HEADER = 8


def check_file(name: str) -> None:
    """Refuse what :func:`check_container` refuses, and pipes, which never end.

    Args:
        name: Path of the file.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is one of these.
    """
    if osp.exists(name) and not (osp.isfile(name) or osp.isdir(name)):
        raise ValueError(f'{name} is no video: it is a pipe, socket or device')
    with open(name, 'rb') as file:
        check_container(file, name)


def check_container(file: BinaryIO, name: str) -> None:
    """Refuse files that decoders take for shorter videos, or that end the process.

    Matroska (WebM), AVI and MP4 files begin with how long they are. Of one that was
    cut off a decoder reads what is there and takes that for all of the video.

    Decord waits for the addresses in a playlist, for ever if it has no end. It sets
    memory aside for as many frames as the index of an MP4 file announces, and if
    damage makes that billions, the process ends. Such an index contradicts itself,
    since it lists the frames once by their times (``stts``) and once by their sizes
    (``stsz``), see ISO/IEC 14496-12, 8.6.1.2 and 8.7.3.2.

    Args:
        file: The file, open for reading, at its beginning.
        name: What errors call it.

    Raises:
        ValueError: It is one of these.
    """
    head = file.read(8)
    end = file.seek(0, os.SEEK_END)
    if head.startswith(b'#EXTM3U'):
        raise ValueError(f'{name} is a playlist, which names videos and holds none')
    if head.startswith(_MATROSKA):
        announced = _measure_matroska(file)
    elif head.startswith(b'RIFF'):
        announced = _measure_avi(file, end)
    else:
        announced = _measure_mp4(name, file, end)
    if announced > end:
        raise ValueError(
            f'{name} is cut off: it has {end} bytes and announces {announced}'
        )


def _measure_matroska(file: BinaryIO) -> int:
    file.seek(len(_MATROSKA))
    file.seek(_read_vint(file), os.SEEK_CUR)
    if file.read(len(_SEGMENT)) != _SEGMENT:
        return 0
    size = _read_vint(file)
    return file.tell() + size


def _read_vint(file: BinaryIO) -> int:
    """Return an integer whose leading zero bits tell its length (RFC 8794, 4).

    All ones stand for a length that the writer did not know; this gives 0, as it does
    for what is no such integer.
    """
    first = file.read(1).ljust(1, b'\0')[0]
    if not first:
        return 0
    more = 8 - first.bit_length()
    value = int.from_bytes(bytes([first]) + file.read(more), 'big')
    value -= 1 << (7 * (more + 1))
    return 0 if value + 1 == 1 << (7 * (more + 1)) else value


def _measure_avi(file: BinaryIO, end: int) -> int:
    start = 0
    while start + 8 <= end:  # large files have several such parts
        file.seek(start)
        kind, size = struct.unpack('<4sI', file.read(8))
        if kind != b'RIFF':
            break
        start += 8 + size + size % 2
    return start - _AVI_HEADER


def _measure_mp4(name: str, file: BinaryIO, end: int) -> int:
    """Return how long an MP4 file has to be at least, and check its index."""
    boxes = list(walk_boxes(file, 0, end))
    times, sizes = [], []
    is_video = False
    for kind, *box in boxes:
        if kind in (b'tkhd', b'vmhd'):  # the second one is in video tracks only
            is_video = kind == b'vmhd'
        elif is_video and kind == b'stts':
            times.append(_count_times(file, *box))
        elif is_video and kind in _SIZES:
            sizes.append(_read_sizes(file, *box))
    for by_time, (by_size, _) in zip(times, sizes):
        if by_time != by_size:
            raise ValueError(
                f'{name} has a damaged index: it lists {by_time} frames by their times '
                f'and {by_size} by their sizes'
            )
    known = (*_FOLDERS, b'mdat')
    ends = [last for kind, _, last in boxes if kind in known]
    return max(ends + [total for _, total in sizes], default=0)


def walk_boxes(
    file: BinaryIO, start: int, end: int, level: int = 0
) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, first byte and end of every box that has no boxes of its own.

    The last one may reach past the end. Whatever is no MP4 file looks like that.

    Args:
        file: The file, open for reading.
        start: Where the first box begins.
        end: Where the last one ends.
        level: In how many others they are.
    """
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack('>I4s', file.read(8))
        first = start + 8
        if size == 1:
            size = int.from_bytes(file.read(8), 'big')
            first += 8
        elif size == 0:
            size = end - start
        start += size
        if start < first:
            return
        if kind in _FOLDERS[level : level + 1] and start <= end:
            yield from walk_boxes(file, first, start, level + 1)
        else:
            yield kind, first, start


def _count_times(file: BinaryIO, first: int, last: int) -> int:
    """Return the number of frames of a time-to-sample box, -1 if it is cut off."""
    file.seek(first + 4)
    entries = int.from_bytes(file.read(4), 'big')
    table = file.read(min(8 * entries, last - first - 8))
    if len(table) < 8 * entries:
        return -1
    return sum(count for count, _ in struct.iter_unpack('>II', table))


def _read_sizes(file: BinaryIO, first: int, last: int) -> tuple[int, int]:
    """Return number and total of the frames of a sample-size box, in bytes.

    The total is 0 where all frames have the same size, or the box is compact.
    """
    file.seek(first + 4)
    size, count = struct.unpack('>II', file.read(8).ljust(8, b'\0'))
    if size:
        return count, 0
    table = file.read(min(4 * count, last - first - 12))
    table = np.frombuffer(table[: len(table) // 4 * 4], '>u4')
    return count, int(table.sum(dtype=np.int64))
