"""Every config parses, trains and tests, and the zoo's tables agree with it."""

import re
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from backbone_libraries import import_or_skip
from mmaction.registry import DATASETS, MODELS
from mmaction.utils import register_all_modules
from mmengine import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from parity import CONFIGS as ROOT

from mmtemporal.analysis import count_multiply_adds
from mmtemporal.config_types import is_type

REPOSITORY = ROOT.parent
RECIPES = sorted((ROOT / 'recognition').rglob('*.py'))
EXAMPLES = sorted((ROOT / 'examples').rglob('*.py'))
BASES = sorted((ROOT / '_base_').rglob('*.py'))
METAFILES = sorted((ROOT / 'recognition').rglob('metafile.yml'))
# algorithm _ pretrain-backbone _ gpus x batch - frames - epochs _ data - modality,
# where the frames are clip length x interval x clips, or u and the number of frames,
# one from each segment.
GRAMMAR = re.compile(
    r'[a-z0-9]+_[a-z0-9-]+-[a-z0-9]+_\d+xb\d+-((dense-)?\d+x\d+x\d+|u\d+)-\d+e'
    r'_[a-z0-9]+-[a-z]+'
)


def relative(path):
    return path.relative_to(REPOSITORY).as_posix()


def models(metafile):
    return yaml.safe_load(metafile.read_text())['Models']


@pytest.mark.parametrize('path', BASES, ids=relative)
def test_base_configs_parse(path):
    assert len(Config.fromfile(path))


def sampler_of(pipeline):
    """Return what a pipeline samples, as names of configs have it."""
    (sampler,) = (step for step in pipeline if 'Sample' in step.type)
    if is_type(sampler, 'UniformSample', 'SampleSegments'):
        return f'u{sampler.clip_len}'
    dense = 'dense-' if sampler.type == 'DenseSampleFrames' else ''
    interval = sampler.get('frame_interval', 1)
    # Clips beyond one are views for a 3-D network.
    clips = sampler.num_clips if sampler.clip_len in (1, 5) else 1
    return f'{dense}{sampler.clip_len}x{interval}x{clips}'


@pytest.mark.parametrize('path', RECIPES, ids=relative)
def test_name_and_content(path, tmp_path):
    assert GRAMMAR.fullmatch(path.stem)
    cfg = Config.fromfile(path)
    # What the stock tools and inference ask for.
    assert cfg.default_scope == 'mmaction'
    assert 'mmtemporal' in cfg.custom_imports.imports
    gpus, batch = map(int, re.search(r'_(\d+)xb(\d+)-', path.stem).groups())
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.auto_scale_lr.base_batch_size == gpus * batch
    epochs = int(re.search(r'-(\d+)e_', path.stem)[1])
    assert cfg.train_cfg.max_epochs == epochs
    assert max(step.end for step in cfg.param_scheduler) == epochs
    frames = [sampler_of(cfg[f'{split}_pipeline']) for split in ('train', 'test')]
    assert frames == [re.search(r'_\d+xb\d+-(.+)-\d+e_', path.stem)[1]] * 2
    if cfg.model.backbone.type.startswith('mmtemporal.'):
        segments = cfg.model.backbone.num_segments
        assert str(segments) in re.split(r'[ux-]', frames[0])
        assert cfg.model.cls_head.get('num_segments', segments) == segments
    for split in ('train', 'test'):
        pipeline = cfg[f'{split}_dataloader'].dataset.pipeline
        assert pipeline == cfg[f'{split}_pipeline']
        assert labels_follow_flips(cfg, pipeline)
    cfg.dump(tmp_path / 'config.py')
    assert Config.fromfile(tmp_path / 'config.py').to_dict() == cfg.to_dict()


def labels_follow_flips(cfg, pipeline):
    """Whether a flip swaps the labels that the data set says."""
    flips = [step for step in pipeline if step.type == 'Flip' and step.flip_ratio]
    swaps = cfg.get('flip_label_map')
    return all(flip.get('flip_label_map') == swaps for flip in flips)


def test_every_config_has_one_entry_and_every_index_line_a_file():
    index = yaml.safe_load((REPOSITORY / 'model-index.yml').read_text())['Import']
    assert sorted(index) == sorted(map(relative, ROOT.rglob('metafile.yml')))
    listed = [model['Config'] for path in METAFILES for model in models(path)]
    assert sorted(listed) == [relative(path) for path in RECIPES]


@pytest.mark.parametrize('metafile', METAFILES, ids=relative)
def test_metafile(metafile):
    content = yaml.safe_load(metafile.read_text())
    (collection,) = content['Collections']
    page = (REPOSITORY / collection['README']).read_text()
    for entry in content['Models']:
        name, metadata = entry['Name'], entry['Metadata']
        assert entry['In Collection'] == collection['Name']
        assert Path(entry['Config']).stem == name
        assert f'({name}.py)' in page
        cfg = Config.fromfile(REPOSITORY / entry['Config'])
        assert metadata['Batch Size'] == cfg.train_dataloader.batch_size
        assert metadata['Epochs'] == cfg.train_cfg.max_epochs
        assert metadata['Resolution'] == '{}x{}'.format(*crop_of(cfg.test_pipeline))
        model = build(cfg, 'meta')
        assert metadata['Parameters'] == sum(p.numel() for p in model.parameters())
        for result in entry['Results']:
            for metric in result['Metrics'].values():
                assert f'{metric:.1f}' in page or f'{metric:.2f}' in page


