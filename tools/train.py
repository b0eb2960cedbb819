"""Run MMAction2's train.py with this package imported first; ``mim train`` does so."""

import sys

from mmtemporal.tools import main

if __name__ == '__main__':
    sys.exit(main(['train', *sys.argv[1:]]))
