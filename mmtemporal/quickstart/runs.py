"""Training and testing a network on the motion clips by MMAction2's own scripts."""

import sys
from pathlib import Path
from typing import Optional

import torch
from mmengine import Config
from mmengine.utils import digit_version

from .results import Run
from .screen import Screen


def make_settings(recipe: Path, data: Path, epochs: Optional[int] = None) -> Config:
    """Return the whole config of a run.

    Args:
        recipe: Config of the network for the motion clips.
        data: Folder of the clips.
        epochs: Number of epochs instead of that of the recipe.
    """
    cfg = Config.fromfile(recipe)
    data = data.resolve()
    for name in ('train', 'val', 'test'):
        dataset = cfg[f'{name}_dataloader'].dataset
        dataset.ann_file = str(data / Path(dataset.ann_file).name)
        dataset.data_prefix.video = str(data)
    if epochs is not None:
        cfg.train_cfg.max_epochs = epochs
        cfg.param_scheduler[-1].end = epochs
    # A sixth of the time of an iteration. Older versions have it for GPUs alone.
    cfg.optim_wrapper.optimizer.fused = digit_version(torch.__version__) >= (
        digit_version('2.4')
    )
    return cfg


def prepare(run: Run, cfg: Config) -> None:
    """Write the settings of a run beside its folder, or find them there.

    Raises:
        SystemExit: The folder holds something else.
    """
    folder = run.folder
    if run.config.exists():
        difference = Config.diff(str(run.config), cfg).strip()
        if difference:
            raise SystemExit(
                f'{folder} holds a run with other settings:\n{difference}\n'
                f'Give another --work-dir, or delete {folder} and {run.config}.'
            )
    elif folder.exists() and any(folder.iterdir()):
        raise SystemExit(
            f'{folder} holds files of something else. Give another --work-dir.'
        )
    else:
        folder.mkdir(parents=True, exist_ok=True)
        cfg.dump(run.config)


def train_and_test(run: Run, screen: Screen) -> None:
    """Run the stock scripts as far as their files are missing."""
    if run.predictions.exists():
        screen.title(f'{run.method}: trained and tested already')
        return
    tools = (sys.executable, '-m', 'mmtemporal.tools')
    folder = ('--work-dir', run.folder)
    if not run.last.exists():
        epochs = Config.fromfile(run.config).train_cfg.max_epochs
        screen.title(f'{run.method}: training')
        screen.run(*tools, 'train', run.config, *folder, '--resume', epochs=epochs)
    screen.title(f'{run.method}: testing')
    screen.run(
        *(*tools, 'test', run.config, run.last, *folder, '--dump', run.predictions)
    )
