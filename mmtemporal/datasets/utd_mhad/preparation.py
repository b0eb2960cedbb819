"""Making videos and lists of the depth recordings of UTD-MHAD."""

import hashlib
import json
import os
from functools import partial
from pathlib import Path
from typing import Union

from mmtemporal.checks import check_integer

from ..video_writing import CODEC, write_video
from . import recordings
from .files import (
    CLASSES_NAME,
    DATA_SET,
    MANIFEST_NAME,
    PROGRESS_NAME,
    add_progress,
    begin_progress,
    file_names,
    part_of,
    read_manifest,
    read_progress,
    track,
    write_text,
)
from .recordings import CLASS_NAMES, LISTS, Recording
from .source import examine, find_recordings, read_depth, render_depth

FORMAT_VERSION = 1
"""Raised whenever the same recordings would give other frames or files."""

# The recordings state no rate.
FRAMES_PER_SECOND = 15


def prepare_utd_mhad(
    source: Union[str, Path], target: Union[str, Path], num_workers: int = 1
) -> Path:
    """Make videos and lists of the depth recordings of UTD-MHAD.

    The folder gets ``videos/CLASS/a1_s1_t1.mp4``, the annotation files of
    ``VideoDataset`` in ``LISTS`` (a path relative to the folder and a label a line),
    the names of the classes in ``classes.txt``, and ``manifest.json`` with hashes of
    the sources and of the frames. After an interruption the same call goes on; if
    nothing is missing, it writes nothing.

    Args:
        source: Folder with the authors' ``a1_s1_t1_depth.mat`` and so on, at any
            depth beneath it.
        target: Folder of the prepared data set. It must be absent, empty, or hold
            what a call with the same source made.
        num_workers: Number of processes.

    Returns:
        The resolved path of the target.

    Raises:
        ValueError: If the source is not the whole data set and nothing else.
        FileExistsError: If the target holds something else.
        RuntimeError: If this build of OpenCV cannot write the videos.
        OSError: If a written video is incomplete, as on a full disk.
    """
    check_integer('num_workers', num_workers)
    root = Path(target).expanduser().resolve()
    _refuse_other_files(root)
    paths = find_recordings(Path(source).expanduser().resolve())
    examined = track(examine, [*paths.values()], num_workers, 'Checking the source')
    manifest = _make_manifest(dict(zip(paths, examined)))
    hashes = _read_hashes(root, manifest)
    missing = [r for r in paths if r.video not in hashes or not _has(root, r.video)]
    complete = read_manifest(root) is not None
    if complete and not missing and not _has(root, PROGRESS_NAME):
        if all(_has(root, name) for name in _texts()):
            return root
    if not complete and not hashes:
        begin_progress(root, manifest)
    for recording in missing:
        (root / recording.video).parent.mkdir(parents=True, exist_ok=True)
    tasks = [(recording, paths[recording]) for recording in missing]
    if tasks:
        done = track(partial(_write, root), tasks, num_workers, 'Writing videos')
        hashes.update(zip((recording.video for recording in missing), done))
    _finish(root, manifest, hashes)
    return root


def _refuse_other_files(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise FileExistsError(f'{root} is a file; give a folder for the data set')
    found = {p.relative_to(root).as_posix() for p in root.rglob('*') if not p.is_dir()}
    other = found - file_names()
    if other:
        raise FileExistsError(
            f'{root} holds files of something else (such as {min(other)}); move those '
            'away or give another folder'
        )
    begun = {MANIFEST_NAME, PROGRESS_NAME, part_of(Path(PROGRESS_NAME)).name}
    if found and not found & begun:
        raise FileExistsError(
            f'{root} holds files (such as {min(found)}) but no {MANIFEST_NAME}; give '
            'another folder or empty this one'
        )


def _make_manifest(examined: dict[Recording, tuple[str, int]]) -> dict:
    """Describe what is to be made, without the hashes of frames."""
    return dict(
        data_set=DATA_SET,
        format_version=FORMAT_VERSION,
        citation='Chen, Jafari, Kehtarnavaz: UTD-MHAD: A Multimodal Dataset for Human '
        'Action Recognition Utilizing a Depth Camera and a Wearable Inertial Sensor. '
        'ICIP 2015',
        url='https://personal.utdallas.edu/~kehtar/UTD-MHAD.html',
        licence='none stated: for research, not to be redistributed',
        codec=CODEC,
        frames_per_second=FRAMES_PER_SECOND,
        class_names=list(CLASS_NAMES),
        recordings=[
            dict(
                video=recording.video,
                label=recording.label,
                person=recording.person,
                trial=recording.trial,
                source=f'{recording.name}_depth.mat',
                source_sha256=digest,
                frames=frames,
            )
            for recording, (digest, frames) in examined.items()
        ],
    )


def _read_hashes(root: Path, manifest: dict) -> dict[str, str]:
    """Return the hashes of the videos that are there; raise if they are others."""
    present = read_manifest(root)
    if present is not None:
        rows = present['recordings']
        hashes = {row['video']: row.pop('frames_sha256') for row in rows}
    else:
        present, hashes = read_progress(root)
    if present is None:
        for name in (MANIFEST_NAME, PROGRESS_NAME):
            if _has(root, name):
                raise FileExistsError(
                    f'{root / name} is none of UTD-MHAD; give another folder'
                )
        return {}
    if present != manifest:
        raise FileExistsError(
            f'{root} holds other videos: {_describe_difference(present, manifest)}; '
            'give another folder or delete this one'
        )
    return hashes


def _describe_difference(present: dict, manifest: dict) -> str:
    for key in ('format_version', 'codec', 'frames_per_second', 'class_names'):
        if present.get(key) != manifest[key]:
            return f'it has {key}={present.get(key)!r}, got {key}={manifest[key]!r}'
    for was, now in zip(present['recordings'], manifest['recordings']):
        if was != now:
            return f'they were made of another {now["source"]} than that of the source'
    return f'their {MANIFEST_NAME} says something else'


def _write(root: Path, task: tuple[Recording, Path]) -> str:
    """Write one video; return the hash of its frames."""
    recording, path = task
    frames = render_depth(read_depth(path))
    video = root / recording.video
    write_video(part_of(video), frames, frames_per_second=FRAMES_PER_SECOND)
    os.replace(part_of(video), video)
    # The codec is lossless, so that a decoder must give these very frames.
    digest = hashlib.sha256(frames.tobytes()).hexdigest()
    add_progress(root, recording.video, digest)
    return digest


def _texts() -> dict[str, str]:
    """Return the text files beside the manifest: names and contents."""
    texts = {CLASSES_NAME: ''.join(f'{name}\n' for name in CLASS_NAMES)}
    for name, persons in LISTS.items():
        lines = [
            f'{recording.video} {recording.label}\n'
            for recording in recordings.RECORDINGS
            if recording.person in persons
        ]
        texts[f'{name}.txt'] = ''.join(lines)
    return texts


def _finish(root: Path, manifest: dict, hashes: dict[str, str]) -> None:
    """Write what is not there yet, the manifest last."""
    for name, text in _texts().items():
        if not _has(root, name):
            write_text(root / name, text)
    for row in manifest['recordings']:
        row['frames_sha256'] = hashes[row['video']]
    write_text(root / MANIFEST_NAME, json.dumps(manifest, indent=1) + '\n')
    (root / PROGRESS_NAME).unlink(missing_ok=True)


def _has(root: Path, name: str) -> bool:
    return (root / name).is_file()
