"""Training on the videos that can be decoded."""

import logging
from typing import Any, Optional

from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose
from mmengine.dist import get_rank
from mmengine.logging import print_log

from mmtemporal.checks import check_number
from mmtemporal.registry import TRANSFORMS

# With fewer videos a share says little: one of the first two is half of them.
_MINIMUM = 50


@TRANSFORMS.register_module()
class SkipBroken(BaseTransform):
    """Let training go on without the videos that cannot be decoded.

    It runs the transforms that read a video. If one of them fails, it logs a
    warning with the file, the reason and how many files have failed so far, and
    returns None, upon which the data set draws another sample at random. Every
    file is named once. In testing the data set stops at the first None; with this
    package imported its error names the file.

    ::

        train_pipeline = [
            dict(
                type='mmtemporal.SkipBroken',
                transforms=[
                    dict(type='mmtemporal.StrictDecordInit'),
                    dict(type='SampleFrames', clip_len=1, num_clips=8),
                    dict(type='DecordDecode'),
                ],
            ),
            ...
        ]

    A wrong path, or a mistake in the config, fails all videos alike, and a few
    that remain make no data set. So training stops when more than ``max_broken``
    of the videos that were read are undecodable, counted as at least 50 videos.

    Every worker of a data loader counts what it reads itself, and starts anew with
    each epoch unless it has ``persistent_workers=True``.

    Args:
        transforms: The transforms, as in a pipeline.
        max_broken: The share of undecodable videos up to which training goes on.

    Raises:
        RuntimeError: When run, if there are more of them.
    """

    def __init__(self, *, transforms: list, max_broken: float = 0.1) -> None:
        check_number('SkipBroken.max_broken', max_broken, minimum=0)
        self.transforms = Compose(transforms)
        self.max_broken = max_broken
        self.num_read = 0
        self.undecodable: set[str] = set()

    def transform(self, results: dict) -> Optional[dict]:
        self.num_read += 1
        file: Any = results.get('filename', results.get('frame_dir'))
        try:
            return self.transforms(results)
        # Decoders raise many kinds. What is no fault of the video meets the limit.
        except Exception as error:
            if file not in self.undecodable:
                self.undecodable.add(file)
                self._report(file, error)
            return None

    def _report(self, file: str, error: Exception) -> None:
        count = len(self.undecodable)
        # The rest of what decord says is a stack trace.
        reason = ''.join(str(error).splitlines(keepends=True)[:1]).strip()
        text = f'{file} is undecodable: {type(error).__name__}: {reason}'
        if count > self.max_broken * max(self.num_read, _MINIMUM):
            raise RuntimeError(
                f'{count} of the {self.num_read} videos that this process has read are '
                f'undecodable, more than SkipBroken.max_broken={self.max_broken} '
                f'allows; the last one: {text}; check data_prefix and ann_file of the '
                'data set'
            ) from error
        # mmengine passes only errors on from processes other than the first.
        level = logging.WARNING if get_rank() == 0 else logging.ERROR
        print_log(
            f'{text}; another sample is drawn ({count} undecodable so far in this '
            'process)',
            logger='current',
            level=level,
        )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(transforms={self.transforms}, '
            f'max_broken={self.max_broken})'
        )
