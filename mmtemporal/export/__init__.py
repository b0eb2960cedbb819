"""Taking a trained network elsewhere."""

from .changes import change_frames, change_size
from .clip_scores import (
    ClipScores,
    averages_features,
    check_rows,
    random_views,
    split_views,
)
from .files import FORMATS
from .variants import VARIANTS
from .view import View, view_of

__all__ = [
    'FORMATS',
    'VARIANTS',
    'ClipScores',
    'View',
    'averages_features',
    'change_frames',
    'change_size',
    'check_rows',
    'random_views',
    'split_views',
    'view_of',
]
