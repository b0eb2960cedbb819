"""Export of trained networks to files that run without this package."""

from .changes import change_frames, change_size
from .clip_scores import ClipScores, split_views
from .files import FORMATS
from .variants import VARIANTS
from .view import View, view_of

__all__ = [
    'FORMATS',
    'VARIANTS',
    'ClipScores',
    'View',
    'change_frames',
    'change_size',
    'split_views',
    'view_of',
]
