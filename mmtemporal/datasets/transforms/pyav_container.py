"""Opening a video file by PyAV, and nothing that the file or its name refers to."""

from typing import Any, BinaryIO, Union

import av
from av.stream import Disposition

# How FFmpeg calls what holds a single picture, and what holds names of other files.
_PICTURES = ('image2', '_pipe')
_PLAYLISTS = ('concat', 'dash', 'hls', 'imf')


def open_container(file: Union[str, BinaryIO], name: str) -> tuple[Any, Any]:
    """Return a container and its best stream of video.

    FFmpeg takes a name with a colon for an address, or for several files, and text
    files may name others, on a network as well. Only the file itself is opened here.

    Args:
        file: Path of the file, or the file itself, open for reading.
        name: What errors call it.

    Raises:
        av.FFmpegError: FFmpeg cannot read it.
        ValueError: It is no video.
    """
    container: Any = av.open(
        f'file:{file}' if isinstance(file, str) else file,
        options={'protocol_whitelist': 'file'},
        metadata_errors='replace',  # titles are in any encoding
    )
    kind = container.format.name
    if kind in _PLAYLISTS:
        raise ValueError(f'{name} is a playlist, which names videos and holds none')
    stream: Any = container.streams.best('video')
    if (
        stream is None
        or kind.endswith(_PICTURES)
        or stream.disposition & Disposition.attached_pic
    ):
        raise ValueError(f'{name} is no video: it has no video stream')
    if stream.codec_context is None:
        raise ValueError(
            f'{name} cannot be read by PyAV: it has no decoder for the codec of the '
            'video; convert it, for example by ffmpeg -i FILE -c:v libx264 OUT.mp4'
        )
    return container, stream
