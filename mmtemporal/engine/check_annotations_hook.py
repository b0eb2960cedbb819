"""Looking at lists of videos before anything is trained or tested on them."""

import logging
import sys
from collections.abc import Iterable
from typing import Any, Optional

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader

from mmtemporal.checks import check_choice, check_integer
from mmtemporal.datasets.annotations import (
    find_mistakes,
    get_file,
    get_parts,
    get_place,
)
from mmtemporal.datasets.list_errors import name_list_errors
from mmtemporal.registry import HOOKS


class _Prepare:
    """Stand in for ``prepare_data`` of a data set, and name what fails.

    Samples that are refused are given up, so that others are drawn.
    """

    def __init__(self, dataset: BaseDataset, refused: Iterable[int]) -> None:
        self.dataset = dataset
        self.refused = frozenset(refused)

    def __call__(self, idx: int) -> Optional[dict]:
        if idx in self.refused:
            return None
        try:
            data = type(self.dataset).prepare_data(self.dataset, idx)
        except Exception as error:
            _add_note(error, f'{self._describe(idx)} cannot be read')
            raise
        if data is None and self.dataset.test_mode:
            raise RuntimeError(
                f'{self._describe(idx)} was given up by the pipeline, and in testing '
                'no other sample can stand in for it; mend the file, or take it out '
                'of the list'
            )
        return data

    def _describe(self, idx: int) -> str:
        # The class itself, because what some data sets add may be what failed.
        file = get_file(BaseDataset.get_data_info(self.dataset, idx))
        return f'{file or "the sample"} ({get_place(self.dataset, idx)})'


def _add_note(error: Exception, text: str) -> None:
    """Have a text printed with an error, also by the process of a data worker."""
    if sys.version_info >= (3, 11):
        error.add_note(text)
    else:  # the error itself comes last, what it is raised from ahead of it
        note = RuntimeError(text)
        note.__cause__ = error.__cause__ or error.__context__
        error.__cause__ = note


@HOOKS.register_module()
class CheckAnnotationsHook(Hook):
    """Check the lists of videos, and name the samples that cannot be read.

    Before training, validation and testing it looks for labels that are no class of
    ``model.cls_head``, lines without a label or a file name, files that are not there,
    lines that occur twice, and files with two labels. Mistakes stop the run with an
    error that counts them and names the first lines and files.

    With ``training='skip'`` those in the training data are logged as a warning, and
    samples drawn at random stand in for them. Of equal lines the first one is kept,
    of files with two labels none. Validation and testing stop in any case, except
    that a list for testing may have no labels at all.

    Lists of 200,000 videos take seconds. Data sets of one label or several a video
    are checked, within the wrappers of mmengine; others are left alone.

    What fails in a pipeline during the run keeps its type, and gets a note with the
    file and its line. So does, in testing, a sample that a pipeline gives up. A list
    that ``VideoDataset`` or ``RawframeDataset`` cannot read at all, for a line in
    another form or other bytes than UTF-8, is named as well.

    ::

        custom_hooks = [dict(type='mmtemporal.CheckAnnotationsHook', training='skip')]

    Args:
        training: ``'stop'`` or ``'skip'``, for mistakes in the training data.
        files: Whether to look for the files. Turn it off where they are not on a
            disk, or listing their folders takes long.
        num_named: Number of mistakes that messages describe.

    Raises:
        ValueError: When run, if there are mistakes.
    """

    def __init__(
        self, training: str = 'stop', files: bool = True, num_named: int = 10
    ) -> None:
        # Data sets are built, and fail, ahead of every event of a hook.
        name_list_errors()
        check_choice('CheckAnnotationsHook.training', training, ('stop', 'skip'))
        check_integer('CheckAnnotationsHook.num_named', num_named)
        self.training = training
        self.files = files
        self.num_named = num_named
        self.checked: list[BaseDataset] = []

    def before_train(self, runner: Runner) -> None:
        self._check(runner, runner.train_dataloader, skip=self.training == 'skip')
        _restart(runner.train_loop)
        if runner.val_loop is not None:
            self.before_val(runner)

    def before_val(self, runner: Runner) -> None:
        self._check(runner, runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        self._check(runner, runner.test_dataloader, unlabelled=True)

    def _check(
        self,
        runner: Runner,
        dataloader: DataLoader,
        skip: bool = False,
        unlabelled: bool = False,
    ) -> None:
        num_classes = _get_num_classes(runner.model)
        for dataset in get_parts(dataloader.dataset):
            if any(dataset is other for other in self.checked):
                continue
            self.checked.append(dataset)
            mistakes = find_mistakes(
                dataset, num_classes, unlabelled=unlabelled, files=self.files
            )
            if mistakes:
                self._report(dataset, mistakes, skip)
            dataset.prepare_data = _Prepare(dataset, mistakes)

    def _report(
        self, dataset: BaseDataset, mistakes: dict[int, str], skip: bool
    ) -> None:
        text = self._describe(dataset, mistakes)
        if not skip:
            raise ValueError(text)
        if len(mistakes) == len(dataset):
            raise ValueError(f'{text}\nNone is left to train on.')
        print_log(
            f'{text}\nOther samples are drawn in their place.',
            logger='current',
            level=logging.WARNING,
        )

    def _describe(self, dataset: BaseDataset, mistakes: dict[int, str]) -> str:
        named = sorted(mistakes)[: self.num_named]
        lines = [f'{get_place(dataset, i)}: {mistakes[i]}' for i in named]
        if len(mistakes) > len(named):
            lines.append(f'and {len(mistakes) - len(named)} more')
        count = f'{len(mistakes)} of the {len(dataset)} samples'
        return '\n  '.join([f'{count} of {dataset.ann_file} are wrong:', *lines])


def _restart(loop: BaseLoop) -> None:
    """Start workers anew that have begun to read the data set as it was before."""
    # IterBasedTrainLoop starts them when it is built.
    if hasattr(loop, 'dataloader_iterator') and loop.dataloader.num_workers:
        loop.dataloader._iterator = None  # which persistent workers belong to
        loop.dataloader_iterator = type(loop.dataloader_iterator)(loop.dataloader)


def _get_num_classes(model: Any) -> Optional[int]:
    model = model.module if is_model_wrapper(model) else model
    return getattr(getattr(model, 'cls_head', None), 'num_classes', None)
