"""A small set of motion clips, and what stands in its files."""

import cv2  # noqa: F401  ahead of decord, whose libraries would stand in for its own
import decord
import numpy as np

SMALL = dict(num_train=16, num_val=8, size=32, num_frames=8, seed=3)


def read_annotations(root, split):
    lines = (root / f'{split}.txt').read_text().splitlines()
    return [(path, int(label)) for path, label in (line.split() for line in lines)]


def read_video(path):
    reader = decord.VideoReader(str(path), num_threads=1)
    return reader.get_batch(range(len(reader))).asnumpy()


def assert_same_files(left, right):
    names = {p.relative_to(left) for p in left.rglob('*')}
    assert names == {p.relative_to(right) for p in right.rglob('*')}
    for name in names:
        if name.suffix == '.mp4':
            np.testing.assert_array_equal(
                read_video(left / name), read_video(right / name)
            )
        elif name.suffix:
            assert (left / name).read_bytes() == (right / name).read_bytes()
