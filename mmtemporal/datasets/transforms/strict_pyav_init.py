"""Opening videos by PyAV, which decodes what is asked for and little else."""

import io
import os.path as osp
from typing import Any

from mmaction.datasets.transforms import DecordInit
from mmengine.fileio import FileClient

from mmtemporal.checks import check_integer
from mmtemporal.registry import TRANSFORMS

from .strict_decord_init import has_frames_already
from .video_container import check_container, check_file


@TRANSFORMS.register_module()
class StrictPyAVInit(DecordInit):
    """Open a video for ``DecordDecode``, with PyAV in place of decord.

    The frames are those of a full decode, to the bit, for any list of their numbers.
    It decodes less than decord: of frames that no other frame refers to only those
    that are asked for. It reads what the FFmpeg of PyAV reads, AV1 as well, turns
    pictures that were taken upright as decord does, and shows clips that were cut
    without being encoded anew as players do.

    Videos that are cut off, whose index contradicts itself, or of which a frame that
    is needed cannot be decoded, are errors. What a decoder conceals stays hidden.

    ::

        dict(type='mmtemporal.StrictPyAVInit'),
        dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=8),
        dict(type='DecordDecode'),

    A name is always that of a file: addresses, and what a file refers to, are not
    opened. Pipes, playlists and pictures are errors.

    It keeps the packets of the file in memory until the frames are decoded. Samples
    that hold frames and no file pass as they are.

    Required Keys:

        - filename

    Added Keys:

        - video_reader
        - total_frames
        - avg_fps

    Args:
        io_backend: Where the files are, as for ``DecordInit``. Files on a disk are not
            read into memory first.
        num_threads: Number of threads that decode one video, 0 for one a core.
        kwargs: Of the storage backend.

    Raises:
        ImportError: When run, if PyAV is not installed.
        ValueError: When run, if a file is not a video that can be read.
    """

    def __init__(
        self, *, io_backend: str = 'disk', num_threads: int = 1, **kwargs: Any
    ) -> None:
        check_integer('StrictPyAVInit.num_threads', num_threads, minimum=0)
        super().__init__(io_backend, num_threads, **kwargs)
        self.file_client: Any = None

    def transform(self, results: dict) -> dict:
        if has_frames_already(results):
            return results
        return super().transform(results)

    def _get_video_reader(self, filename: str) -> Any:
        try:
            import av  # late: other transforms do without it
        except ImportError as error:
            raise ImportError(
                "StrictPyAVInit needs PyAV: run pip install 'av>=17', or use "
                'mmtemporal.StrictDecordInit in the pipeline'
            ) from error
        from .pyav_reader import PyAVReader

        if not osp.splitext(filename)[1]:
            filename += '.mp4'  # as the stock class does
        if self.io_backend == 'disk':
            check_file(filename)
            source: Any = filename
        else:
            if self.file_client is None:
                self.file_client = FileClient(self.io_backend, **self.kwargs)
            source = io.BytesIO(self.file_client.get(filename))
            check_container(source, filename)
            source.seek(0)
        try:
            return PyAVReader(source, filename, self.num_threads)
        except av.FFmpegError as error:
            raise ValueError(
                f'{filename} cannot be read by PyAV: it is no video, or its header is '
                f'missing or damaged ({error.strerror})'
            ) from error
