"""Writing checkpoints that a kill leaves whole."""

import os
import os.path as osp
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Callable

from mmengine.dist import master_only
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmtemporal.registry import HOOKS


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """Save checkpoints as ``CheckpointHook`` does, and none of them is ever half.

    The stock hook truncates a file and then writes it: the checkpoint that
    ``last_checkpoint`` names already, when a validation was the best so far, and
    ``last_checkpoint`` itself. With ``max_keep_ckpts=1`` it removes the only
    checkpoint before it writes the next one. A kill at these moments leaves nothing
    to resume from. Here each of these files is written beside its old content, with
    ``.part`` behind its name, and takes its place once it is complete; what is no
    longer kept is removed last. There is thus one file more for that moment. The
    permissions of a file that is replaced are kept, and so is a link to it.

    This is for local disks, which is where the stock hook truncates. Elsewhere, and
    for the folders that ``FlexibleRunner`` writes, it does as the stock hook.

    ::

        default_hooks = dict(checkpoint=dict(type='mmtemporal.SafeCheckpointHook'))

    The arguments are those of ``CheckpointHook``.
    """

    def after_train_epoch(self, runner: Runner) -> None:
        with self._whole_files(runner) as runner:
            super().after_train_epoch(runner)

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        with self._whole_files(runner) as runner:
            super().after_train_iter(runner, *args, **kwargs)

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        with self._whole_files(runner) as runner:
            super().after_val_epoch(runner, metrics)

    @contextmanager
    def _whole_files(self, runner: Runner) -> Iterator[Runner]:
        """Give a runner that writes whole files, and remove what is old at the end."""
        # None where it was only validated. An older form comes within a client.
        backend: Any = getattr(self, 'file_backend', None)
        is_local = isinstance(getattr(backend, 'client', backend), LocalBackend)
        if not is_local or not isinstance(runner, Runner):
            yield runner
            return
        later = _RemovesLater(backend)
        self.file_backend: Any = later
        whole = _WholeFiles(runner)
        try:
            yield whole
            whole.name_last_checkpoint()
        finally:
            self.file_backend = backend
            whole.clear()
        # The best checkpoint of a repeated epoch has the name of the one before.
        best = getattr(self, 'best_ckpt_path_dict', {}).values()
        later.remove_all_but(
            {self.last_ckpt, getattr(self, 'best_ckpt_path', None), *best}
        )


class _WholeFiles:
    """A runner whose checkpoints get their names when they are complete.

    The hook writes ``last_checkpoint`` itself, into ``work_dir``.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._parts = osp.join(runner.work_dir, '.part')
        # A kill may have left one, so that its being there says nothing.
        self._is_named = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    @property
    def work_dir(self) -> str:
        os.makedirs(self._parts, exist_ok=True)
        self._is_named = True
        return self._parts

    @master_only
    def save_checkpoint(
        self, out_dir: str, filename: str, *args: Any, **kwargs: Any
    ) -> None:
        path = osp.realpath(osp.join(out_dir, filename))
        part = f'{path}.part'
        try:
            self._runner.save_checkpoint(out_dir, part, *args, **kwargs)
        except BaseException:  # a full disk should not stay full
            with suppress(FileNotFoundError):
                os.remove(part)
            raise
        _replace(part, path)

    def name_last_checkpoint(self) -> None:
        if self._is_named:
            part = osp.join(self._parts, 'last_checkpoint')
            _replace(part, osp.join(self._runner.work_dir, 'last_checkpoint'))

    def clear(self) -> None:
        if self._is_named:
            shutil.rmtree(self._parts)


class _RemovesLater:
    """A file backend that keeps what it is to remove until it is told."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.removals: list[tuple[Callable, str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.removals.append((self.backend.remove, path))

    def rmtree(self, path: str) -> None:
        self.removals.append((self.backend.rmtree, path))

    def remove_all_but(self, kept: set) -> None:
        for remove, path in self.removals:
            if path not in kept:
                remove(path)


def _replace(part: str, path: str) -> None:
    if osp.exists(path):
        shutil.copymode(path, part)
    os.replace(part, path)
