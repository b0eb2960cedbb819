"""Videos that are broken, cut off or missing."""

import traceback
from types import SimpleNamespace

import decord
import pytest
from mmaction.datasets import VideoDataset
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mutated_videos import draw_numbered, mutate_index, write
from stock_config import SIZE, small_config
from torch.utils.data import DataLoader
from unusual_videos import ODD_SIZES, STOCK, STRICT, write_odd_sizes

from mmtemporal.datasets import make_motion_clips
from mmtemporal.datasets.transforms import SkipBroken, skip_broken
from mmtemporal.engine import CheckAnnotationsHook, check_annotations_hook


@pytest.fixture(autouse=True, scope='module')
def stock_names():
    init_default_scope('mmaction')


@pytest.fixture
def warned(monkeypatch):
    texts = []
    log = lambda text, logger, level: texts.append(text)  # noqa: E731
    monkeypatch.setattr(skip_broken, 'print_log', log)
    return texts


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    """Clips in which training meets every kind of broken and of unusual video."""
    root = tmp_path_factory.mktemp('data') / 'motion_clips'
    make_motion_clips(root, num_train=16, num_val=8, size=SIZE, num_frames=8)
    lines = (root / 'train.txt').read_text().splitlines()
    lines.extend(f'{name}.avi 0' for name in write_odd_sizes(root))
    data = (root / 'val/000000.mp4').read_bytes()
    (root / 'cut.mp4').write_bytes(data[:-100])
    (root / 'empty.mp4').touch()
    (root / 'folder.mp4').mkdir()
    broken = ('cut.mp4', 'empty.mp4', 'folder.mp4', 'missing.mp4')
    lines.extend(f'{name} 1' for name in broken)
    (root / 'damaged.txt').write_text('\n'.join(lines))
    return root


def make_dataset(folder, lines, pipeline, test_mode=True, **kwargs):
    """Build a data set, and hand it to the hook that the shipped configs name."""
    (folder / 'list.txt').write_text('\n'.join(lines))
    dataset = VideoDataset(
        ann_file=str(folder / 'list.txt'),
        data_prefix=dict(video=str(folder)),
        pipeline=pipeline,
        test_mode=test_mode,
        serialize_data=False,  # which takes a second
        **kwargs,
    )
    runner = SimpleNamespace(
        model=None,
        test_dataloader=SimpleNamespace(dataset=dataset),
    )
    CheckAnnotationsHook(files=False).before_test(runner)
    return dataset


@pytest.mark.parametrize('name', ['cut', 'empty', 'folder', 'missing'])
@pytest.mark.parametrize('pipeline', [STOCK, STRICT], ids=['stock', 'strict'])
def test_errors_name_file_and_line(data_root, tmp_path, pipeline, name):
    lines = [f'{data_root}/one_frame.avi 0', f'{data_root}/{name}.mp4 0']
    with pytest.raises(Exception) as bare:  # noqa: PT011 any type, which is kept
        Compose(pipeline)(dict(filename=f'{data_root}/{name}.mp4', start_index=0))
    dataset = make_dataset(tmp_path, lines, pipeline)
    with pytest.raises(bare.type) as caught:
        dataset[1]
    assert caught.type is bare.type
    printed = ''.join(traceback.format_exception(caught.value))
    assert f'{name}.mp4 (line 2 of {tmp_path}/list.txt) cannot be' in printed


def test_testing_skips_nothing(data_root, tmp_path, warned):
    pipeline = [SkipBroken(transforms=STRICT)]
    dataset = make_dataset(tmp_path, [f'{data_root}/cut.mp4 0'], pipeline)
    with pytest.raises(RuntimeError, match=r'cut\.mp4 \(line 1 of .*take it out'):
        dataset[0]
    assert len(warned) == 1


def test_a_part_of_a_list_has_no_lines(data_root, tmp_path):
    lines = [f'{data_root}/one_frame.avi 0', f'{data_root}/empty.mp4 0']
    dataset = make_dataset(tmp_path, lines, STOCK, indices=[1])
    with pytest.raises(Exception, match=r'empty\.mp4 \(sample 0 \(counted from 0\)'):
        dataset[0]


def load(dataset):
    loader = DataLoader(dataset, num_workers=1, collate_fn=pseudo_collate)
    return list(loader)


def test_workers_hand_the_name_on(data_root, tmp_path):
    dataset = make_dataset(tmp_path, [f'{data_root}/cut.mp4 0'], STRICT)
    with pytest.raises(ValueError, match=r'cut\.mp4 \(line 1 of '):
        load(dataset)


class Missing(Exception):
    """One that torch cannot build from a text alone."""

    def __init__(self, a, b):
        super().__init__(a, b)


@pytest.mark.parametrize(
    'error', [KeyError('key'), OSError(2, 'gone'), ImportError('no'), Missing(1, 2)]
)
def test_workers_hand_on_what_they_would_without_the_hook(tmp_path, error):
    def fail(results):
        raise error

    found = []
    for with_hook in (True, False):
        dataset = make_dataset(tmp_path, ['a.mp4 0'], [fail])
        if not with_hook:
            del dataset.prepare_data
        with pytest.raises(Exception) as caught:  # noqa: PT011 compared below
            load(dataset)
        found.append((caught.type, 'a.mp4 (line 1 of' in str(caught.value)))
    (named, has_name), (bare, _) = found
    assert named is bare and has_name