@pytest.mark.slow
@pytest.mark.parametrize('metafile', METAFILES, ids=relative)
def test_multiply_adds_in_metafile(metafile):
    counted = {}
    for entry in models(metafile):
        cfg = Config.fromfile(REPOSITORY / entry['Config'])
        shape = shape_of_a_view(cfg, *crop_of(cfg.test_pipeline))
        key = shape, repr(cfg.model)  # recipes differ in more than the model
        if key not in counted:
            counted[key] = count_multiply_adds(build(cfg, 'meta'), *shape)
        assert entry['Metadata']['FLOPs'] == counted[key], entry['Name']


def build(cfg, device='cpu'):
    model = deepcopy(cfg.model)
    wrapped = model.backbone.get('backbone', model.backbone)
    library = wrapped.type.partition('.')[0]
    if library in ('timm', 'torchvision'):
        import_or_skip(library)
    if library == 'timm':  # it loads the weights that these name whenever it is built
        wrapped.update(pretrained=False, pretrained_cfg_overlay=None)
    register_all_modules()
    with torch.device(device):
        return MODELS.build(model)


def crop_of(pipeline):
    """Return height and width of the frames that a pipeline ends with."""
    for step in reversed(pipeline):
        if 'crop_size' in step:
            return step.crop_size, step.crop_size
        if step.type == 'Resize':
            return step.scale[::-1]


def shape_of_a_view(cfg, h, w):
    segments = cfg.model.backbone.get('num_segments', 8)
    if cfg.model.type == 'Recognizer3D':
        return 1, 1, 3, segments, h, w
    if cfg.model.data_preprocessor.get('format_shape') == 'NCTHW':
        return 1, segments, 3, 5, h, w
    return 1, segments, 3, h, w


# ------------------------------------------------------------- one iteration

# What the sides of frames and crops become.
SMALL = {224: 36, 256: 44, 320: 48, 340: 52}
NUM_FRAMES, NUM_VIDEOS = 40, 2


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Two videos, as files and as folders of images, and lists of all kinds."""
    root = tmp_path_factory.mktemp('videos')
    random = np.random.RandomState(0)
    for i in range(NUM_VIDEOS):
        frames = random.randint(256, size=(NUM_FRAMES, 96, 128, 3), dtype=np.uint8)
        writer = cv2.VideoWriter(
            str(root / f'{i}.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 30, (128, 96)
        )
        (root / str(i)).mkdir()
        for j, frame in enumerate(frames, 1):
            writer.write(frame)
            for digits in (5, 6):
                cv2.imwrite(str(root / str(i) / f'{j:0{digits}}.jpg'), frame)
        writer.release()
    (root / 'VideoDataset.txt').write_text('0.mp4 0\n1.mp4 1\n')
    (root / 'RawframeDataset.txt').write_text(f'0 {NUM_FRAMES} 0\n1 {NUM_FRAMES} 1\n')
    (root / 'multi.txt').write_text('0.mp4 0 3\n1.mp4 1\n')
    return root


def shrink(value):
    """Replace the sides of frames in a pipeline."""
    if isinstance(value, dict):
        return type(value)({k: shrink(v) for k, v in value.items()})
    if isinstance(value, (list, tuple)):
        return type(value)(map(shrink, value))
    return SMALL.get(value, value) if type(value) is int else value


def load(cfg, split, videos):
    """Make a batch of generated videos with the pipeline of a config."""
    dataset = cfg[f'{split}_dataloader'].dataset
    kind = 'multi' if dataset.get('multi_class') else dataset.type
    dataset.ann_file = str(videos / f'{kind}.txt')
    dataset.data_prefix = {key: str(videos) for key in dataset.data_prefix}
    dataset.pipeline = shrink(dataset.pipeline)
    dataset = DATASETS.build(dataset)
    return [dataset[i] for i in range(NUM_VIDEOS)]


def shrink_transformer(backbone):
    """Keep two layers, and two patches of a side, whose pixels are returned."""
    if not isinstance(backbone.arch, str):  # it is small
        return 224
    settings = MODELS.get('mmtemporal.TAdaFormer').arch_settings
    backbone.arch = dict(settings[backbone.arch], num_layers=2)
    backbone.img_size = 2 * backbone.arch['patch_size']
    return backbone.img_size


@pytest.mark.slow
@pytest.mark.parametrize('path', RECIPES + EXAMPLES, ids=relative)
def test_one_training_iteration_and_one_test_sample(path, videos, monkeypatch):
    cfg = Config.fromfile(path)
    cfg.model.backbone.pop('pretrained', None)
    if 'inceptionv3' in path.stem:  # which needs 75 pixels
        for side in SMALL:
            monkeypatch.setitem(SMALL, side, SMALL[side] + 40)
    if is_type(cfg.model.backbone, 'TAdaFormer'):
        monkeypatch.setitem(SMALL, 224, shrink_transformer(cfg.model.backbone))
    init_default_scope('mmaction')
    model = build(cfg)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    before = model.cls_head.fc_cls.weight.detach().clone()
    losses = model.train().train_step(
        pseudo_collate(load(cfg, 'train', videos)), wrapper
    )
    assert losses['loss'].isfinite()
    assert not torch.equal(model.cls_head.fc_cls.weight, before)

    sample = load(cfg, 'test', videos)[0]
    view = shape_of_a_view(cfg, *shrink(crop_of(cfg.test_pipeline)))[1:]
    shape = sample['inputs'].shape
    assert shape[1:] == view[1:] and shape[0] % view[0] == 0
    sample['inputs'] = sample['inputs'][: view[0]]
    (result,) = model.test_step(pseudo_collate([sample]))
    assert result.pred_score.shape == (cfg.model.cls_head.num_classes,)
