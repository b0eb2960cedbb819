"""Opening videos without making up for what is broken."""

import os.path as osp

import numpy as np
from mmaction.datasets.transforms import DecordInit

from mmtemporal.checks import check_whole
from mmtemporal.registry import TRANSFORMS

from .video_container import check_container

# Any share that is greater than zero makes decord raise; 0 would switch that off.
_TOLERATED = 0.0001
# In seconds. A frame without time stamp has -2**63 units of time, of 1e-6 s or more.
_NO_TIME = -1e9


@TRANSFORMS.register_module()
class StrictDecordInit(DecordInit):
    """Opens a video as ``DecordInit`` does, and refuses what that would mend.

    Where frames of a damaged video cannot be decoded, decord silently returns the
    last good one instead. Where an index gives several frames the same time, it
    returns others than those asked for, not always the same. An index that points
    past the end of the file ends the process when the file was read into memory
    first, which is what ``DecordInit`` does. Here the first two are errors, the
    file is read from disk, and files that would hang or end the process all the
    same are refused by :func:`check_container`.

    What a codec hides stays hidden: H.264, H.265, MPEG-4 and FFV1 decoders paint
    over damage within a frame and report nothing.

    Videos whose frames have no time stamps at all are accepted; that is common for
    AVI. With B-frames decord is some frames off in them.

    Required Keys:

        - filename

    Added Keys:

        - video_reader
        - total_frames
        - avg_fps

    Args:
        num_threads: Number of threads that decode one video.
    """

    def __init__(self, *, num_threads: int = 1) -> None:
        check_whole('StrictDecordInit.num_threads', num_threads, least=0)
        super().__init__(num_threads=num_threads)

    def _get_video_reader(self, filename: str) -> object:
        import decord  # late, as in the stock class: other transforms do without

        if not osp.splitext(filename)[1]:
            filename += '.mp4'  # as the stock class does
        check_container(filename)
        reader = decord.VideoReader(
            filename, num_threads=self.num_threads, fault_tol=_TOLERATED
        )
        starts = reader.get_frame_timestamp(range(len(reader)))[:, 0]
        if starts.min() > _NO_TIME and not np.diff(starts).all():
            raise ValueError(
                f'{filename} gives several frames the same time, so that no frame can '
                'be told by its number'
            )
        return reader
