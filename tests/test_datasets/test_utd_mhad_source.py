"""Sources of UTD-MHAD: what is ignored, and what is refused."""

import numpy as np
import pytest
from small_utd_mhad import FEW, make_depth, write_recording

from mmtemporal.datasets.utd_mhad import Recording, prepare_utd_mhad

DEPTH = make_depth(FEW[0])


def remove(*recordings):
    def change(folder):
        for recording in recordings:
            (folder / f'{recording.name}_depth.mat').unlink()

    return change


def add(name):
    return lambda folder: (folder / name).write_bytes(b'')


def replace(**variables):
    return lambda folder: write_recording(folder, FEW[0], **variables)


def copy_one(folder):
    (folder.parent / 'copy').mkdir()
    write_recording(folder.parent / 'copy', FEW[0])


def cut_one(folder):
    path = folder / f'{FEW[0].name}_depth.mat'
    path.write_bytes(path.read_bytes()[:-20])


def zip_all(folder):
    remove(*FEW)(folder)
    (folder / 'Depth.zip').touch()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (remove(FEW[5]), r'lacks 1 of 6 recordings: a24_s7_t1_depth\.mat$'),
        (
            remove(*FEW),
            r'lacks 6 of 6 recordings: a1_s1_t1_depth\.mat.*a24_s2_t1_depth\.mat and '
            'others$',
        ),
        (zip_all, r'lacks 6 of 6 .*; unpack .*/Depth\.zip first'),
        (add('notes.mat'), r'notes\.mat is no file of UTD-MHAD.*move it away'),
        (add('a1_s1_t1_depth.MAT'), 'is no file of UTD-MHAD'),
        (add('a01_s1_t1_depth.mat'), 'is no file of UTD-MHAD'),
        (add('a28_s1_t1_depth.mat'), 'a28_s1_t1_depth.mat: UTD-MHAD has no such'),
        (add('a1_s9_t1_depth.mat'), 'a1_s9_t1_depth.mat: UTD-MHAD has no such'),
        (add('a1_s1_t5_depth.mat'), 'a1_s1_t5_depth.mat: UTD-MHAD has no such'),
        (add('a8_s1_t4_depth.mat'), 'a8_s1_t4_depth.mat: UTD-MHAD has no such'),
        (copy_one, 'the same recording twice: .*/Depth/a1_s1_t1.*/copy/a1_s1_t1'),
        (replace(depth=DEPTH), r"holds \['depth'\], expected d_depth of 240 x 320"),
        (replace(d_depth=DEPTH.astype(float)), '240 x 320 x 5, float64; expected'),
        (replace(d_depth=DEPTH[..., 0]), 'd_depth of 240 x 320, uint16; expected'),
        (replace(d_depth=DEPTH.transpose(2, 0, 1)), 'd_depth of 5 x 240 x 320'),
        (replace(d_depth=DEPTH[..., :0]), 'a1_s1_t1_depth.mat holds no frames'),
        (add('a1_s1_t1_depth.mat'), 'a1_s1_t1_depth.mat cannot be read as a MATLAB'),
        (cut_one, 'a1_s1_t1_depth.mat cannot be read as a MATLAB'),
    ],
)
def test_what_is_not_the_data_set_is_refused(depth_folder, tmp_path, change, message):
    change(depth_folder)
    with pytest.raises(ValueError, match=message):
        prepare_utd_mhad(depth_folder.parent, tmp_path / 'prepared')
    assert not (tmp_path / 'prepared').exists()


@pytest.mark.parametrize(
    ('name', 'message'),
    [('Depth.zip', 'is an archive; unpack it'), ('nothing', 'is no folder')],
)
def test_sources_that_are_no_folder(tmp_path, name, message):
    (tmp_path / 'Depth.zip').touch()
    with pytest.raises(ValueError, match=message):
        prepare_utd_mhad(tmp_path / name, tmp_path / 'prepared')
    assert not (tmp_path / 'prepared').exists()


def test_all_numbers_outside_of_the_data_set_are_unknown(tmp_path):
    for recording in (Recording(23, 6, 4), Recording(27, 8, 4), Recording(0, 1, 1)):
        path = write_recording(tmp_path, recording, d_depth=np.zeros((1, 1), np.uint16))
        with pytest.raises(ValueError, match='UTD-MHAD has no such recording'):
            prepare_utd_mhad(tmp_path, tmp_path / 'prepared')
        path.unlink()


def test_other_modalities_are_ignored(depth_folder, tmp_path):
    root = depth_folder.parent
    for kind in ('Inertial', 'Skeleton'):
        (root / kind).mkdir()
        (root / kind / f'a1_s1_t1_{kind.lower()}.mat').touch()
    (root / 'a1_s1_t1_color.avi').touch()
    (root / 'readme.txt').touch()
    prepare_utd_mhad(root, tmp_path / 'prepared')
    assert len(list((tmp_path / 'prepared').rglob('*.mp4'))) == len(FEW)
