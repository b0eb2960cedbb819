"""Ensembles of an 8- and a 16-frame model by the stock report tool."""

import re

import torch
from mmengine import dump

from mmtemporal import tools


def test_scores_of_two_models_are_added(tmp_path, monkeypatch, capsys):
    torch.manual_seed(0)
    labels = torch.randint(10, (200,))
    files, scores = [], []
    for frames in (8, 16):
        # Each is right about half of the time, and they err independently.
        score = torch.randn(200, 10)
        score[range(200), labels] += 1.5
        samples = [dict(pred_score=s, gt_label=y[None]) for s, y in zip(score, labels)]
        files.append(str(tmp_path / f'{frames}.pkl'))
        dump(samples, files[-1])
        scores.append(score)

    def report(*arguments):
        monkeypatch.setattr('sys.argv', [])
        tools.main(['report_accuracy', *arguments])
        return float(re.search(r'Top 1 Accuracy: (\S+)', capsys.readouterr().out)[1])

    def accuracy(score):
        return round((score.argmax(1) == labels).float().mean().item(), 4)

    alone = [report('--preds', file, '--coefficients', '1') for file in files]
    assert alone == [accuracy(score) for score in scores]
    both = report('--preds', *files, '--coefficients', '1', '1')
    assert both == accuracy(scores[0] + scores[1]) > max(alone)
    weighted = report('--preds', *files, '--coefficients', '1', '0')
    assert weighted == alone[0]
