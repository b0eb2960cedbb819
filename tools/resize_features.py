"""Turn features of sliding windows into the tables that BMN trains on.

MMAction2's clip_feature_extraction.py --long-video-mode writes NAME.mp4.pkl for each
video, one row for each window. BMN reads NAME.csv, a heading and as many rows for
every video. Tables that exist stay, so that an interrupted run can be repeated.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.fileio import load
from rich.progress import track

VIDEO_SUFFIXES = ('.avi', '.flv', '.mkv', '.mov', '.mp4', '.webm')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('features', type=Path, help='folder with the .pkl files')
    parser.add_argument('tables', type=Path, help='folder for the .csv files')
    parser.add_argument(
        '--rows', type=int, default=100, help='temporal_dim of BMN (default: 100)'
    )
    args = parser.parse_args()
    if args.rows < 1:
        parser.error(f'--rows {args.rows}: give a positive number')
    return args


def resize(windows: torch.Tensor, rows: int) -> torch.Tensor:
    """Interpolate between windows, or average where there are more than rows.

    Windows and rows each divide the whole video evenly: the middle of a row is the
    middle of what it stands for.

    Shape:
        - windows: (windows, c)
        - output: (rows, c)
    """
    size = (rows, windows.size(1))
    resized = F.interpolate(windows[None, None], size, mode='bilinear', antialias=True)
    return resized[0, 0]


def table_name(file: Path) -> str:
    video = Path(file.stem)
    return f'{video.stem if video.suffix in VIDEO_SUFFIXES else video}.csv'


def read_windows(file: Path) -> torch.Tensor:
    windows = torch.as_tensor(load(file))
    if windows.dim() != 2 or not len(windows) or not windows.isfinite().all():
        raise ValueError(
            f'{file} holds {tuple(windows.shape)}, expected finite features of '
            '(windows, channels); extract them with --long-video-mode'
        )
    return windows.float()


def write_table(file: Path, table: np.ndarray) -> None:
    heading = ','.join(f'f{i}' for i in range(table.shape[1]))
    part = file.with_name(f'.{file.name}.{os.getpid()}.part')
    try:
        np.savetxt(part, table, '%.6g', ',', header=heading, comments='')
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def run(args: argparse.Namespace) -> None:
    files = sorted(args.features.glob('*.pkl'))
    if not files:
        raise FileNotFoundError(f'{args.features} holds no .pkl files')
    args.tables.mkdir(parents=True, exist_ok=True)
    targets = [args.tables / table_name(file) for file in files]
    wanted = [pair for pair in zip(files, targets) if not pair[1].exists()]
    for file, target in track(wanted, description='tables'):
        write_table(target, resize(read_windows(file), args.rows).numpy())
    print(
        f'{len(wanted)} tables of {args.rows} rows written to {args.tables}, '
        f'{len(files) - len(wanted)} were there'
    )


def main() -> None:
    args = parse_args()
    try:
        run(args)
    except (ValueError, OSError) as error:
        raise SystemExit(f'error: {error}') from None


if __name__ == '__main__':
    main()
