"""Write the untrimmed clips, videos in which something moves only now and then."""

import argparse
from pathlib import Path

from mmtemporal.datasets.untrimmed_clips import make_untrimmed_clips


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('root', type=Path, help='folder of the data set')
    parser.add_argument('--train', type=int, default=80, help='training videos')
    parser.add_argument('--val', type=int, default=20, help='validation videos')
    parser.add_argument('--size', type=int, default=64, help='side of the frames')
    parser.add_argument('--seed', type=int, default=0, help='seed of the set')
    parser.add_argument('--workers', type=int, default=1, help='writing processes')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        root = make_untrimmed_clips(
            args.root, args.train, args.val, args.size, args.seed, args.workers
        )
    except (ValueError, FileExistsError) as error:
        raise SystemExit(f'error: {error}') from None
    print(f'{args.train} training and {args.val} validation videos in {root}')


if __name__ == '__main__':
    main()
