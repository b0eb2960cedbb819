"""Mistakes in lists of videos, found before anything is trained or tested on them."""

import time
from types import SimpleNamespace

import pytest
from mmaction.datasets import PoseDataset, RawframeDataset, VideoDataset
from mmengine.dataset import RepeatDataset
from mmengine.fileio import dump
from mmengine.runner import Runner
from stock_config import SIZE, small_config

from mmtemporal.datasets import make_motion_clips
from mmtemporal.datasets.annotations import find_mistakes, get_parts
from mmtemporal.engine import CheckAnnotationsHook, check_annotations_hook

NAMES = [f'{i}.mp4' for i in range(6)]
CLASSES = 3


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        (tmp_path / name).touch()
    return tmp_path


def make_dataset(folder, lines, kind=VideoDataset, key='video', **kwargs):
    (folder / 'list.txt').write_text('\n'.join(lines))
    return kind(
        ann_file=str(folder / 'list.txt'),
        data_prefix={key: str(folder)},
        pipeline=[],
        serialize_data=False,
        **kwargs,
    )


# ---------------------------------------------------------------- what is found


@pytest.mark.parametrize(
    ('lines', 'mistakes'),
    [
        (['0.mp4 0', '1.mp4 2', '2.mp4 1'], {}),
        (['0.mp4 3', '1.mp4 0'], {0: '0.mp4 has the label 3, expected 0 to 2'}),
        (['0.mp4 0', '1.mp4 -2'], {1: '1.mp4 has the label -2'}),
        (['0.mp4 0', '1.mp4'], {1: '1.mp4 has no label'}),
        (['0.mp4 0', '', '1.mp4 0'], {1: 'is the line blank?'}),
        (['0.mp4 0', '7.mp4 0'], {1: 'there is no'}),
        (['0.mp4\t0', '1.mp4 0'], {0: 'there is no'}),
        (['0.mp4 0', '1.mp4 0', '0.mp4 0', '0.mp4 0'], {2: 'listed', 3: 'listed'}),
        (['0.mp4 0', '1.mp4 0', '0.mp4 1'], {0: '[0] and [1]', 2: '[0] and [1]'}),
        (['0 0', './1.mp4 0'], {}),
        (['elsewhere/0.mp4 0', '0.mp4/1.mp4 1'], {0: 'there is no', 1: 'there is no'}),
    ],
)
@pytest.mark.parametrize('serialize', [False, True])
def test_find_mistakes(folder, lines, mistakes, serialize):
    dataset = make_dataset(folder, lines)
    if serialize:  # as is the default
        dataset.serialize_data = True
        dataset.data_bytes, dataset.data_address = dataset._serialize_data()
    found = find_mistakes(dataset, CLASSES)
    assert sorted(found) == sorted(mistakes)
    for index, text in mistakes.items():
        assert text in found[index]


def test_without_files_and_classes(folder):
    dataset = make_dataset(folder, ['0.mp4 9', '7.mp4 99', '1.mp4 -3'])
    assert list(find_mistakes(dataset, None, files=False)) == [2]


@pytest.mark.parametrize(
    ('lines', 'mistakes'),
    [(['0.mp4', '1.mp4'], []), (['0.mp4', '1.mp4 0'], [0]), (['0.mp4', '7.mp4'], [1])],
)
def test_lists_without_labels(folder, lines, mistakes):
    dataset = make_dataset(folder, lines, test_mode=True)
    assert list(find_mistakes(dataset, CLASSES, unlabelled=True)) == mistakes
    assert 0 in find_mistakes(dataset, CLASSES)


def test_several_labels(folder):
    lines = ['0.mp4 0 2', '1.mp4 1 3', '2.mp4 2', '0.mp4 2 0', '3.mp4']
    dataset = make_dataset(folder, lines, multi_class=True, num_classes=CLASSES)
    found = find_mistakes(dataset, CLASSES)
    assert sorted(found) == [1, 3, 4]
    assert 'label 3' in found[1] and 'listed' in found[3] and 'no label' in found[4]


