"""Errors of lists of videos that say which file and which line they are about."""

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

from mmaction.datasets import RawframeDataset, VideoDataset

_FORMS = {
    VideoDataset: "'PATH LABEL', or with multi_class=True 'PATH LABEL LABEL ...'; "
    'paths with spaces need another delimiter of the data set',
    RawframeDataset: "'FOLDER FRAMES LABEL', or with with_offset=True "
    "'FOLDER OFFSET FRAMES LABEL'",
}


def name_list_errors() -> None:
    """Let the two stock data sets say what is wrong with a list they cannot read.

    Without it they say ``not enough values to unpack``, ``list index out of range``
    or ``need at least one array to concatenate``, and no file name. What they read
    stays the same. The classes are changed once, for the process.
    """
    for kind, form in _FORMS.items():
        if not hasattr(kind.load_data_list, '__wrapped__'):
            kind.load_data_list = _name_errors(kind.load_data_list, form)


class _Lines(list):
    """Lines that know which of them was reached."""

    reached = 0

    def __iter__(self) -> Iterator:
        for self.reached, line in enumerate(super().__iter__(), 1):
            yield line


def _name_errors(load: Callable, form: str) -> Callable:
    module: Any = sys.modules[load.__module__]
    stock_list_from_file = module.list_from_file

    @functools.wraps(load)
    def load_data_list(self: Any) -> list[dict]:
        lines = _read(stock_list_from_file, self.ann_file)
        module.list_from_file = lambda *args, **kwargs: lines
        try:
            samples = load(self)
        except (AssertionError, IndexError, ValueError) as error:
            if self.multi_class and self.num_classes is None:
                raise  # a mistake in the config, and not in a line
            raise ValueError(
                f'line {lines.reached} of {self.ann_file} is '
                f'{lines[lines.reached - 1]!r}, expected {form} ({error})'
            ) from error
        finally:
            module.list_from_file = stock_list_from_file
        if not samples:
            raise ValueError(f'{self.ann_file} is empty, expected lines {form}')
        return samples

    return load_data_list


def _read(list_from_file: Callable, path: str) -> _Lines:
    try:
        return _Lines(list_from_file(path))
    except UnicodeDecodeError as error:
        line = error.object.count(b'\n', 0, error.start) + 1
        raise ValueError(
            f'line {line} of {path} is not in UTF-8: got the byte '
            f'0x{error.object[error.start]:02x}; save the list in UTF-8'
        ) from error
