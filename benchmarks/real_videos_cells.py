"""The cells of real_videos.py: a recipe each, and what some of them change in it."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from mmengine import Config

RECOGNITION = Path(__file__).resolve().parents[1] / 'configs' / 'recognition'
NETWORKS = {
    'r18': 'ResNet-18, from scratch',
    'mobilenetv2': 'MobileNetV2, from ImageNet',
    'efficientnetlite0': 'EfficientNet-Lite0, from ImageNet',
}
METHODS = {
    'tsn': 'TSN',
    'tsm': 'TSM',
    'tam': 'TAM',
    'tin': 'TIN',
    'tdn': 'TDN',
    'tada': 'TAdaConv',
}
# TANet and TAda2D are TAM and TAdaConv in a ResNet; other networks have a part of TDN.
TITLES_IN_RESNET = {'tam': 'TAM (TANet)', 'tada': 'TAdaConv (TAda2D)'}
TITLES_IN_OTHERS = {'tdn': "TDN's long-term module"}
SEEDS = (0, 1, 2)
OTHER_NAMES = {'tanet': 'tam', 'tada2d': 'tada'}
# What decides how a network is trained and tested.
DECISIVE = (
    *('model', 'train_dataloader', 'test_dataloader', 'train_cfg'),
    *('optim_wrapper', 'param_scheduler', 'custom_hooks'),
)


@dataclass(frozen=True)
class Cell:
    """What is trained with several seeds.

    Args:
        name: Such as 'tam-mobilenetv2', or 'tam-mobilenetv2-4-frames'.
        recipe: The config.
        options: What the cell changes in it, as ``--cfg-options`` has it.
    """

    name: str
    recipe: Path
    options: dict = field(default_factory=dict)

    @property
    def method(self) -> str:
        return self.name.split('-')[0]

    @property
    def network(self) -> str:
        return self.name.split('-')[1]

    @property
    def change(self) -> str:
        """What is changed, '' if nothing is."""
        return '-'.join(self.name.split('-')[2:])

    @property
    def title(self) -> str:
        """How the method is called in this network."""
        own = TITLES_IN_RESNET if self.network == 'r18' else TITLES_IN_OTHERS
        return own.get(self.method, METHODS[self.method])

    def settings(self, seed: int) -> Config:
        """Return the whole config of a run."""
        cfg = Config.fromfile(self.recipe)
        cfg.merge_from_dict({**self.options, 'randomness.seed': seed})
        return cfg

    @property
    def digest(self) -> str:
        """Return what tells results of these settings from those of others."""
        cfg = self.settings(0)
        values = {key: cfg.get(key) for key in DECISIVE}
        text = json.dumps(values, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _find_recipes() -> dict[str, Cell]:
    cells = {}
    for path in RECOGNITION.glob('*/*_utdmhad-depth.py'):
        method, start = path.stem.split('_')[:2]
        method = OTHER_NAMES.get(method, method)
        name = f'{method}-{start.split("-")[-1]}'
        cells[name] = Cell(name, path)
    return {
        f'{method}-{network}': cells[f'{method}-{network}']
        for network in NETWORKS
        for method in METHODS
    }


def _frames(number: int) -> dict:
    step = 'dataset.pipeline.1.num_clips'
    return {
        f'train_dataloader.{step}': number,
        f'val_dataloader.{step}': number,
        f'test_dataloader.{step}': number,
        'model.backbone.num_segments': number,
    }


def _size(width: int, height: int) -> dict:
    return {
        f'{split}_dataloader.dataset.pipeline.{step}.scale': (width, height)
        for split, step in (('train', 4), ('val', 3), ('test', 3))
    }


def _epochs(number: int) -> dict:
    return {'train_cfg.max_epochs': number, 'param_scheduler.1.end': number}


def _rate(names: str, factor: float) -> dict:
    return {f'optim_wrapper.paramwise_cfg.custom_keys.{names}.lr_mult': factor}


RECIPES = _find_recipes()
# One change at a time, for the advice of the fine-tuning guide.
CHANGES = {
    'tam-mobilenetv2': {
        'layers-lr-x5': _rate('temporal', 5),
        'frozen-half': {'model.backbone.backbone.frozen_stages': 4},
        '4-frames': _frames(4),
        '32x48-pixels': _size(32, 48),
        '24-epochs': _epochs(24),
        'no-imagenet': {'model.backbone.backbone.pretrained': None},
    },
    'tdn-mobilenetv2': {
        'and-shift': {
            'model.backbone.temporal': [
                dict(type='LongTermTDM'),
                dict(type='TemporalShift'),
            ]
        }
    },
    'tam-r18': {'layers-lr-x10': _rate('tam', 10)},
}
CELLS = {
    **RECIPES,
    **{
        f'{name}-{change}': Cell(f'{name}-{change}', RECIPES[name].recipe, options)
        for name, changes in CHANGES.items()
        for change, options in changes.items()
    },
}
