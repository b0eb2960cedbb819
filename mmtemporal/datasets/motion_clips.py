"""The motion clips: a data set of small videos that only frame order can solve."""

import json
import shutil
import sys
import uuid
from functools import partial
from pathlib import Path
from typing import Optional, Union

import numpy as np
from mmengine.utils import track_parallel_progress, track_progress

from mmtemporal.checks import check_integer

from .motion_drawing import CLASS_NAMES, draw_motion_clip
from .video_writing import CODEC, write_video

GENERATOR_VERSION = 1
"""Raised whenever the same arguments would give other frames or files."""

MANIFEST_NAME = 'manifest.json'
SPLITS = ('train', 'val')


def make_motion_clips(
    root: Union[str, Path],
    num_train: int = 1200,
    num_val: int = 240,
    size: int = 64,
    num_frames: int = 24,
    seed: int = 0,
    overwrite: bool = False,
    num_workers: int = 1,
) -> Path:
    """Write the motion clips to a folder, or reuse the same set found there.

    Eight balanced classes are four motions and their exact reversals in time
    (``CLASS_NAMES``, ``MIRRORED_LABELS``). Each scene is there twice, forwards as
    clip ``2i`` and backwards as clip ``2i + 1``, so a model that sees the frames as
    a set scores the two alike and is right on one of them: exactly 50% within the
    pair. This takes a frame sampler that treats both ends of a clip alike, as
    ``SampleFrames`` with ``clip_len=1`` does if a segment has an odd number of
    frames (8 of 24: three). A horizontal flip swaps labels: use
    ``Flip(flip_label_map={0: 1, 1: 0, 6: 7, 7: 6})`` or none.

    The folder gets ``train/*.mp4``, ``val/*.mp4``, the annotation files
    ``train.txt`` and ``val.txt`` of ``VideoDataset`` (a path relative to the folder
    and a label a line) and ``manifest.json``. Clip ``i`` of a split depends on the
    seed, the split and ``i``, not on the number of clips or workers. The set is
    built in a hidden folder beside ``root`` and renamed when complete.

    Args:
        root: Folder of the set. It must be absent, empty, or hold a complete set.
        num_train: Number of training clips, a multiple of 8.
        num_val: Number of validation clips, a multiple of 8.
        size: Side of the square frames in pixels, even, 32 to 512.
        num_frames: Frames of each clip, at least 8.
        seed: Seed of the set, not negative.
        overwrite: Replace a complete set that was made with other arguments.
        num_workers: Number of processes that write clips.

    Returns:
        The resolved path of the folder.

    Raises:
        ValueError: If a number is not an integer, or out of its range.
        FileExistsError: If the folder holds something else than the set asked for.
        RuntimeError: If this build of OpenCV cannot write the videos.
        OSError: If a written video is incomplete, as on a full disk.
    """
    manifest = _make_manifest(num_train, num_val, size, num_frames, seed)
    check_integer('num_workers', num_workers)
    root = Path(root).expanduser().resolve()
    if _holds(root, manifest, overwrite):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    partial_root = _hidden_sibling(root, 'partial')
    try:
        _write_set(partial_root, manifest, num_workers)
        _move_into_place(partial_root, root, manifest, overwrite)
    finally:
        shutil.rmtree(partial_root, ignore_errors=True)
    return root