def test_raw_frames(folder):
    for name in 'ab':
        (folder / name).mkdir()
    lines = ['a 0 8 0', 'a 8 8 1', 'b 0 8 3', 'c 0 8 1', 'a 0 8 0']
    dataset = make_dataset(folder, lines, RawframeDataset, 'img', with_offset=True)
    found = find_mistakes(dataset, CLASSES)
    # One folder holds two videos.
    assert sorted(found) == [2, 3, 4]
    assert 'label 3' in found[2] and 'there is no' in found[3] and 'list' in found[4]


def test_names_of_skeletons_are_no_files(tmp_path):
    samples = [dict(frame_dir=f'{i}', label=i, total_frames=4) for i in range(4)]
    dump(samples, tmp_path / 'list.pkl')
    dataset = PoseDataset(str(tmp_path / 'list.pkl'), [])
    assert list(find_mistakes(dataset, CLASSES)) == [3]


def test_wrappers(folder):
    datasets = [make_dataset(folder, [f'{name} 0']) for name in NAMES[:3]]
    joined = dict(type='mmengine.ConcatDataset', datasets=datasets)
    assert list(get_parts(RepeatDataset(joined, 2))) == datasets
    assert list(get_parts([1, 2])) == []


def test_large_lists_take_seconds(folder):
    lines = [f'{i % 400}/{i}.mp4 {i % CLASSES}' for i in range(100_000)]
    dataset = make_dataset(folder, lines)
    start = time.process_time()
    found = find_mistakes(dataset, CLASSES)
    assert time.process_time() - start < 10
    assert len(found) == len(lines)


# ---------------------------------------------------------------- malformed lines


@pytest.mark.parametrize(
    ('lines', 'number', 'kind'),
    [
        (['0.mp4 0', 'a video.mp4 1'], 2, VideoDataset),
        (['0.mp4 0', '1.mp4 one'], 2, VideoDataset),
        (['0.mp4 0', '1.mp4 1', '2.mp4  1'], 3, VideoDataset),
        (['a 8 0', 'b'], 2, RawframeDataset),
        (['a 8 0', '', 'b 8 1'], 2, RawframeDataset),
        (['a 8 0 1'], 1, RawframeDataset),
    ],
)
def test_malformed_lines_are_named(folder, lines, number, kind):
    CheckAnnotationsHook()
    key = 'video' if kind is VideoDataset else 'img'
    with pytest.raises(ValueError) as caught:
        make_dataset(folder, lines, kind, key)
    message = str(caught.value)
    assert f'line {number} of {folder}/list.txt is {lines[number - 1]!r}' in message
    assert ('PATH LABEL' if kind is VideoDataset else 'FOLDER FRAMES') in message
    # The next data set is read as ever.
    assert len(make_dataset(folder, ['0.mp4 0'])) == 1


def test_a_mistake_in_the_config_is_not_one_in_a_line(folder):
    CheckAnnotationsHook()
    with pytest.raises(AssertionError):
        make_dataset(folder, ['0.mp4 0'], multi_class=True)


# ---------------------------------------------------------------- the hook


def make_runner(train=None, val=None, test=None, num_classes=CLASSES):
    loaders = {
        f'{name}_dataloader': SimpleNamespace(dataset=dataset)
        for name, dataset in (('train', train), ('val', val), ('test', test))
    }
    head = SimpleNamespace(num_classes=num_classes)
    return SimpleNamespace(
        model=SimpleNamespace(cls_head=head),
        train_loop=object(),
        val_loop=val and object(),
        **loaders,
    )


@pytest.fixture
def warned(monkeypatch):
    texts = []
    log = lambda text, logger, level: texts.append(text)  # noqa: E731
    monkeypatch.setattr(check_annotations_hook, 'print_log', log)
    return texts


def test_mistakes_stop_training(folder):
    lines = ['0.mp4 0', '1.mp4 3', '2.mp4 4', '3.mp4 5']
    hook = CheckAnnotationsHook(num_named=2)
    with pytest.raises(ValueError) as caught:
        hook.before_train(make_runner(make_dataset(folder, lines)))
    assert str(caught.value) == (
        f'3 of the 4 samples of {folder}/list.txt are wrong:\n'
        f'  line 2 of {folder}/list.txt: {folder}/1.mp4 has the label 3, expected 0 to '
        f'2\n  line 3 of {folder}/list.txt: {folder}/2.mp4 has the label 4, expected 0 '
        'to 2\n  and 1 more'
    )


