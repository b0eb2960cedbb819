"""Settings of the site.

    pip install -r requirements/docs.txt
    sphinx-build -W -c docs . build/site

builds it from the pages as they stand in the repository, the README being its home,
and from the docstrings. `build/site/index.html` can be opened as a file. Nothing is
fetched, neither by the build nor by the pages.
"""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path[:0] = [str(DOCS / '_ext'), str(ROOT)]

import mmtemporal  # noqa: E402

project = 'mmtemporal'
author = 'the mmtemporal authors'
copyright = author
release = version = mmtemporal.__version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
    'sphinx_copybutton',
    'mathml',
    'navigation',
    'source_pages',
]

# Sphinx reads the whole repository, so that links work there and here; nothing else
# in it holds pages.
PAGES = {'README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'docs', 'configs'}
root_doc = 'README'
source_suffix = {'.md': 'markdown'}
exclude_patterns = [path.name for path in ROOT.iterdir() if path.name not in PAGES]
myst_heading_anchors = 3

autodoc_member_order = 'bysource'
autodoc_default_options = {'members': True, 'show-inheritance': True}
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_custom_sections = ['Shape']
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = 'furo'
html_title = f'mmtemporal {version}'
html_extra_path = ['_extra']
html_static_path = ['_static']
html_css_files = ['site.css']
html_copy_source = html_show_sourcelink = html_show_copyright = False
html_math_renderer = 'mathml'
