"""What does not fit a backbone is refused, with the keys to change."""

import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine import Config
from mmengine.runner import save_checkpoint
from parity import CONFIGS
from small_backbones import CASES, PARAMS, RESNETS, T, build, temporal_stages


@pytest.fixture(params=PARAMS)
def name(request):
    return request.param


@pytest.fixture(params=RESNETS)
def resnet(request):
    return request.param


def test_wrong_number_of_frames_names_the_keys(name):
    case = CASES[name]
    model = build(name)
    with pytest.raises(
        ValueError, match=r'num_segments=8.*; set .*(num_clips|clip_len)'
    ):
        model.backbone(torch.randn(12, 3, case.min_size, case.min_size))
    if case.takes_clips:
        with pytest.raises(ValueError, match='12 frames.*num_segments=8; set clip_len'):
            model.backbone(torch.randn(1, 3, 12, 32, 32))
    else:
        with pytest.raises(ValueError, match='set cls_head.num_segments'):
            model.cls_head(torch.randn(12, 512, 1, 1), 12)


def test_bad_arguments_name_the_keys(resnet):
    with pytest.raises(ValueError, match=r'backbone.depth=20 is none of \[18, 34'):
        build(resnet, depth=20)
    argument = CASES[resnet].stage_options[0]
    with pytest.raises(ValueError, match=f'backbone.{argument} names a stage'):
        build(resnet, **temporal_stages(resnet, 3, 4))
    with pytest.raises(ValueError, match='backbone.frozen_stages names a stage'):
        build(resnet, frozen_stages=5)


def test_checkpoints_of_another_network_are_refused(resnet, tmp_path):
    def save(model):
        save_checkpoint(dict(state_dict=model.state_dict()), str(tmp_path / 'x.pth'))

    def load(depth=18, segments=T, other=resnet):
        cfg = Config.fromfile(CONFIGS / f'_base_/models/{CASES[other].config}.py')
        cfg.model.backbone.update(
            CASES[other].small, depth=depth, num_segments=segments
        )
        cfg.model.cls_head.update(in_channels=2048 if depth == 50 else 512)
        return init_recognizer(cfg, str(tmp_path / 'x.pth'), device='cpu')

    save(build(resnet))
    with pytest.raises(ValueError, match='depth=34.* missing, .*depth=18 .now 34'):
        load(depth=34)
    if resnet in ('TANet', 'TIN'):  # the others have no tensor that depends on T
        with pytest.raises(
            ValueError, match='mismatched; set backbone.num_segments=8 .now 4.'
        ):
            load(segments=4)
    save(build(resnet, depth=34))
    with pytest.raises(ValueError, match='mismatched; set backbone.depth=34 .now 50.'):
        load(depth=50)
    save(build(resnet))
    for other in set(RESNETS) - {resnet}:
        with pytest.raises(ValueError, match=f'does not fit this {other} '):
            load(other=other)
