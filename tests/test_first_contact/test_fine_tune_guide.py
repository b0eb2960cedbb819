"""Every recipe of the guide to fine-tuning trains, validates and tests as printed."""

import re
import subprocess

import pytest
from mmengine import Config
from mmengine.runner import Runner
from parity import CONFIGS

from mmtemporal.datasets import make_motion_clips

GUIDE = (CONFIGS.parent / 'docs/fine_tune.md').read_text()
# One is for networks that take clips, and is tested with them.
OF_CLIPS = 'Another number of frames for clips'
SETTINGS = GUIDE.partition('\n## Settings\n')[2]
ALL = re.findall(r'\*\*([\w ,]+)\.\*\*.*?```python\n(.+?)```', SETTINGS, re.DOTALL)
RECIPES = [(title, lines) for title, lines in ALL if title != OF_CLIPS]
EXAMPLE = 'tanet_kinetics400-pretrained-r50_1xb8-1x1x8-20e_{}-rgb.py'
FEW_VIDEOS = 'tsm_imagenet-pretrained-mobilenetv2_1xb16-1x1x8-12e_owndata-rgb.py'
SIZE, T, CLASSES = 36, 4, 8


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'clips'
    return make_motion_clips(root, num_train=8, num_val=8, size=SIZE, num_frames=8)


def shrink(cfg, root):
    """Cut a config down: a shallow network, small images, one epoch."""
    cfg.load_from = None
    cfg.model.backbone.update(depth=18, num_segments=T, pretrained=None)
    cfg.model.cls_head.update(in_channels=512, num_classes=CLASSES, num_segments=T)
    return shrink_data(cfg, root)


def shrink_data(cfg, root):
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint.update(save_best=None, interval=-1)
    pipelines = {'train_pipeline', 'val_pipeline', 'test_pipeline'}
    for key in pipelines:
        cfg[key] = [_shrink(dict(step)) for step in cfg[key]]
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
        listing = 'train' if split == 'train' else 'val'
        loader.dataset.update(
            ann_file=str(root / f'{listing}.txt'),
            data_prefix=dict(video=str(root)),
            pipeline=cfg[f'{split}_pipeline'],
        )
    return cfg


def _shrink(step):
    if step['type'] == 'SampleFrames':
        step['num_clips'] = T
    elif step['type'] == 'Resize':
        step['scale'] = (SIZE, SIZE)
    for key in ('crop_size', 'input_size'):
        if key in step:
            step[key] = SIZE
    return step


def run(cfg, folder):
    cfg.work_dir = str(folder / 'work')
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner.test()


def give_several_labels(cfg, folder):
    """Give each video the next class as well."""
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        with open(dataset.ann_file) as file:
            lines = [line.split() for line in file]
        dataset.ann_file = str(folder / f'{split}.txt')
        with open(dataset.ann_file, 'w') as file:
            for path, label in lines:
                file.write(f'{path} {label} {(int(label) + 1) % CLASSES}\n')


@pytest.mark.slow
@pytest.mark.parametrize('title, lines', RECIPES, ids=[title for title, _ in RECIPES])
def test_recipe(title, lines, data_root, tmp_path):
    base = Config.fromfile(CONFIGS / 'examples/finetune' / EXAMPLE.format('owndata'))
    shrink(base, data_root).dump(tmp_path / 'my_config.py')
    (tmp_path / 'recipe.py').write_text(lines)
    cfg = Config.fromfile(tmp_path / 'recipe.py')
    assert cfg.pretty_text != base.pretty_text
    several = cfg.model.cls_head.get('multi_class', False)
    if several:
        give_several_labels(cfg, tmp_path)
    found = run(cfg, tmp_path)
    metric = 'mean_average_precision' if several else 'top1'
    assert 0 <= found[f'acc/{metric}'] <= 1


@pytest.mark.slow
def test_the_example_for_few_videos(data_root, tmp_path):
    cfg = Config.fromfile(CONFIGS / 'examples/finetune' / FEW_VIDEOS)
    cfg.model.backbone.backbone.pretrained = None
    cfg.model.backbone.num_segments = T
    cfg.model.cls_head.num_classes = CLASSES
    found = run(shrink_data(cfg, data_root), tmp_path)
    assert 0 <= found['acc/top1'] <= 1


def test_the_guide_has_recipes():
    titles = {title for title, _ in ALL}
    assert {'Several labels per video', OF_CLIPS} < titles and len(titles) == 7


def without_scopes(value):
    if isinstance(value, list):
        return [without_scopes(item) for item in value]
    if isinstance(value, dict):
        items = value.items()
        return {key: without_scopes(v) for key, v in items if key != '_scope_'}
    return value


@pytest.mark.parametrize('name', ['', 'tadaformer_clip-pretrained-base_1xb8-u16-20e'])
def test_a_copy_is_read_in_any_folder(name, tmp_path):
    (command,) = re.findall(r'^ *(sed .+ > my_config.py)$', GUIDE, re.MULTILINE)
    (path,) = re.findall(r'configs/examples/\S+', command)
    if name:
        other = re.sub('tanet_.*20e', name, path)
        command, path = command.replace(path, other), other
    (tmp_path / 'configs').symlink_to(CONFIGS)
    subprocess.run(['bash', '-c', command], cwd=tmp_path, check=True)
    copied = Config.fromfile(tmp_path / 'my_config.py')
    original = Config.fromfile(CONFIGS.parent / path)
    assert without_scopes(copied.to_dict()) == original.to_dict()


@pytest.mark.slow
@pytest.mark.parametrize('name', ['weighted', 'multilabel'])
def test_example(name, data_root, tmp_path):
    cfg = Config.fromfile(CONFIGS / 'examples/finetune' / EXAMPLE.format(name))
    cfg = shrink(cfg, data_root)
    if name == 'multilabel':
        give_several_labels(cfg, tmp_path)
        for split in ('train', 'val', 'test'):
            cfg[f'{split}_dataloader'].dataset.num_classes = CLASSES
    else:
        weights = cfg.model.cls_head.loss_cls.class_weight
        cfg.model.cls_head.loss_cls.class_weight = weights[:CLASSES]
    assert run(cfg, tmp_path)
