"""Videos that are very short, or of odd sizes, and pipelines that read them."""

from mutated_videos import draw_numbered, write
from stock_config import T

READ = [
    dict(type='SampleFrames', clip_len=1, num_clips=T, test_mode=True),
    dict(type='DecordDecode'),
]
STOCK = [dict(type='DecordInit'), *READ]
STRICT = [dict(type='mmtemporal.StrictDecordInit'), *READ]
# Frames, height and width. Decord itself fails for some widths below 96, such as 72.
ODD_SIZES = {
    'one_frame': (1, 64, 64),
    'two_frames': (2, 48, 64),
    'odd': (9, 33, 47),
    'portrait': (7, 161, 91),
    'tiny': (12, 20, 28),
    'wide': (6, 16, 200),
}


def write_odd_sizes(root):
    """Write a video NAME.avi of each size; return their names."""
    for name, shape in ODD_SIZES.items():
        write(root / f'{name}.avi', draw_numbered(*shape), 'MJPG')
    return list(ODD_SIZES)
