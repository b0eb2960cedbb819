"""What the packets of a video are, by what is in them: one frame each, or not."""

from collections.abc import Iterator, Sequence

import av

from .nal_units import allows_fields, read_length_size, split_parameters, split_units

_CAN_SKIP = ('h264', 'mpeg1video', 'mpeg2video', 'mpeg4')
_SHOWN_IN_VP8 = 0x10  # of the first byte of a frame, RFC 6386, 9.1
# Kinds of units, ITU-T H.264, 7.4.1, and H.265, 7.4.2.2.
_SEQUENCE_IN_H264, _SEQUENCE_IN_HEVC = 7, 33
_PARAMETERS = {'h264': (7, 8), 'hevc': (32, 33, 34)}
_BROKEN_LINKS = (16, 17, 18)
_ENDS = (36, 37)


def can_skip(codec: str, extradata: bytes) -> bool:
    """Whether a decoder can leave out frames that no other frame refers to.

    Args:
        codec: Name of the codec.
        extradata: What the container stores of it.
    """
    if codec != 'hevc':
        return codec in _CAN_SKIP
    # What H.265 calls no reference may be one for frames of a higher layer.
    sequences = [
        unit
        for unit in split_parameters(codec, extradata)
        if _read_kind(codec, unit[0]) == _SEQUENCE_IN_HEVC
    ]
    return bool(sequences) and all(
        unit[2:3] and not unit[2] & 0xE for unit in sequences
    )


def hold_one_frame_each(
    codec: str, extradata: bytes, packets: Sequence[av.Packet]
) -> bool:
    """Whether they do, and can be decoded from any key frame on.

    Frames of VP8 and VP9 may be hidden, or several in one packet. Of interlaced H.264
    a packet may be half a frame. At a broken link, and behind the end of a stream that
    another follows, decoders of H.265 leave frames out. Where the parameters change,
    as in a file that was joined from others, those that a frame needs need not be
    near it.

    Args:
        codec: Name of the codec.
        extradata: What the container stores of it.
        packets: All of the video, in the order of decoding.
    """
    if any(packet.has_sidedata('new_extradata') for packet in packets[1:]):
        return False
    if codec == 'vp8':
        return all(p.size and memoryview(p)[0] & _SHOWN_IN_VP8 for p in packets)
    if codec == 'vp9':
        return all(sum(_read_shown_in_vp9(bytes(p))) == 1 for p in packets)
    if codec in _PARAMETERS:
        return _is_one_sequence(codec, extradata, packets)
    return True


def _read_shown_in_vp9(packet: bytes) -> Iterator[bool]:
    """Yield for each frame whether it is shown, see the VP9 bitstream, annex B."""
    start, sizes = 0, [len(packet)]
    mark = packet[-1] if packet else 0
    count, width = (mark & 7) + 1, (mark >> 3 & 3) + 1
    index = packet[-2 - count * width :]
    if mark >> 5 == 6 and index[0] == mark:
        sizes = [
            int.from_bytes(index[i : i + width], 'little')
            for i in range(1, len(index) - 1, width)
        ]
    for size in sizes:
        if size and start < len(packet):
            yield _is_shown_in_vp9(packet[start])
        start += size


def _is_shown_in_vp9(head: int) -> bool:
    # Two bits of a mark, two of the profile, a third one if these are set; then
    # whether an earlier frame is shown, the kind, and whether this one is.
    if head >> 4 & 3 == 3:
        head <<= 1
    return bool(head & 0b1000 or head & 0b10)


def _is_one_sequence(codec: str, extradata: bytes, packets: Sequence) -> bool:
    keys = [i for i, packet in enumerate(packets) if packet.is_keyframe]
    length_size = read_length_size(codec, extradata)
    known = {*split_parameters(codec, extradata)}
    for i in keys:
        for unit in split_units(bytes(packets[i]), length_size):
            kind = _read_kind(codec, unit[0])
            if i == 0:
                known.add(unit)
            elif kind in _PARAMETERS[codec] and unit not in known:
                return False
            elif codec == 'hevc' and kind in (*_BROKEN_LINKS, *_ENDS):
                return False
        if i and codec == 'hevc':
            tail = memoryview(packets[i - 1])[-2:]
            if len(tail) == 2 and _read_kind(codec, tail[0]) in _ENDS and tail[1] == 1:
                return False
    return codec != 'h264' or not any(
        allows_fields(unit)
        for unit in known
        if _read_kind(codec, unit[0]) == _SEQUENCE_IN_H264
    )


def _read_kind(codec: str, head: int) -> int:
    return head & 31 if codec == 'h264' else head >> 1 & 63
