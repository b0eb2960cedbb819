"""Fixes for released versions of mmaction2 and mmengine.

Each fix is one function. It checks whether it is needed, acts at most once, and
returns whether it acted. Only documented gaps are closed; an installation that
does not show the symptom is left as it is.
"""

from collections.abc import Callable

from .amp import allow_amp_on_cpu, cast_half_scores
from .checkpoints import allow_training_checkpoints, read_urls_safely
from .distributed import init_dist_on_cpu, wrap_ddp_on_cpu
from .evaluation import restore_trapz
from .imports import (
    add_config_scope,
    alias_importlib_metadata,
    allow_newer_mmcv,
    disable_multimodal_without_timm,
    restore_find_loader,
    stub_drn,
)
from .transforms import widen_hue

__all__ = [
    'acted',
    'add_config_scope',
    'alias_importlib_metadata',
    'allow_amp_on_cpu',
    'allow_newer_mmcv',
    'allow_training_checkpoints',
    'apply',
    'cast_half_scores',
    'disable_multimodal_without_timm',
    'init_dist_on_cpu',
    'read_urls_safely',
    'restore_find_loader',
    'restore_trapz',
    'stub_drn',
    'widen_hue',
    'wrap_ddp_on_cpu',
]


_FIXES: tuple[Callable[[], bool], ...] = (
    restore_find_loader,
    allow_newer_mmcv,  # before any import of mmaction
    alias_importlib_metadata,  # first: mmaction.utils.dependency needs it
    stub_drn,
    disable_multimodal_without_timm,
    add_config_scope,
    restore_trapz,
    widen_hue,
    allow_training_checkpoints,
    read_urls_safely,
    init_dist_on_cpu,
    wrap_ddp_on_cpu,
    allow_amp_on_cpu,
)
# Those that acted when the package was imported.
acted: list[Callable[[], bool]] = []


def apply() -> None:
    """Apply every fix that must be in place before ``mmaction.models`` is imported.

    :func:`cast_half_scores` is not among them: it changes classes of
    ``mmaction.models`` and is called by ``mmtemporal.models``.
    """
    acted.extend(fix for fix in _FIXES if fix())
