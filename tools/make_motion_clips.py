"""Write the motion clips, a data set of small videos that only frame order solves."""

import argparse
from pathlib import Path

import cv2

from mmtemporal.datasets import CLASS_NAMES, draw_clip, make_motion_clips
from mmtemporal.datasets.motion_drawing import draw_contact_sheet


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('root', type=Path, help='folder of the data set')
    parser.add_argument('--train', type=int, default=1200, help='training clips')
    parser.add_argument('--val', type=int, default=240, help='validation clips')
    parser.add_argument('--size', type=int, default=64, help='side of the frames')
    parser.add_argument('--frames', type=int, default=24, help='frames of a clip')
    parser.add_argument('--seed', type=int, default=0, help='seed of the set')
    parser.add_argument('--workers', type=int, default=1, help='writing processes')
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace a set that was made with other arguments',
    )
    parser.add_argument(
        '--preview',
        type=Path,
        metavar='PICTURE',
        help='also save a picture with one training clip of each class as a row',
    )
    args = parser.parse_args()
    if args.preview and not cv2.haveImageWriter(str(args.preview)):
        parser.error(f'--preview {args.preview}: give a name that ends in .png or .jpg')
    return args


def save_preview(path: Path, seed: int, size: int, num_frames: int) -> None:
    clips = [
        draw_clip(seed, 'train', label, size, num_frames)[0]
        for label in range(len(CLASS_NAMES))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), draw_contact_sheet(clips, CLASS_NAMES)):
        raise OSError(f'cannot write the preview to {path}')


def main() -> None:
    args = parse_args()
    try:
        root = make_motion_clips(
            args.root,
            num_train=args.train,
            num_val=args.val,
            size=args.size,
            num_frames=args.frames,
            seed=args.seed,
            overwrite=args.overwrite,
            num_workers=args.workers,
        )
    except (ValueError, FileExistsError) as error:
        raise SystemExit(f'error: {error}') from None
    print(f'{args.train} training and {args.val} validation clips in {root}')
    if args.preview:
        save_preview(args.preview, args.seed, args.size, args.frames)
        print(f'preview in {args.preview}')


if __name__ == '__main__':
    main()
