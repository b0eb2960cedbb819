"""The area under a recall curve, with a numpy that has no ``trapz``."""

import sys

import numpy as np
import pytest
from fresh_process import run_python
from selection import slow_but

from mmtemporal.compat import (
    evaluation,
    on_import,
)

# Two of two actions are found by the first of 100 proposals a video, at every IoU.
AREA = """
from mmaction.evaluation import average_recall_at_avg_proposals
import numpy as np
truth = {name: np.array([[0, 1, 0]]) for name in 'ab'}
proposals = {name: np.array([[0, 1, 0.9]] + 99 * [[2, 3, 0.1]]) for name in 'ab'}
recall, _, _, auc = average_recall_at_avg_proposals(truth, proposals, 200)
print(recall.mean(), auc, hasattr(np, 'trapz'))
"""


@pytest.mark.parametrize(
    'first', slow_but(['mmtemporal'], ['mmtemporal', 'mmaction.evaluation'])
)
def test_restore_trapz(first):
    done = run_python('-c', f'import {first}\nimport mmtemporal\n{AREA}')
    recall, area, numpy_has_it = done.stdout.split()
    assert float(recall) == 1 and float(area) == pytest.approx(99)
    assert numpy_has_it == str(hasattr(np, 'trapz'))


@pytest.mark.skipif(hasattr(np, 'trapz'), reason='this numpy has the old name')
def test_restore_trapz_acts_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(on_import, '_asked', set())
    monkeypatch.setattr(sys, 'meta_path', list(sys.meta_path))
    with monkeypatch.context() as patch:
        patch.setattr(np, 'trapz', np.trapezoid, raising=False)
        assert not evaluation.restore_trapz()
    assert evaluation.restore_trapz()
    assert not evaluation.restore_trapz()
