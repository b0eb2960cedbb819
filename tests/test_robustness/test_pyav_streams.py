"""Streams whose packets, times or parameters do not tell their frames."""

import av
import numpy as np
import pytest
from field_pictures import write_fields
from full_decodes import decode_fully, encode, ffmpeg, lists_of_numbers, read

from mmtemporal.datasets.transforms.nal_units import allows_fields, split_parameters
from mmtemporal.datasets.transforms.pyav_reader import PyAVReader

OPEN_HEVC = (
    '-c:v libx265 -x265-params log-level=error:open-gop=1:keyint=12:bframes=4:b-adapt=0'
)


def check(path, looked_up=False):
    expected = decode_fully(path)
    assert bool(PyAVReader(str(path), path.name)._order) == looked_up
    for numbers in lists_of_numbers(len(expected)):
        assert np.array_equal(read(path, numbers), expected[numbers]), numbers


def rewrite(source, target, change):
    """Copy a video, with other bytes in some packets; None leaves one out."""
    with av.open(str(source)) as old, av.open(str(target), 'w') as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.size]
        for i, packet in enumerate(packets):
            data = change(i, bytes(packet), packets)
            if data is None:
                continue
            copy = av.Packet(data)
            for name in ('pts', 'dts', 'time_base', 'is_keyframe'):
                setattr(copy, name, getattr(packet, name))
            copy.stream = stream
            new.mux(copy)


@pytest.mark.parametrize('kinds', ['p' * 16, 'f' * 6 + 'pf' * 5, 'f' * 12 + 'p' * 4])
@pytest.mark.parametrize('container', ['ts', 'mp4', 'mkv'])
def test_packets_of_fields(tmp_path, kinds, container):
    write_fields(tmp_path / 'fields.h264', kinds)
    path = tmp_path / f'fields.{container}'
    source = ('-fflags', '+genpts', '-r', '25', '-i', tmp_path / 'fields.h264')
    ffmpeg(*source, '-c', 'copy', path)
    assert len(decode_fully(path)) == len(kinds)
    check(path)


@pytest.mark.parametrize('profile', ['baseline', 'main', 'high', 'high444'])
@pytest.mark.parametrize('fields', [False, True])
def test_parameters_tell_whether_there_may_be_fields(tmp_path, profile, fields):
    if fields and profile == 'baseline':
        pytest.skip('this profile has none')
    path = tmp_path / 'video.mp4'
    pixels = '-pix_fmt yuv444p' if profile == 'high444' else '-pix_fmt yuv420p'
    interlaced = '-flags +ildct+ilme' if fields else ''
    encode(path, f'-c:v libx264 -profile:v {profile} {pixels} {interlaced}')
    with av.open(str(path)) as container:
        extradata = container.streams.video[0].codec_context.extradata
    sequence, *_ = split_parameters('h264', extradata)
    assert allows_fields(sequence) == fields


@pytest.mark.parametrize(
    'options',
    ['libx264', 'libxvid -bf 2', 'libxvid -gmc 1 -bf 2', 'mpeg4 -bf 2']
    + ['mpeg2video -bf 2', 'mpeg1video -bf 2'],
)
def test_times_that_were_copied_from_avi(tmp_path, options):
    avi = encode(tmp_path / 'video.avi', f'-c:v {options}')
    ffmpeg('-i', avi, '-c', 'copy', tmp_path / 'copy.mp4')
    check(tmp_path / 'copy.mp4')


def test_true_times_of_frames_with_types(tmp_path):
    for codec in ('mpeg4', 'mpeg2video', 'mpeg1video'):
        path = encode(tmp_path / f'{codec}.mkv', f'-c:v {codec} -bf 2')
        check(path, looked_up=True)


@pytest.mark.parametrize('offset', [0.013, 0.513, 9])
def test_times_that_begin_anew(tmp_path, offset):
    options = '-c:v libx264 -muxdelay 0 -muxpreload 0'
    first = encode(tmp_path / 'first.ts', f'{options} -g 10')
    second = encode(tmp_path / 'second.ts', f'{options} -output_ts_offset {offset}')
    path = tmp_path / 'both.ts'
    path.write_bytes(first.read_bytes() + second.read_bytes())
    assert len(decode_fully(path)) == 128
    check(path, looked_up=offset == 9)


