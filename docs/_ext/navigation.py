"""The sidebar, from the list of pages that docs/README.md is.

Its headings become captions, and its links entries with the titles of their pages. So
there is one list, which shows in the repository too.
"""

import posixpath
import re
from pathlib import Path

LIST = 'docs/README.md'
TOCTREE = """
```{{toctree}}
:hidden:
{options}
{pages}
```
"""


def make_toctrees(text):
    """Return a toctree in markdown for each heading that has links below it."""
    toctrees = [TOCTREE.format(options='', pages=LIST.removesuffix('.md'))]
    for section in re.split(r'^## ', text, flags=re.MULTILINE)[1:]:
        caption, body = section.split('\n', 1)
        links = re.findall(r'^- \[.*?\]\((\S+)\.md\)', body, re.MULTILINE)
        folder = posixpath.dirname(LIST)
        pages = [posixpath.normpath(posixpath.join(folder, link)) for link in links]
        options = f':caption: {caption}\n'
        toctrees.append(TOCTREE.format(options=options, pages='\n'.join(pages)))
    return ''.join(toctrees)


def append_toctrees(app, docname, content):
    if docname == app.config.root_doc:
        content[0] += make_toctrees((Path(app.srcdir) / LIST).read_text())


def setup(app):
    app.connect('source-read', append_toctrees)
    return dict(parallel_read_safe=True, parallel_write_safe=True)
