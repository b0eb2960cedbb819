"""Taking a trained network elsewhere."""

from .clip_scores import ClipScores, random_views, split_views
from .files import FORMATS
from .variants import VARIANTS
from .view import View, change_frames, change_size, view_of

__all__ = [
    'FORMATS',
    'VARIANTS',
    'ClipScores',
    'View',
    'change_frames',
    'change_size',
    'random_views',
    'split_views',
    'view_of',
]
