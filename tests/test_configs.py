"""Every config parses and builds, and the zoo's tables agree with it."""

import re
from pathlib import Path

import pytest
import yaml
from mmaction.registry import DATASETS, MODELS
from mmaction.utils import register_all_modules
from mmengine import Config
from mmengine.analysis import get_model_complexity_info
from torch import nn

REPOSITORY = Path(__file__).parents[1]
CONFIGS = sorted((REPOSITORY / 'configs' / 'recognition').rglob('*.py'))
BASES = sorted((REPOSITORY / 'configs' / '_base_').rglob('*.py'))
METAFILES = sorted((REPOSITORY / 'configs').rglob('metafile.yml'))
# algorithm _ pretrain-backbone _ gpus x batch - frames - epochs _ data - modality,
# where the frames are clip length x interval x clips, or u and the number of frames
# that UniformSample takes.
GRAMMAR = re.compile(
    r'[a-z0-9]+_[a-z0-9-]+-[a-z0-9]+_\d+xb\d+-((dense-)?\d+x\d+x\d+|u\d+)-\d+e'
    r'_[a-z0-9]+-[a-z]+'
)
SAMPLERS = ('SampleFrames', 'UniformSample', 'mmtemporal.SampleWindows')


def relative(path):
    return path.relative_to(REPOSITORY).as_posix()


def models(metafile):
    return yaml.safe_load(metafile.read_text())['Models']


def build(cfg):
    register_all_modules()
    return MODELS.build(cfg.model)


@pytest.mark.parametrize('path', BASES, ids=relative)
def test_base_configs_parse(path):
    assert len(Config.fromfile(path))


@pytest.mark.parametrize('path', CONFIGS, ids=relative)
def test_config(path, tmp_path):
    assert GRAMMAR.fullmatch(path.stem)
    cfg = Config.fromfile(path)
    # What the stock tools and inference ask for.
    assert cfg.default_scope == 'mmaction'
    assert 'mmtemporal' in cfg.custom_imports.imports
    assert cfg.test_pipeline
    gpus, batch = map(int, re.search(r'_(\d+)xb(\d+)-', path.stem).groups())
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.auto_scale_lr.base_batch_size == gpus * batch
    assert cfg.train_cfg.max_epochs == int(re.search(r'-(\d+)e_', path.stem)[1])
    frames = [sampler_of(cfg[f'{split}_pipeline']) for split in ('train', 'test')]
    assert frames == [re.search(r'_\d+xb\d+-(.+)-\d+e_', path.stem)[1]] * 2
    if cfg.model.backbone.type.startswith('mmtemporal.'):
        segments = int(re.search(r'(\d+)$', frames[0])[1])
        assert cfg.model.backbone.num_segments == segments
        assert cfg.model.cls_head.get('num_segments', segments) == segments
    cfg.dump(tmp_path / 'config.py')
    assert Config.fromfile(tmp_path / 'config.py').to_dict() == cfg.to_dict()
    build(cfg)
    dataset = cfg.train_dataloader.dataset
    assert DATASETS.get(dataset.type)


def sampler_of(pipeline):
    """Returns what a pipeline samples, as names of configs have it."""
    (sampler,) = (step for step in pipeline if step.type in SAMPLERS)
    if sampler.type == 'UniformSample':
        return f'u{sampler.clip_len}'
    return f'{sampler.clip_len}x{sampler.get("frame_interval", 1)}x{sampler.num_clips}'


def test_every_config_has_one_entry_and_every_index_line_a_file():
    index = yaml.safe_load((REPOSITORY / 'model-index.yml').read_text())['Import']
    assert sorted(index) == [relative(path) for path in METAFILES]
    listed = [model['Config'] for path in METAFILES for model in models(path)]
    assert sorted(listed) == [relative(path) for path in CONFIGS]


@pytest.mark.parametrize('metafile', METAFILES, ids=relative)
def test_metafile(metafile):
    content = yaml.safe_load(metafile.read_text())
    (collection,) = content['Collections']
    assert (REPOSITORY / collection['README']).is_file()
    for entry in content['Models']:
        assert entry['In Collection'] == collection['Name']
        assert Path(entry['Config']).stem == entry['Name']
        cfg = Config.fromfile(REPOSITORY / entry['Config'])
        metadata = entry['Metadata']
        assert metadata['Batch Size'] == cfg.train_dataloader.batch_size
        assert metadata['Epochs'] == cfg.train_cfg.max_epochs
        resize = [step for step in cfg.test_pipeline if step.type == 'Resize'][-1]
        assert metadata['Resolution'] == '{}x{}'.format(*resize.scale)
        model = build(cfg).eval()
        assert metadata['Parameters'] == sum(p.numel() for p in model.parameters())
        assert metadata['FLOPs'] == count_multiply_adds(model, cfg, resize.scale)


def count_multiply_adds(model, cfg, size):
    """Counts those of one clip through the whole recognizer, as get_flops does."""

    class Scores(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(x, stage='head')

    (sampler,) = (step for step in cfg.test_pipeline if step.type in SAMPLERS)
    clips, frames = sampler.get('num_clips', 1), sampler.clip_len
    if cfg.model.data_preprocessor.format_shape == 'NCTHW':
        shape = (clips, 3, frames, *size)
    else:
        shape = (clips * frames, 3, *size)
    return get_model_complexity_info(Scores(), shape, show_table=False)['flops']
