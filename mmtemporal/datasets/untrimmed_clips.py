"""The untrimmed clips: videos in which something moves only now and then."""

import json
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple, Union

import numpy as np
from mmengine.utils import track_parallel_progress, track_progress

from mmtemporal.checks import check_integer

from .motion_clips import MANIFEST_NAME, SPLITS, _hidden_sibling
from .motion_drawing import CLASS_NAMES, draw_motion_clip
from .video_writing import CODEC, FRAMES_PER_SECOND, write_video

GENERATOR_VERSION = 1
"""Raised whenever the same arguments would give other frames or files."""

# Bounds of the random numbers, of which the upper ones are never drawn.
_SCENES = (1, 4)
_REST_FRAMES = (16, 65)
_MOTION_FRAMES = (24, 73)


class Segment(NamedTuple):
    """A motion in a video: frames ``first`` to ``end - 1``, and its class."""

    first: int
    end: int
    label: int


def make_untrimmed_clips(
    root: Union[str, Path],
    num_train: int = 80,
    num_val: int = 20,
    size: int = 64,
    seed: int = 0,
    num_workers: int = 1,
) -> Path:
    """Write the untrimmed clips to a folder, or reuse the same set found there.

    A video has one to three scenes. In each an object rests, moves as one of the
    motion clips does, and rests again. Scenes are cut while the object rests, so
    that no frame tells by itself where a motion begins or ends.

    The folder gets ``videos/v_*.mp4``, the annotation files ``train.json`` and
    ``val.json`` of ``ActivityNetDataset``, the list ``videos.txt`` of all videos for
    ``VideoDataset`` and ``manifest.json``. Other files in it, such as features,
    stay. A video depends on the seed, the split and its number only. The set is
    built in a hidden folder beside ``root`` and renamed when complete.

    Args:
        root: Folder of the set. It must be absent, empty, or hold the set.
        num_train: Number of training videos.
        num_val: Number of validation videos.
        size: Side of the square frames in pixels, even, 32 to 512.
        seed: Seed of the set, not negative.
        num_workers: Number of processes that write videos.

    Returns:
        The resolved path of the folder.

    Raises:
        ValueError: If a number is not an integer, or out of its range.
        FileExistsError: If the folder holds something else than the set asked for.
        RuntimeError: If this build of OpenCV cannot write the videos.
        OSError: If a written video is incomplete, as on a full disk.
    """
    check_integer('num_train', num_train)
    check_integer('num_val', num_val)
    # OpenCV's writer drops the last row and column of an odd-sized frame.
    check_integer('size', size, 32, 512, multiple=2)
    check_integer('seed', seed, 0)
    check_integer('num_workers', num_workers)
    manifest = dict(
        data_set='mmtemporal untrimmed clips',
        generator_version=GENERATOR_VERSION,
        codec=CODEC,
        class_names=list(CLASS_NAMES),
        num_train=num_train,
        num_val=num_val,
        size=size,
        seed=seed,
    )
    root = Path(root).expanduser().resolve()
    if _holds(root, manifest):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    partial_root = _hidden_sibling(root, 'partial')
    try:
        _write_set(partial_root, manifest, num_workers)
        # Another process may have been faster.
        if not _holds(root, manifest):
            partial_root.rename(root)
    finally:
        shutil.rmtree(partial_root, ignore_errors=True)
    return root


def draw_untrimmed_clip(
    seed: int, split: str, index: int, size: int = 64
) -> tuple[np.ndarray, list[Segment]]:
    """Draw one video of a set without writing it.

    Args:
        seed: Seed of the set.
        split: ``'train'`` or ``'val'``.
        index: Number of the video within its split.
        size: Side of the square frames in pixels.

    Returns:
        The frames ``(t, size, size, 3)``, uint8, BGR, and the motions in the order
        of time.
    """
    # Three numbers: with the two of a motion clip, scenes would be the same.
    key = (SPLITS.index(split), index, 0)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    parts, segments, drawn = [], [], 0
    for _ in range(rng.integers(*_SCENES)):
        label = int(rng.integers(len(CLASS_NAMES)))
        before, after = rng.integers(*_REST_FRAMES, size=2)
        motion = draw_motion_clip(rng, label, size, int(rng.integers(*_MOTION_FRAMES)))
        scene = np.pad(motion, [(before, after), (0, 0), (0, 0), (0, 0)], mode='edge')
        first = drawn + int(before)
        segments.append(Segment(first, first + len(motion), label))
        parts.append(scene)
        drawn += len(scene)
    return np.concatenate(parts), segments


def _video_name(split: str, index: int) -> str:
    # The metric of ActivityNet cuts off two letters.
    return f'v_{split}_{index:06d}'


def _holds(root: Path, manifest: dict) -> bool:
    """Tell whether ``root`` holds the set; raise if it holds anything else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        present = json.loads((root / MANIFEST_NAME).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        present = None
    names = ['videos.txt', *(f'{split}.json' for split in SPLITS)] + [
        f'videos/{_video_name(split, i)}.mp4'
        for split in SPLITS
        for i in range(manifest[f'num_{split}'])
    ]
    if present != manifest:
        problem = 'holds something else than these untrimmed clips'
    elif not all((root / name).is_file() for name in names):
        problem = 'lacks some of its untrimmed clips'
    else:
        return True
    raise FileExistsError(f'{root} {problem}; give another folder or delete this one')


def _write_set(root: Path, manifest: dict, num_workers: int) -> None:
    """Write a whole set to a new folder, the manifest last."""
    (root / 'videos').mkdir(parents=True)
    tasks = [(s, i) for s in SPLITS for i in range(manifest[f'num_{s}'])]
    write = partial(_write_video, root / 'videos', manifest)
    if num_workers == 1:
        annotations = track_progress(write, tasks, file=sys.stderr)
    else:
        annotations = track_parallel_progress(
            write, tasks, num_workers, file=sys.stderr
        )
    for split in SPLITS:
        videos = {
            _video_name(*task): annotation
            for task, annotation in zip(tasks, annotations)
            if task[0] == split
        }
        _write_json(root / f'{split}.json', videos)
    # The dataset asks for a label, and the extraction of features for none.
    lines = (f'{_video_name(*task)}.mp4 0\n' for task in tasks)
    (root / 'videos.txt').write_text(''.join(lines), encoding='utf-8')
    _write_json(root / MANIFEST_NAME, manifest)


def _write_json(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')


def _write_video(folder: Path, manifest: dict, task: tuple[str, int]) -> dict:
    """Draw and encode one video; return its annotation."""
    frames, segments = draw_untrimmed_clip(manifest['seed'], *task, manifest['size'])
    write_video(folder / f'{_video_name(*task)}.mp4', frames)
    return dict(
        duration_second=len(frames) / FRAMES_PER_SECOND,
        duration_frame=len(frames),
        annotations=[
            dict(
                segment=[s.first / FRAMES_PER_SECOND, s.end / FRAMES_PER_SECOND],
                label=CLASS_NAMES[s.label],
            )
            for s in segments
        ],
        feature_frame=len(frames),
        fps=float(FRAMES_PER_SECOND),
        rfps=float(FRAMES_PER_SECOND),
    )
