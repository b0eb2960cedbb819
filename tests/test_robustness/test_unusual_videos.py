"""Videos that are very short, or of odd sizes."""

import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mutated_videos import read_number
from stock_config import METHODS, SIZE, T, small_config
from unusual_videos import ODD_SIZES, STRICT, write_odd_sizes


@pytest.fixture(autouse=True, scope='module')
def stock_names():
    init_default_scope('mmaction')


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    write_odd_sizes(root)
    return root


@pytest.mark.parametrize('name', ODD_SIZES)
def test_short_videos_of_odd_sizes_are_read(data_root, name):
    t, h, w = ODD_SIZES[name]
    file = str(data_root / f'{name}.avi')
    results = Compose(STRICT)(dict(filename=file, start_index=0))
    assert results['total_frames'] == t
    assert results['original_shape'] == (h, w)
    numbers = [read_number(frame) for frame in results['imgs']]
    assert numbers == results['frame_inds'].tolist()


@pytest.mark.parametrize('name', METHODS)
def test_pipelines_take_short_videos_of_odd_sizes(data_root, name):
    cfg = small_config(name, data_root)
    frames = 5 * T if name == 'TDN' else T
    for pipeline in (cfg.train_dataloader.dataset.pipeline, cfg.test_pipeline):
        pipeline = Compose([STRICT[0], *pipeline[1:]])
        for video in ODD_SIZES:
            file = str(data_root / f'{video}.avi')
            data = dict(filename=file, start_index=0, label=0, modality='RGB')
            inputs = pipeline(data)['inputs']
            assert inputs.shape[-2:] == (SIZE, SIZE)
            assert inputs.numel() == frames * 3 * SIZE**2, video
