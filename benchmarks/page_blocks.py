"""Parts of pages that are made: between `<!-- NAME WORDS -->` and `<!-- end -->`."""

import argparse
import re
from pathlib import Path


def find_blocks(name):
    """Return the pattern of the blocks of a tool."""
    return re.compile(rf'(<!-- {name}((?: \S+)*?) -->\n).*?(<!-- end -->)', re.DOTALL)


def fill_blocks(page, blocks, make_lines):
    """Return the text of a page with its blocks made anew, from their words."""

    def replace(match):
        start, words, end = match.groups()
        return start + '\n' + '\n'.join(make_lines(*words.split())) + '\n\n' + end

    return blocks.sub(replace, page)


def fill_pages(description, blocks, make_lines):
    """Make the blocks of the pages that the command line names anew."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('pages', type=Path, nargs='+')
    for page in parser.parse_args().pages:
        page.write_text(fill_blocks(page.read_text(), blocks, make_lines))
