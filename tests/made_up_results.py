"""Programs of the benchmark on UTD-MHAD, and made-up results for them."""

import pytest
from parity import CONFIGS

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(CONFIGS.parent / 'benchmarks')
    import real_videos
    import real_videos_cells as cells
    import real_videos_picture as picture
    import real_videos_results as results
    import real_videos_table as table

__all__ = ['cells', 'picture', 'real_videos', 'results', 'table']


def make_row(cell, seed, top1=0.5, pairs=0.75, seconds=200):
    accuracies = dict.fromkeys(results.ACCURACIES, '0.2500')
    accuracies |= dict(top1=f'{top1:.4f}', order_pairs=f'{pairs:.4f}')
    return {
        **dict(cell=cell, seed=str(seed), **accuracies, parameters='2260000'),
        **dict(training_cpu_seconds=str(seconds), settings='0123456789ab'),
    }


ROWS = [
    make_row('tsn-r18', 0, 0.4, 0.5, 100),
    make_row('tsm-r18', 0, 0.5),
    make_row('tsm-r18', 1, 0.6, seconds=''),
    make_row('tsm-r18', 2, 0.7, seconds=250),
    make_row('tam-mobilenetv2', 0),
]
