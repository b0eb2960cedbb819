"""The units of which H.264 and H.265 streams consist, and what some of them say."""

from collections.abc import Iterator

_START = b'\0\0\1'
_ESCAPED = b'\0\0\3'  # keeps two zero bytes of a unit from looking like a start
# These profiles of H.264 say more about the pictures, ITU-T H.264, 7.3.2.1.1.
_HIGH = (44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244)


def read_length_size(codec: str, extradata: bytes) -> int:
    """Return how many bytes hold the length of a unit, 0 where start codes part them.

    MP4, Matroska and FLV have lengths. Their parameters then begin with a one, see
    ISO/IEC 14496-15, 5.3.3 and 8.3.3.
    """
    if not extradata.startswith(b'\1'):
        return 0
    position = 4 if codec == 'h264' else 21
    return (_read(extradata, position, 1) & 3) + 1


def _read(data: bytes, position: int, size: int) -> int:
    return int.from_bytes(data[position : position + size], 'big')


def split_units(data: bytes, length_size: int) -> Iterator[bytes]:
    """Yield the units of a packet."""
    if not length_size:
        for unit in data.split(_START)[1:]:
            if unit := unit.rstrip(b'\0'):
                yield unit
        return
    start = 0
    while start + length_size < len(data):
        first = start + length_size
        start = first + _read(data, start, length_size)
        if start > first:
            yield data[first:start]


def split_parameters(codec: str, extradata: bytes) -> Iterator[bytes]:
    """Yield the units that a container stores once for the whole video."""
    if not read_length_size(codec, extradata):
        yield from split_units(extradata, 0)
        return
    # Arrays of units of 16-bit lengths; the first count of H.264 has 5 bits.
    is_h264 = codec == 'h264'
    position, arrays = (5, 2) if is_h264 else (23, _read(extradata, 22, 1))
    for array in range(arrays):
        if is_h264:
            count = _read(extradata, position, 1) & (255 if array else 31)
            position += 1
        else:
            count = _read(extradata, position + 1, 2)
            position += 3
        for _ in range(count):
            size = _read(extradata, position, 2)
            position += 2 + size
            if unit := extradata[position - size : position]:
                yield unit


def allows_fields(parameters: bytes) -> bool:
    """Whether H.264 with these parameters of a sequence may have half frames."""
    read = _Bits(parameters[1:].replace(_ESCAPED, _START[:2]))
    profile = read.bits(8)
    read.bits(16)
    read.number()
    if profile in _HIGH:
        _skip_formats(read)
    read.number()
    kind = read.number()  # of the order of display
    if kind == 0:
        read.number()
    elif kind == 1:
        read.bits(1)
        for _ in range(2):
            read.number()
        for _ in range(min(read.number(), 255)):
            read.number()
    read.number()
    read.bits(1)
    for _ in range(2):
        read.number()
    return not read.bits(1)


def _skip_formats(read: '_Bits') -> None:
    chroma = read.number()
    if chroma == 3:
        read.bits(1)
    for _ in range(2):
        read.number()
    read.bits(1)
    if not read.bits(1):
        return
    for matrix in range(12 if chroma == 3 else 8):
        if read.bits(1):
            scale = before = 8
            for _ in range(16 if matrix < 6 else 64):
                if scale:
                    scale = (before + read.signed()) % 256
                    before = scale or before


class _Bits:
    """Reads the bits of bytes, as zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._text = ''.join(f'{byte:08b}' for byte in data)
        self._position = 0

    def bits(self, count: int) -> int:
        start = self._position
        self._position += count
        return int(self._text[start : self._position] or '0', 2)

    def number(self) -> int:
        """Return a number in the Exp-Golomb code."""
        end = self._text.find('1', self._position)
        zeros = max(0, end - self._position)
        self._position += zeros
        return self.bits(zeros + 1) - 1

    def signed(self) -> int:
        value = self.number()
        return (value + 1) // 2 if value % 2 else -value // 2
