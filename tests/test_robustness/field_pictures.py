"""H.264 of which some frames are two fields, as packets of their own.

No encoder at hand writes that; broadcasters do. Every block holds its samples as they
are, which needs no encoder.
"""

import numpy as np

_SIZE = 2, 1  # in macroblocks, as fields are
_DELIMITER = b'\0\0\0\1\x09\xf0'


class _Bits(list):
    def put(self, value, count):
        self.extend(value >> i & 1 for i in reversed(range(count)))
        return self

    def number(self, *values):
        """Put numbers in the Exp-Golomb code."""
        for value in values:
            width = (value + 1).bit_length()
            self.put(0, width - 1).put(value + 1, width)
        return self

    def align(self):
        self.extend([0] * (-len(self) % 8))
        return self

    def unit(self, head):
        """Return it as a unit, in which no start code occurs."""
        data = np.packbits(self.put(1, 1).align()).tobytes()
        escaped, zeros = bytearray(), 0
        for byte in data:
            if zeros >= 2 and byte <= 3:
                escaped.append(3)
                zeros = 0
            escaped.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return b'\0\0\0\1' + bytes([head]) + bytes(escaped)


def _parameters():
    w, h = _SIZE
    sequence = _Bits().put(77, 8).put(0, 8).put(30, 8).number(0, 0, 0, 4, 1).put(0, 1)
    sequence.number(w - 1, h - 1).put(0b00100, 5)
    pictures = _Bits().number(0, 0).put(0, 2).number(0, 0, 0).put(0, 3)
    pictures.number(0, 0, 0).put(0b100, 3)
    return sequence.unit(0x67) + pictures.unit(0x68)


def _picture(number, references, field=None, first=True):
    """Return a frame, or one of its fields, of one level for each macroblock."""
    idr, reference = number == 0 and first, number % 2 == 0
    bits = _Bits().number(0, 7, 0).put(references % 16, 4).put(field is not None, 1)
    if field is not None:
        bits.put(field, 1)
    if idr:
        bits.number(0)
    bits.put((2 * number + (field or 0)) % 256, 8)
    if reference:
        bits.put(0, 2 if idr else 1)
    bits.number(0, 1)
    w, h = _SIZE
    for block in range(w * h * (2 if field is None else 1)):
        bits.number(25).align()
        level = 30 + (37 * number + 90 * (field or 0) + 50 * block) % 180
        bits.extend(np.unpackbits(np.full(384, level, np.uint8)).tolist())
    return bits.unit((0x60 if reference else 0) + (5 if idr else 1))


def write_fields(path, kinds):
    """Write a frame for each 'f' of a text, and two fields for each 'p'."""
    data, references = b'', 0
    for number, kind in enumerate(kinds):
        data += _DELIMITER + (_parameters() if number % 8 == 0 else b'')
        if kind == 'f':
            data += _picture(number, references)
        else:
            data += _picture(number, references, 0)
            data += _DELIMITER + _picture(number, references, 1, first=False)
        references += number % 2 == 0
    path.write_bytes(data)
