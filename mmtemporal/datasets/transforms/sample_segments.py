"""The frame sampler of the TAda networks for Something-Something."""

import numpy as np
from mmaction.datasets.transforms import UniformSample

from mmtemporal.checks import check_integer
from mmtemporal.registry import TRANSFORMS


@TRANSFORMS.register_module(name=['SampleSegments', 'SegmentSampleFrames'])
class SampleSegments(UniformSample):
    """Sample clips of one frame from each of equal segments of a video.

    It is the sampler for Something-Something of TAda! Temporally-Adaptive
    Convolutions for Video Understanding (ICLR 2022),
    https://arxiv.org/abs/2110.06178, as its authors published it. The stock
    ``UniformSample`` cuts a video into slightly shorter segments, and takes other
    frames of them in testing: of two clips those at a third and at two thirds.

    With N frames and T segments, segment k begins at k * N / T. Training takes a
    random position within it, testing with n clips for number i of them ::

        position(i, k) = (k + (i + 1) / n) * N / T,  or (k + 1 / 2) * N / T if n = 1

    rounded to an integer, halves to the even one, and at most N - 1. Two
    clips are the middles and the ends of the segments.

    The clips follow one another in ``frame_inds``, so that ``FormatShape`` with
    ``NCTHW`` gives (crops * num_clips, 3, T, h, w).

    ``SegmentSampleFrames`` is the same; by that name MMAction2's demos, which look for
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
        clip_len: Number T of segments, and of frames of a clip.
        num_clips: Number n of clips of a video in testing.
        test_mode: Whether to sample for validation and testing.

    Raises:
        ValueError: A number is not positive and whole, or several clips are asked
            for in training.
    """

    def __init__(
        self, *, clip_len: int, num_clips: int = 1, test_mode: bool = False
    ) -> None:
        check_integer('SampleSegments.clip_len', clip_len)
        check_integer('SampleSegments.num_clips', num_clips)
        if num_clips > 1 and not test_mode:
            raise ValueError(
                f'got num_clips={num_clips} with test_mode=False, but training takes '
                'one clip; set test_mode=True in SampleSegments or leave num_clips out'
            )
        super().__init__(clip_len, num_clips=num_clips, test_mode=test_mode)

    def _get_sample_clips(self, num_frames: int) -> np.ndarray:
        t, n = self.clip_len, self.num_clips
        segments = np.arange(t)
        # One division of integers each, so that halves are exact.
        if not self.test_mode:
            edges = num_frames * np.arange(t + 1) / t
            positions = np.random.uniform(edges[:-1], edges[1:])
        elif n == 1:
            positions = num_frames * (2 * segments + 1) / (2 * t)
        else:
            # (n, t)
            parts = n * segments + np.arange(1, n + 1)[:, None]
            positions = num_frames * parts / (n * t)
        frame_inds = np.minimum(np.round(positions), num_frames - 1)
        return frame_inds.reshape(-1).astype(np.int64)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(clip_len={self.clip_len}, '
            f'num_clips={self.num_clips}, test_mode={self.test_mode})'
        )
