"""Opening videos without making up for what is corrupt."""

import os.path as osp
from collections.abc import Iterable
from typing import Any, Optional

import numpy as np
from mmaction.datasets.transforms import DecordInit

from mmtemporal.checks import check_integer
from mmtemporal.registry import TRANSFORMS

from .edit_list import find_edit, without_edit
from .video_codec import name_codec
from .video_container import check_file

# Any share that is greater than zero makes decord raise; 0 would switch that off.
_TOLERATED = 0.0001
# In seconds. A frame without time stamp has -2**63 units of time, of 1e-6 s or more.
_NO_TIME = -1e9


@TRANSFORMS.register_module()
class StrictDecordInit(DecordInit):
    """Open a video as ``DecordInit`` does, and refuse what that would mend.

    Where frames of a damaged video cannot be decoded, decord silently returns the
    last good one instead. Where an index gives several frames the same time, it
    returns others than those asked for, not always the same. An index that points
    past the end of the file ends the process when the file was read into memory
    first, which is what ``DecordInit`` does. Here the first two are errors, the
    file is read from disk, and files that would hang or end the process all the
    same are refused by :func:`check_container`.

    A clip that was cut without being encoded anew has frames ahead of the cut, which
    its edit list hides. Stock counts them, gives others for them and repeats the last
    frame at the end; here the video has the frames that players show.

    What a codec hides stays hidden: H.264, H.265, MPEG-4 and FFV1 decoders paint
    over damage within a frame and report nothing.

    Videos whose frames have no time stamps at all are accepted; that is common for
    AVI. With B-frames decord is some frames off in them.

    Samples that hold frames and no file pass as they are.

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
        check_integer('StrictDecordInit.num_threads', num_threads, minimum=0)
        super().__init__(num_threads=num_threads)

    def transform(self, results: dict) -> dict:
        if has_frames_already(results):
            return results
        return super().transform(results)

    def _get_video_reader(self, filename: str) -> Any:
        if not osp.splitext(filename)[1]:
            filename += '.mp4'  # as the stock class does
        check_file(filename)
        edit = find_edit(filename)
        if edit is None:
            reader = self._open(filename, filename)
        else:
            with without_edit(filename, edit) as copy:
                reader = _Part(self._open(copy, filename), edit.first, edit.count)
        starts = reader.get_frame_timestamp(range(len(reader)))[:, 0]
        if starts.min() > _NO_TIME and not np.diff(starts).all():
            raise ValueError(
                f'{filename} gives several frames the same time, so that no frame can '
                'be told by its number'
            )
        return reader

    def _open(self, path: str, name: str) -> Any:
        import decord  # late, as in the stock class: other transforms do without

        try:
            return decord.VideoReader(
                path, num_threads=self.num_threads, fault_tol=_TOLERATED
            )
        except (decord.DECORDError, RuntimeError) as error:
            reason = _explain(str(error), path)
            if reason is None:
                raise
            raise ValueError(f'{name} cannot be read by decord: {reason}') from error


def has_frames_already(results: dict) -> bool:
    """Whether a sample holds frames in place of a file.

    Stock programs take out ``DecordInit`` by its name, and hand frames over.
    """
    return 'filename' not in results and ('array' in results or 'imgs' in results)


class _Part:
    """A reader of decord, of which some frames at its ends are left away."""

    def __init__(self, reader: Any, first: int, count: int) -> None:
        self._reader = reader
        self._first = first
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def get_batch(self, indices: Iterable[int]) -> object:
        return self._reader.get_batch([self._first + int(i) for i in indices])

    def get_frame_timestamp(self, indices: Iterable[int]) -> np.ndarray:
        return self._reader.get_frame_timestamp([self._first + i for i in indices])

    def seek(self, index: int) -> None:
        # The other way of decord goes to the key frame ahead of it.
        self._reader.seek_accurate(self._first + int(index))


def _explain(error: str, path: str) -> Optional[str]:
    """Return why decord could not open a file that other programs may play."""
    if 'cannot find video stream' in error:
        codec = name_codec(path)
        if codec is not None:
            return (
                f'it has no decoder for {codec}, the codec of the video; convert it, '
                'for example by ffmpeg -i FILE -c:v libx264 OUT.mp4'
            )
    if 'Error reading' in error:
        return 'it is no video, or its header is missing or damaged'
    if 'Failed to measure duration' in error:
        return (
            'the file does not say how long it is, which need not be a fault of the '
            'video; ffmpeg -i FILE -c copy OUT.mkv adds it'
        )
    return None
