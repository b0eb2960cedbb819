"""Links to files of the repository that are no pages lead to pages that show them.

MyST would offer the files as downloads.
"""

import html
import posixpath
from pathlib import Path

from docutils import nodes
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.addnodes import download_reference

FOLDER = 'source'


def link_to_pages(app, doctree):
    """Turn downloads into links, and note the files that are linked."""
    docname = app.env.docname
    files = set()
    for node in list(doctree.findall(download_reference)):
        folder = posixpath.dirname(docname)
        file = posixpath.normpath(posixpath.join(folder, node['reftarget']))
        if not (Path(app.srcdir) / file).is_file():
            continue  # Sphinx warns of it
        target = posixpath.relpath(f'{FOLDER}/{file}.html', folder or '.')
        node.replace_self(nodes.reference('', '', *node.children, refuri=target))
        files.add(file)
    app.env.metadata[docname]['files'] = sorted(files)


def language(file):
    try:
        return get_lexer_for_filename(file).aliases[0]
    except ClassNotFound:
        return 'text'


def make_pages(app):
    """Yield a page with highlighted text for each file that a page links to."""
    metadata = app.env.metadata.values()
    for file in sorted({file for of_page in metadata for file in of_page['files']}):
        text = (Path(app.srcdir) / file).read_text()
        code = app.builder.highlighter.highlight_block(text, language(file))
        body = f'<h1>{html.escape(file)}</h1>\n{code}'
        yield f'{FOLDER}/{file}', dict(title=file, body=body), 'page.html'


def setup(app):
    # Before Sphinx collects what is to be downloaded.
    app.connect('doctree-read', link_to_pages, priority=400)
    app.connect('html-collect-pages', make_pages)
    return dict(parallel_read_safe=True, parallel_write_safe=True)
