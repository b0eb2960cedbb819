from .motion_clips import draw_clip, make_motion_clips
from .motion_drawing import CLASS_NAMES, MIRRORED_LABELS

__all__ = ['CLASS_NAMES', 'MIRRORED_LABELS', 'draw_clip', 'make_motion_clips']
