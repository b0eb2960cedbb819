"""Fixes for data sets whose errors do not say which sample they are about."""

import functools

from .on_import import change_module

BASE = 'mmaction.datasets.base'
VIDEOS = 'mmaction.datasets.video_dataset'
RAWFRAMES = 'mmaction.datasets.rawframe_dataset'


def get_place(dataset, index):
    """Returns where a sample stands, as messages write it.

    Only data sets with a sample in every line, none of them left out, know the line.
    """
    by_line = type(dataset).__name__ in ('VideoDataset', 'RawframeDataset')
    if by_line and dataset._indices is None:
        return f'line {index + 1} of {dataset.ann_file}'
    return f'sample {index} (counted from 0) of {dataset.ann_file or "the data set"}'


def _name_samples(module):
    base = module.BaseActionDataset
    stock_prepare_data = base.prepare_data

    @functools.wraps(stock_prepare_data)
    def prepare_data(self, idx):
        try:
            data = stock_prepare_data(self, idx)
        except Exception as error:
            raise RuntimeError(
                f'{_describe(self, idx)} cannot be read: '
                f'{type(error).__name__}: {error}'
            ) from error
        if data is None and self.test_mode:
            raise RuntimeError(
                f'{_describe(self, idx)} was given up by the pipeline, and in testing '
                'no other sample can stand in for it; mend the file, or take it out '
                'of the list'
            )
        return data

    base.prepare_data = prepare_data


def _describe(dataset, index):
    info = dataset.get_data_info(index)
    file = info.get('filename', info.get('frame_dir', 'the sample'))
    return f'{file} ({get_place(dataset, index)})'


def name_failing_samples():
    """Let errors of a pipeline name the file and the line of the annotation.

    Symptom: ``Error reading 27344 bytes...``, ``Error getting frame at: 3``, or
    ``Test time pipline should not get `None` data_sample``, and no file name.
    Cause: transforms are not told which file they work on, and the data sets do not
    say it either.
    Acts when: called for the first time. Errors become ``RuntimeError``, which
    workers of a data loader can hand on; the first one is its cause.
    """
    return change_module(BASE, _name_samples)


class _Lines(list):
    """Lines that know which of them was reached."""

    reached = 0

    def __iter__(self):
        for self.reached, line in enumerate(super().__iter__(), 1):
            yield line


def _name_lines(module, dataset, form):
    stock_list_from_file = module.list_from_file
    stock_load_data_list = dataset.load_data_list

    @functools.wraps(stock_load_data_list)
    def load_data_list(self):
        lines = _Lines(stock_list_from_file(self.ann_file))
        module.list_from_file = lambda *args, **kwargs: lines
        try:
            return stock_load_data_list(self)
        except (AssertionError, IndexError, ValueError) as error:
            if self.multi_class and self.num_classes is None:
                raise  # a mistake in the config, and not in a line
            raise ValueError(
                f'line {lines.reached} of {self.ann_file} is '
                f'{lines[lines.reached - 1]!r}, expected {form} ({error})'
            ) from error
        finally:
            module.list_from_file = stock_list_from_file

    dataset.load_data_list = load_data_list


def _name_video_lines(module):
    form = (
        "'PATH LABEL', or with multi_class=True 'PATH LABEL LABEL ...'; paths with "
        'spaces need another delimiter of the data set'
    )
    _name_lines(module, module.VideoDataset, form)


def _name_rawframe_lines(module):
    form = (
        "'FOLDER FRAMES LABEL', or with with_offset=True 'FOLDER OFFSET FRAMES LABEL'"
    )
    _name_lines(module, module.RawframeDataset, form)


def name_malformed_lines():
    """Let errors in an annotation file name its line.

    Symptom: ``not enough values to unpack``, ``list index out of range`` or
    ``invalid literal for int()`` when a ``VideoDataset`` or ``RawframeDataset`` is
    built.
    Cause: the lines are split without a check.
    Acts when: called for the first time.
    """
    videos = change_module(VIDEOS, _name_video_lines)
    return change_module(RAWFRAMES, _name_rawframe_lines) or videos
