"""TAdaFormer's recipes: groups, schedules, protocols, and what users change."""

import copy
import re

import pytest
import torch
from mmengine import Config
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from parity import CONFIGS
from torch import nn

from mmtemporal.engine.check_config_hook import check_samplers
from mmtemporal.registry import MODELS

RECIPES = sorted((CONFIGS / 'recognition/tadaformer').glob('*clip-pretrained*.py'))
FINE_TUNING = CONFIGS / 'examples/finetune'
IDS = [path.stem.partition('-pretrained-')[2] for path in RECIPES]


def load(path, **options):
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(options)
    with torch.device('meta'), DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(copy.deepcopy(cfg.model))
    return cfg, model, build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))


def expected_multipliers(name, param, depth, rate):
    """Return those of the authors: no decay for vectors but the position embedding."""
    decay = 0 if param.ndim == 1 or name.endswith('.bias') else 1
    part, _, rest = name.removeprefix('backbone.').partition('.')
    if part == 'cls_head':
        return 10, decay
    if part == 'layers':
        lr = rate ** (depth - int(rest.partition('.')[0]))
        return (10 * lr if '.tada' in name else lr), decay
    return (1 if part == 'ln_post' else rate ** (depth + 1)), decay


@pytest.mark.parametrize('path', RECIPES, ids=IDS)
def test_groups_of_tadaformer(path):
    cfg, model, wrapper = load(path)
    size = cfg.model.backbone.arch
    depth, rate = dict(base=(12, 0.7), large=(24, 0.85))[size]
    groups = wrapper.optimizer.param_groups
    assert len(groups) == dict(base=53, large=101)[size]
    names = {param: name for name, param in model.named_parameters()}
    assert sum(len(group['params']) for group in groups) == len(names)
    lr, decay = cfg.optim_wrapper.optimizer.lr, cfg.optim_wrapper.optimizer.weight_decay
    for group in groups:
        for param in group['params']:
            found = group['lr'] / lr, group['weight_decay'] / decay
            name = names.pop(param)
            wanted = expected_multipliers(name, param, depth, rate)
            assert found == pytest.approx(wanted, rel=1e-12), name
    assert not names


def test_rates_of_tadaformer_in_numbers():
    base = [path for path in RECIPES if 'base' in path.stem]
    large = [path for path in RECIPES if 'large' in path.stem]
    assert len(base) == len(large) == 2
    for paths, layer, wanted in (
        (base, 11, [0.009689, 0.009689, 0.013841, 0.7, 7.0, 1, 10]),
        (large, 23, [0.017198, 0.017198, 0.020233, 0.85, 8.5, 1, 10]),
    ):
        for path in paths:
            cfg, model, wrapper = load(path)
            lr = {
                param: group['lr'] / cfg.optim_wrapper.optimizer.lr
                for group in wrapper.optimizer.param_groups
                for param in group['params']
            }
            found = [
                lr[model.get_parameter(name)]
                for name in (
                    'backbone.class_embedding',
                    'backbone.positional_embedding',
                    'backbone.layers.0.attn.in_proj_bias',
                    f'backbone.layers.{layer}.mlp.c_fc.weight',
                    f'backbone.layers.{layer}.tada.routing.norm.weight',
                    'backbone.ln_post.weight',
                    'cls_head.fc_cls.bias',
                )
            ]
            assert found == pytest.approx(wanted, abs=1e-6)


def rates(path, epochs, length=1000):
    """Return the rates of two groups, the second a hundredth, at ends of epochs."""
    cfg = Config.fromfile(path)
    lr = cfg.optim_wrapper.optimizer.lr
    groups = [
        dict(params=[nn.Parameter(torch.zeros(1))], lr=lr * factor)
        for factor in (1, 0.01)
    ]
    optimizer = torch.optim.SGD(groups)
    schedulers = []
    for step in copy.deepcopy(cfg.param_scheduler):
        step.pop('convert_to_iter_based')
        cls = PARAM_SCHEDULERS.get(step.pop('type'))
        schedulers.append(
            cls.build_iter_from_epoch(optimizer, epoch_length=length, **step)
        )
    found = []
    for i in range(epochs[-1] * length + 1):
        if i % length == 0 and i // length in epochs:
            found.append([group['lr'] for group in optimizer.param_groups])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize(
    'path, points',
    [
        *zip(
            RECIPES,
            [
                {0: 1e-8, 2: 2.50005e-4, 4: 5e-4, 14: 2.505e-4, 24: 1e-6},
                {0: 1e-6, 1: 1.08e-5, 5: 5e-5, 10: 4.53209e-5, 30: 1e-6},
                {0: 1e-6, 5: 2e-5, 24: 1e-6},
                {0: 1e-8, 2: 1.25005e-4, 4: 2.5e-4, 14: 1.255e-4, 24: 1e-6},
            ],
            strict=True,
        )
    ],
    ids=IDS,
)
def test_schedule_of_tadaformer(path, points):
    # An iteration off at the end of the warm-up, of a thousand in an epoch.
    found = rates(path, [*points])
    assert found[:, 0].tolist() == pytest.approx([*points.values()], rel=1e-3)
    # The end of the curve as well is a multiple.
    torch.testing.assert_close(found[:, 1], found[:, 0] / 100)


