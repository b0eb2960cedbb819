"""The matrix of versions: its pins, what it reads from runs, and the table."""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from parity import CONFIGS

REPOSITORY = CONFIGS.parent


# Their least versions have no wheels for the Python of the oldest row.
LATER_WHEELS = ('numpy', 'scipy', 'matplotlib', 'opencv-python-headless')

# Of the tests that are selected.
PARAMETERS = ('TANet', 'contiguous', 'slice')


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / 'benchmarks')
    import compatibility

    return compatibility


def requirements(tool):
    lines = [*tool.read('runtime'), *tool.read('openmmlab')]
    return {r.name: r.specifier for r in map(Requirement, lines)}


def test_pins_lie_in_the_ranges(tool):
    ranges = requirements(tool)
    pinned = []
    for row in tool.ROWS.values():
        for pin in map(Requirement, row.pins):
            for version in pin.specifier:
                if pin.name in ranges and version.operator == '==':
                    assert version.version in ranges[pin.name]
                    pinned.append(pin.name)
    assert pinned.count('torch') == pinned.count('mmengine') == 2


def test_both_ends_of_the_ranges_were_run(tool):
    """A range that grows must be run again before the page may claim it."""
    results = json.loads(tool.RESULTS.read_text())
    oldest, newest = (results[name]['versions'] for name in ('oldest', 'newest'))
    for name, ends in requirements(tool).items():
        if name in oldest and name not in LATER_WHEELS:
            (least,) = [s.version for s in ends if s.operator == '>=']
            assert Version(oldest[name]) == Version(least)
            assert newest[name] in ends


def test_selected_tests_exist(tool):
    """Each word after -k is in the name of a test."""
    for file, _, words in tool.CHECKS.values():
        path = REPOSITORY / file
        files = path.glob('test_*.py') if path.is_dir() else [path]
        text = ''.join(file.read_text() for file in files)
        tests = re.findall(r'def (test_\w+)\(', text)
        for word in re.findall(r'\w+', words):
            known = word in ('or', 'and', *PARAMETERS)
            assert known or any(word in test for test in tests), word


@pytest.mark.parametrize(
    'output, told',
    [
        (
            'error: No solution\n  cause: Because a==9 is\n\nhint: b\n',
            'Because a==9 is',
        ),
        ('error: No interpreter found\n\nhint: uv embeds\n', 'No interpreter found'),
        ('ImportError while loading\nE   NameError: x\n', 'NameError: x'),
        (
            'Fatal Python error: Segmentation fault',
            'Fatal Python error: Segmentation fault',
        ),
        ('', 'no message'),
    ],
)
def test_reason(tool, output, told):
    assert tool.reason(output) == told


REPORT = """
<testsuites><testsuite>
<testcase name="test_a"/>
<testcase name="test_b"><skipped message="no GPU"/></testcase>
<testcase name="test_c"><failure message="ValueError: got 3&#10;more"/></testcase>
<testcase name="test_d"><error message="failed on setup"/></testcase>
<testcase name="test_e"><failure message="x"/><error message="y"/></testcase>
</testsuite></testsuites>
"""


def test_count(tool):
    cases = ElementTree.fromstring(REPORT).iter('testcase')
    assert tool.count(cases) == dict(
        passed=1, failed=3, skipped=1, error='test_c: ValueError: got 3'
    )


def test_check_runs_pytest(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, 'ROOT', tmp_path)
    (tmp_path / 'test_it.py').write_text(
        'def test_good(): pass\ndef test_bad(): raise ValueError("of old")\n'
    )
    python = Path(sys.executable)
    assert tool.check(python, ['test_it.py'], tmp_path) == dict(
        passed=1, failed=1, skipped=0, error='test_bad: ValueError: of old'
    )
    # Nothing that was asked for is no success.
    outcome = tool.check(python, ['test_it.py', '-k', 'renamed'], tmp_path)
    assert outcome['failed'] == 1 and 'deselected' in outcome['error']
    (tmp_path / 'test_it.py').write_text('import not_there\n')
    outcome = tool.check(python, ['test_it.py'], tmp_path)
    assert outcome['failed'] == 1 and 'not_there' in outcome['error']


def test_a_row_that_fails_does_not_stop_the_next(tool, tmp_path, monkeypatch):
    missing = tool.Row('as uv cannot be run', '3.11')
    monkeypatch.setenv('PATH', '')
    monkeypatch.setattr(tool, 'ROWS', {'one': missing, 'two': missing})
    results, page = tmp_path / 'results.json', tmp_path / 'page.md'
    results.write_text('{}')
    page.write_text('Before.\n<!-- compatibility -->\nold\n<!-- end -->\nAfter.\n')
    arguments = ['tool', '--results', str(results), '--page', str(page)]
    monkeypatch.setattr(sys, 'argv', arguments)
    tool.main()
    written = json.loads(results.read_text())
    assert list(written) == ['one', 'two']
    assert 'uv' in written['two']['failure']
    text = page.read_text()
    assert 'old' not in text and '- two: could not be installed' in text
    assert text.startswith('Before.') and text.endswith('After.\n')


def test_page_shows_the_results(tool):
    results = json.loads(tool.RESULTS.read_text())
    assert {'oldest', 'newest'} <= set(results) <= set(tool.ROWS)
    page = tool.PAGE.read_text()
    assert tool.fill(page, results) == page
    for result in results.values():
        assert result['versions']['torch'] in page
        assert list(result['checks']) == list(tool.CHECKS)
