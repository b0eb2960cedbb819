"""Windows for TDN where a sampler takes single frames."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmtemporal.checks import check_integer
from mmtemporal.registry import TRANSFORMS


@TRANSFORMS.register_module()
class FramesToWindows(BaseTransform):
    """Take the frames around every frame that was sampled as well.

    With it TDN works behind samplers of single frames, such as the one that
    MMAction2's ``clip_feature_extraction.py --long-video-mode`` knows::

        dict(type='UntrimmedSampleFrames', clip_len=8, frame_interval=5),
        dict(type='mmtemporal.FramesToWindows'),

    Windows that reach past the ends of the video repeat its first or last frame. Where
    TDN is trained and tested, ``SampleWindows`` has the authors' rule.

    Required Keys:

        - frame_inds
        - total_frames
        - start_index

    Modified Keys:

        - frame_inds
        - clip_len
        - num_clips

    Args:
        window: Number of frames of a window.

    Raises:
        ValueError: It is not a positive integer.
    """

    def __init__(self, window: int = 5) -> None:
        check_integer('FramesToWindows.window', window)
        self.window = window

    def transform(self, results: dict) -> dict:
        frames = np.asarray(results['frame_inds']).reshape(-1)
        first = results['start_index']
        last = first + results['total_frames'] - 1
        # (frames, window)
        windows = frames[:, None] + np.arange(self.window) - self.window // 2
        results['frame_inds'] = windows.clip(first, last).reshape(-1)
        results['clip_len'] = self.window
        results['num_clips'] = len(frames)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(window={self.window})'
