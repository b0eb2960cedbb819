"""Configs of MMAction2's zoo, cut down, and what a user does with them first."""

from copy import deepcopy
from pathlib import Path

import cv2
import mmaction
import numpy as np
import torch
from mmaction.registry import METRICS, MODELS
from mmaction.utils import register_all_modules
from mmengine import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope

REPOSITORY = Path(__file__).parents[1]
ZOO = Path(mmaction.__file__).parent / '.mim/configs'
SIZE = 36  # the smallest multiple of 4 that TDN takes
LENGTH = 40
_R50 = 'imagenet-pretrained-r50'

# One of each family, and the kinds of input that occur: its config, and what makes its
# backbone small.
CONFIGS = {
    'tsn': (f'tsn/tsn_{_R50}_8xb32-1x1x8-100e_kinetics400-rgb', {}),
    'tsn flow': (f'tsn/tsn_{_R50}_8xb32_5x1x3-110e_kinetics400-flow', {}),
    'tsm': (f'tsm/tsm_{_R50}_8xb16-1x1x8-50e_sthv2-rgb', {}),
    'tsm dense': (f'tsm/tsm_{_R50}_8xb16-dense-1x1x8-50e_kinetics400-rgb', {}),
    'tsm non-local': (
        f'tsm/tsm_{_R50}-nl-gaussian_8xb16-1x1x8-50e_kinetics400-rgb',
        {},
    ),
    'tsm mobilenet': (
        'tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb',
        {},
    ),
    'trn': (f'trn/trn_{_R50}_8xb16-1x1x8-50e_sthv1-rgb', {}),
    'tpn of tsm': (f'tpn/tpn-tsm_{_R50}_8xb8-1x1x8-150e_sthv1-rgb', {}),
    'tanet': (f'tanet/tanet_{_R50}_8xb8-1x1x8-50e_sthv1-rgb', {}),
    'tin': (f'tin/tin_{_R50}_8xb6-1x1x8-40e_sthv1-rgb', {}),
    'c2d': ('c2d/c2d_r50-in1k-pre_8xb32-8x8x1-100e_kinetics400-rgb', {}),
    'c2d of frames': (
        'c2d/c2d_r50-in1k-pre-nopool_8xb32-8x8x1-100e_kinetics400-rgb',
        {},
    ),
    'c3d': (
        'c3d/c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb',
        dict(out_dim=512 * 4),
    ),
    'csn': (
        'csn/ircsn_ig65m-pretrained-r50-bnfrozen_8xb12-32x2x1-58e_kinetics400-rgb',
        {},
    ),
    'i3d': (f'i3d/i3d_{_R50}_8xb8-32x2x1-100e_kinetics400-rgb', {}),
    'i3d non-local': (
        f'i3d/i3d_{_R50}-nl-gaussian_8xb8-32x2x1-100e_kinetics400-rgb',
        {},
    ),
    'r2plus1d': ('r2plus1d/r2plus1d_r34_8xb8-32x2x1-180e_kinetics400-rgb', {}),
    'slowfast': ('slowfast/slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb', {}),
    'slowonly': ('slowonly/slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb', {}),
    'slowonly flow': (
        'slowonly/slowonly_r50_8xb16-16x4x1-256e_kinetics400-flow',
        {},
    ),
    'tpn of slowonly': (f'tpn/tpn-slowonly_{_R50}_8xb8-8x8x1-150e_kinetics400-rgb', {}),
    'x3d': ('x3d/x3d_s_13x6x1_facebook-kinetics400-rgb', {}),
    'mvit': (
        'mvit/mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb',
        dict(spatial_size=64),
    ),
    'swin': (
        'swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb',
        dict(
            arch=dict(embed_dims=96, depths=[1, 1, 1, 1], num_heads=[3, 6, 12, 24]),
            pretrained2d=False,
        ),
    ),
    'timesformer': (
        'timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb',
        dict(img_size=32, num_transformer_layers=2),
    ),
    'timesformer joint': (
        'timesformer/timesformer_jointST_8xb8-8x32x1-15e_kinetics400-rgb',
        dict(img_size=32, num_transformer_layers=2),
    ),
    'timesformer space': (
        'timesformer/timesformer_spaceOnly_8xb8-8x32x1-15e_kinetics400-rgb',
        dict(img_size=32, num_transformer_layers=2),
    ),
    'uniformer': (
        'uniformer/uniformer-small_imagenet1k-pre_16x4x1_kinetics400-rgb',
        dict(depth=[1, 1, 1, 1]),
    ),
    'uniformerv2': (
        'uniformerv2/uniformerv2-base-p16-res224_clip-kinetics710-pre_8xb32-u8_kinetics400-rgb',
        dict(
            clip_pretrained=False,
            layers=4,
            return_list=[0, 1, 2, 3],
        ),
    ),
    'videomae': (
        'videomae/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400',
        dict(img_size=32, depth=2),
    ),
    'videomae v2': (
        'videomaev2/vit-small-p16_videomaev2-vit-g-dist-k710-pre_16x4x1_kinetics-400',
        dict(img_size=32, depth=2),
    ),
}
# Sizes of images where it is not any that fits.
SIZES = {
    'c2d': 72,  # one pool more than the others
    'mvit': 64,
    'uniformerv2': 224,
    **dict.fromkeys(
        [
            *('timesformer', 'timesformer joint', 'timesformer space'),
            *('videomae', 'videomae v2', 'c3d'),
        ],
        32,
    ),
}


