"""What a run reached, from the files that MMAction2's scripts write."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from mmengine import Config
from mmengine.fileio import load

from mmtemporal.datasets import CLASS_NAMES, MIRRORED_LABELS

HEADINGS = (
    'method',
    'top-1',
    'top-1 within mirrored pairs',
    'parameters',
    'seconds per iteration',
)


def cells(row: dict) -> tuple[str, ...]:
    """Return a row of the table as it is written."""
    return (
        row['method'],
        f'{row["top1"]:.1%}',
        f'{row["within_pair"]:.1%}',
        f'{row["parameters"]:,}',
        f'{row["seconds"]:.2f}',
    )


@dataclass
class Run:
    """A network that was trained and tested on the motion clips.

    Attributes:
        method: Name of the network, such as 'tanet'.
        folder: Folder of the run.
    """

    method: str
    folder: Path

    @property
    def config(self) -> Path:
        """The whole config, beside the folder.

        Inside, the training script puts a copy of its own under the same name.
        """
        return self.folder.with_suffix('.py')

    @property
    def predictions(self) -> Path:
        """Scores of the test."""
        return self.folder / 'predictions.pkl'

    @property
    def last(self) -> Path:
        """Checkpoint of the last epoch."""
        epochs = Config.fromfile(self.config).train_cfg.max_epochs
        return self.folder / f'epoch_{epochs}.pth'

    @cached_property
    def labels(self) -> np.ndarray:
        """The true label of each test clip."""
        return np.array([int(sample['gt_label']) for sample in self._samples])

    @cached_property
    def scores(self) -> np.ndarray:
        """The scores of the test clips, (clips, classes)."""
        return np.stack([sample['pred_score'].numpy() for sample in self._samples])

    @cached_property
    def _samples(self) -> list[dict]:
        return load(self.predictions)

    def row(self) -> dict:
        """Return a row of the table."""
        clips, mirrored = np.arange(len(self.labels)), np.array(MIRRORED_LABELS)
        own = self.scores[clips, self.labels]
        reversed_ = self.scores[clips, mirrored[self.labels]]
        return dict(
            method=self.method,
            top1=float((self.scores.argmax(1) == self.labels).mean()),
            # Over the two classes of a pair alone.
            within_pair=float((own > reversed_).mean()),
            parameters=self.count_parameters(),
            seconds=self._seconds_per_iteration(),
        )

    def confusion(self) -> np.ndarray:
        """Return how many clips of a class (row) were taken for another (column)."""
        counts = np.zeros((len(CLASS_NAMES),) * 2, int)
        np.add.at(counts, (self.labels, self.scores.argmax(1)), 1)
        return counts

    def curves(self) -> tuple[list, list]:
        """Return (epoch, loss) and (epoch, top-1) points of the training.

        Of an epoch that was repeated after an interruption, the last counts.
        """
        losses, accuracies = {}, {}
        steps = self._steps_of_an_epoch()
        for record in self._records():
            if 'loss' in record:
                losses[record['step']] = record['loss']
            elif 'acc/top1' in record:
                accuracies[record['step']] = record['acc/top1']
        losses = [(step / steps, loss) for step, loss in sorted(losses.items())]
        return losses, sorted(accuracies.items())

    def _steps_of_an_epoch(self) -> float:
        last = max(
            (record for record in self._records() if 'loss' in record),
            key=lambda record: record['step'],
        )
        return last['step'] / last['epoch']

    def _records(self) -> list[dict]:
        """Return what was logged, in the order of the trainings."""
        logs = sorted(self.folder.glob('*/vis_data/scalars.json'))
        return [json.loads(line) for log in logs for line in log.open()]

    def count_parameters(self) -> int:
        """Return the number of weights, frozen ones too."""
        state_dict = torch.load(self.last, map_location='cpu')['state_dict']
        buffers = ('running_mean', 'running_var', 'num_batches_tracked')
        return sum(v.numel() for k, v in state_dict.items() if not k.endswith(buffers))

    def _seconds_per_iteration(self) -> float:
        """Return the median of the logged times, which spares the slow first one."""
        times = [record['time'] for record in self._records() if 'loss' in record]
        return float(np.median(times))