def draw_clip(
    seed: int, split: str, index: int, size: int = 64, num_frames: int = 24
) -> tuple[np.ndarray, int]:
    """Draw one clip of a set without writing it.

    Args:
        seed: Seed of the set.
        split: ``'train'`` or ``'val'``.
        index: Number of the clip within its split.
        size: Side of the square frames in pixels.
        num_frames: Number of frames.

    Returns:
        The frames ``(num_frames, size, size, 3)``, uint8, BGR, and the label.
    """
    # Neighbours share the random numbers: they are one scene in both directions.
    key = (SPLITS.index(split), index // 2)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    label = index % len(CLASS_NAMES)
    return draw_motion_clip(rng, label, size, num_frames), label


def _make_manifest(
    num_train: int, num_val: int, size: int, num_frames: int, seed: int
) -> dict:
    """Check the arguments that decide the contents, and collect them."""
    classes = len(CLASS_NAMES)
    check_integer('num_train', num_train, classes, multiple=classes)
    check_integer('num_val', num_val, classes, multiple=classes)
    # OpenCV's writer drops the last row and column of an odd-sized frame.
    check_integer('size', size, 32, 512, multiple=2)
    check_integer('num_frames', num_frames, 8)
    check_integer('seed', seed, 0)
    return dict(
        data_set='mmtemporal motion clips',
        generator_version=GENERATOR_VERSION,
        codec=CODEC,
        class_names=list(CLASS_NAMES),
        num_train=num_train,
        num_val=num_val,
        size=size,
        num_frames=num_frames,
        seed=seed,
    )


def _holds(root: Path, manifest: dict, overwrite: bool) -> bool:
    """Tell whether ``root`` holds the set; raise if it holds what must stay."""
    if not root.exists():
        return False
    if not root.is_dir():
        raise FileExistsError(f'{root} is a file; give a folder for the motion clips')
    found = {p.relative_to(root).as_posix() for p in root.rglob('*') if not p.is_dir()}
    if not found:
        return False
    present = _read_manifest(root)
    if present is None:
        raise FileExistsError(
            f'{root} holds files (such as {min(found)}) but no readable '
            f'{MANIFEST_NAME} of motion clips; give another folder or empty this one'
        )
    expected = _file_names(present)
    if found - expected:
        raise FileExistsError(
            f'{root} holds motion clips and unknown files (such as '
            f'{min(found - expected)}); move those away or give another folder'
        )
    if present == manifest and found == expected:
        return True
    if overwrite:
        return False
    if present == manifest:
        reason = f'files are missing (such as {min(expected - found)})'
    else:
        reason = ', '.join(
            f'it has {key}={present.get(key)!r}, got {key}={manifest.get(key)!r}'
            for key in sorted(present.keys() | manifest.keys())
            if present.get(key) != manifest.get(key)
        )
    raise FileExistsError(
        f'{root} holds another set of motion clips: {reason}; give another folder, '
        'delete this one, or pass overwrite=True (--overwrite)'
    )


def _read_manifest(root: Path) -> Optional[dict]:
    """Return the manifest of a set of any version; None if there is none."""
    try:
        manifest = json.loads((root / MANIFEST_NAME).read_text(encoding='utf-8'))
        known = manifest['data_set'] == 'mmtemporal motion clips'
        _file_names(manifest)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest if known else None


def _clip_name(split: str, index: int) -> str:
    return f'{split}/{index:06d}.mp4'


def _file_names(manifest: dict) -> set[str]:
    names = {MANIFEST_NAME, *(f'{split}.txt' for split in SPLITS)}
    for split in SPLITS:
        names.update(_clip_name(split, i) for i in range(manifest[f'num_{split}']))
    return names


def _hidden_sibling(root: Path, purpose: str) -> Path:
    return root.with_name(f'.{root.name}.{uuid.uuid4().hex[:8]}.{purpose}')


def _write_set(root: Path, manifest: dict, num_workers: int) -> None:
    """Write a whole set to a new folder, the manifest last."""
    tasks = []
    for split in SPLITS:
        (root / split).mkdir(parents=True)
        tasks += [(split, index) for index in range(manifest[f'num_{split}'])]
    write = partial(_write_clip, root, manifest)
    if num_workers == 1:
        labels = track_progress(write, tasks, file=sys.stderr)
    else:
        labels = track_parallel_progress(
            write, tasks, num_workers, chunksize=8, file=sys.stderr
        )
    lines: dict[str, list] = {split: [] for split in SPLITS}
    for (split, index), label in zip(tasks, labels):
        lines[split].append(f'{_clip_name(split, index)} {label}\n')
    for split in SPLITS:
        (root / f'{split}.txt').write_text(''.join(lines[split]), encoding='utf-8')
    text = json.dumps(manifest, indent=2) + '\n'
    (root / MANIFEST_NAME).write_text(text, encoding='utf-8')


def _write_clip(root: Path, manifest: dict, task: tuple[str, int]) -> int:
    """Draw and encode one clip; return its label."""
    size = manifest['size']
    frames, label = draw_clip(manifest['seed'], *task, size, manifest['num_frames'])
    write_video(root / _clip_name(*task), frames)
    return label


def _move_into_place(
    partial_root: Path, root: Path, manifest: dict, overwrite: bool
) -> None:
    """Rename the finished set to its place, unless another process was faster."""
    if _holds(root, manifest, overwrite):
        return
    if root.is_dir() and any(root.iterdir()):
        old = _hidden_sibling(root, 'old')
        root.rename(old)
        partial_root.rename(root)
        shutil.rmtree(old)
    else:
        partial_root.rename(root)
