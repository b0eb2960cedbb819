"""The site is built without a warning, and whoever opens it finds all of it.

Built once for all tests, into a folder of its own.
"""

import os
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from mmaction.utils import register_all_modules
from parity import CONFIGS

from mmtemporal import registry

for _name in ('sphinx', 'myst_parser', 'furo', 'sphinx_copybutton'):
    pytest.importorskip(_name, reason='requirements/docs.txt is not installed')

pytestmark = pytest.mark.slow
REPOSITORY = CONFIGS.parent
SOURCES = [
    *(REPOSITORY / name for name in ('README.md', 'CHANGELOG.md', 'CONTRIBUTING.md')),
    *sorted((REPOSITORY / 'docs').rglob('*.md')),
    *sorted(CONFIGS.rglob('*.md')),
]
# What a browser fetches when it shows a page, by tag.
LOADED = {
    **dict.fromkeys(('audio', 'embed', 'iframe', 'img', 'script', 'source'), 'src'),
    **dict(video='src', link='href', object='data', use='href'),
}


class Page(HTMLParser):
    """The ids in a page, what it links to and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loaded = set(), [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.add(attributes.get('id'))
        if tag == 'a' and 'href' in attributes:
            self.links.append(attributes['href'])
        if attributes.get(LOADED.get(tag)):
            self.loaded.append(attributes[LOADED[tag]])


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp('site')
    command = [sys.executable, '-W', 'ignore', '-m', 'sphinx', '--fail-on-warning']
    options = ['-q', '-c', 'docs', '-d', folder / 'doctrees', '.', folder / 'html']
    done = subprocess.run(
        [*command, *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder / 'html'


@pytest.fixture(scope='module')
def pages(site):
    return {path: Page(path) for path in site.rglob('*.html')}


def targets(path, links):
    """Yield the files and anchors that links within the site lead to."""
    for link in links:
        url = urlsplit(link)
        if not url.scheme and not url.netloc:
            file = path.parent / unquote(url.path) if url.path else path
            yield Path(os.path.normpath(file)), unquote(url.fragment)


@pytest.mark.parametrize(
    'source', SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY))
)
def test_every_page_is_there_and_in_the_navigation(source, site, pages):
    page = site / source.relative_to(REPOSITORY).with_suffix('.html')
    home = site / 'README.html'
    assert page in {file for file, _ in targets(home, pages[home].links)}
    assert page in pages


def test_the_first_page_leads_to_the_home_page(site):
    assert 'url=README.html' in (site / 'index.html').read_text()
    assert (site / 'README.html').exists()


def test_no_link_is_dead(site, pages):
    dead = [
        (path.relative_to(site), file, anchor)
        for path, page in pages.items()
        for file, anchor in targets(path, page.links)
        if not file.is_file() or anchor and anchor not in pages[file].ids
    ]
    assert dead == []


def test_nothing_is_missing_or_loaded_from_elsewhere(site, pages):
    for path, page in pages.items():
        assert page.loaded or path == site / 'index.html'
        for link in page.loaded:
            assert not urlsplit(link).netloc, (path, link)
        for file, _ in targets(path, page.loaded):
            assert file.is_file(), (path, file)
    for path in site.rglob('*.css'):
        for word in ('@import', 'url(http', 'url(//'):
            assert word not in path.read_text(), path


def test_formulas_are_shown_without_a_script(pages, site):
    text = (site / 'docs/api/layers.html').read_text()
    assert '<math' in text and 'mathjax' not in text.lower()
    assert ':math:' not in text


REGISTRIES = ('HOOKS', 'MODELS', 'OPTIM_WRAPPER_CONSTRUCTORS', 'TRANSFORMS')


def test_every_registered_class_is_in_the_reference(site, pages):
    register_all_modules()
    for room in ('models', 'engine', 'datasets.transforms'):
        import_module(f'mmtemporal.{room}')
    entries = {
        name.rpartition('.')[2]
        for path, page in pages.items()
        if path.parent == site / 'docs/api'
        for name in page.ids
        if name and name.startswith('mmtemporal.')
    }
    assert len(entries) > 100
    for name in REGISTRIES:
        for entry in getattr(registry, name).module_dict.values():
            if entry.__module__.startswith('mmtemporal.'):
                assert entry.__name__ in entries
