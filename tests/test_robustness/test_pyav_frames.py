"""Frames by number, against a full decode, for the codecs and files that users have."""

import sys

import av
import numpy as np
import pytest
from full_decodes import (
    FRAMES,
    decode_fully,
    encode,
    ffmpeg,
    lists_of_numbers,
    read,
)
from mmaction.datasets.transforms import DecordDecode
from mmengine.dataset import Compose
from mmengine.fileio import BaseStorageBackend, FileClient
from mmengine.registry import init_default_scope
from mutated_videos import draw_numbered, mutate_index, write

from mmtemporal.datasets.transforms import StrictPyAVInit
from mmtemporal.datasets.transforms.pyav_reader import PyAVReader

X265 = 'log-level=error'
# Name of the file, and how ffmpeg makes it. These are looked up by their packets,
LOOKED_UP = {
    'default.mp4': '-c:v libx264',
    'pyramid.mp4': '-c:v libx264 -bf 6 -b_strategy 0 -refs 5 -g 24 '
    '-x264-params b-pyramid=normal',
    'no_b.mp4': '-c:v libx264 -bf 0 -g 10',
    'open_gop.mp4': '-c:v libx264 -bf 4 -b_strategy 0 '
    '-x264-params open-gop=1:keyint=12',
    'intra_refresh.mp4': '-c:v libx264 -x264-params intra-refresh=1:keyint=12',
    'sub.mkv': '-c:v libx264 -pix_fmt yuv444p',
    'stream.ts': '-c:v libx264 -g 20',
    'video.flv': '-c:v libx264',
    'hevc.mp4': f'-c:v libx265 -x265-params {X265}',
    'hevc_open_gop.mkv': '-c:v libx265 '
    f'-x265-params {X265}:open-gop=1:keyint=12:bframes=4:b-adapt=0',
    'hevc_layers.mp4': '-c:v libx265 '
    f'-x265-params {X265}:temporal-layers=3:bframes=7:b-adapt=0',
    'vp9.webm': '-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 20',
    'vp8.webm': '-c:v libvpx -deadline realtime -cpu-used 8 -auto-alt-ref 0 -g 20',
    'av1.mp4': '-c:v libsvtav1 -preset 12 -g 20',
    'mpeg4.mp4': '-c:v mpeg4 -bf 2',
    'mpeg2.mpg': '-c:v mpeg2video -bf 2',
    'mpeg1.mpg': '-c:v mpeg1video',
    'mpeg4.avi': '-c:v libxvid',
    'b_frames.avi': '-c:v mpeg4 -bf 2',
    'packed.avi': '-c:v libxvid -bf 2',
    'mjpeg.avi': '-c:v mjpeg -pix_fmt yuvj420p',
    'ffv1.mkv': '-c:v ffv1 -g 5',
    'prores.mov': '-c:v prores_ks -pix_fmt yuv422p10le',
    'varying_rate.mp4': '-c:v libx264 -fps_mode vfr '
    "-vf select='lt(n,20)+not(mod(n,3))'",
}
# and for these everything is decoded.
DECODED = {
    'h264.avi': '-c:v libx264',
    'no_times.h264': '-c:v libx264',
    'no_times.h265': f'-c:v libx265 -x265-params {X265}',
    'interlaced.mp4': '-c:v libx264 -flags +ildct+ilme -x264-params tff=1',
    'fields.mpg': '-c:v mpeg2video -flags +ildct+ilme -bf 2',
    'old.wmv': '-c:v wmv2',
    'video.ogv': '-c:v libtheora',
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('videos')


@pytest.mark.parametrize('name', [*LOOKED_UP, *DECODED])
def test_frames_are_those_of_a_full_decode(folder, name):
    path = encode(folder / name, (LOOKED_UP | DECODED)[name])
    expected = decode_fully(path)
    for threads in (1, 3):
        for numbers in lists_of_numbers(len(expected)):
            found = read(path, numbers, num_threads=threads)
            assert np.array_equal(found, expected[numbers]), (threads, numbers)


def count_decoded(path, numbers, monkeypatch):
    """Return of how many packets a decoder was given, and gave frames."""
    counts = [0, 0]
    send = PyAVReader._send

    def count(self, packet, position):
        frames = send(self, packet, position)
        counts[0] += packet is not None
        counts[1] += len(frames)
        return frames

    monkeypatch.setattr(PyAVReader, '_send', count)
    read(path, numbers)
    return counts


@pytest.mark.parametrize('name', LOOKED_UP)
def test_little_else_is_decoded(folder, name, monkeypatch):
    path = encode(folder / name, LOOKED_UP[name])
    packets, frames = count_decoded(path, [5], monkeypatch)
    # An interlaced first frame is looked for, and decoding recovers from the beginning.
    assert packets < FRAMES // 2 and frames < FRAMES // 2


@pytest.mark.parametrize(
    ('name', 'most'), [('pyramid.mp4', 0.75), ('hevc.mp4', 0.6), ('mpeg4.mp4', 0.5)]
)
def test_frames_without_reference_are_left_out(folder, name, most, monkeypatch):
    path = encode(folder / name, LOOKED_UP[name])
    packets, frames = count_decoded(path, range(0, FRAMES, 16), monkeypatch)
    assert frames <= most * packets


@pytest.mark.parametrize('name', DECODED)
def test_what_packets_do_not_tell_is_decoded(folder, name, monkeypatch):
    path = encode(folder / name, DECODED[name])
    packets, _ = count_decoded(path, [0], monkeypatch)
    assert packets >= FRAMES


def test_packets_of_frames_that_are_not_shown(folder, monkeypatch):
    """VP8 has them for pictures that only others refer to."""
    log = folder / 'log'
    options = f'-c:v libvpx -auto-alt-ref 1 -lag-in-frames 16 -passlogfile {log}'
    path = folder / 'hidden.webm'
    for number in (1, 2):
        encode(path, f'{options} -pass {number}')
    expected = decode_fully(path)
    with av.open(str(path)) as container:
        assert len(list(container.demux(video=0))[:-1]) > len(expected)
    for numbers in lists_of_numbers(len(expected)):
        assert np.array_equal(read(path, numbers), expected[numbers])


def test_long_videos_of_that_kind_are_not_kept(folder, monkeypatch):
    path = encode(folder / 'long.avi', DECODED['h264.avi'])
    expected = decode_fully(path)
    monkeypatch.setattr('mmtemporal.datasets.transforms.pyav_reader._KEPT', 9999)
    packets, _ = count_decoded(path, [40], monkeypatch)
    assert packets > len(expected)
    assert np.array_equal(read(path, [40, 3]), expected[[40, 3]])


@pytest.mark.parametrize('size', ['97x65', '33x128', '128x33', '16x16'])
@pytest.mark.parametrize(
    'options', ['-c:v libx264 -pix_fmt yuv444p', '-c:v libvpx-vp9']
)
def test_odd_sizes_have_the_colours_of_decord(folder, size, options):
    path = encode(folder / f'{size}{len(options)}.mkv', options, size)
    if path.name.startswith('16'):  # which decord cannot read
        assert read(path, [1]).shape == (1, 16, 16, 3)
        return
    decord = pytest.importorskip('decord')
    expected = decord.VideoReader(str(path)).get_batch(range(FRAMES)).asnumpy()
    assert np.array_equal(read(path, range(FRAMES)), expected)


@pytest.mark.parametrize('degrees', [90, 180, 270])
def test_videos_are_turned_as_decord_turns_them(folder, degrees):
    decord = pytest.importorskip('decord')
    upright = encode(folder / 'upright.mp4', '-c:v libx264', '128x96')
    turned = folder / f'turned_{degrees}.mp4'
    ffmpeg('-display_rotation', degrees, '-i', upright, '-c', 'copy', turned)
    expected = decord.VideoReader(str(turned)).get_batch([3, 9]).asnumpy()
    assert np.array_equal(read(turned, [3, 9]), expected)
    shape = (128, 96) if degrees % 180 else (96, 128)
    assert expected.shape == (2, *shape, 3)


def test_efficient_decoding_gives_key_frames(folder):
    path = encode(folder / 'keys.mp4', LOOKED_UP['no_b.mp4'])
    results = StrictPyAVInit()(dict(filename=str(path)))
    results['frame_inds'] = np.array([0, 9, 10, 34])
    found = np.stack(DecordDecode(mode='efficient')(results)['imgs'])
    assert np.array_equal(found, decode_fully(path)[[0, 0, 10, 30]])


def test_a_stock_pipeline_is_the_same_with_it(folder):
    init_default_scope('mmaction')
    path = encode(folder / 'stock.mp4', '-c:v libx264', '128x96')
    steps = [
        dict(type='SampleFrames', clip_len=2, frame_interval=3, num_clips=4),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, 64)),
        dict(type='FormatShape', input_format='NCTHW'),
    ]
    found = []
    for opening in ('DecordInit', 'mmtemporal.StrictPyAVInit'):
        np.random.seed(0)
        pipeline = Compose([dict(type=opening, io_backend='disk'), *steps])
        found.append(pipeline(dict(filename=str(path), start_index=0)))
    stock, own = found
    assert np.array_equal(stock['imgs'], own['imgs'])
    for key in ('total_frames', 'avg_fps', 'original_shape', 'img_shape'):
        assert stock[key] == own[key]


