"""Runs of the quick start without a training, for the tests of what comes after it."""

import json

import numpy as np
import torch
from mmaction.registry import MODELS
from mmaction.utils import register_all_modules
from mmengine import dump
from parity import CONFIGS

from mmtemporal.datasets import MIRRORED_LABELS
from mmtemporal.networks import BASELINE_RECIPE, NETWORKS
from mmtemporal.quickstart.results import Run
from mmtemporal.quickstart.runs import make_settings, prepare

RECIPES = {
    recipe.split('/')[0]: CONFIGS / 'recognition' / f'{recipe}.py'
    for recipe in (BASELINE_RECIPE, *(n.recipe for n in NETWORKS.values() if n.recipe))
}
EPOCHS = 3
STEPS = 40


def make_run(folder, method, data, num_clips, skill=3.0):
    """Write the files of a run: of a new network, with scores that are drawn.

    Args:
        folder: Folder of all runs.
        method: Name of the network.
        data: Folder of the motion clips.
        num_clips: Number of those for testing.
        skill: How far the score of the true class is above the others. That of its
            reversal is two thirds as far.
    """
    register_all_modules()
    run = Run(method, folder / method)
    cfg = make_settings(RECIPES[method], data, EPOCHS)
    prepare(run, cfg)
    weights = dict(state_dict=MODELS.build(cfg.model).state_dict())
    for name in (f'epoch_{EPOCHS}.pth',):
        torch.save(weights, run.folder / name)

    logits = np.random.default_rng(0).normal(size=(num_clips, len(MIRRORED_LABELS)))
    labels = np.arange(num_clips) % len(MIRRORED_LABELS)
    logits[np.arange(num_clips), labels] += skill
    logits[np.arange(num_clips), labels ^ 1] += skill * 2 / 3
    scores = torch.from_numpy(logits).softmax(1)
    samples = [
        dict(gt_label=torch.tensor([label]), pred_score=score)
        for label, score in zip(labels, scores)
    ]
    dump(samples, str(run.predictions))
    _write_log(run, 'first', 1, EPOCHS)
    return run


def _write_log(run, name, first, last):
    """Write what mmengine writes, of the epochs from the first to the last one."""
    lines = []
    for epoch in range(first, last + 1):
        for step in range((epoch - 1) * STEPS + 20, epoch * STEPS + 1, 20):
            record = dict(loss=2 / step**0.5, time=0.1 * epoch, epoch=epoch, step=step)
            lines.append(dict(record, iter=step))
        lines.append({'acc/top1': epoch / (last + 1), 'time': 9, 'step': epoch})
    log = run.folder / name / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text(''.join(json.dumps(line) + '\n' for line in lines))