def test_mistakes_are_skipped_where_asked(folder, warned):
    lines = ['0.mp4 0', '1.mp4 3', '2.mp4 1', '0.mp4 0']
    dataset = make_dataset(folder, lines)
    CheckAnnotationsHook('skip').before_train(make_runner(dataset))
    assert len(warned) == 1 and '2 of the 4 samples' in warned[0]
    drawn = {dataset[i]['filename'] for i in range(4) for _ in range(20)}
    assert drawn == {f'{folder}/0.mp4', f'{folder}/2.mp4'}


def test_something_must_be_left(folder, warned):
    hook = CheckAnnotationsHook('skip')
    with pytest.raises(ValueError, match='None is left to train on'):
        hook.before_train(make_runner(make_dataset(folder, ['0.mp4 3', '1.mp4 9'])))


@pytest.mark.parametrize('stage', ['val', 'test'])
def test_validation_and_testing_stop(folder, stage):
    hook = CheckAnnotationsHook('skip')
    good = make_dataset(folder, ['0.mp4 0'])
    bad = make_dataset(folder, ['0.mp4 0', '1.mp4 3'], test_mode=True)
    runner = make_runner(train=good, **{stage: bad})
    with pytest.raises(ValueError, match='line 2 of'):
        hook.before_train(runner)  # before the first epoch, not after it
        hook.before_test(runner)


def test_every_data_set_is_looked_at_once(folder, warned, monkeypatch):
    looked_at = []
    monkeypatch.setattr(
        check_annotations_hook,
        'find_mistakes',
        lambda dataset, *args, **kwargs: looked_at.append(dataset) or {},
    )
    train, val = (make_dataset(folder, ['0.mp4 0']) for _ in range(2))
    hook, runner = CheckAnnotationsHook(), make_runner(train, val)
    hook.before_train(runner)
    for _ in range(3):
        hook.before_val(runner)
    assert looked_at == [train, val]


@pytest.mark.parametrize('kwargs', [dict(training='warn'), dict(num_named=0)])
def test_wrong_arguments(kwargs):
    with pytest.raises(ValueError, match=rf'CheckAnnotationsHook\.{[*kwargs][0]}'):
        CheckAnnotationsHook(**kwargs)


@pytest.mark.parametrize('by_epoch', [True, False])
def test_training_of_a_recognizer(tmp_path, by_epoch):
    """Workers that a loop by iterations starts early must see what is skipped, too.

    The label 99 would stop the loss.
    """
    root = make_motion_clips(
        tmp_path / 'clips', num_train=8, num_val=8, size=SIZE, num_frames=8
    )
    lines = (root / 'train.txt').read_text().splitlines()
    lines[1:4] = [f'{line.split()[0]} 99' for line in lines[1:4]]
    (root / 'train.txt').write_text('\n'.join([*lines, 'missing.mp4 0']))
    cfg = small_config('TANet', root, workers=1)
    cfg.custom_hooks = [dict(type='mmtemporal.CheckAnnotationsHook', training='skip')]
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=9)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    if not by_epoch:
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=3)
        cfg.log_processor = dict(by_epoch=False)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.experiment_name = tmp_path.name
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 3
    (log,) = tmp_path.glob('work/*/*.log')
    assert log.read_text().count('4 of the 9 samples') == 1


def test_a_test_needs_no_training_data(folder):
    """In testing mmengine would build what is asked of it."""

    class Runner(SimpleNamespace):
        @property
        def train_dataloader(self):
            raise AssertionError('it is built')

        train_loop = train_dataloader

    loader = SimpleNamespace(dataset=make_dataset(folder, ['0.mp4 0']))
    runner = Runner(model=None, test_dataloader=loader, val_dataloader=loader)
    CheckAnnotationsHook().before_test(runner)
    CheckAnnotationsHook().before_val(runner)
