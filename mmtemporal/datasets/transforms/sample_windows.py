"""The frame sampler of TDN."""

import numpy as np
from mmaction.datasets.transforms import SampleFrames

from mmtemporal.checks import check_integer
from mmtemporal.registry import TRANSFORMS


@TRANSFORMS.register_module(name=['SampleWindows', 'WindowSampleFrames'])
class SampleWindows(SampleFrames):
    """Sample one window of consecutive frames from each segment of a video.

    It is the sampler of TDN: Temporal Difference Networks for Efficient Action
    Recognition (CVPR 2021), https://arxiv.org/abs/2012.10071, as its authors
    published it. The stock ``SampleFrames`` takes the same windows in training,
    but in testing it spreads windows of several frames from the first frame to
    the last, where TDN takes the centres of the segments, and it has no views
    that each cover the whole video.

    With N frames, T segments, windows of W frames and V views, segment s of
    view v starts in testing at ::

        start(v, s) = floor((N - W + 1) / T * (s + (v + 0.5) / V))

    and every window starts at the first frame if N <= T + W - 1. One view is the
    authors' rule for validation and, except on Kinetics, for testing. Their
    Kinetics results are averages of random draws of the training rule:
    ``num_views=10, random_views=True``.

    The training rule is that of ``SampleFrames``. With equal seeds it gives the
    authors' windows, except for short videos of W to max(T, W) frames: there the
    authors start every window at the first frame, and stock spreads them evenly. A
    window that runs past the end repeats the last frame.

    The windows come view by view, and ``num_clips`` stays T, so that
    ``FormatShape`` with ``NCTHW`` gives (crops * V * T, 3, W, h, w). Stock tools
    that rewrite the transforms named ``SampleFrames`` leave this one as it is.

    ``WindowSampleFrames`` is the same; by that name MMAction2's demos, which look for
    ``SampleFrames`` in it, know how many frames to take.

    Required Keys:

        - total_frames
        - start_index

    Added Keys:

        - frame_inds
        - clip_len
        - frame_interval
        - num_clips

    Args:
        num_clips: Number T of segments, that of the backbone.
        clip_len: Number W of frames of a window.
        num_views: Number V of times that a video is sampled in testing.
        random_views: Whether the views are random draws, new ones in each run,
            instead of evenly shifted.
        test_mode: Whether to sample for validation and testing.

    Raises:
        ValueError: A number is not positive and whole, or views are asked for in
            training.
    """

    def __init__(
        self,
        *,
        num_clips: int,
        clip_len: int = 5,
        num_views: int = 1,
        random_views: bool = False,
        test_mode: bool = False,
    ) -> None:
        check_integer('SampleWindows.num_clips', num_clips)
        check_integer('SampleWindows.clip_len', clip_len)
        check_integer('SampleWindows.num_views', num_views)
        if not test_mode and (num_views > 1 or random_views):
            raise ValueError(
                f'got num_views={num_views} and random_views={random_views} with '
                'test_mode=False, but training takes one view; set test_mode=True in '
                'SampleWindows or leave num_views and random_views out'
            )
        super().__init__(
            clip_len,
            num_clips=num_clips,
            out_of_bound_opt='repeat_last',
            test_mode=test_mode,
        )
        self.num_views = num_views
        self.random_views = random_views

    def _get_test_clips(self, num_frames: int, ori_clip_len: int) -> np.ndarray:
        if self.random_views:
            views = range(self.num_views)
            return np.concatenate(
                [self._get_train_clips(num_frames, ori_clip_len) for _ in views]
            )
        num_starts = num_frames - ori_clip_len + 1
        if num_starts <= self.num_clips:
            return np.zeros(self.num_views * self.num_clips, dtype=np.int64)
        # In integers the floor is exact: s + (v + 0.5) / V is position / (2 * V).
        segments = np.arange(self.num_clips)
        views = np.arange(self.num_views)[:, None]
        # (v, t)
        position = 2 * self.num_views * segments + 2 * views + 1
        starts = num_starts * position // (2 * self.num_views * self.num_clips)
        return starts.reshape(-1)

    def __repr__(self) -> str:
        views = f'num_views={self.num_views}, random_views={self.random_views}'
        return f'{super().__repr__()[:-1]}, {views})'
