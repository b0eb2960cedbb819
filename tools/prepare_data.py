"""Prepare a public data set for training: videos, lists and a manifest."""

import argparse
import signal
import sys
from pathlib import Path

from mmtemporal.datasets.utd_mhad import check_utd_mhad, prepare_utd_mhad


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    data_sets = parser.add_subparsers(
        dest='data_set', metavar='DATA_SET', required=True
    )
    utd_mhad = data_sets.add_parser(
        'utd_mhad',
        help='the depth recordings of UTD-MHAD, see docs/utd_mhad.md',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    utd_mhad.add_argument('source', type=Path, help='folder with the *_depth.mat')
    utd_mhad.add_argument('target', type=Path, help='folder of the prepared data set')
    utd_mhad.add_argument('--workers', type=int, default=1, help='processes')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # A job that is cancelled leaves no processes behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        root = prepare_utd_mhad(args.source, args.target, args.workers)
        found = check_utd_mhad(root, args.workers)
    except (ValueError, RuntimeError, OSError) as error:
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt:
        print('\nstopped; the same command goes on', file=sys.stderr)
        raise SystemExit(130) from None
    print('\n'.join([f'UTD-MHAD in {root}', *found]))


if __name__ == '__main__':
    main()
