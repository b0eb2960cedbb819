"""Training. The registry imports this when its first class is built."""

from .channels_last_hook import ChannelsLastHook
from .check_annotations_hook import CheckAnnotationsHook
from .check_config_hook import CheckConfigHook
from .exact_resume_hook import ExactResumeHook
from .grouped_constructor import GroupedOptimWrapperConstructor
from .layer_decay import LayerDecay
from .resume_schedule_hook import ResumeScheduleHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .statistics_hook import TemporalStatisticsHook

__all__ = [
    'ChannelsLastHook',
    'CheckAnnotationsHook',
    'CheckConfigHook',
    'ExactResumeHook',
    'GroupedOptimWrapperConstructor',
    'LayerDecay',
    'ResumeScheduleHook',
    'SafeCheckpointHook',
    'TemporalStatisticsHook',
]
