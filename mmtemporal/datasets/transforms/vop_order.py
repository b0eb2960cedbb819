"""In which order frames of MPEG-4 Part 2 are shown, where a file has no times."""

from collections.abc import Iterable
from typing import NamedTuple, Optional

_START = b'\0\0\1\xb6'  # of a video object plane, ISO/IEC 14496-2, 6.3.5
_BIDIRECTIONAL = 2  # its coding type, the two bits behind
# A plane that repeats the one before it takes no more, in bytes.
_REPEAT = 8


class VopOrder(NamedTuple):
    """What the types of frames tell.

    Attributes:
        order: For each frame, as they are shown, the number of its packet.
        clean: The packets at which no plane of one before is left.
        packed: Whether any packet holds more than one plane.
    """

    order: list[int]
    clean: set[int]
    packed: bool


def read_vop_order(packets: Iterable[bytes]) -> Optional[VopOrder]:
    """Read it from the packets of an AVI file; None if they do not tell.

    A B-frame is shown at once, any other when the next of its kind is decoded. AVI has
    no place for frames that are decoded late, so that DivX and Xvid pack a frame and
    the first B-frame ahead of it into one packet, of which decoders keep the rest. A
    packet that follows then repeats a frame, to keep their number.
    """
    order: list[int] = []
    clean = set()
    held: Optional[int] = None
    waiting: list[int] = []
    packed = False
    for i, packet in enumerate(packets):
        planes = _read_types(packet)
        if not waiting:
            clean.add(i)
        if len(packet) <= _REPEAT:
            planes = []
        waiting += planes
        packed |= len(planes) > 1
        if not waiting:
            return None
        if waiting.pop(0) == _BIDIRECTIONAL:
            order.append(i)
        else:
            order += [] if held is None else [held]
            held = i
    # What is left of the last packet is never decoded.
    return None if held is None else VopOrder([*order, held], clean, packed)


def _read_types(packet: bytes) -> list[int]:
    starts = packet.split(_START)[1:]
    return [plane[0] >> 6 for plane in starts if plane]
