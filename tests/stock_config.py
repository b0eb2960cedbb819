"""Small runs of the stock tools: the shipped configs, cut down, and subprocesses."""

import json
import os
import subprocess
import sys

import torch
from forked import run_tools
from mmaction.apis import init_recognizer
from mmaction.structures import ActionDataSample
from mmengine import Config
from network_names import OF_FRAMES, WITH_RECIPE
from parity import CONFIGS
from torch import nn

from mmtemporal.config_types import is_type
from mmtemporal.networks import NETWORKS

# Those that take single frames, and all.
FRAME_METHODS, METHODS = OF_FRAMES, WITH_RECIPE
T = 4
# The least multiple of 4 that TDN takes.
SIZE = 36
NUM_CLASSES = 8
NUM_TRAIN, NUM_VAL, BATCH = 16, 8, 4
ITERATIONS = NUM_TRAIN // BATCH


def shipped_config(name):
    """Find the shipped config that trains a backbone on the motion clips."""
    return CONFIGS / 'recognition' / f'{NETWORKS[name].recipe}.py'


def small_config(name, data_root, workers=0):
    """Shrink the shipped config: few and small frames, one epoch, one file."""
    cfg = Config.fromfile(shipped_config(name))
    cfg.merge_from_dict(
        {
            'model.backbone.num_segments': T,
            'model.cls_head.dropout_ratio': 0.0,
            'train_cfg.max_epochs': 1,
            'default_hooks.logger.interval': 1,
            'default_hooks.checkpoint': dict(save_best=None, max_keep_ckpts=1),
            'randomness.seed': 0,
        }
    )
    if NETWORKS[name].patch:
        cfg.model.backbone.img_size = SIZE
        cfg.model.backbone.arch.patch_size = NETWORKS[name].patch
    if 'num_segments' in cfg.model.cls_head:
        cfg.model.cls_head.num_segments = T
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.batch_size = BATCH
        loader.num_workers = workers
        loader.persistent_workers = workers > 0
        file = 'train' if split == 'train' else 'val'
        loader.dataset.ann_file = str(data_root / f'{file}.txt')
        loader.dataset.data_prefix = dict(video=str(data_root))
        _shrink(loader.dataset.pipeline)
    # The name under which inference looks for it.
    _shrink(cfg.test_pipeline)
    return cfg


def _shrink(pipeline):
    for transform in pipeline:
        if is_type(transform, 'SampleFrames', 'SampleWindows'):
            transform.num_clips = T
        elif is_type(transform, 'UniformSample'):
            transform.clip_len = T
        elif transform.type == 'Resize':
            transform.scale = (SIZE, SIZE)


def build_small(name, data_root, **head):
    """Build the small recognizer, also with another head; the weights are random."""
    cfg = small_config(name, data_root)
    if head:
        cfg.model.pop('cls_head')
        cfg.merge_from_dict({'model.cls_head': head})
    torch.manual_seed(0)
    model = init_recognizer(cfg, device='cpu')
    for parameter in model.cls_head.parameters():
        nn.init.normal_(parameter)
    return model


def make_data(videos=2, clips=1):
    torch.manual_seed(1)
    shape = (clips * T, 3, SIZE, SIZE)
    return dict(
        inputs=[torch.randint(256, shape, dtype=torch.uint8) for _ in range(videos)],
        data_samples=[ActionDataSample().set_gt_label(i) for i in range(videos)],
    )


def run_python(*arguments, pythonpath=(), check=True):
    """Run the interpreter; a failure shows what the process wrote last."""
    environ = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join(map(str, (CONFIGS.parent, *pythonpath))),
        'OMP_NUM_THREADS': '1',
    }
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if check:
        assert done.returncode == 0, done.stderr[-4000:]
    return done


def run_tool(*arguments, fresh=False, pythonpath=(), check=True):
    """Run a stock tool, as a user does or, which is faster, in a fork."""
    if fresh:
        command = ('-m', 'mmtemporal.tools', *arguments)
        return run_python(*command, pythonpath=pythonpath, check=check)
    (done,) = run_tools(arguments, pythonpath=pythonpath)
    if check:
        assert done.returncode == 0, done.stderr[-4000:]
    return done


def logged(work_dir):
    """Return the records that the last run in a folder wrote, oldest first."""
    file = sorted(work_dir.glob('*/vis_data/scalars.json'))[-1]
    return [json.loads(line) for line in file.read_text().splitlines()]


def train_records(work_dir):
    return [record for record in logged(work_dir) if 'loss' in record]