@pytest.mark.parametrize(('size', 'quality'), [('64x96', 23), ('96x64', 35)])
@pytest.mark.parametrize('kind', ['flv', 'ts', 'mkv'])
def test_parameters_that_change(tmp_path, size, quality, kind):
    ending = 'flv' if kind == 'flv' else 'ts'
    options = '-c:v libx264 -g 10'
    first = encode(tmp_path / f'first.{ending}', options)
    second = encode(
        tmp_path / f'second.{ending}',
        f'{options} -crf {quality} -output_ts_offset 3',
        size,
    )
    path = tmp_path / f'both.{ending}'
    head = 13 if kind == 'flv' else 0  # of a file of this kind
    path.write_bytes(first.read_bytes() + second.read_bytes()[head:])
    if kind == 'mkv':
        ffmpeg('-i', path, '-c', 'copy', tmp_path / 'both.mkv')
        path = tmp_path / 'both.mkv'
    check(path)


@pytest.mark.parametrize('kind', ['mkv', 'mp4'])
def test_streams_that_begin_with_a_refreshed_picture(tmp_path, kind):
    options = '-c:v libx264 -x264-params intra-refresh=1:keyint=12'
    whole = encode(tmp_path / 'whole.mp4', f'{options}:bframes=0')
    path = tmp_path / f'cut.{kind}'
    ffmpeg('-ss', 1, '-i', whole, '-c', 'copy', path)
    check(path)


@pytest.mark.parametrize('kind', ['broken link', 'end'])
@pytest.mark.parametrize('container', ['mp4', 'ts'])
def test_frames_that_decoders_of_h265_leave_out(tmp_path, kind, container):
    def change(i, data, packets):
        follows = i + 1 < len(packets) and packets[i + 1].is_keyframe
        if kind == 'end':
            return data + b'\0\0\0\2\x48\1' if follows else data
        if not i or not packets[i].is_keyframe:
            return data
        changed, position = bytearray(data), 0
        while position < len(data):
            if data[position + 4] >> 1 == 21:  # a clean random access
                changed[position + 4] = 16 << 1
            position += 4 + int.from_bytes(data[position : position + 4], 'big')
        return bytes(changed)

    source = encode(tmp_path / 'source.mp4', OPEN_HEVC)
    path = tmp_path / 'changed.mp4'
    rewrite(source, path, change)
    if container == 'ts':
        ffmpeg('-i', path, '-c', 'copy', tmp_path / 'changed.ts')
        path = tmp_path / 'changed.ts'
    assert len(decode_fully(path)) < 64
    check(path)


@pytest.mark.parametrize('container', ['mp4', 'mkv'])
def test_planes_that_repeat_one(tmp_path, container):
    def change(i, data, packets):
        # Times of 25 a second take 5 bits; then comes whether the plane is coded.
        start = data.index(b'\0\0\1\xb6')
        head = int.from_bytes(data[start + 4 : start + 7], 'big')
        kept, zero = 3, 1 << 21
        while head & zero:
            kept, zero = kept + 1, zero >> 1
        kept += 7
        head = head >> (24 - kept) << (24 - kept)
        head |= (1 << (24 - kept - 2)) - 1
        return (
            data[start : start + 4] + head.to_bytes(3, 'big') if i % 10 == 9 else data
        )

    source = encode(tmp_path / 'source.mp4', '-c:v mpeg4 -g 10')
    path = tmp_path / f'repeats.{container}'
    rewrite(source, path, change)
    assert len(decode_fully(path)) < 64
    check(path)


def test_packets_of_several_frames_that_are_shown(tmp_path):
    def change(i, data, packets):
        if i % 2 or i + 1 == len(packets):
            return None
        other = bytes(packets[i + 1])
        mark = bytes([0b110_11_001])  # two sizes of four bytes
        sizes = b''.join(len(part).to_bytes(4, 'little') for part in (data, other))
        return data + other + mark + sizes + mark

    options = '-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -lag-in-frames 0'
    source = encode(tmp_path / 'source.webm', options)
    path = tmp_path / 'pairs.mkv'
    rewrite(source, path, change)
    assert len(decode_fully(path)) == 64
    check(path)


@pytest.mark.parametrize('codec', ['libx264 -g 10', 'mpeg2video -bf 2'])
def test_damage_is_concealed_as_in_a_full_decode(tmp_path, codec):
    data = encode(tmp_path / 'video.ts', f'-c:v {codec}').read_bytes()
    path = tmp_path / 'cut.ts'
    damaged = 0
    for share in (0.3, 0.47, 0.6, 0.71, 0.83):
        path.write_bytes(data[: int(share * len(data))])
        expected = decode_fully(path)
        reader = PyAVReader(str(path), path.name)
        for i in reversed(range(len(expected))):
            assert np.array_equal(reader.get_batch([i])[0], expected[i])
        damaged += len(reader._keys) == 1
    assert damaged
