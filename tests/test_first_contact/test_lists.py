"""Lists as Windows tools and empty splits make them."""

import inspect

import pytest
from mmaction.datasets import RawframeDataset, VideoDataset
from mmengine.runner import Runner
from stock_config import small_config

from mmtemporal.datasets.annotations import find_mistakes
from mmtemporal.engine import CheckAnnotationsHook


@pytest.fixture(params=[VideoDataset, RawframeDataset])
def kind(request):
    return request.param


@pytest.fixture
def build(tmp_path, kind):
    CheckAnnotationsHook()  # as a runner builds it ahead of the data sets
    (tmp_path / 'a.mp4').touch()
    (tmp_path / 'a').mkdir()

    def build(content, **kwargs):
        (tmp_path / 'list.txt').write_bytes(content)
        key = 'video' if kind is VideoDataset else 'img'
        return kind(
            str(tmp_path / 'list.txt'),
            [],
            data_prefix={key: str(tmp_path)},
            serialize_data=False,
            **kwargs,
        )

    return build


def line(kind):
    return b'a.mp4 0' if kind is VideoDataset else b'a 8 0'


@pytest.mark.parametrize('end', [b'', b'\n', b'\r\n'])
def test_ends_of_lines_do_not_matter(build, kind, end):
    assert find_mistakes(build(line(kind) + end), 2) == {}


@pytest.mark.parametrize('files', [True, False])
def test_a_byte_order_mark_is_shown(build, kind, files):
    found = find_mistakes(build(b'\xef\xbb\xbf' + line(kind)), 2, files=files)
    assert list(found) == [0]
    assert 'byte order mark' in found[0] and r'\ufeff' in found[0]


def test_an_empty_list_is_named(build, tmp_path):
    with pytest.raises(ValueError, match=rf'{tmp_path}/list\.txt is empty, expected'):
        build(b'')


@pytest.mark.parametrize(
    ('content', 'line', 'byte'),
    [
        ('caf\xe9 8 0'.encode('latin-1'), 1, '0xe9'),
        (b'a 8 0\nb 8 0\n\xe9 8 0', 3, '0xe9'),
        ('a 8 0'.encode('utf-16'), 1, '0xff'),
    ],
    ids=['latin-1', 'later', 'utf-16'],
)
def test_other_encodings_are_named(build, tmp_path, content, line, byte):
    with pytest.raises(ValueError) as caught:
        build(content)
    assert f'line {line} of {tmp_path}/list.txt is not in UTF-8' in str(caught.value)
    assert byte in str(caught.value) and 'save the list in UTF-8' in str(caught.value)


def test_what_is_read_stays_the_same(build, kind):
    content = line(kind) + b'\n' + line(kind)
    data = build(content)
    stock = kind.load_data_list.__wrapped__(data)
    assert data.data_list == stock and len(stock) == 2


@pytest.mark.parametrize('named', [True, False])
def test_a_config_that_names_the_hook_has_it_act(tmp_path, monkeypatch, named):
    """A runner builds its hooks ahead of its data sets."""
    stock = inspect.unwrap(VideoDataset.load_data_list)
    monkeypatch.setattr(VideoDataset, 'load_data_list', stock)
    (tmp_path / 'train.txt').write_text('a.mp4 0\na video.mp4 0\n')
    cfg = small_config('TANet', tmp_path, workers=0)
    cfg.custom_hooks = [dict(type='mmtemporal.CheckAnnotationsHook')] * named
    cfg.work_dir = str(tmp_path / 'work')
    cfg.experiment_name = tmp_path.name
    message = rf"line 2 of {tmp_path}/train\.txt is 'a video" if named else 'unpack'
    with pytest.raises(ValueError, match=message):
        Runner.from_cfg(cfg).train()
