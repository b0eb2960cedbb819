"""In which codec a video is, by what its file says of it."""

import os
from typing import BinaryIO, Optional

from .video_container import walk_boxes

# Of those that decoders often lack.
_NAMES = {'av01': 'AV1', 'V_AV1': 'AV1', 'vvc1': 'H.266', 'apv1': 'APV'}
_SAMPLES, _CODEC = b'stsd', b'\x86'
_MATROSKA = b'\x1a\x45\xdf\xa3'
# The header of Matroska files holds the tracks, and comes first.
_HEADER = 1 << 16


def name_codec(path: str) -> Optional[str]:
    """Return the name that an MP4, Matroska or WebM file gives its first codec.

    It is such as ``'av01 (AV1)'``. None stands for other files.
    """
    with open(path, 'rb') as file:
        head = file.read(_HEADER)
        if head.startswith(_MATROSKA):
            code = _find_matroska(head)
        else:
            code = _find_mp4(file)
    if code is None:
        return None
    return f'{code} ({_NAMES[code]})' if code in _NAMES else code


def _find_matroska(head: bytes) -> Optional[str]:
    # The codec of a video begins with "V_", after an element's kind and its length.
    start = head.find(b'V_')
    while start >= 2:
        length = head[start - 1] & 0x7F
        if head[start - 2 : start - 1] == _CODEC:
            return head[start : start + length].rstrip(b'\0').decode('ascii', 'replace')
        start = head.find(b'V_', start + 1)
    return None


def _find_mp4(file: BinaryIO) -> Optional[str]:
    is_video = False
    for kind, first, _ in walk_boxes(file, 0, file.seek(0, os.SEEK_END)):
        if kind in (b'tkhd', b'vmhd'):
            is_video = kind == b'vmhd'
        elif is_video and kind == _SAMPLES:
            file.seek(first + 12)
            return file.read(4).decode('ascii', 'replace')
    return None
