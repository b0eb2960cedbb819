"""Draw the picture of the home page: a clip and its reversal, scored by two networks.

bash tools/quickstart.sh --methods tsn tanet
python benchmarks/front_picture.py results/front.png
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from mmaction.apis import init_recognizer

from mmtemporal.datasets import CLASS_NAMES, MIRRORED_LABELS
from mmtemporal.datasets.read_video import read_video
from mmtemporal.visualization.clip import collect, look_at
from mmtemporal.visualization.style import (
    COLOURS,
    SEQUENTIAL,
    from_zero,
    show_matrix,
    show_strip,
    style,
)


def load(work_dir, method):
    """Return the network that the quick start trained last."""
    folder = work_dir / method
    (checkpoint,) = folder.glob('epoch_*.pth')
    config = str(folder / f'{method}.py')
    return init_recognizer(config, str(checkpoint), device='cpu')


def score(model, video):
    with torch.no_grad():
        (result,) = model.test_step(read_video(model.cfg, video))
    return result.pred_score.numpy()


def pair_of(scores):
    """Return the label with the highest score and that of its reversal, in order."""
    label = int(scores.argmax())
    return sorted((label, MIRRORED_LABELS[label]))


def draw_scores(axis, scores, labels):
    values = [float(scores[label]) for label in labels]
    axis.barh([CLASS_NAMES[label] for label in labels], values, color=COLOURS[:2])
    for row, value in enumerate(values):
        axis.text(value + 0.03, row, f'{value:.2f}', va='center')
    axis.set(xlim=(0, 1.3), xticks=[], ylim=(2.1, -1.1))
    axis.spines[['left', 'bottom']].set_visible(False)
    axis.tick_params(left=False)


def draw(tsn, tanet, videos):
    clips = [look_at(tanet, video) for video in videos]
    (matrices,) = collect(clips, 'matrix', stages=1).values()
    means = [matrix.mean(0) for matrix in matrices]
    labels = pair_of(score(tanet, videos[0]))
    figure = Figure((12, 3.2), layout='constrained')
    axes = figure.subplots(2, 4, width_ratios=(7, 1.4, 2, 1.4))
    for row, clip, matrix, video in zip(axes, clips, means, videos):
        show_strip(row[0], np.asarray(clip.frames), aspect='equal')
        draw_scores(row[1], score(tsn, video), labels)
        image = show_matrix(row[2], matrix, from_zero(means), SEQUENTIAL)
        row[2].set(aspect='equal', xticks=[], yticks=[], ylabel='output frame')
        draw_scores(row[3], score(tanet, video), labels)
    axes[0, 0].set_title('a clip', loc='left')
    axes[1, 0].set_title('the same frames backwards', loc='left')
    titles = ('TSN: scores', 'TANet: mixing matrix', 'TANet: scores')
    for axis, title in zip(axes[0, 1:], titles):
        axis.set_title(title)
    axes[1, 2].set_xlabel('input frame')
    figure.colorbar(image, ax=axes[:, 2], label='weight', aspect=30)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out', type=Path)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/quickstart'))
    parser.add_argument('--data', type=Path, default=Path('data/motion_clips'))
    args = parser.parse_args()
    networks = [load(args.work_dir, method) for method in ('tsn', 'tanet')]
    videos = [args.data / 'val' / f'{number:06}.mp4' for number in (0, 1)]
    with style():
        draw(*networks, videos).savefig(args.out)


if __name__ == '__main__':
    main()