@pytest.mark.parametrize('path', RECIPES, ids=IDS)
def test_what_all_recipes_share(path):
    cfg = Config.fromfile(path)
    assert cfg.optim_wrapper.optimizer == dict(
        type='AdamW',
        lr=cfg.optim_wrapper.optimizer.lr,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.05,
    )
    assert cfg.optim_wrapper.get('clip_grad') is None
    head, backbone = cfg.model.cls_head, cfg.model.backbone
    assert (head.label_smooth_eps, head.dropout_ratio) == (0.1, 0.5)
    motion = 'sthv2' in path.stem
    assert backbone.get('form', 'K') == ('S' if motion else 'K')
    assert backbone.drop_path_rate == (
        0.2 if motion and backbone.arch == 'large' else 0
    )
    file = dict(base='ViT-B-16.pt', large='ViT-L-14.pt')[backbone.arch]
    assert backbone.pretrained.endswith('/' + file)
    assert cfg.load_from is None  # the networks for Something-Something are from CLIP


@pytest.mark.parametrize('path', RECIPES, ids=IDS)
def test_protocols(path):
    cfg = Config.fromfile(path)
    sampler, resize, crop = (cfg.test_pipeline[i] for i in (1, 3, 4))
    assert (sampler.clip_len, sampler.num_clips) == (
        16,
        2 if 'sthv2' in path.stem else 4,
    )
    assert resize.scale == (-1, 224)
    assert crop == dict(type='ThreeCrop', crop_size=224)
    (augmentation,) = (x for x in cfg.train_pipeline if x.type.endswith('RandAugment'))
    mean = cfg.model.data_preprocessor.mean
    assert augmentation.fill == tuple(round(value) for value in mean)
    assert sum(step.type == 'Flip' for step in cfg.train_pipeline) == 1


# ------------------------------------------------------------- what users change


@pytest.mark.parametrize('frames', [32, 64])
@pytest.mark.parametrize('path', RECIPES, ids=IDS)
def test_released_files_of_more_frames(path, frames):
    """Their two options build the same tensors, and fit each other."""
    cfg, model, _ = load(path)
    options = {
        'model.backbone.num_segments': frames,
        'test_dataloader.dataset.pipeline.1.clip_len': frames,
    }
    cfg.merge_from_dict(options)
    with torch.device('meta'), DefaultScope.overwrite_default_scope('mmaction'):
        longer = MODELS.build(copy.deepcopy(cfg.model))
        pipeline = Compose(cfg.test_dataloader.dataset.pipeline)
    assert longer.backbone.num_segments == frames
    shapes = [
        {name: tensor.shape for name, tensor in network.state_dict().items()}
        for network in (model, longer)
    ]
    assert shapes[0] == shapes[1]
    check_samplers(longer, pipeline)
    with pytest.raises(ValueError, match=f'clip_len={frames} .*; set clip_len=16'):
        check_samplers(model, pipeline)


@pytest.mark.parametrize('form, blocks', [('K', 16_909_056), ('S', 47_973_888)])
def test_trainable_parameters_with_a_frozen_clip(form, blocks):
    path = (
        FINE_TUNING / 'tadaformer_clip-pretrained-base_1xb8-u16-20e_frozenclip-rgb.py'
    )
    _, model, wrapper = load(path, **{'model.backbone.form': form})
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    parts = {re.sub(r'\.layers\.\d+', '', name).split('.')[1] for name in trained}
    assert parts == ({'tada'} if form == 'K' else {'tada', 'tada2'}) | {'fc_cls'}
    groups = wrapper.optimizer.param_groups
    sizes = [p.numel() for group in groups for p in group['params']]
    assert sum(sizes) == blocks + (768 + 1) * 10
    lr = wrapper.optimizer.defaults['lr']
    assert [group['lr'] / lr for group in groups] == pytest.approx([10, 10])


@pytest.mark.parametrize('path', sorted(FINE_TUNING.glob('tadaformer*')))
def test_fine_tuning_configs_survive_a_dump(path, tmp_path):
    cfg = Config.fromfile(path)
    cfg.dump(tmp_path / 'config.py')
    assert Config.fromfile(tmp_path / 'config.py').to_dict() == cfg.to_dict()
