"""The settings that pipeline_settings.py compares.

A function returns {group: {setting: arguments of Bench.dataset}}; the first setting
of a group is the usual one.
"""

import importlib.util

SEGMENTS = dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=8)
WINDOWS = dict(SEGMENTS, clip_len=5, out_of_bound_opt='repeat_last')
DENSE = dict(type='mmtemporal.SampleDenseClips', clip_len=8, frame_interval=8)
SAMPLERS = {
    'segments 8': SEGMENTS,
    'windows 8 x 5': WINDOWS,
    'dense 8 x 8': DENSE,
}
DECORD = (dict(type='DecordInit'), dict(type='DecordDecode'))
CROP = dict(
    type='MultiScaleCrop',
    input_size=224,
    scales=(1, 0.875, 0.75, 0.66),
    max_wh_scale_gap=1,
    num_fixed_crops=13,
)
RESIZED_CROP = dict(type='RandomResizedCrop')
SHORT_SIDE = dict(type='Resize', scale=(-1, 256))
SQUARE = dict(type='Resize', scale=(224, 224), keep_ratio=False)
FLIP = dict(type='Flip', flip_ratio=0.5)
USUAL = (SHORT_SIDE, CROP, SQUARE, FLIP)


def lazy(*transforms):
    return (*(dict(t, lazy=True) for t in transforms), dict(type='Fuse'))


TRANSFORMS = {
    'Resize, MultiScaleCrop, Resize, Flip': USUAL,
    'Resize, MultiScaleCrop, Resize, Flip, lazy': lazy(*USUAL),
    'MultiScaleCrop, Resize, Flip': USUAL[1:],
    'RandomResizedCrop, Resize, Flip': (RESIZED_CROP, SQUARE, FLIP),
    'RandomResizedCrop, Resize, Flip, lazy': lazy(RESIZED_CROP, SQUARE, FLIP),
    'RandomRescale, RandomCrop, Flip': (
        dict(type='RandomRescale', scale_range=(224, 340)),
        dict(type='RandomCrop', size=224),
        FLIP,
    ),
}
OPTIONAL = {'PyAV': 'av', 'JPEG frames, turbojpeg': 'turbojpeg'}
# Where resizing takes the most time.
HEAVY = dict(reader=(dict(type='RawFrameDecode'),), size=(1280, 720))


def source_groups(h264):
    """Return groups of other videos, and of other frames of them."""
    groups = {}
    if h264:
        for name, sampler in SAMPLERS.items():
            groups[f'key frames, {name}'] = {
                'every 250': dict(sampler=sampler),
                'every 16': dict(sampler=sampler, key_interval=16),
                'every 4': dict(sampler=sampler, key_interval=4),
                'every 12, MPEG-4': dict(sampler=sampler, h264=False),
            }
    sizes = ((456, 256), (568, 320), (1280, 720))
    groups['size of the video'] = {f'{w} x {h}': dict(size=(w, h)) for w, h in sizes}
    for name in ('segments 8', 'dense 8 x 8'):
        groups[f'length of the video, {name}'] = {
            label: dict(sampler=SAMPLERS[name], length=length)
            for label, length in (('usual', 1), ('0.3 times', 0.3), ('6 times', 6))
        }
    counts = {f'segments {n}': dict(SEGMENTS, num_clips=n) for n in (8, 16, 40)}
    groups['frames of a clip'] = {
        name: dict(sampler=sampler)
        for name, sampler in {**counts, 'windows 8 x 5': WINDOWS}.items()
    }
    return groups


def reader_groups(h264):
    """Return groups of other ways to read the same frames."""
    threads = {
        f'num_threads={n}': (dict(type='DecordInit', num_threads=n), DECORD[1])
        for n in (1, 2, 0)
    }
    modes = {
        f'mode={mode}': (DECORD[0], dict(type='DecordDecode', mode=mode))
        for mode in ('accurate', 'efficient')
    }
    readers = {
        'decord': DECORD,
        'OpenCV': (dict(type='OpenCVInit'), dict(type='OpenCVDecode')),
        'PyAV': (dict(type='PyAVInit'), dict(type='PyAVDecode')),
        **{
            f'JPEG frames, {backend}': (
                dict(type='RawFrameDecode', decoding_backend=backend),
            )
            for backend in ('cv2', 'pillow', 'turbojpeg')
        },
    }
    for name, module in OPTIONAL.items():
        if not importlib.util.find_spec(module):
            print(f'{name} is not installed and skipped')
            del readers[name]
    groups = {'threads of decord': threads, 'mode of decord': modes, 'reader': readers}
    groups = {
        group: {name: dict(reader=reader) for name, reader in cases.items()}
        for group, cases in groups.items()
    }
    if h264:
        dense = dict(groups['mode of decord']['mode=efficient'], key_interval=16)
        groups['mode of decord']['mode=efficient, key frame every 16'] = dense
    return groups


def transform_groups():
    """Return groups of other crops; JPEG frames decode so fast that these count."""
    sources = {
        'JPEG frames': dict(reader=(dict(type='RawFrameDecode'),)),
        'video of 1280 x 720': dict(size=(1280, 720)),
    }
    return {
        f'transforms, {name}': {
            setting: dict(transforms=transforms, **source)
            for setting, transforms in TRANSFORMS.items()
        }
        for name, source in sources.items()
    }
