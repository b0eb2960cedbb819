"""Files of the prepared data set, and how they are read and written."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Callable, Optional

from mmengine.utils import track_parallel_progress, track_progress

from . import recordings
from .recordings import LISTS

DATA_SET = 'UTD-MHAD, depth'
MANIFEST_NAME = 'manifest.json'
PROGRESS_NAME = 'progress.jsonl'
CLASSES_NAME = 'classes.txt'


def file_names() -> set[str]:
    """Return the names of all files that the folder can hold, unfinished ones too."""
    names = {MANIFEST_NAME, PROGRESS_NAME, CLASSES_NAME}
    names.update(f'{name}.txt' for name in LISTS)
    names.update(recording.video for recording in recordings.RECORDINGS)
    return names | {part_of(Path(name)).as_posix() for name in names}


def part_of(path: Path) -> Path:
    """Return where a file is written before it gets its name."""
    return path.with_suffix(f'.part{path.suffix}')


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    part_of(path).write_text(text, encoding='utf-8')
    os.replace(part_of(path), path)


def read_manifest(root: Path) -> Optional[dict]:
    """Return the manifest of a folder; None if it has none of this data set."""
    return _as_manifest(root / MANIFEST_NAME)


def read_progress(root: Path) -> tuple[Optional[dict], dict[str, str]]:
    """Return what an interrupted run left.

    Returns:
        The manifest it worked on, which lacks the hashes of frames, None if there is
        none; and the hashes of the videos that it wrote.
    """
    path = root / PROGRESS_NAME
    manifest = _as_manifest(path, first_line=True)
    hashes = {}
    if manifest is not None:
        for line in path.read_text(encoding='utf-8').splitlines()[1:]:
            try:
                hashes.update(json.loads(line))
            except ValueError:  # the process was killed while it wrote this line
                continue
    return manifest, hashes


def begin_progress(root: Path, manifest: dict) -> None:
    """Write down what a run works on."""
    root.mkdir(parents=True, exist_ok=True)
    write_text(root / PROGRESS_NAME, json.dumps(manifest) + '\n')


def add_progress(root: Path, video: str, frames_sha256: str) -> None:
    """Write down that a video is complete; processes may do so side by side."""
    with (root / PROGRESS_NAME).open('a', encoding='utf-8') as file:
        file.write(json.dumps({video: frames_sha256}) + '\n')


def track(function: Callable, tasks: list, num_workers: int, caption: str) -> list:
    """Return what a function makes of each task, and show a progress bar."""
    sys.stderr.write(f'{caption}\n')
    try:
        if num_workers == 1:
            return track_progress(function, tasks, file=sys.stderr)
        return track_parallel_progress(
            function,
            tasks,
            num_workers,
            initializer=_leave_signals_to_the_first_process,
            file=sys.stderr,
        )
    except (ValueError, RuntimeError, OSError):
        sys.stderr.write('\n')  # what went wrong is not told on the line of the bar
        raise


def _leave_signals_to_the_first_process() -> None:
    # Ctrl-C reaches all processes; the first one ends the others by SIGTERM, for which
    # they may have its handler.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _as_manifest(path: Path, first_line: bool = False) -> Optional[dict[str, Any]]:
    try:
        text = path.read_text(encoding='utf-8')
        manifest = json.loads(text.split('\n', 1)[0] if first_line else text)
        known = manifest['data_set'] == DATA_SET
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest if known else None
