from .sample_dense_clips import SampleDenseClips
from .sample_segments import SampleSegments
from .sample_windows import SampleWindows
from .skip_broken import SkipBroken
from .strict_decord_init import StrictDecordInit

__all__ = [
    'SampleDenseClips',
    'SampleSegments',
    'SampleWindows',
    'SkipBroken',
    'StrictDecordInit',
]
