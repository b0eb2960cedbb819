"""Made-up recordings in the format of UTD-MHAD's authors."""

import numpy as np
from scipy.io import savemat

from mmtemporal.datasets.utd_mhad import Recording

# Two classes, and persons of every list.
FEW = tuple(Recording(action, person, 1) for action in (1, 24) for person in (1, 2, 7))


def make_depth(recording, num_frames=5):
    """A square that moves to the right, at a distance of its own; (240, 320, t)."""
    depth = np.zeros((240, 320, num_frames), np.uint16)
    left, top = 100 + 4 * recording.person, 20 + 7 * recording.action
    for i in range(num_frames):
        where = slice(left + i, left + 10 + i)
        depth[top : top + 10, where, i] = 2000 + 200 * recording.trial
    return depth


def write_recording(folder, recording, **variables):
    path = folder / f'{recording.name}_depth.mat'
    savemat(path, variables or dict(d_depth=make_depth(recording)), do_compression=True)
    return path


def contents(root):
    return {p.relative_to(root): p.read_bytes() for p in root.rglob('*') if p.is_file()}
