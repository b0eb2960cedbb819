"""Test pipelines of the stock transforms and of this package, drawn at random."""

from hypothesis import settings
from hypothesis import strategies as st
from mmengine import Config

SAME = settings(derandomize=True, database=None, deadline=None)


def numbers(most, least=1):
    return st.integers(least, most)


def step(kind, **arguments):
    return st.fixed_dictionaries(
        {'type': st.just(kind), **{k: v for k, v in arguments.items()}}
    )


BOUNDS = st.sampled_from(['loop', 'repeat_last'])
TEST = st.just(True)
SAMPLERS = {
    'SampleFrames': step(
        'SampleFrames',
        clip_len=numbers(12),
        frame_interval=numbers(8),
        num_clips=numbers(10, least=2),
        twice_sample=st.booleans(),
        out_of_bound_opt=BOUNDS,
        target_fps=st.sampled_from([None, 12, 30]),
        keep_tail_frames=st.booleans(),
        test_mode=TEST,
    ),
    'one clip': step(
        'mmaction.SampleFrames',
        clip_len=numbers(40),
        frame_interval=numbers(8),
        target_fps=st.sampled_from([None, 30]),
        test_mode=TEST,
    ),
    'DenseSampleFrames': step(
        'DenseSampleFrames',
        clip_len=numbers(3),
        frame_interval=numbers(3),
        num_clips=numbers(10),
        sample_range=numbers(80, least=10),
        num_sample_positions=numbers(10),
        out_of_bound_opt=BOUNDS,
        test_mode=TEST,
    ),
    'UniformSample': step(
        'UniformSample', clip_len=numbers(32), num_clips=numbers(4), test_mode=TEST
    ),
    'UniformSampleFrames': step(
        'UniformSampleFrames',
        clip_len=numbers(32),
        num_clips=numbers(4),
        seed=numbers(300, least=0),
        test_mode=TEST,
    ),
    'SampleWindows': step(
        'mmtemporal.SampleWindows',
        clip_len=numbers(6),
        num_clips=numbers(16),
        num_views=numbers(5),
        test_mode=TEST,
    ),
    'SampleSegments': step(
        'mmtemporal.SampleSegments',
        clip_len=numbers(32),
        num_clips=numbers(4),
        test_mode=TEST,
    ),
    'SampleDenseClips': step(
        'mmtemporal.SampleDenseClips',
        clip_len=numbers(16, least=2),
        frame_interval=numbers(8),
        num_clips=numbers(5),
        target_fps=numbers(60, least=5),
        test_mode=TEST,
    ),
}

sides = numbers(70, least=40)
RESIZES = st.one_of(
    step('Resize', scale=st.tuples(sides, sides), keep_ratio=st.just(False)),
    step('mmaction.Resize', scale=st.tuples(st.just(-1), sides)),
    step('Resize', scale=st.tuples(sides, sides)),
    step('Resize', scale=st.floats(0.7, 1.4)),
)


@st.composite
def pictures(draw):
    """Any resizes and crops that leave a fixed size."""
    steps = draw(st.lists(RESIZES, max_size=3))
    # Smaller than what any three of those leave of the videos: 13 pixels.
    crop = st.one_of(numbers(12, least=8), st.tuples(*[numbers(12, least=8)] * 2))
    kind = draw(st.sampled_from(['CenterCrop', 'TenCrop', 'ThreeCrop', 'Resize']))
    if kind == 'Resize':
        size = draw(st.tuples(sides, sides))
        return [*steps, dict(type=kind, scale=size, keep_ratio=False)]
    if kind == 'ThreeCrop':  # takes the whole of one side
        width, height = draw(st.tuples(sides, sides))
        steps += [dict(type='Resize', scale=(width, height), keep_ratio=False)]
        size = draw(st.sampled_from([(width, 20), (20, height)]))
        return [*steps, dict(type=kind, crop_size=size)]
    return [*steps, dict(type=kind, crop_size=draw(crop))]


def make_config(recognizer, sampler, *steps, opening='DecordInit', **backbone):
    layout = 'NCHW' if recognizer == 'Recognizer2D' else 'NCTHW'
    return Config(
        dict(
            default_scope='mmaction',
            model=dict(
                type=recognizer,
                backbone=backbone,
                cls_head=dict(type='TSNHead'),
                data_preprocessor=dict(
                    type='ActionDataPreprocessor', format_shape=layout
                ),
            ),
            test_pipeline=[
                dict(type=opening),
                sampler,
                dict(type=opening.replace('Init', 'Decode').removeprefix('Strict')),
                *steps,
                dict(type='FormatShape', input_format=layout),
                dict(type='PackActionInputs'),
            ],
        )
    )
