"""Checkpoints are whole, and what they replace is kept as it was. That kills leave
them so is in ``tests/test_robustness``."""

import os
import stat
from collections import deque
from unittest.mock import Mock

import pytest
import torch
from mmengine import Config
from mmengine.fileio import HardDiskBackend, LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from parity import CONFIGS
from tiny_runner import build_runner

from mmtemporal.engine import SafeCheckpointHook


def files(folder):
    """List the files of a folder, but for the config of the run."""
    paths = [path for path in folder.iterdir() if path.is_file()]
    return sorted(path.name for path in paths if path.suffix != '.py')


def test_a_training_leaves_the_files_of_the_stock_hook(tmp_path):
    found = []
    for name in ('mmtemporal.SafeCheckpointHook', 'CheckpointHook'):
        folder = tmp_path / name
        build_runner(folder, 3, checkpoint=dict(type=name, max_keep_ckpts=1)).train()
        assert (folder / 'last_checkpoint').read_text() == f'{folder}/epoch_3.pth'
        assert torch.load(folder / 'epoch_3.pth')['meta']['epoch'] == 3
        assert not [path for path in folder.rglob('*.part*')]
        found.append(files(folder))
    assert found[0] == found[1] and 'epoch_2.pth' not in found[0]


def make_hook(folder, backend=None, **kwargs):
    hook = SafeCheckpointHook(**kwargs)
    hook.file_backend, hook.out_dir = backend or LocalBackend(), str(folder)
    return hook


def make_runner(folder, save=None, **kwargs):
    runner = Mock(
        spec=Runner,
        work_dir=str(folder),
        message_hub=MessageHub('whole'),
        logger=Mock(),
        **{'epoch': 3, 'iter': 6, **kwargs},
    )
    save = save or (lambda path: open(path, 'w').close())
    runner.save_checkpoint = lambda out_dir, filename, *args, **kwargs: save(
        os.path.join(out_dir, filename)
    )
    return runner


def save_epoch(hook, runner):
    hook.interval, hook.save_last = 1, False
    hook.after_train_epoch(runner)


def write(text):
    return lambda path: open(path, 'w').write(text)


def test_permissions_and_links_are_kept(tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    target = tmp_path / 'elsewhere/file.pth'
    target.write_text('old')
    target.chmod(0o664)
    (tmp_path / 'epoch_4.pth').symlink_to(target)
    (tmp_path / 'last_checkpoint').write_text('old')
    (tmp_path / 'last_checkpoint').chmod(0o640)
    save_epoch(make_hook(tmp_path), make_runner(tmp_path, write('new')))
    assert (tmp_path / 'epoch_4.pth').is_symlink() and target.read_text() == 'new'
    modes = [target, tmp_path / 'last_checkpoint']
    assert [stat.S_IMODE(path.stat().st_mode) for path in modes] == [0o664, 0o640]
    assert files(tmp_path / 'elsewhere') == ['file.pth']


def test_new_files_have_the_permissions_of_the_process(tmp_path):
    old = os.umask(0o027)
    try:
        save_epoch(make_hook(tmp_path), make_runner(tmp_path))
    finally:
        os.umask(old)
    for name in ('epoch_4.pth', 'last_checkpoint'):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path):
    def fail(path):
        write('half')(path)
        raise OSError('No space left on device')

    for name in ('epoch_4.pth', 'last_checkpoint'):
        (tmp_path / name).write_text('old')
    with pytest.raises(OSError, match='No space'):
        save_epoch(make_hook(tmp_path), make_runner(tmp_path, fail))
    assert files(tmp_path) == ['epoch_4.pth', 'last_checkpoint']
    assert {(tmp_path / name).read_text() for name in files(tmp_path)} == {'old'}
    assert sorted(os.listdir(tmp_path)) == files(tmp_path)


def test_what_a_kill_left_is_not_taken_for_new(tmp_path):
    (tmp_path / '.part').mkdir()
    (tmp_path / '.part/last_checkpoint').write_text('half a na')
    (tmp_path / 'last_checkpoint').write_text('old')
    hook, runner = make_hook(tmp_path), make_runner(tmp_path)
    hook.after_train_iter(runner, 0)
    assert (tmp_path / 'last_checkpoint').read_text() == 'old'
    save_epoch(hook, runner)
    assert (tmp_path / 'last_checkpoint').read_text() == f'{tmp_path}/epoch_4.pth'
    assert files(tmp_path) == ['epoch_4.pth', 'last_checkpoint']


def test_the_best_checkpoint_of_a_repeated_epoch_is_kept(tmp_path):
    hook = make_hook(tmp_path, save_best='acc', rule='greater')
    runner = make_runner(tmp_path)
    for score in (1.0, 2.0):
        hook.after_val_epoch(runner, dict(acc=score))
        assert files(tmp_path) == ['best_acc_epoch_3.pth']
    runner.epoch = 4
    hook.after_val_epoch(runner, dict(acc=3.0))
    assert files(tmp_path) == ['best_acc_epoch_4.pth']


def test_old_checkpoints_are_removed_when_the_new_one_is_there(tmp_path):
    seen = []

    def save(path):
        seen.append(files(tmp_path))
        write('')(path)

    hook = make_hook(tmp_path, max_keep_ckpts=1)
    hook.keep_ckpt_ids = deque([3], 1)
    (tmp_path / 'epoch_3.pth').touch()
    save_epoch(hook, make_runner(tmp_path, save))
    assert seen == [['epoch_3.pth']]
    assert files(tmp_path) == ['epoch_4.pth', 'last_checkpoint']


def test_files_elsewhere_are_left_to_their_backend(tmp_path):
    """They come whole, or not at all, and have no neighbours on the disk."""
    names = []
    hook = make_hook(tmp_path, backend=Mock(join_path=os.path.join, client=None))
    save_epoch(hook, make_runner(tmp_path, names.append))
    assert names == [f'{tmp_path}/epoch_4.pth']
    hook.file_backend = Mock(join_path=os.path.join, client=HardDiskBackend())
    names.clear()
    save_epoch(
        hook, make_runner(tmp_path, lambda path: (names.append(path), write('')(path)))
    )
    assert names == [f'{tmp_path}/epoch_4.pth.part']


def test_validating_alone_needs_no_folder():
    SafeCheckpointHook().after_val_epoch(Mock(spec=Runner), dict(acc=1))


def test_it_takes_the_arguments_of_the_stock_hook():
    assert SafeCheckpointHook.__init__ is CheckpointHook.__init__


@pytest.mark.parametrize(
    'path',
    sorted(p for p in CONFIGS.rglob('*.py') if '_base_' not in p.parts),
    ids=lambda path: path.stem,
)
def test_the_shipped_configs_name_it(path):
    hooks = Config.fromfile(path).default_hooks
    assert hooks.checkpoint.type == 'mmtemporal.SafeCheckpointHook'
    assert hooks.resume_schedule.type == 'mmtemporal.ResumeScheduleHook'
