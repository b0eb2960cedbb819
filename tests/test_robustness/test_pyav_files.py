"""Names and files that are not what they seem, and processes that read them."""

import os
import socket

import numpy as np
import pytest
from full_decodes import decode_fully, encode, ffmpeg, read
from mmengine.fileio import BaseStorageBackend, FileClient
from torch.utils.data import DataLoader

from mmtemporal.datasets.transforms import StrictDecordInit, StrictPyAVInit
from mmtemporal.datasets.transforms.pyav_reader import PyAVReader


@pytest.fixture
def video(tmp_path):
    return encode(tmp_path / 'video.mp4', '-c:v libx264 -g 8')


@pytest.mark.parametrize(
    'name',
    ['a:b.mp4', 'http:b.mp4', 'concat:video.mp4', 'file:b.mp4', 'pipe:0', 'subfile:b']
    + ['-y.mp4', 'b %03d é.mp4', 'http:/b.mp4', 'http://b.mp4'],
)
def test_a_name_is_that_of_a_file(video, name, monkeypatch):
    monkeypatch.chdir(video.parent)
    os.makedirs(os.path.dirname(name) or '.', exist_ok=True)
    expected = decode_fully(video)[[5]]
    video.rename(name if '.' in name else f'{name}.mp4')
    assert np.array_equal(read(name, [5]), expected)


@pytest.mark.parametrize('opener', [StrictDecordInit, StrictPyAVInit])
def test_what_is_no_file(tmp_path, opener, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo('pipe.mp4')
    os.symlink('nothing.mp4', 'link.mp4')
    os.mkdir('folder.mp4')
    with socket.socket(socket.AF_UNIX) as server:
        server.bind('socket.mp4')
    for name in ('pipe', 'socket'):
        with pytest.raises(ValueError, match=rf'{name}\.mp4 is no video: it is a pipe'):
            opener()(dict(filename=f'{name}.mp4'))
    with pytest.raises(FileNotFoundError, match=r'link\.mp4'):
        opener()(dict(filename='link.mp4'))
    with pytest.raises(IsADirectoryError, match=r'folder\.mp4'):
        opener()(dict(filename='folder.mp4'))


@pytest.mark.parametrize('stored', [False, True])
@pytest.mark.parametrize(
    ('text', 'error'),
    [
        ('ffconcat version 1.0\nfile video.mp4\n', 'is a playlist|cannot be read'),
        ('#EXTM3U\n#EXTINF:9,\nvideo.mp4\n', 'is a playlist'),
        ('v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n', 'cannot be read'),
    ],
)
def test_other_files_are_not_opened(video, text, error, stored, monkeypatch):
    path = video.with_name('list.mp4')
    path.write_text(text)
    monkeypatch.chdir(video.parent)

    class Storage(BaseStorageBackend):
        def get(self, name):
            return path.read_bytes()

        get_text = get

    FileClient.register_backend('of_the_test', Storage, force=True)
    opener = StrictPyAVInit(io_backend='of_the_test' if stored else 'disk')
    with pytest.raises(ValueError, match=rf'list\.mp4 ({error})'):
        opener(dict(filename='list.mp4'))


@pytest.mark.parametrize('kind', ['avi', 'mp4', 'mkv'])
def test_titles_in_any_encoding(video, kind):
    path = video.with_suffix(f'.title.{kind}')
    codec = '-c:v mpeg4' if kind == 'avi' else '-c copy'
    ffmpeg('-i', video, *codec.split(), '-metadata', 'title=sommer', path)
    expected = decode_fully(path)[[3]]
    data = path.read_bytes()
    assert b'sommer' in data
    path.write_bytes(data.replace(b'sommer', b'\xe9\xfft\xe9 '.ljust(6)))
    assert np.array_equal(read(path, [3]), expected)


def test_pictures_are_no_videos(tmp_path):
    picture = encode(tmp_path / 'picture.jpg', '-frames:v 1')
    cover = tmp_path / 'cover.m4a'
    sound = ('-f', 'lavfi', '-i', 'sine=duration=1')
    maps = ('-map', '0', '-map', '1', '-c:v', 'copy', '-disposition:v', 'attached_pic')
    ffmpeg(*sound, '-i', picture, *maps, cover)
    for path in (picture, cover):
        with pytest.raises(ValueError, match='is no video: it has no video stream'):
            read(path, [0])


def test_headers_that_are_cut_off(tmp_path):
    for head in (b'\x1aE\xdf\xa3', b'\x1aE\xdf\xa3\0', b'RIFF', b'\0\0\0\1moov'):
        (tmp_path / 'head.mp4').write_bytes(head)
        with pytest.raises(ValueError, match=r'head\.mp4 (cannot be read|is cut off)'):
            read(tmp_path / 'head.mp4', [0])
    boxes = b''
    for _ in range(3000):
        boxes = (len(boxes) + 8).to_bytes(4, 'big') + b'moov' + boxes
    (tmp_path / 'deep.mp4').write_bytes(boxes)
    with pytest.raises(ValueError, match=r'deep\.mp4 cannot be read'):
        read(tmp_path / 'deep.mp4', [0])


def test_a_codec_without_decoder_is_named(tmp_path):
    path = encode(tmp_path / 'video.mkv', '-c:v libx264')
    path.write_bytes(path.read_bytes().replace(b'/ISO/AVC', b'/ISO/XYZ'))
    with pytest.raises(ValueError, match=r'video\.mkv cannot .* no decoder'):
        read(path, [0])


def test_the_file_is_closed_once_it_is_read(video):
    reader = PyAVReader(str(video), 'video')
    opened = [os.path.realpath(entry.path) for entry in os.scandir('/proc/self/fd')]
    assert str(video) not in opened
    assert reader.get_batch([3]).shape == (1, 64, 96, 3)


class _Sums:
    """The sum of each frame, as decoded by several threads."""

    def __init__(self, path):
        self.path = path

    def __len__(self):
        return 16

    def __getitem__(self, i):
        return int(read(self.path, [i], num_threads=2).sum())


def test_workers_are_forked_from_a_process_that_has_decoded(video):
    sums = _Sums(video)
    expected = [sums[i] for i in range(len(sums))]
    loader = DataLoader(sums, num_workers=2, multiprocessing_context='fork', timeout=30)
    assert [int(value) for value in loader] == expected
