from .sample_dense_clips import SampleDenseClips
from .sample_segments import SampleSegments
from .sample_windows import SampleWindows

__all__ = ['SampleDenseClips', 'SampleSegments', 'SampleWindows']
