"""Run MMAction2's test.py with this package imported first; ``mim test`` does so."""

import sys

from mmtemporal.tools import main

if __name__ == '__main__':
    sys.exit(main(['test', *sys.argv[1:]]))
