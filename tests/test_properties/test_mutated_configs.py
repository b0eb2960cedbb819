"""A config with a mistake builds and runs, or its error names the key.

The mistakes are those that users make: a text for a number, a list that is too long,
an index that is not there, a key with a typo. What only MMAction2 reads is left out.
"""

import random
from collections import Counter
from copy import deepcopy
from functools import lru_cache

import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmaction.structures import ActionDataSample
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mutated_configs import Mutant, mutants
from small_configs import CONFIGS
from torch import nn

NUMBER = 560
SIZE = 36  # the least multiple of 4 that TDN takes
VIDEOS = 2


@pytest.fixture(autouse=True, scope='module')
def quiet():
    MMLogger.get_instance('mutated configs', log_level='ERROR')
    init_default_scope('mmaction')


@lru_cache
def drawn():
    everything = [mutant for family in CONFIGS for mutant in mutants(family)]
    return random.Random(NUMBER).sample(everything, NUMBER)


def make_clips(mutant):
    t = mutant.frames
    if mutant.cfg['type'] == 'Recognizer3D':
        return torch.randn(VIDEOS, 1, 3, t, SIZE, SIZE)
    rows = 5 * t if mutant.family == 'TDN' else t
    return torch.randn(VIDEOS, rows, 3, SIZE, SIZE)


def run_model(mutant):
    """Train and test once; return the loss and the scores."""
    model = MODELS.build(deepcopy(mutant.cfg))
    model.init_weights()
    clips = make_clips(mutant)
    samples = [ActionDataSample().set_gt_label(i) for i in range(VIDEOS)]
    loss = model(clips, samples, mode='loss')['loss_cls']
    loss.backward()
    model.eval()
    with torch.no_grad():
        samples = model(clips, samples, mode='predict')
    return torch.stack([loss, *(sample.pred_score.sum() for sample in samples)])


def run_optimizer(mutant):
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 1))
    optimizer = build_optim_wrapper(model, deepcopy(mutant.cfg))
    optimizer.update_params(model(torch.randn(8, 4)).square().mean())
    return torch.cat([parameter.flatten() for parameter in model.parameters()])


def run_transform(mutant):
    video = dict(total_frames=40, start_index=0, avg_fps=25.0)
    frames = TRANSFORMS.build(deepcopy(mutant.cfg))(video)['frame_inds']
    assert len(frames) and 0 <= frames.min() and frames.max() < 40
    return torch.as_tensor(frames, dtype=torch.float32)


def run(mutant):
    if mutant.family == 'optimizer':
        return run_optimizer(mutant)
    return (run_model if 'backbone' in mutant.cfg else run_transform)(mutant)


@pytest.mark.parametrize('family', CONFIGS)
def test_without_a_mistake(family):
    assert run(Mutant(family, CONFIGS[family], 'none', ())).isfinite().all()


def test_no_family_is_left_out():
    number = Counter(mutant.family for mutant in drawn())
    assert number.keys() == CONFIGS.keys() and min(number.values()) >= 5
    assert sum(number.values()) == NUMBER


@pytest.mark.parametrize('family', CONFIGS)
def test_with_a_mistake(family):
    unnamed = []
    for mutant in drawn():
        if mutant.family != family:
            continue
        try:
            result = run(mutant)
        except Exception as error:
            if not any(name in str(error) for name in mutant.names):
                unnamed.append(f'{mutant.mistake}: {error!r}')
        else:
            if not result.isfinite().all():
                unnamed.append(f'{mutant.mistake}: not finite')
    assert not unnamed, '\n'.join(unnamed)


MESSAGES = [
    (
        'TANet',
        'backbone.num_segments',
        '8',
        "got backbone.num_segments='8', expected at",
    ),
    (
        'TANet',
        'backbone.strides',
        (1,),
        r'\(1,\), .* for each of backbone.num_stages=2',
    ),
    (
        'TANet',
        'backbone.out_indices',
        (2,),
        r'got \(2,\), the network has num_stages=2',
    ),
    (
        'TANet',
        'backbone.out_indices',
        (0, 1),
        'of one stage, got 2; set backbone.out_in',
    ),
    ('TANet', 'backbone.tam_cfg', 3, 'got backbone.tam_cfg=3, expected a dict'),
    ('TANet', 'backbone.tam_cfg.beta', 0, 'got tam_cfg.beta=0, expected at least 1'),
    (
        'TANet',
        'backbone.pretrained',
        3,
        'pretrained must be the name of a file .* got 3',
    ),
    (
        'TANet',
        'cls_head.in_channels',
        64,
        '128 channels, not of .*set cls_head.in_chan',
    ),
    (
        'TANet',
        'cls_head.num_segments',
        8,
        '2 videos make 1 clips; set .*cls_head.num_se',
    ),
    ('TANet', 'cls_head.dropout_ratio', 1, 'got cls_head.dropout_ratio=1, expected at'),
    (
        'TIN',
        'backbone.tin_cfg.offset_scale',
        'x',
        "offset_scale='x', expected a number",
    ),
    ('TDN', 'backbone.fusion', (0.5,), r'got backbone.fusion=\(0.5,\), expected 2 num'),
    ('TDN', 'backbone.shift_stages', 2, 'shift_stages=2, expected a list of stages'),
    ('TAda2D', 'backbone.routing.reduction', -1, 'got routing.reduction=-1, expected'),
    (
        'TAdaConvNeXtV2',
        'backbone.arch.head_dim',
        3,
        'is no multiple of routing.head_dim',
    ),
    (
        'TAdaFormer',
        'backbone.arch.patch_size',
        8,
        r'img_size=36, expected at least 1, a multiple of 8 \(backbone.arch.patch_size',
    ),
    ('TAdaFormer', 'backbone.img_size', 40, '36 x 36 pixels.*backbone.img_size=.40'),
    ('adapter with TAM', 'backbone.where', [], r'backbone.where must be .*, got \[\]'),
    ('adapter with TAM', 'backbone.backbone', 'ResNet', "config of .*, got 'ResNet'"),
]


@pytest.mark.parametrize(('family', 'key', 'value', 'message'), MESSAGES)
def test_what_errors_say(family, key, value, message):
    *owners, name = key.split('.')
    cfg = deepcopy(CONFIGS[family])
    owner = cfg
    for part in owners:
        owner = owner[part]
    owner[name] = value
    with pytest.raises(ValueError, match=message):
        run(Mutant(family, cfg, key, ()))


@pytest.mark.parametrize('mode', ['loss', 'predict'])
def test_regrouped_frames_are_noticed(mode):
    model = MODELS.build(deepcopy(CONFIGS['TANet']))
    samples = [ActionDataSample().set_gt_label(0) for _ in range(VIDEOS)]
    # Twelve frames, which three clips have, too.
    with pytest.raises(
        ValueError, match='the frames of 2 videos make 3 clips; set num'
    ):
        model(torch.randn(VIDEOS, 6, 3, SIZE, SIZE), samples, mode=mode)


def test_a_first_stage_without_a_stride():
    cfg = deepcopy(CONFIGS['TAda2D'])
    cfg['backbone']['strides'] = (1, 2)
    assert run(Mutant('TAda2D', cfg, 'none', ())).isfinite().all()