def test_data_sets_that_handle_an_error_still_do(tmp_path):
    class Tolerant(VideoDataset):
        def __getitem__(self, index):
            try:
                return super().__getitem__(index)
            except ImportError as error:
                return error

    def fail(results):
        raise ImportError('please install the library')

    dataset = make_dataset(tmp_path, ['a.mp4 0'], [fail])
    dataset.__class__ = Tolerant
    assert dataset[0].args == ('please install the library',)


def test_notes_before_python_3_11(monkeypatch):
    monkeypatch.setattr(check_annotations_hook.sys, 'version_info', (3, 10))
    for cause in (None, OSError('the first')):
        error = KeyError('key')
        error.__cause__ = cause
        check_annotations_hook._add_note(error, 'a.mp4 cannot be read')
        printed = ''.join(traceback.format_exception(error))
        assert 'a.mp4 cannot be read' in printed and printed.endswith("'key'\n")
        assert cause is None or 'the first' in printed


def test_stock_reader_dies_where_the_strict_one_fails(tmp_path):
    """An index that points past the end; it is the reason not to read from memory."""
    data = write(tmp_path / 'video.mp4', draw_numbered(12, 32, 64)).read_bytes()
    data = dict(mutate_index(data))['index_data_past_the_end']
    (tmp_path / 'video.mp4').write_bytes(data)
    for pipeline, kind, message in (
        # What lies behind the file in memory decides: mostly it ends the process.
        (STOCK, (RuntimeError, decord.DECORDError), 'worker'),
        (STRICT, decord.DECORDError, r'video\.mp4 \(line 1'),
    ):
        dataset = make_dataset(tmp_path, ['video.mp4 0'], pipeline)
        with pytest.raises(kind, match=message):
            load(dataset)


def test_every_file_is_named_once_and_counted(data_root, warned):
    skip = SkipBroken(transforms=STRICT)
    for name in ('cut', 'empty', 'cut', 'missing', 'empty'):
        assert skip(dict(filename=f'{data_root}/{name}.mp4', start_index=0)) is None
    assert [text.split(' is undecodable')[0] for text in warned] == [
        f'{data_root}/{name}.mp4' for name in ('cut', 'empty', 'missing')
    ]
    assert 'ValueError' in warned[0] and 'is cut off' in warned[0]
    assert 'FileNotFoundError' in warned[2]
    assert [f'({i} undecodable so far' in warned[i - 1] for i in (1, 2, 3)] == [
        True
    ] * 3


def test_training_stops_when_much_is_broken(tmp_path, warned):
    lines = [f'{i}.mp4 0' for i in range(30)]
    pipeline = [SkipBroken(transforms=STRICT)]
    dataset = make_dataset(tmp_path, lines, pipeline, test_mode=False)
    with pytest.raises(RuntimeError, match=r'6 of the .*max_broken=0\.1.*data_prefix'):
        dataset[0]
    assert len(warned) == 5


def test_the_limit_is_a_share_of_what_was_read(warned):
    def read(results):
        if results['filename'].startswith('bad'):
            raise OSError('cannot be read')
        return results

    skip = SkipBroken(transforms=[read], max_broken=0.02)
    assert skip(dict(filename='bad0')) is None
    for i in range(98):
        assert skip(dict(filename=f'good{i}'))
    assert skip(dict(filename='bad1')) is None
    with pytest.raises(RuntimeError, match=r'^3 of the 101 videos'):
        skip(dict(filename='bad2'))


@pytest.mark.parametrize('max_broken', [-0.1, '5', None])
def test_wrong_limits(max_broken):
    with pytest.raises(ValueError, match=r'SkipBroken\.max_broken'):
        SkipBroken(transforms=STRICT, max_broken=max_broken)


def run_config(data_root, work_dir, **val):
    """Return a training of a small TANet on the damaged list."""
    cfg = small_config('TANet', data_root, workers=1)
    train = cfg.train_dataloader.dataset
    train.ann_file = str(data_root / 'damaged.txt')
    opening = [dict(type='mmtemporal.StrictDecordInit'), *train.pipeline[1:3]]
    train.pipeline = [
        dict(type='mmtemporal.SkipBroken', transforms=opening),
        *train.pipeline[3:],
    ]
    cfg.val_dataloader.dataset.update(val)
    cfg.test_dataloader.dataset.update(val)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=9)
    # The files are not looked for beforehand.
    cfg.custom_hooks = [dict(type='mmtemporal.CheckAnnotationsHook', files=False)]
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = work_dir.name
    return cfg


@pytest.mark.slow
def test_training_goes_on_and_testing_stops(data_root, tmp_path):
    runner = Runner.from_cfg(run_config(data_root, tmp_path / 'trains'))
    runner.train()
    # 16 clips, 6 of odd sizes and 4 broken ones, whose places others have taken.
    assert runner.iter == 7
    (log,) = tmp_path.glob('trains/*/*.log')
    log = log.read_text()
    for name in ('cut', 'empty', 'folder', 'missing'):
        assert log.count(f'{name}.mp4 is undecodable') == 1
    assert not any(f'{name}.avi is undecodable' in log for name in ODD_SIZES)

    ann_file = str(data_root / 'damaged.txt')
    runner = Runner.from_cfg(
        run_config(data_root, tmp_path / 'tests', ann_file=ann_file)
    )
    with pytest.raises(RuntimeError, match=r'/cut\.mp4 \(line 23 of .*damaged\.txt'):
        runner.test()