def test_files_come_from_other_storage(folder):
    path = encode(folder / 'stored.mp4', '-c:v libx264')
    stored = {str(path): path.read_bytes()}

    class Storage(BaseStorageBackend):
        get = staticmethod(stored.__getitem__)
        get_text = get

    FileClient.register_backend('of_the_test', Storage, force=True)
    expected = read(path, [7])
    path.unlink()
    assert np.array_equal(read(path, [7], io_backend='of_the_test'), expected)
    stored[str(path)] = stored[str(path)][:-900]
    with pytest.raises(ValueError, match=r'stored\.mp4 is cut off'):
        read(path, [7], io_backend='of_the_test')


def test_other_streams_of_a_file_are_left_alone(folder):
    """The best video is read, which need not be the first stream."""
    large = encode(folder / 'large.mp4', '-c:v libx264', '128x96')
    small = encode(folder / 'small.mp4', '-c:v libx264', '64x48')
    both = folder / 'both.mp4'
    sound = ('-f', 'lavfi', '-i', 'sine=duration=2')
    maps = ('-map', '2:a', '-map', '0:v', '-map', '1:v', '-c:v', 'copy')
    ffmpeg('-i', small, '-i', large, *sound, *maps, both)
    assert np.array_equal(read(both, [9]), decode_fully(large)[[9]])
    ffmpeg(*sound, folder / 'sound.mp4')
    with pytest.raises(ValueError, match=r'sound\.mp4 is no video'):
        read(folder / 'sound.mp4', [0])


def test_an_undecodable_frame_is_named(tmp_path):
    path = write(tmp_path / 'video.mp4', draw_numbered(12, 32, 64))
    (case,) = (
        d for n, d in mutate_index(path.read_bytes()) if n == 'index_frame3_empty'
    )
    path.write_bytes(case)
    assert read(path, [1]).shape == (1, 32, 64, 3)
    with pytest.raises(ValueError, match=r'video\.mp4: packet 3 is empty'):
        read(path, [5])


@pytest.mark.parametrize('number', [64, -1])
def test_a_number_that_no_frame_has(folder, number):
    path = encode(folder / 'short.mp4', '-c:v libx264')
    with pytest.raises(
        IndexError, match=rf'short\.mp4: got frame {number}, .* 0 to 63'
    ):
        read(path, [0, number])


def test_a_missing_library_is_named(folder, monkeypatch):
    path = encode(folder / 'any.mp4', '-c:v mpeg4')
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(ImportError, match=r"pip install 'av>=\d+'.*StrictDecordInit"):
        read(path, [0])
