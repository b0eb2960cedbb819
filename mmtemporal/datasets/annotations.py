"""Mistakes in lists of videos, found without opening a video."""

import os
import os.path as osp
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Callable, Optional

from mmaction.datasets import RawframeDataset, VideoDataset
from mmengine.dataset import BaseDataset, ClassBalancedDataset, RepeatDataset

from .list_errors import name_list_errors

_BYTE_ORDER_MARK = '\ufeff'


def get_parts(dataset: object) -> Iterator[BaseDataset]:
    """Yield the data sets that wrappers of mmengine hold, or the data set itself."""
    if isinstance(dataset, (RepeatDataset, ClassBalancedDataset)):
        yield from get_parts(dataset.dataset)
    elif hasattr(dataset, 'datasets'):  # ConcatDataset
        for part in dataset.datasets:
            yield from get_parts(part)
    elif isinstance(dataset, BaseDataset):
        yield dataset


def get_place(dataset: BaseDataset, index: int) -> str:
    """Return where a sample stands, as messages write it.

    Only data sets with a sample in every line, none of them skipped, know the line.
    """
    by_line = any(
        type(dataset).load_data_list is kind.load_data_list
        for kind in (VideoDataset, RawframeDataset)
    )
    if by_line and dataset._indices is None:
        return f'line {index + 1} of {dataset.ann_file}'
    return f'sample {index} (counted from 0) of {dataset.ann_file or "the data set"}'


def get_file(info: dict) -> Optional[str]:
    """Return the file or the folder of a sample, None if it has neither."""
    return info.get('filename', info.get('frame_dir'))


def find_mistakes(
    dataset: BaseDataset,
    num_classes: Optional[int],
    *,
    unlabelled: bool = False,
    files: bool = True,
) -> dict[int, str]:
    """Return what is wrong with samples of a data set, by their index.

    It finds labels that are no class, the label -1 that stock data sets give to
    lines without a label, lines without a file name, a byte order mark in one, files
    that are not there, samples that occur twice (the first of them is right) and
    files with two labels (all of them are wrong).

    What has no label in this form, such as the boxes of AVA, is not looked at.

    From now on lists that the stock data sets cannot read are named, see
    :func:`~mmtemporal.datasets.list_errors.name_list_errors`; so is that of this one if
    it was built with ``lazy_init``.

    Args:
        dataset: A data set without wrappers.
        num_classes: Number of classes. None: any label but a negative one is right.
        unlabelled: Whether a list in which no line has a label is right.
        files: Whether to look for the videos, or folders of frames, of stock data
            sets for these. Each folder is listed once.
    """
    name_list_errors()
    # The class itself, because some data sets do more when they are asked.
    infos = [BaseDataset.get_data_info(dataset, i) for i in range(len(dataset))]
    infos = {i: info for i, info in enumerate(infos) if 'label' in info}
    unlabelled &= all(_labels(info) == [-1] for info in infos.values())
    # Elsewhere, as with skeletons, the names need not be those of files.
    files &= isinstance(dataset, (VideoDataset, RawframeDataset))
    list_folder = lru_cache(maxsize=None)(_list_folder) if files else None
    mistakes = {}
    for i, info in infos.items():
        mistake = _find_in_file(info, list_folder)
        if mistake is None and not unlabelled:
            mistake = _find_in_labels(info, num_classes)
        if mistake:
            mistakes[i] = mistake
    return {**_find_repeated(infos), **mistakes}


def _labels(info: dict) -> list:
    label = info['label']
    return label if isinstance(label, list) else [label]


def _list_folder(folder: str) -> frozenset:
    try:
        return frozenset(os.listdir(folder or os.curdir))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def _find_in_file(info: dict, list_folder: Optional[Callable]) -> Optional[str]:
    file = get_file(info)
    if file is None:  # skeletons, for one
        return None
    # A folder of frames may be written with a slash behind it.
    folder, name = osp.split(file.rstrip('/') if 'frame_dir' in info else file)
    if not name:
        return f'there is no file name after {file!r}; is the line blank?'
    if _BYTE_ORDER_MARK in file:
        return (
            f'{ascii(file)} begins with a byte order mark, as some editors put it '
            'ahead of a text; save the list in UTF-8 without it'
        )
    if list_folder is None or '://' in file:  # an address is not on a disk
        return None
    # The stock decoders take a name without an ending for that of an MP4 file.
    if not {name, f'{name}.mp4'} & list_folder(folder):
        return f'there is no {file}'
    return None


def _find_in_labels(info: dict, num_classes: Optional[int]) -> Optional[str]:
    labels = _labels(info)
    limit = float('inf') if num_classes is None else num_classes
    wrong = [label for label in labels if not 0 <= label < limit]
    if not labels or wrong == [-1]:
        return f'{get_file(info)} has no label'
    if wrong:
        classes = f'0 to {num_classes - 1}' if num_classes else '0 or greater'
        return f'{get_file(info)} has the label {wrong[0]}, expected {classes}'
    return None


def _find_repeated(infos: dict) -> dict[int, str]:
    groups = defaultdict(list)
    for i, info in infos.items():
        if get_file(info) is not None:
            # A folder of frames can hold several videos.
            key = (get_file(info), info.get('offset'), info.get('total_frames'))
            groups[key].append(i)
    mistakes = {}
    for (file, *_), group in groups.items():
        labels = {tuple(sorted(_labels(infos[i]))) for i in group}
        if len(labels) > 1:
            text = ' and '.join(str(list(label)) for label in sorted(labels))
            mistakes.update({i: f'{file} has different labels: {text}' for i in group})
        else:
            mistakes.update({i: f'{file} is listed before' for i in group[1:]})
    return mistakes
