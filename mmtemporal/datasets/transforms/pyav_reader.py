"""Reading the frames of a video by number, without decoding all others."""

from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator
from itertools import islice, takewhile
from typing import Any, BinaryIO, Optional, Union

import av
import numpy as np

from .coded_frames import can_skip, hold_one_frame_each
from .picture_order import read_picture_order
from .pyav_container import open_container

# Their packets hold one frame each, and a key frame needs nothing ahead of it.
_ONE_FRAME = (
    *('h264', 'hevc', 'mpeg1video', 'mpeg2video', 'mpeg4', 'vp8', 'vp9', 'av1'),
    *('ffv1', 'mjpeg', 'prores'),
)
# A packet of theirs may be half a frame, every second line of it; and it may begin
# with key frames from which the picture builds up.
_INTERLACES = ('h264', 'mpeg2video')
# Their streams say whether frames are decoded in another order than shown.
_REORDERS = ('h264', 'hevc')
# and theirs of which type each is, from which the order follows.
_HAS_TYPES = ('mpeg1video', 'mpeg2video', 'mpeg4')
# Frames of a video that is decoded as a whole are kept up to this size, in bytes.
_KEPT = 1 << 28


class PyAVReader:
    """The frames of a video file, by number, as a full decode gives them.

    All packets are read first; that needs no decoding, and as much memory as the file
    is long. Their times tell which packet holds which frame. A frame is decoded from
    the last key frame that does not come after it, in the order of decoding and in
    that of display. On the way, frames that no other one refers to are left out if the
    decoder can do so.

    Where packets do not tell the number of a frame (times missing, equal or false, as
    for H.264 in AVI; interlaced video; packets without frame; parameters that change),
    and where damage shows, which is concealed by means of other frames, all is decoded.

    It has the methods of ``decord.VideoReader`` that ``DecordDecode`` calls.

    Args:
        file: Path of the file, or the file itself, open for reading.
        name: What errors call it.
        num_threads: Number of threads that decode, 0 for as many as there are cores.

    Raises:
        av.FFmpegError: It is no video.
        ValueError: It has no video stream or no frames, or one that is needed to count
            them cannot be decoded.
    """

    def __init__(
        self, file: Union[str, BinaryIO], name: str, num_threads: int = 1
    ) -> None:
        self._name = name
        container, stream = open_container(file, name)
        self._format = container.format.name
        self._rate = stream.average_rate or stream.guessed_rate
        self._codec: Any = stream.codec_context
        self._codec_name = self._codec.codec.canonical_name
        self._extradata = self._codec.extradata or b''
        # Those of the first frame; decoding changes them where others follow.
        self._size = (stream.width, stream.height)
        self._codec.thread_count = num_threads
        if num_threads != 1:
            self._codec.thread_type = 'AUTO'
        # Beyond the end, PyAV stumbles over streams that it met on the way.
        self._packets = list(takewhile(_is_no_end, container.demux(stream)))
        # Container and streams refer to each other. Garbage with threads must not be
        # left, which a process that is forked from this one could not end.
        container.close()
        self._times: list[Any] = [packet.pts for packet in self._packets]
        self._keys = [i for i, p in enumerate(self._packets) if p.is_keyframe]
        self._skips = can_skip(self._codec_name, self._extradata)
        # Of every frame, in order, the number of its packet.
        self._order: list[int] = []
        self._kept: list = []
        if self._packets and self._can_look_up():
            shown = [i for i, p in enumerate(self._packets) if not p.is_discard]
            self._order = sorted(shown, key=self._times.__getitem__)
            self._count = len(self._order)
        else:
            self._count = self._decode_all()
        if not self._count:
            raise ValueError(f'{name} has no frames')

    def __len__(self) -> int:
        return self._count

    def get_avg_fps(self) -> float:
        """Return the mean number of frames a second."""
        return float(self._rate)

    def get_batch(self, indices: Iterable[int]) -> '_Frames':
        """Return the frames (n, h, w, 3) of some numbers, in RGB.

        Raises:
            IndexError: There is no frame of such a number.
            ValueError: A frame that is needed cannot be decoded.
        """
        indices = [int(i) for i in indices]
        for i in indices:
            if not 0 <= i < len(self):
                raise IndexError(
                    f'{self._name}: got frame {i}, expected 0 to {len(self) - 1}'
                )
        numbers = set(indices)
        found = self._find(numbers)
        missing = sorted(numbers.difference(found))
        if missing:
            raise ValueError(f'{self._name}: frame {missing[0]} cannot be decoded')
        return np.stack([found[i] for i in indices]).view(_Frames)

    def seek(self, index: int) -> None:
        """Go to the last key frame that is not after a frame."""
        keys = {*self._keys}
        numbers = [n for n, i in enumerate(self._order) if i in keys]
        k = bisect_right(numbers, index)
        self._next = numbers[k - 1] if k else index

    def next(self) -> '_Frames':
        """Return the frame (h, w, 3) that :meth:`seek` went to."""
        return self.get_batch([self._next])[0]

    def _can_look_up(self) -> bool:
        name, data = self._codec_name, self._extradata
        if name not in _ONE_FRAME or not hold_one_frame_each(name, data, self._packets):
            return False
        if name in _INTERLACES and not self._begins_with_a_frame():
            return False
        if self._format == 'avi' and len(self._keys) < len(self._times):
            return name == 'mpeg4' and self._read_avi_times()
        if None in self._times or len({*self._times}) < len(self._times):
            return False
        # What comes ahead of the first key frame may not be decodable.
        if self._keys[:1] != [0] or min(self._times) != self._times[0]:
            return False
        return self._has_order_of_times()

    def _begins_with_a_frame(self) -> bool:
        frames = [frame for _, frame in self._decode(0, 0)]
        return len(frames) == 1 and not frames[0].interlaced_frame

    def _has_order_of_times(self) -> bool:
        """Whether frames are shown in the order of their times, as far as one can tell.

        Those that were copied from AVI files have times in the order of decoding. In
        files that were joined, times may begin anew.
        """
        decoded = [packet.dts for packet in self._packets if packet.dts is not None]
        if decoded != sorted(decoded):
            return False
        name = self._codec_name
        # Decoding never gets past an empty packet.
        packets = list(takewhile(lambda packet: packet.size, self._packets))
        shown = sorted(range(len(packets)), key=self._times.__getitem__)
        if name in _HAS_TYPES:
            found = read_picture_order(name, map(bytes, packets))
            return found is not None and not found.packed and found.order == shown
        reorders = name in _REORDERS and self._codec.has_b_frames
        only_keys = len(self._keys) == len(self._times)
        return only_keys or not reorders or shown != list(range(len(shown)))

    def _read_avi_times(self) -> bool:
        """Take the order of frames for their times, which AVI files do not have."""
        found = read_picture_order('mpeg4', map(bytes, self._packets))
        if found is None:
            return False
        for time, position in enumerate(found.order):
            self._times[position] = time
        self._keys = [i for i in self._keys if i in found.clean]
        # A decoder that leaves out a frame forgets the rest of the packet.
        self._skips = self._skips and not found.packed
        return self._keys[:1] == [0] and self._times[0] == 0

    def _start(self, position: int) -> int:
        k = bisect_right(self._keys, position) - 1
        while self._times[self._keys[k]] > self._times[position]:
            k -= 1
        return self._keys[k]

    def _find(self, numbers: set[int]) -> dict[int, np.ndarray]:
        if not self._order:
            return self._pick(numbers)
        found = self._look_up(numbers)
        if found is not None and (len(found) < len(numbers) or self._is_damaged):
            # With periodic intra refresh, decoding recovers only some frames after
            # what is marked as a key frame. How damage is concealed depends on all
            # that was decoded before.
            self._keys, self._skips = self._keys[:1], False
            found = self._look_up(numbers)
        return self._pick(numbers) if found is None else found

    def _look_up(self, numbers: set[int]) -> Optional[dict[int, np.ndarray]]:
        """Return the frames that can be decoded; None if times are not those shown."""
        wanted = {self._order[i]: i for i in numbers}
        parts: list[list[int]] = []
        for start, position in sorted((self._start(p), p) for p in wanted):
            if parts and start <= parts[-1][1]:
                parts[-1][1] = max(position, parts[-1][1])
            else:
                parts.append([start, position])
        found = {}
        self._is_damaged = False
        for start, last in parts:
            before = None
            for position, frame in self._decode(start, last, wanted):
                time = self._times[position]
                if before is not None and time < before:
                    return None
                before = time
                self._is_damaged |= frame.is_corrupt
                if position in wanted:
                    found[wanted[position]] = self._convert(frame)
        return found

    def _decode_all(self) -> int:
        """Return how many frames there are, and keep those of short videos."""
        count = size = 0
        for _, frame in self._decode(0, len(self._packets) - 1):
            count += 1
            size += sum(plane.buffer_size for plane in frame.planes)
            if size <= _KEPT:
                self._kept.append(frame)
        if size > _KEPT:
            self._kept.clear()
        return count

    def _pick(self, numbers: set[int]) -> dict[int, np.ndarray]:
        frames: Iterable = self._kept
        if not frames:
            frames = (frame for _, frame in self._decode(0, len(self._packets) - 1))
        first = islice(frames, max(numbers) + 1)
        return {i: self._convert(f) for i, f in enumerate(first) if i in numbers}

    def _decode(
        self, first: int, last: int, wanted: Container[int] = ()
    ) -> Iterator[tuple[int, Any]]:
        """Yield the frames of some packets, each with the number of its packet.

        With numbers of packets that are wanted, others may be left out.
        """
        codec = self._codec
        codec.flush_buffers()
        skips = self._skips and bool(wanted)
        skip = codec.skip_frame = 'DEFAULT'
        for position in range(first, last + 1):
            packet = self._packets[position]
            if not packet.size:  # which the decoder would take for the end
                raise ValueError(f'{self._name}: packet {position} is empty')
            before = skip
            skip = 'NONREF' if skips and position not in wanted else 'DEFAULT'
            if skip != before:
                codec.skip_frame = skip
            packet.pts, packet.dts = position, None
            for frame in self._send(packet, position):
                yield frame.pts, frame
        codec.skip_frame = 'DEFAULT'
        for frame in self._send(None, last):
            yield frame.pts, frame

    def _send(self, packet: Optional[av.Packet], position: int) -> list:
        try:
            return self._codec.decode(packet)
        except av.FFmpegError as error:
            raise ValueError(
                f'{self._name}: packet {position} of {len(self._packets)} cannot be '
                f'decoded ({error.strerror})'
            ) from error

    def _convert(self, frame: Any) -> np.ndarray:
        # The filter that gives decord its pictures is bicubic, which shows where the
        # colours of odd sizes are interpolated.
        picture = frame.reformat(
            format='rgb24',
            width=self._size[0],
            height=self._size[1],
            interpolation='BICUBIC',
            threads=1,  # more cost twice as much for a picture of this size
        )
        return np.rot90(picture.to_ndarray(), round(frame.rotation / 90))


def _is_no_end(packet: av.Packet) -> bool:
    return bool(packet.size or packet.pts is not None or packet.dts is not None)


class _Frames(np.ndarray):
    """An array with the method by which decord's are asked for theirs."""

    def asnumpy(self) -> np.ndarray:
        return self.view(np.ndarray)
