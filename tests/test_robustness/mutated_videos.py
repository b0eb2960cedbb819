"""Real video files, and what a disk or a download may do to them."""

import struct

import cv2
import numpy as np

# Codec, and frames x height x width.
BASES = {
    'mpeg4_24': ('mp4v', (24, 64, 96)),
    'mpeg4_60': ('mp4v', (60, 48, 96)),
    'ffv1_12': ('FFV1', (12, 34, 56)),
    'ffv1_24': ('FFV1', (24, 64, 64)),
}
BITS = 6


def draw_numbered(t, h, w):
    """Draw frames (t, h, w, 3) whose number stands in bars at the top."""
    picture = np.random.default_rng(0).integers(0, 255, (6, 6, 3), np.uint8)
    picture = cv2.resize(picture, (w, h))
    frames = np.stack([np.roll(picture, 3 * i, axis=1) for i in range(t)])
    bars = np.arange(w) * BITS // w
    for i in range(t):
        frames[i, : h // 4] = np.where(i >> bars & 1, 235, 20)[:, None]
    return frames


def read_number(frame):
    """Return the number of a drawn frame, modulo 2**BITS."""
    h, w = frame.shape[:2]
    bits = [frame[h // 8, (2 * b + 1) * w // (2 * BITS)].mean() > 128 for b in range(6)]
    return sum(int(bit) << b for b, bit in enumerate(bits))


def write(path, frames, codec='mp4v'):
    """Encode frames, in the container that the ending of the name says.

    FFmpeg makes sizes even. OpenCV's own writer, of MJPG in AVI, leaves them odd.
    """
    api = cv2.CAP_OPENCV_MJPEG if codec == 'MJPG' else cv2.CAP_FFMPEG
    fourcc = cv2.VideoWriter_fourcc(*codec)
    writer = cv2.VideoWriter(str(path), api, fourcc, 24, frames.shape[2:0:-1])
    assert writer.isOpened(), f'OpenCV cannot write {codec} to {path}'
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def find_box(data, *kinds):
    """Return the first byte and the end of an MP4 box, header included."""
    start, end = 0, len(data)
    for depth, kind in enumerate(kinds):
        while True:
            size, here = struct.unpack_from('>I4s', data, start)
            if here == kind.encode():
                break
            start += size
        end = start + size
        if depth < len(kinds) - 1:
            start += 8
    return start, end


def _change_table(data, kind, offset, change):
    start, _ = find_box(data, 'moov', 'trak', 'mdia', 'minf', 'stbl', kind)
    data = bytearray(data)
    (value,) = struct.unpack_from('>I', data, start + offset)
    struct.pack_into('>I', data, start + offset, change(value) & 0xFFFFFFFF)
    return bytes(data)


def mutate_index(data):
    """Yield names and files whose pictures are whole, and whose index is wrong."""
    cases = [
        ('sizes_twice', 'stsz', 16, lambda v: 2 * v),
        ('sizes_half', 'stsz', 16, lambda v: v // 2),
        ('sizes_none', 'stsz', 16, lambda v: 0),
        ('sizes_billions', 'stsz', 16, lambda v: 0x7FFFFFFF),
        ('frame3_longer', 'stsz', 32, lambda v: 3 * v),
        ('frame3_endless', 'stsz', 32, lambda v: 0x7FFFFFFF),
        ('frame3_empty', 'stsz', 32, lambda v: 0),
        ('times_none', 'stts', 12, lambda v: 0),
        ('times_many_lists', 'stts', 12, lambda v: 9),
        ('times_twice', 'stts', 16, lambda v: 2 * v),
        ('times_half', 'stts', 16, lambda v: v // 2),
        ('times_billions', 'stts', 16, lambda v: 0x7FFFFFFF),
        ('times_equal', 'stts', 20, lambda v: 0),
        ('times_endless', 'stts', 20, lambda v: 0x7FFFFFFF),
        ('data_elsewhere', 'stco', 16, lambda v: v + 7),
        ('data_past_the_end', 'stco', 16, lambda v: 0x7FFFFFFF),
        ('chunk_half', 'stsc', 20, lambda v: v // 2),
        ('chunk_twice', 'stsc', 20, lambda v: 2 * v),
        ('keys_none', 'stss', 12, lambda v: 0),
        ('keys_later', 'stss', 16, lambda v: 5),
    ]
    for name, *case in cases:
        yield f'index_{name}', _change_table(data, *case)


def mutate_bytes(data, rng):
    """Yield names and files that were cut, overwritten, or have flipped bits."""
    size = len(data)
    for share in (0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        yield f'cut_{share}', data[: int(size * share)]
    # With the index in front, as for streaming, a file may lack pictures only.
    (moov, end), (mdat, _) = find_box(data, 'moov'), find_box(data, 'mdat')
    shifted = _change_table(data, 'stco', 16, lambda v: v + end - moov)
    for share in (0.1, 0.5, 0.9):
        pictures = data[mdat : mdat + int((moov - mdat) * share)]
        yield f'front_cut_{share}', data[:mdat] + shifted[moov:end] + pictures
    for share in (0.1, 0.4, 0.8):
        a = mdat + int((moov - mdat) * share)
        b = a + (moov - a) // 4
        yield f'zeros_{share}', data[:a] + bytes(b - a) + data[b:]
        yield f'noise_{share}', data[:a] + rng.bytes(b - a) + data[b:]
        yield f'zeros_to_the_end_{share}', data[:a] + bytes(moov - a) + data[moov:]
    a, b, step = mdat + 99, (mdat + moov) // 2, (moov - mdat) // 4
    swapped = data[:a] + data[b : b + step] + data[a + step : b]
    yield 'swapped', swapped + data[a : a + step] + data[b + step :]
    for part, low, high in (
        ('moov', moov, size),
        ('mdat', mdat, moov),
        ('any', 0, size),
    ):
        for count in (1, 3, 10, 100):
            flipped = bytearray(data)
            for position in rng.integers(low, high, count):
                flipped[position] ^= 1 << int(rng.integers(8))
            yield f'flips_{part}_{count}', bytes(flipped)
    yield 'junk_before', rng.bytes(64) + data
    yield 'junk_behind', data + rng.bytes(4096)


def write_mutated(folder):
    """Write all of them, and files that are no MP4 videos at all."""
    for base, (codec, shape) in BASES.items():
        intact = write(folder / f'{base}.mp4', draw_numbered(*shape), codec)
        data = intact.read_bytes()
        rng = np.random.default_rng(len(data))
        for name, mutated in (*mutate_index(data), *mutate_bytes(data, rng)):
            (folder / f'{base}-{name}.mp4').write_bytes(mutated)
    frames = draw_numbered(24, 64, 64)
    for codec, kind in (('XVID', 'avi'), ('VP80', 'webm'), ('FFV1', 'mkv')):
        data = write(folder / f'x.{kind}', frames, codec).read_bytes()
        (folder / f'x.{kind}').unlink()
        (folder / f'{kind}.mp4').write_bytes(data)
        (folder / f'{kind}-cut.mp4').write_bytes(data[: len(data) // 2])
    playlist = '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nnothing.ts\n'
    (folder / 'other-playlist.mp4').write_text(playlist)
    (folder / 'other-text.mp4').write_text('no video\n' * 99)
    (folder / 'other-zeros.mp4').write_bytes(bytes(9999))
    (folder / 'other-folder.mp4').mkdir()
    _, picture = cv2.imencode('.png', frames[0])
    (folder / 'other-picture.mp4').write_bytes(picture.tobytes())
