"""What is written in several files of the repository is the same in all of them."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import mmtemporal

REPOSITORY = Path(__file__).resolve().parents[1]
WORKFLOWS = REPOSITORY / '.github' / 'workflows'
FORMS = REPOSITORY / '.github' / 'ISSUE_TEMPLATE'


def read(name):
    return (REPOSITORY / name).read_text()


def supported_pythons():
    """Those of the classifiers in setup.cfg."""
    config = configparser.ConfigParser()
    config.read(REPOSITORY / 'setup.cfg')
    found = re.findall(r'Python :: (3\.\d+)', config['metadata']['classifiers'])
    assert config['options']['python_requires'] == f'>={found[0]}'
    return found


def test_pythons_of_the_workflow():
    jobs = yaml.safe_load((WORKFLOWS / 'tests.yml').read_text())['jobs']
    matrix = jobs['quick']['strategy']['matrix']['python-version']
    assert matrix == supported_pythons()


def test_pythons_of_the_pages():
    first, *_, last = supported_pythons()
    pages = [REPOSITORY / 'README.md', *(REPOSITORY / 'docs').glob('*.md')]
    claims = re.findall(
        r'Python (3\.\d+) to (3\.\d+)', '\n'.join(page.read_text() for page in pages)
    )
    assert set(claims) == {(first, last)}


def test_one_ruff():
    (pinned,) = re.findall(r'^ruff==(.+)$', read('requirements/tests.txt'), re.M)
    hooks = set(re.findall(r'ruff==([\d.]+)', read('.pre-commit-config.yaml')))
    assert hooks == {pinned}


def test_one_version():
    citation = yaml.safe_load(read('CITATION.cff'))
    # YAML takes a version for a text, and a date for one.
    assert citation['version'] == mmtemporal.__version__
    released = f'## {mmtemporal.__version__} - {citation["date-released"]}\n'
    assert released in read('CHANGELOG.md')


def test_papers_of_the_citation_are_those_of_the_metafiles():
    papers = yaml.safe_load(read('CITATION.cff'))['references']
    cited = {paper['url'] for paper in papers}
    for method in ('tanet', 'tin', 'tdn', 'tada2d', 'tadaconvnext'):
        text = read(f'configs/recognition/{method}/metafile.yml')
        paper = yaml.safe_load(text)['Collections'][0]['Paper']
        assert set(re.findall(r'https://arxiv\.org/abs/[\d.]+', paper)) <= cited


@pytest.mark.parametrize('page', ['CONTRIBUTING.md', 'CHANGELOG.md'])
def test_links(page):
    links = re.findall(r'\]\(([^)#\s]+)', read(page))
    local = [link for link in links if not link.startswith('http')]
    assert local and [x for x in local if not (REPOSITORY / x).exists()] == []


def test_folders_of_the_table_exist():
    table = read('CONTRIBUTING.md').partition('## Where things are')[2]
    table = table.partition('## ')[0]
    named = re.findall(r'^\| (`.+?`) \|', table, re.M)
    first = [re.findall('`(.+?)`', cell)[0] for cell in named]
    assert len(first) > 10
    assert [folder for folder in first if not (REPOSITORY / folder).is_dir()] == []


def test_forms_ask_for_the_environment():
    for name in ('bug', 'question'):
        form = (FORMS / f'{name}.yml').read_text()
        assert 'python -m mmtemporal.tools doctor' in form


def test_environment_report(tmp_path):
    """It runs from any folder, and names this package and the ones around it."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-m', 'mmtemporal.environment'],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={'PYTHONPATH': str(REPOSITORY), 'PATH': ''},
    )
    assert done.returncode == 0, done.stderr
    report = dict(
        line.split(': ', 1) for line in done.stdout.splitlines() if ': ' in line
    )
    assert report['mmtemporal'] == mmtemporal.__version__
    assert {'mmaction2', 'mmengine', 'decord', 'PyTorch', 'Python'} <= report.keys()
