"""The script for GPUs, on a machine without one."""

import os
import subprocess
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[2] / 'benchmarks' / 'gpu.sh'
STEPS = ('doctor', 'tests', 'temporal_mix_bfloat16_channels_last', 'networks')


def run(*options, **environ):
    return subprocess.run(
        ['bash', SCRIPT, *map(str, options)],
        env={**os.environ, 'OMP_NUM_THREADS': '1', **environ},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--device', 'tpu'], '--device tpu: expected cuda or cpu'),
        (['--size', '40'], '--size: expected --device cuda|cpu or --out FOLDER'),
        (['--device', 'cpu', '--out', os.devnull], os.devnull),
    ],
)
def test_wrong_options_are_named(options, message):
    done = run(*options)
    assert done.returncode == 2 and message in done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason='for machines without a GPU')
def test_a_missing_gpu_is_named():
    done = run()
    assert done.returncode == 2 and 'this PyTorch finds no GPU' in done.stderr


def test_every_step_is_run_whatever_becomes_of_another(tmp_path):
    """With a Python that does nothing, but fails for one of the steps."""
    python = tmp_path / 'bin' / 'python'
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "$@"\n[ "$3" != doctor ]\n')
    python.chmod(0o755)
    path = f'{python.parent}:{os.environ["PATH"]}'
    done = run('--device', 'cpu', '--out', tmp_path / 'out', PATH=path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert len(lines) == 2 + 6 + 1 + 1
    assert lines[0].endswith('failed (1): -m mmtemporal.tools doctor')
    assert all(line.endswith('done') for line in lines[1:-1])
    for step in STEPS:
        assert (tmp_path / 'out' / f'{step}.txt').read_text()
    assert '--out' in (tmp_path / 'out' / 'networks.txt').read_text()
