"""TAdaFormer's examples for one's own videos train and test, from a small CLIP."""

import re

import pytest
import torch
from mmengine import Config
from mmengine.runner import Runner
from parity import CONFIGS
from small_tada_formers import ARCH, WIDTH, build

from mmtemporal.datasets import make_motion_clips

EXAMPLE = 'tadaformer_clip-pretrained-base_1xb8-u16-20e_{}-rgb.py'
SIZE, T = 16, 4
SMALL = dict(arch=ARCH, img_size=SIZE, num_segments=T, routing=dict(head_dim=4))


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'clips'
    return make_motion_clips(root, num_train=8, num_val=8, size=36, num_frames=8)


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """Write a CLIP as OpenAI names its tensors, in half precision."""
    model = build()
    model.init_weights()
    tensors = {
        'visual.' + name.replace('layers.', 'transformer.resblocks.'): tensor.half()
        for name, tensor in model.state_dict().items()
        if '.tada.' not in name
    }
    tensors['visual.conv1.weight'] = tensors['visual.conv1.weight'][:, :, 1].clone()
    file = tmp_path_factory.mktemp('clip') / 'clip.pt'
    torch.save(tensors, file)
    return file


def shrink(step):
    if 'clip_len' in step:
        return dict(step, clip_len=T)
    if step['type'] == 'Resize':
        return dict(step, scale=(SIZE, SIZE))
    return dict(step, crop_size=SIZE) if 'crop_size' in step else step


def small_config(name, data_root, clip):
    cfg = Config.fromfile(CONFIGS / 'examples/finetune' / EXAMPLE.format(name))
    cfg.model.backbone.update(SMALL, pretrained=str(clip))
    cfg.model.cls_head.update(in_channels=WIDTH, num_classes=8)
    cfg.train_cfg.max_epochs = 1
    for split in ('train', 'val', 'test'):
        cfg[f'{split}_pipeline'] = [shrink(step) for step in cfg[f'{split}_pipeline']]
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        listing = 'train' if split == 'train' else 'val'
        loader.dataset.update(
            ann_file=str(data_root / f'{listing}.txt'),
            data_prefix=dict(video=str(data_root)),
            pipeline=cfg[f'{split}_pipeline'],
        )
    return cfg


@pytest.mark.slow
@pytest.mark.parametrize('name', ['owndata', 'frozenclip'])
def test_example(name, data_root, clip, tmp_path):
    cfg = small_config(name, data_root, clip)
    cfg.work_dir = str(tmp_path / 'work')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert 0 <= runner.test()['acc/top1'] <= 1
    tensors, backbone = torch.load(clip), runner.model.backbone
    kept = torch.equal(
        backbone.ln_post.weight, tensors['visual.ln_post.weight'].float()
    )
    kept &= torch.equal(
        backbone.conv1.weight[:, :, 1], tensors['visual.conv1.weight'].float()
    )
    assert kept == (name == 'frozenclip')
    assert backbone.layers[0].tada.proj_out.weight.any()


@pytest.mark.slow
def test_another_number_of_frames(data_root, clip, tmp_path):
    guide = (CONFIGS.parent / 'docs/fine_tune.md').read_text()
    recipe = r'\*\*Another number of frames for clips\.\*\*.*?```python\n(.+?)```'
    (lines,) = re.findall(recipe, guide, re.DOTALL)
    small_config('owndata', data_root, clip).dump(tmp_path / 'my_config.py')
    (tmp_path / 'recipe.py').write_text(lines)
    cfg = Config.fromfile(tmp_path / 'recipe.py')
    cfg.work_dir = str(tmp_path / 'work')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert 0 <= runner.test()['acc/top1'] <= 1
    lengths = []
    runner.model.backbone.register_forward_pre_hook(
        lambda _, inputs: lengths.append(inputs[0].size(2))
    )
    runner.test()
    assert {*lengths} == {6}
