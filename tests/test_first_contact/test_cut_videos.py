"""Clips that play everywhere, and what a decoder that cannot read them says."""

import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmtemporal.datasets.transforms import StrictDecordInit, StrictPyAVInit
from mmtemporal.datasets.transforms.edit_list import find_edit
from mmtemporal.datasets.transforms.video_codec import name_codec

HEIGHT, WIDTH, FRAMES = 96, 128, 50
OPENINGS = (StrictDecordInit, StrictPyAVInit)


def ffmpeg(*arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), '-y', '-v', 'error']
    command += map(str, arguments)
    return subprocess.run(command, check=True, capture_output=True).stdout


def encode(path, *options):
    source = f'testsrc=duration={FRAMES // 25}:size={WIDTH}x{HEIGHT}:rate=25'
    ffmpeg('-f', 'lavfi', '-i', source, '-pix_fmt', 'yuv420p', *options, path)
    return path


def shown(path):
    """Return the frames that ffmpeg shows."""
    raw = ('-f', 'rawvideo', '-pix_fmt', 'rgb24', '-fps_mode', 'passthrough', '-')
    data = np.frombuffer(ffmpeg('-i', path, *raw), np.uint8)
    return data.reshape(-1, HEIGHT, WIDTH, 3)


def read(path, mode='accurate', opening=StrictDecordInit):
    """Return all frames, which are asked for in another order if that is possible."""
    init_default_scope('mmaction')
    sample = opening()(dict(filename=str(path)))
    order = np.arange(sample['total_frames'])
    if mode == 'accurate':
        order = np.random.default_rng(0).permutation(order)
    decode = Compose([dict(type='DecordDecode', mode=mode)])
    frames = np.stack(decode(dict(sample, frame_inds=order))['imgs'])
    return frames[np.argsort(order)]


def assert_the_same_frames(path, mode='accurate', openings=OPENINGS):
    expected = shown(path)
    for opening in openings:
        frames = read(path, mode, opening)
        assert frames.shape == expected.shape
        for number, frame in enumerate(frames):
            distance = np.abs(expected.astype(int) - frame).mean((1, 2, 3))
            assert distance.argmin() == number and distance[number] < 2


@pytest.fixture(scope='module', params=[('-g', 12), ('-bf', 0, '-g', 30)], ids=str)
def whole(request, tmp_path_factory):
    """With pictures in between, which are stored in another order, and without."""
    path = tmp_path_factory.mktemp('videos') / 'whole.mp4'
    return encode(path, '-c:v', 'libx264', *request.param)


def test_a_whole_video_is_read_from_its_file(whole):
    assert find_edit(whole) is None
    assert_the_same_frames(whole)


@pytest.mark.parametrize(
    ('ahead', 'behind', 'mode'),
    [
        (('-ss', 0.5), (), 'accurate'),
        (('-ss', 0.5), (), 'efficient'),
        (('-ss', 0.03), (), 'accurate'),
        (('-ss', 0.9, '-t', 0.6), (), 'accurate'),
        ((), ('-t', 1.1), 'accurate'),
    ],
)
@pytest.mark.parametrize('ending', ['mp4', 'mov', 'mkv'])
def test_a_clip_cut_without_encoding_it_anew(
    whole, tmp_path, ahead, behind, mode, ending
):
    cut = tmp_path / f'cut.{ending}'
    ffmpeg(*ahead, '-i', whole, *behind, '-c', 'copy', cut)
    if ahead and ending != 'mkv':
        assert find_edit(cut).total > len(shown(cut))
    # Key frames are what PyAV then gives; decord does so unless asked in order.
    openings = OPENINGS if mode == 'accurate' else OPENINGS[:1]
    assert_the_same_frames(cut, mode, openings)


def test_a_cut_of_a_cut(whole, tmp_path):
    for source, name in ((whole, 'once.mp4'), (tmp_path / 'once.mp4', 'twice.mp4')):
        ffmpeg('-ss', 0.3, '-i', source, '-c', 'copy', tmp_path / name)
    assert_the_same_frames(tmp_path / 'twice.mp4')


def test_an_end_that_is_not_shown(whole, tmp_path):
    data = bytearray(whole.read_bytes())
    start = data.index(b'elst') + 12  # of the duration, in ms
    assert int.from_bytes(data[start : start + 4], 'big') == FRAMES * 40
    data[start : start + 4] = (20 * 40).to_bytes(4, 'big')
    (tmp_path / 'end.mp4').write_bytes(data)
    for opening in OPENINGS:
        found = read(tmp_path / 'end.mp4', opening=opening)
        assert len(found) == 20 and np.array_equal(found, read(whole)[:20])


@pytest.mark.parametrize(
    ('ending', 'name'), [('mp4', r'av01 \(AV1\)'), ('mkv', r'V_AV1 \(AV1\)')]
)
def test_a_codec_that_decord_lacks_is_named(tmp_path, ending, name):
    path = encode(tmp_path / f'video.{ending}', '-c:v', 'libsvtav1')
    with pytest.raises(ValueError, match=rf'video\.{ending} .* decoder for {name}'):
        read(path)
    assert_the_same_frames(path, openings=[StrictPyAVInit])


@pytest.mark.parametrize(
    ('codec', 'ending', 'name'),
    [
        ('libx264', 'mp4', 'avc1'),
        ('libx264', 'mkv', 'V_MPEG4/ISO/AVC'),
        ('libvpx-vp9', 'webm', 'V_VP9'),
        ('mpeg4', 'avi', None),
    ],
)
def test_names_of_codecs(tmp_path, codec, ending, name):
    assert name_codec(encode(tmp_path / f'video.{ending}', '-c:v', codec)) == name


def test_a_file_that_does_not_say_how_long_it_is(tmp_path):
    stream = tmp_path / 'stream.webm'
    # What is written live is not completed at its end.
    encode(stream, '-c:v', 'libvpx-vp9', '-f', 'webm', '-live', 1)
    with pytest.raises(ValueError, match=r'does not say how long it is.*-c copy'):
        read(stream)
    assert_the_same_frames(stream, openings=[StrictPyAVInit])
    ffmpeg('-i', stream, '-c', 'copy', tmp_path / 'written.mkv')  # as the text says
    assert_the_same_frames(tmp_path / 'written.mkv')
