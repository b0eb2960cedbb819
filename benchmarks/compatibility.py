"""Run a part of the tests with the oldest and the newest versions of what is needed.

    pip install uv
    python benchmarks/compatibility.py
    python benchmarks/compatibility.py --rows oldest newest
    python benchmarks/compatibility.py --rows

Each row of the matrix gets a virtual environment in a temporary folder, removed when
its checks are done. A row that cannot be installed, or fails, does not stop the
others. The results replace those of the same rows in results/compatibility.json, and
the table in docs/compatibility.md is written anew; without any rows, only that.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / 'benchmarks' / 'results' / 'compatibility.json'
PAGE = ROOT / 'docs' / 'compatibility.md'
BLOCK = re.compile(r'(<!-- compatibility -->\n).*?(<!-- end -->)', re.DOTALL)
# Seconds, for what takes minutes.
LIMIT = 5400
# How uv and pytest say why they failed, the most specific first.
REASONS = (
    r' *cause: (.+)',
    r'(?i:error): (.+)',
    r'(?:E +)?([\w.]+Error\b.*)',
    r' *(\S.*)',
)


@dataclass
class Row:
    """An environment: why it is there, and what chooses the versions in it.

    Args:
        about: What it stands for.
        pins: Lines of constraints.
        resolution: Which versions uv takes of what is left open.
    """

    about: str
    pins: Sequence[str] = ()
    resolution: str = 'highest'


def read(name):
    """Return the lines of a file of requirements/ that are no comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


LOWEST = 'the lower end of every range, or the first wheel for this Python'
HIGHEST = 'the newest that the ranges allow'
# 2.6 is the first torch that reads checkpoints in its safe mode.
MIDDLE = ('torch==2.6.0', 'numpy<2.3', 'mmengine==0.10.6', 'mmcv-lite==2.1.0')

ROWS = {
    'oldest': Row(LOWEST, resolution='lowest-direct'),
    'torch 2.6': Row('versions between the two', pins=MIDDLE),
    'tested': Row('requirements/constraints.txt', pins=read('constraints')),
    'newest': Row(HIGHEST),
}

# What is run, by what it shows: arguments for pytest.
CHECKS = {
    'import, fixes of MMAction2, mixed precision, two processes': [
        'tests/test_compat',
        *('-k', 'import or checkpoints or device or trains or on_cpu'),
    ],
    'temporal_mix': [
        'tests/test_ops/test_temporal_mix.py',
        *('-k', '(equal and contiguous) or keeps or bad or (derivatives and slice)'),
    ],
    'every backbone: forward and backward, also in bfloat16': [
        'tests/test_models/test_all_backbones.py',
        *('-k', 'gets_a_gradient or autocast'),
    ],
    "equality with the authors' code": [
        'tests/test_models/test_parity.py',
        *('-k', 'one_training_step'),
    ],
    'stock train, test and resume': [
        'tests/test_stock_tools/test_train_and_test.py',
        *('-k', 'TANet'),
    ],
    'published checkpoints': ['tests/test_checkpoints/test_publish.py', '-k', 'file'],
    '`torch.export`': ['tests/test_ops/test_temporal_mix.py', '-k', 'export'],
    'wheel': ['tests/test_packaging.py', '-k', 'files or metadata'],
}
# What the table names the versions of.
SHOWN = (
    *('torch', 'triton', 'mmengine', 'mmcv-lite', 'mmaction2', 'numpy', 'scipy'),
    *('matplotlib', 'opencv-python-headless', 'decord', 'setuptools', 'pytest'),
)


