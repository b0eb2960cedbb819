"""Pass on what of pip's output is worth watching, for tools/environment.sh.

    python -m pip install ... | python tools/pip_screen.py

These are the names and sizes of large downloads, the progress bars under them, and the
start of the installation. Bars are updated in place, so it works on parts of lines.
"""

import os
import re
import signal
import sys

# pip writes sizes from a megabyte on as MB, with one digit behind the point.
LARGE = re.compile(r'Downloading (\S+/)?(?P<file>\S+) \((?P<size>\d{2,}\.\d MB)\)')
CURSOR = re.compile(r'\x1b\[\?25[lh]')
BAR = '━'


def select(piece: str, state: dict) -> str:
    """Return what to show of a line, or of an update of one.

    Args:
        piece: It, with the newline or carriage return at its end.
        state: Whether the last download was ``large``.
    """
    # A hidden cursor is shown again whatever else is left out.
    cursor = ''.join(CURSOR.findall(piece))
    if match := LARGE.search(piece):
        state['large'] = True
        return f'{cursor}  downloading {match["file"]} ({match["size"]})\n'
    if 'Downloading ' in piece or 'Using cached ' in piece:
        state['large'] = False
    if 'Installing collected packages: ' in piece:
        number = piece.count(',') + 1
        return f'{cursor}  installing {number} package{"s" * (number > 1)}\n'
    return piece if BAR in piece and state['large'] else cursor


def main() -> None:
    # pip ends on an interrupt, and then this does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    state, rest = dict(large=False), b''
    while data := os.read(0, 65536):
        *pieces, rest = re.split(rb'(?<=[\r\n])', rest + data)
        for piece in pieces:
            sys.stdout.write(select(piece.decode(errors='replace'), state))
        sys.stdout.flush()
    sys.stdout.write(select(rest.decode(errors='replace'), state))


if __name__ == '__main__':
    main()
