"""The frame sampler of the TAda networks for Kinetics."""

import numpy as np
from mmaction.datasets.transforms import SampleFrames

from mmtemporal.checks import check_integer
from mmtemporal.registry import TRANSFORMS


@TRANSFORMS.register_module(name=['SampleDenseClips', 'DenseClipSampleFrames'])
class SampleDenseClips(SampleFrames):
    """Sample clips of a fixed duration, in seconds, from a video.

    It is the sampler for Kinetics of TAda! Temporally-Adaptive Convolutions for
    Video Understanding (ICLR 2022), https://arxiv.org/abs/2110.06178, as its
    authors published it. The stock ``SampleFrames`` with ``target_fps=30`` takes
    clips of the same duration, but starts them at whole frames, the last of
    several in testing at the very end of the video, and cannot repeat the last
    frame of a video that is too short.

    A clip of T frames at interval s lasts for T * s frames of a video of 30
    frames per second, which are L = T * s * fps / 30 of this one, in which N are.
    It starts at a real number, in testing that of n clips number i at ::

        start(i) = m * i / n,  or m / 2 if n = 1,  with m = max(N - L, 0)

    and in training anywhere in [0, m]. Its frames are T evenly spaced positions
    from start to start + L - 1, rounded down and kept within the video.

    ``num_clips`` clips follow one another in ``frame_inds``, so that
    ``FormatShape`` with ``NCTHW`` gives (crops * num_clips, 3, T, h, w).

    ``DenseClipSampleFrames`` is the same; by that name MMAction2's demos, which look
    for ``SampleFrames`` in it, know how many frames to take.

    Required Keys:

        - total_frames
        - start_index
        - avg_fps (optional), which ``DecordInit`` gives; without it a video is
          taken to have ``target_fps``

    Added Keys:

        - frame_inds
        - clip_len
        - frame_interval
        - num_clips

    Args:
        clip_len: Number T of frames of a clip.
        frame_interval: Interval s that gives a clip its duration. At
            ``target_fps`` frames are (T * s - 1) / (T - 1) apart, a little more.
        num_clips: Number n of clips of a video.
        target_fps: The frames per second in which ``frame_interval`` is counted.
        test_mode: Whether to sample for validation and testing.

    Raises:
        ValueError: A number is not positive and whole.
    """

    def __init__(
        self,
        *,
        clip_len: int,
        frame_interval: int,
        num_clips: int = 1,
        target_fps: int = 30,
        test_mode: bool = False,
    ) -> None:
        check_integer('SampleDenseClips.clip_len', clip_len)
        check_integer('SampleDenseClips.frame_interval', frame_interval)
        check_integer('SampleDenseClips.num_clips', num_clips)
        check_integer('SampleDenseClips.target_fps', target_fps)
        super().__init__(
            clip_len,
            frame_interval,
            num_clips,
            target_fps=target_fps,
            test_mode=test_mode,
        )

    def _get_train_clips(self, num_frames: int, ori_clip_len: float) -> np.ndarray:
        last = max(num_frames - ori_clip_len, 0)
        return np.random.uniform(0, last, (self.num_clips,))

    def _get_test_clips(self, num_frames: int, ori_clip_len: float) -> np.ndarray:
        last = max(num_frames - ori_clip_len, 0)
        if self.num_clips == 1:
            return np.array([last / 2])
        return last * np.arange(self.num_clips) / self.num_clips

    def transform(self, results: dict) -> dict:
        num_frames = results['total_frames']
        fps = results.get('avg_fps') or self.target_fps
        length = self._get_ori_clip_len(fps / self.target_fps)
        starts = self._sample_clips(num_frames, length)
        # (num_clips, clip_len)
        positions = starts[:, None] + np.linspace(0, length - 1, self.clip_len)
        # What should be an integer is not to fall below it by rounding errors.
        frame_inds = np.clip(positions + 1e-6, 0, num_frames - 1).astype(np.int32)
        results['frame_inds'] = frame_inds.reshape(-1) + results['start_index']
        results['clip_len'] = self.clip_len
        results['frame_interval'] = self.frame_interval
        results['num_clips'] = self.num_clips
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(clip_len={self.clip_len}, '
            f'frame_interval={self.frame_interval}, num_clips={self.num_clips}, '
            f'target_fps={self.target_fps}, test_mode={self.test_mode})'
        )