# ---------------------------------------------------------------- running


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(command, **options):
    """Run a command; return whether it succeeded, and what it wrote."""
    options = dict(capture_output=True, text=True, timeout=LIMIT, **options)
    try:
        done = subprocess.run(list(map(str, command)), **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return done.returncode == 0, done.stdout + done.stderr


def reason(output):
    """Return what says best why uv, or pytest, gave up."""
    for pattern in REASONS:
        found = re.findall(f'^{pattern}$', output, re.MULTILINE)
        if found:
            return found[-1]
    return 'no message'


def install(row, folder):
    """Fill ``folder / 'venv'``; return why that failed, or None."""
    venv, pins = folder / 'venv', folder / 'pins.txt'
    pins.write_text(''.join(f'{line}\n' for line in row.pins))
    pip = ['uv', 'pip', 'install', '--python', venv, '-c', pins]
    # A build would take longer than all tests, and need a compiler.
    pip += ['--resolution', row.resolution, '--only-binary', ':all:']
    # Triton is not asked for: a torch for GPUs brings the one that fits.
    (pytest,) = [line for line in read('tests') if line.startswith('pytest>')]
    requirements = ROOT / 'requirements'
    for command in (
        ['uv', 'venv', '--seed', '--python', sys.executable, venv],
        [*pip, '-r', requirements / 'runtime.txt', pytest],
        # Like tools/environment.sh: they ask for an OpenCV with windows.
        [*pip, '--no-deps', '-r', requirements / 'openmmlab.txt'],
    ):
        ok, output = run(command)
        if not ok:
            return reason(output)
    return None


def check(python, arguments, folder):
    """Run pytest; return how many tests did what, and the first error if any."""
    report = folder / 'report.xml'
    report.unlink(missing_ok=True)
    environ = {**os.environ, 'CUDA_VISIBLE_DEVICES': '', 'OMP_NUM_THREADS': '1'}
    command = [python, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *arguments]
    command += [f'--junitxml={report}', f'--basetemp={folder / "tests"}']
    _, output = run(command, cwd=ROOT, env=environ)
    if report.exists():
        counts = count(ElementTree.parse(report).iter('testcase'))
        if 'error' in counts:
            counts['error'] = counts['error'].replace(f'{folder}/', '')
        if any(counts.values()):
            return counts
    return dict(passed=0, failed=1, skipped=0, error=reason(output))


def count(cases):
    """Count the test cases of a JUnit report."""
    counts = dict(passed=0, failed=0, skipped=0)
    for case in cases:
        errors = [*case.iter('failure'), *case.iter('error')]
        if errors:
            counts['failed'] += 1
            message = errors[0].get('message')
            if message == 'collection failure':
                message = reason(errors[0].text)
            first_line = f'{case.get("name")}: {message.strip().splitlines()[0]}'
            counts.setdefault('error', first_line)
        else:
            skipped = case.find('skipped') is not None
            counts['skipped' if skipped else 'passed'] += 1
    return counts


def versions(python):
    _, output = run(['uv', 'pip', 'list', '--python', python, '--format', 'json'])
    (listed,) = [line for line in output.splitlines() if line.startswith('[')]
    installed = {package['name']: package['version'] for package in json.loads(listed)}
    return {name: installed[name] for name in SHOWN if name in installed}


def run_row(name):
    """Return the result of a row, as it stands in the file."""
    row = ROWS[name]
    result = dict(about=row.about, machine=machine(), python=platform.python_version())
    with tempfile.TemporaryDirectory(prefix='compatibility-') as folder:
        folder = Path(folder)
        say(f'[{name}] installing')
        failure = install(row, folder)
        if failure:
            say(f'[{name}] cannot be installed: {failure}')
            return dict(result, failure=failure)
        python = folder / 'venv' / 'bin' / 'python'
        result['versions'] = versions(python)
        result['checks'] = {}
        for title, arguments in CHECKS.items():
            result['checks'][title] = outcome = check(python, arguments, folder)
            say(f'[{name}] {title}: {outcome}')
    return result


def machine():
    return ' '.join([platform.system(), platform.machine(), *platform.libc_ver()])


# ---------------------------------------------------------------- the table


def cell(result, title):
    outcome = result.get('checks', {}).get(title)
    if outcome is None:
        return '–'
    text = f'{outcome["passed"]} passed'
    for word in ('failed', 'skipped'):
        if outcome[word]:
            text += f', {outcome[word]} {word}'
    return f'**{text}**' if outcome['failed'] else text


def make_table(results):
    """Return lines of markdown: a column for each row of the matrix."""
    names = [name for name in ROWS if name in results]
    columns = [results[name] for name in names]
    lines = ['| | ' + ' | '.join(names) + ' |', '|---' * (len(names) + 1) + '|']

    def add(title, cells):
        lines.append(f'| {title} | ' + ' | '.join(cells) + ' |')

    add('versions', [result['about'] for result in columns])
    add('Python', [result['python'] for result in columns])
    for package in SHOWN:
        add(package, [r.get('versions', {}).get(package, '–') for r in columns])
    for title in CHECKS:
        add(title, [cell(result, title) for result in columns])

    errors = []
    for name, result in zip(names, columns):
        if 'failure' in result:
            errors.append(f'- {name}: could not be installed. `{result["failure"]}`')
        for title, outcome in result.get('checks', {}).items():
            if outcome['failed']:
                errors.append(f'- {name}, {title}: `{outcome["error"]}`')
    machines = sorted({result['machine'] for result in columns})
    if errors:
        errors.append('')
    return [*lines, '', *errors, f'Run on {", ".join(machines)}.']


def fill(page, results):
    """Return the text of a page with its table made anew."""
    table = '\n'.join(make_table(results))
    return BLOCK.sub(lambda match: f'{match[1]}\n{table}\n\n{match[2]}', page)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rows', nargs='*', choices=ROWS, default=list(ROWS))
    parser.add_argument('--results', type=Path, default=RESULTS)
    parser.add_argument('--page', type=Path, default=PAGE)
    args = parser.parse_args()
    results = json.loads(args.results.read_text()) if args.results.exists() else {}
    for name in args.rows:
        results[name] = run_row(name)
        args.results.write_text(json.dumps(results, indent=2) + '\n')
    args.page.write_text(fill(args.page.read_text(), results))


if __name__ == '__main__':
    main()