def page_lines(page):
    """Return the first config in a page, which its readers copy."""
    return (REPOSITORY / page).read_text().split('```python\n')[1].split('```')[0]


def replace(lines, *pairs):
    for old, new in pairs:
        assert old in lines
        lines = lines.replace(old, new)
    return lines


def path_of(name):
    return ZOO / 'recognition' / f'{CONFIGS[name][0]}.py'


def read_config(lines, folder):
    """Return the config that a user's file with these lines is."""
    file = folder / 'config.py'
    file.write_text(lines)
    return Config.fromfile(file)


def make_small(cfg, size=SIZE):
    """Shrink images and views, and take out what needs files or other libraries."""
    _remove_files(cfg.model)
    in_time = cfg.model.type == 'Recognizer3D'
    for split in ('train', 'val', 'test'):
        key = f'{split}_pipeline'
        # Some have no more than a pipeline for testing.
        steps = deepcopy(cfg.get(key) or cfg.test_pipeline)
        cfg[key] = [_shrink(step, size) for step in steps if _runs(step)]
        for step in cfg[key]:
            if in_time and 'num_clips' in step:
                step['num_clips'] = 2 if split == 'test' else 1
            if split != 'test' and step['type'] == 'ThreeCrop':
                step['type'] = 'CenterCrop'
    return cfg


def shrink_backbone(cfg, name):
    cfg.model.backbone.backbone.update(CONFIGS[name][1])
    if name == 'c3d':  # which takes images of one size
        cfg.model.backbone.image_size = SIZES[name]


def _remove_files(cfg):
    for key, value in list(cfg.items()):
        if isinstance(value, dict):
            _remove_files(value)
        elif key == 'pretrained' and isinstance(value, str):
            cfg[key] = None
    if cfg.get('init_cfg', {}) and cfg.get('init_cfg', {}).get('checkpoint'):
        cfg.pop('init_cfg')


def _runs(step):
    return step['type'] not in ('PytorchVideoWrapper', 'ImgAug')


def _shrink(step, size):
    if step['type'] == 'Resize':
        step['scale'] = (-1, size) if step['scale'][0] == -1 else (size, size)
    elif step['type'] == 'RandomRescale':
        step['scale_range'] = (size, size + 4)
    elif step['type'] == 'DenseSampleFrames':
        step['num_sample_positions'] = 2
    for key in ('crop_size', 'size'):
        if key in step:
            step[key] = size
    if 'input_size' in step:
        step['input_size'] = size
    return step


class Videos:
    """One video as a file, as a folder of frames, and as one of optical flow."""

    def __init__(self, folder):
        self.folder = folder
        rng = np.random.default_rng(0)
        shape = (LENGTH, 128, 128, 3)
        frames = rng.integers(0, 256, shape, np.uint8)
        self.file = str(folder / 'video.mp4')
        fourcc = cv2.VideoWriter_fourcc(*'mp4v')
        writer = cv2.VideoWriter(self.file, fourcc, 25, shape[2:0:-1])
        for i, frame in enumerate(frames, 1):
            writer.write(frame)
            for name in ('img', 'x', 'y'):
                cv2.imwrite(str(folder / f'{name}_{i:05}.jpg'), frame)

    def read(self, cfg, split):
        """Return a batch, as the pipeline of a split makes it."""
        flow = len(cfg.model.data_preprocessor.mean) != 3
        sample = dict(filename=self.file, start_index=0, modality='RGB', label=1)
        if any(step['type'] == 'RawFrameDecode' for step in cfg.test_pipeline):
            sample.update(
                frame_dir=str(self.folder),
                total_frames=LENGTH,
                filename_tmpl='{}_{:05}.jpg' if flow else 'img_{:05}.jpg',
                modality='Flow' if flow else 'RGB',
                start_index=1,
            )
        number = 2 if split == 'train' else 1
        pipeline = Compose(cfg[f'{split}_pipeline'])
        return pseudo_collate([pipeline(dict(sample)) for _ in range(number)])


def build(cfg):
    register_all_modules()
    init_default_scope('mmaction')
    return MODELS.build(cfg.model)


def train(model, cfg, videos):
    """Train two iterations, in which every parameter has to get a gradient."""
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=1e-4
    )
    model.train()
    for _ in range(2):
        data = model.data_preprocessor(videos.read(cfg, 'train'), training=True)
        losses = model(**data, mode='loss')
        loss, _ = model.parse_losses(losses)
        assert loss.isfinite()
        optimizer.zero_grad()
        loss.backward()
        named = model.named_parameters()
        assert not [n for n, p in named if p.requires_grad and p.grad is None]
        optimizer.step()


def score(model, cfg, videos, split):
    """Validate or test on one video, with the metric of the config."""
    data = videos.read(cfg, split)
    with torch.no_grad():
        (sample,) = model.eval().val_step(data)
    assert sample.pred_score.shape == (model.cls_head.num_classes,)
    assert sample.pred_score.isfinite().all()
    metric = METRICS.build(cfg.get(f'{split}_evaluator') or dict(type='AccMetric'))
    metric.process(None, [sample.to_dict()])
    assert 0 <= metric.evaluate(1)['acc/top1'] <= 1
