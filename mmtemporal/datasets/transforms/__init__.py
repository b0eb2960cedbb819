from mmaction.datasets.transforms import UniformSample

from mmtemporal.registry import TRANSFORMS

from .frames_to_windows import FramesToWindows
from .rand_augment import RandAugment
from .sample_dense_clips import SampleDenseClips
from .sample_segments import SampleSegments
from .sample_windows import SampleWindows
from .skip_broken import SkipBroken
from .strict_decord_init import StrictDecordInit
from .strict_pyav_init import StrictPyAVInit

__all__ = [
    'FramesToWindows',
    'RandAugment',
    'SampleDenseClips',
    'SampleSegments',
    'SampleWindows',
    'SkipBroken',
    'StrictDecordInit',
    'StrictPyAVInit',
]

# By this name MMAction2's demos find that the stock transform samples frames.
TRANSFORMS.register_module(name='UniformClipSampleFrames', module=UniformSample)
