"""Fixes for what a kill does to the files of a training."""

import builtins
import functools
import os
from contextlib import contextmanager

from .on_import import change_module

BACKEND = 'mmengine.fileio.backends.local_backend'
HOOK = 'mmengine.hooks.checkpoint_hook'


@contextmanager
def _replacement(path, mode, **kwargs):
    """Open a file beside ``path`` that takes its place once it is complete."""
    part = f'{os.fspath(path)}.part'
    with open(part, mode, **kwargs) as file:
        try:
            yield file
            file.flush()
        except BaseException:  # a full disk should not stay full
            os.remove(part)
            raise
    os.replace(part, path)


def _open(path, mode='r', **kwargs):
    """Stand in for the built-in ``open`` in modules that write whole files."""
    if mode in ('w', 'wb'):
        return _replacement(path, mode, **kwargs)
    return builtins.open(path, mode, **kwargs)


def _replace_files(module):
    module.open = _open


def replace_whole_files():
    """Let a file have its old content or the new one, whenever the process is killed.

    Symptom: after a kill ``--resume`` stops with a corrupt checkpoint, or with an
    empty name of it.
    Cause: mmengine truncates a file and then writes it: the checkpoint that
    ``last_checkpoint`` names already, when a validation was the best so far, and
    ``last_checkpoint`` itself.
    Acts when: called for the first time. The files are then written beside the old
    ones, with ``.part`` behind the name, and renamed.
    """
    return all([change_module(name, _replace_files) for name in (BACKEND, HOOK)])


class _RemovesLater:
    """A file backend that keeps what it is to remove until it is told."""

    def __init__(self, backend):
        self.backend = backend
        self.removals = []

    def __getattr__(self, name):
        return getattr(self.backend, name)

    def remove(self, path):
        self.removals.append((self.backend.remove, path))

    def rmtree(self, path):
        self.removals.append((self.backend.rmtree, path))

    def remove_all_but(self, kept):
        for remove, path in self.removals:
            if path not in kept:
                remove(path)


def _removing_last(method):
    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        backend = self.file_backend
        self.file_backend = later = _RemovesLater(backend)
        try:
            method(self, *args, **kwargs)
        finally:
            self.file_backend = backend
        # The best checkpoint of a repeated epoch has the name of the one before.
        best = getattr(self, 'best_ckpt_path_dict', {}).values()
        later.remove_all_but(
            {self.last_ckpt, getattr(self, 'best_ckpt_path', None), *best}
        )

    return wrapper


def _remove_last(module):
    hook = module.CheckpointHook
    for name in ('_save_checkpoint_with_step', '_save_best_checkpoint'):
        setattr(hook, name, _removing_last(getattr(hook, name)))


def remove_old_checkpoints_last():
    """Let ``CheckpointHook`` remove a checkpoint when the next one is there.

    Symptom: with ``max_keep_ckpts=1`` a kill while a checkpoint is written leaves
    none, and ``--resume`` a name without a file. The best checkpoint goes the same
    way.
    Cause: the hook removes the old file before it writes the new one.
    Acts when: called for the first time. For that moment there is one file more.
    """
    return change_module(HOOK, _remove_last)
