"""The shape of what a config feeds to its model."""

from typing import Optional

from mmengine import Config


def input_shape(cfg: Config) -> tuple[int, ...]:
    """Returns the shape that one input of the model has in testing.

    Raises:
        ValueError: The config is neither of a localizer nor of a recognizer with
            one sampler and a fixed size in its ``test_pipeline``.
    """
    if 'temporal_dim' in cfg.model:
        return cfg.model.feat_dim, cfg.model.temporal_dim
    pipeline = cfg.get('test_pipeline', [])
    samplers = [step for step in pipeline if 'clip_len' in step]
    sizes = [_size_after(step) for step in pipeline]
    sizes = [size for size in sizes if size]
    if len(samplers) != 1 or not sizes or 'data_preprocessor' not in cfg.model:
        raise ValueError(
            'cannot tell the size of an input: test_pipeline of the config needs one '
            'sampler with clip_len, and a Resize, CenterCrop, ThreeCrop or TenCrop '
            'with a fixed size'
        )
    frames, clips = samplers[0].clip_len, samplers[0].get('num_clips', 1)
    if cfg.model.data_preprocessor.get('format_shape') == 'NCTHW':
        # For a 3-D recognizer several clips are views, for a 2-D one segments.
        clips = 1 if cfg.model.type == 'Recognizer3D' else clips
        return clips, 3, frames, *sizes[-1]
    return clips * frames, 3, *sizes[-1]


def _size_after(step: dict) -> Optional[tuple[int, int]]:
    """Returns the height and width that a step of a pipeline leaves, if fixed."""
    if step['type'] == 'Resize' and not step.get('keep_ratio', True):
        width, height = step['scale']
        return height, width
    if step['type'] in ('CenterCrop', 'ThreeCrop', 'TenCrop'):
        size = step['crop_size']
        width, height = (size, size) if isinstance(size, int) else size
        return height, width
    return None
