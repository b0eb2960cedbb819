"""The benchmark of the networks, and the tables made of its results."""

import csv
import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_tada_formers import FORMS, build, clips

REPOSITORY = Path(__file__).resolve().parents[2]
BENCHMARKS = REPOSITORY / 'benchmarks'
PAGES = [REPOSITORY / 'docs' / 'speed.md']


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.mark.slow
def test_compares_all_implementations(tmp_path):
    out = tmp_path / 'speed.csv'
    arguments = '--depth 18 --size 36 --frames 4 --repeats 1 --settings plain fused'
    command = [
        sys.executable,
        BENCHMARKS / 'networks.py',
        *arguments.split(),
        '--out',
        out,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with out.open(newline='') as lines:
        rows = list(csv.DictReader(lines))
    expected = {
        (network, implementation, mode, setting)
        for network in ('TIN', 'TANet', 'TAda2D', 'TDN')
        for implementation in ('TSN', 'ours', 'naive')
        for mode, setting in (
            ('inference', 'plain'),
            ('training', 'plain'),
            ('inference', 'fused'),
        )
    }
    keys = ('network', 'implementation', 'mode', 'setting')
    assert {tuple(row[key] for key in keys) for row in rows} == expected
    for row in rows:
        assert float(row['seconds']) > 0 and float(row['memory_mib']) > 0
        if row['implementation'] == 'TSN':
            assert float(row['ratio']) == float(row['memory_ratio']) == 1
    assert out.with_suffix('.png').stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize('form', FORMS)
def test_compares_tadaformer_with_clip(form, tmp_path, tools, monkeypatch):
    import speed_table

    out = tmp_path / 'speed.csv'
    arguments = (
        '--networks TAdaFormer --arch small --size 32 --frames 8 --repeats 1 '
        f'--settings plain fused --form {form}'
    )
    command = [sys.executable, BENCHMARKS / 'networks.py', *arguments.split()]
    done = subprocess.run([*command, '--out', out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with out.open(newline='') as lines:
        rows = list(csv.DictReader(lines))
    assert [row['implementation'] for row in rows] == ['CLIP', 'ours', 'naive'] * 3
    assert {row['depth'] for row in rows} == {f'small {form}'}
    assert all(row['ratio'] == '1.0' for row in rows[::3])
    assert out.with_suffix('.png').stat().st_size > 10_000
    monkeypatch.setattr(speed_table, 'RESULTS', tmp_path)
    *_, line = speed_table.make_table('speed.csv')
    assert line.startswith(f'TAdaFormer small, form {form}, 1 clip(s) of 32 px')


@pytest.mark.parametrize('with_cp', [False, True])
def test_activation_checkpointing_is_an_option(with_cp, tools):
    from networks import build_tadaformer

    args = SimpleNamespace(arch='small', form='K', size=32, with_cp=with_cp)
    found = {network.with_cp for network in build_tadaformer(args, 8).values()}
    assert found == {with_cp}


@pytest.mark.parametrize('form', FORMS)
def test_the_baseline_of_tadaformer_is_a_new_one(form, tools):
    """But for the stem, which sees three frames."""
    from frame_wise import frame_wise_clip

    model = build(form)
    model.init_weights()
    with torch.no_grad():
        model.conv1.weight[:, :, [0, 2]] = 0  # as from CLIP
    baseline = frame_wise_clip(model)
    for t in (1, 4, 5):
        x = clips(t=t)
        torch.testing.assert_close(baseline.eval()(x), model.eval()(x))
        trained = baseline.train()(x.requires_grad_())
        trained.square().sum().backward()
        assert not x.grad[:, :, 1::2].any()
    assert not any('tada' in name for name, _ in baseline.named_parameters())


@pytest.mark.slow
@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('plain+fast', 'plain+fast: expected'),
        ('channels_last --networks TAdaFormer', 'TAdaFormer has channels last anyway'),
    ],
)
def test_an_unknown_setting_is_named(arguments, message):
    program = (sys.executable, BENCHMARKS / 'networks.py', '--settings')
    done = subprocess.run(
        [*program, *arguments.split()], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert f'--settings {arguments.split()[0]}: ' in done.stderr
    assert message in done.stderr


def test_peak_memory_counts_what_lives_at_once(tools):
    from measuring import peak_memory

    def run():
        x = torch.ones(2**18)  # one MiB
        y = x + 1
        del x
        return y + 1

    assert 2 * 2**20 <= peak_memory(run) < 2.1 * 2**20


def test_rounds_are_compared_one_by_one(tools):
    from measuring import ratio

    assert ratio([1, 2, 9], [1, 1, 3]) == (2, 1, 3)


def test_growth_is_that_of_a_frame(tmp_path, tools, monkeypatch):
    import growth_table

    lines = ['network,implementation,mode,frames,seconds,memory_mib']
    for name, base in (('TSN', 1), ('ours', 2), ('naive', 9)):
        for mode in ('inference', 'training'):
            lines += [f'TIN,{name},{mode},8,{base * 8},{base * 4}']
            lines += [f'TIN,{name},{mode},16,{base * 24},{base * 4}']
    (tmp_path / 'frames.csv').write_text('\n'.join(lines))
    monkeypatch.setattr(growth_table, 'RESULTS', tmp_path)
    rows = growth_table.make_table('frames.csv')
    assert rows[2:4] == [
        '| TSN | 1.50 | 1.50 | 0.50 |',
        '| TIN | 1.50 | 1.50 | 0.50 |',
    ]
    assert rows[-1].startswith('A frame of 16, as ratio to one of 8')


@pytest.mark.parametrize('program', ['speed_table', 'growth_table'])
@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_tables_are_those_of_the_results(page, program, tools):
    from page_blocks import fill_blocks

    table = importlib.import_module(program)
    text = page.read_text()
    assert table.BLOCK.search(text)
    assert fill_blocks(text, table.BLOCK, table.make_table) == text
