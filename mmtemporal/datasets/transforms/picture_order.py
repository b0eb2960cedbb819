"""In which order frames of MPEG video are shown, by their types."""

from collections.abc import Iterable
from typing import NamedTuple, Optional


class _Syntax(NamedTuple):
    start: bytes  # of a picture
    byte: int  # behind it, the one with the type
    shift: int
    mask: int
    bidirectional: int


_MPEG = _Syntax(b'\0\0\1\0', 1, 3, 7, 3)  # ISO/IEC 13818-2, 6.2.3
_SYNTAX = {
    'mpeg1video': _MPEG,
    'mpeg2video': _MPEG,
    # Of a video object plane, ISO/IEC 14496-2, 6.3.5
    'mpeg4': _Syntax(b'\0\0\1\xb6', 0, 6, 3, 2),
}
# A plane that repeats the one before it takes no more, in bytes.
_REPEAT = 8


class PictureOrder(NamedTuple):
    """What the types of frames tell.

    Attributes:
        order: For each frame, as they are shown, the number of its packet.
        clean: The packets at which no picture of one before is left.
        packed: Whether any packet holds more than one picture, or field.
    """

    order: list[int]
    clean: set[int]
    packed: bool


def read_picture_order(codec: str, packets: Iterable[bytes]) -> Optional[PictureOrder]:
    """Read it from the packets; None if they do not tell.

    AVI files have no times, and files that were copied from them false ones. A B-frame
    is shown at once, any other when the next of its kind is decoded. AVI has no place
    for frames that are decoded late, so that DivX and Xvid pack a frame and the first
    B-frame ahead of it into one packet, of which decoders keep the rest. A packet that
    follows then repeats a frame, to keep their number.

    Args:
        codec: Name of the codec: MPEG-1, MPEG-2, or MPEG-4 Part 2.
        packets: All of the video.
    """
    order: list[int] = []
    clean = set()
    held: Optional[int] = None
    waiting: list[int] = []
    packed = False
    for i, packet in enumerate(packets):
        pictures = _read_types(_SYNTAX[codec], packet)
        if not waiting:
            clean.add(i)
        if len(packet) <= _REPEAT:
            pictures = []
        waiting += pictures
        packed |= len(pictures) > 1
        if not waiting:
            return None
        if waiting.pop(0) == _SYNTAX[codec].bidirectional:
            order.append(i)
        else:
            order += [] if held is None else [held]
            held = i
    # What is left of the last packet is never decoded.
    return None if held is None else PictureOrder([*order, held], clean, packed)


def _read_types(syntax: _Syntax, packet: bytes) -> list[int]:
    types = []
    start = packet.find(syntax.start)
    while start >= 0:
        head = start + len(syntax.start) + syntax.byte
        if head < len(packet):
            types.append(packet[head] >> syntax.shift & syntax.mask)
        start = packet.find(syntax.start, head)
    return types
