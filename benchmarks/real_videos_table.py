"""Write the tables of UTD-MHAD into pages, and the accuracies into metafiles.

A page says where: between `<!-- utd_mhad KIND -->` and `<!-- end -->`, KIND being
`networks`, `changes`, `short`, or `recipes FOLDER`, one of configs/recognition. The
metafile of that folder gets its accuracies with it.

    python benchmarks/real_videos_table.py README.md docs/utd_mhad.md

Results of your own go into a page of your own: --results mine.csv mine.md
"""

import argparse
import math
import os
import re
from functools import partial
from pathlib import Path

import yaml
from page_blocks import fill_blocks, find_blocks
from real_videos_cells import (
    CELLS,
    CHANGES,
    METHODS,
    NETWORKS,
    RECIPES,
    RECOGNITION,
    SEEDS,
    Cell,
)
from real_videos_results import FILE, read_rows, summarise

BLOCK = find_blocks('utd_mhad')
ACCURACIES = {
    'top1': 'top-1',
    'mean_class': 'mean class accuracy',
    'order_pairs': 'within order pairs',
    'swipes': 'swipes',
    'circles': 'circles',
    'sit_stand': 'sitting, standing',
    'training_top1': 'top-1 of training videos',
}
SHORT = ('top1', 'order_pairs')
# What is changed, as the page says it.
CHANGE_TITLES = {
    'layers-lr-x5': 'temporal layers with 5 times the learning rate',
    'frozen-half': 'stages up to 4 of 7 frozen, their temporal layers too',
    '4-frames': '4 frames',
    '32x48-pixels': '32 x 48 pixels',
    '24-epochs': '24 epochs',
    'no-imagenet': 'without ImageNet weights',
    'and-shift': "with TDN's shift",
    'layers-lr-x10': 'temporal layers with 10 times the learning rate',
}
UNKNOWN = '–'
CHANCE = 'Chance within pairs is 50.'


def write_row(*cells: object) -> str:
    return f'| {" | ".join(map(str, cells))} |'


def write_head(*titles: str) -> list[str]:
    return [write_row(*titles), '|---' * len(titles) + '|']


def write_accuracy(results: dict, column: str) -> str:
    """Return a mean in %, and the deviation if there are several seeds."""
    middle, spread = results.get(column, (math.nan, math.nan))
    if math.isnan(middle):
        return UNKNOWN
    deviation = '' if math.isnan(spread) else f' ± {100 * spread:.1f}'
    return f'{100 * middle:.1f}{deviation}'


def write_parameters(results: dict) -> str:
    known = 'parameters' in results
    return f'{results["parameters"][0] / 1e6:.2f} M' if known else UNKNOWN


def write_time(cell: Cell, summary: dict) -> str:
    """Return the CPU time of a training as a ratio to that of TSN."""
    own, baseline = (
        summary.get(name, {}).get('training_cpu_seconds', (math.nan,))[0]
        for name in (cell.name, f'tsn-{cell.network}')
    )
    return UNKNOWN if math.isnan(own / baseline) else f'{own / baseline:.2f}'


def count_seeds(results: dict) -> int:
    return results.get('seeds', 0)


def write_state(cells, summary: dict) -> str:
    """Return what the numbers are, and how many of the runs they have."""
    total = len(cells) * len(SEEDS)
    left = sum(
        max(0, len(SEEDS) - count_seeds(summary.get(name, {}))) for name in cells
    )
    text = 'Accuracies are means in % over the seeds, ± their standard deviation'
    if not left:
        return f'{text}.'
    return (
        f'**{total - left} of {total} runs are done so far.** {text}; one without it '
        f'is of a single seed, and {UNKNOWN} has not been measured.'
    )


def make_table(title: str, cells: dict[str, Cell], summary: dict, page: Path):
    """Return all columns: a row for each cell, under the name that it has here."""
    lines = write_head(
        title, *ACCURACIES.values(), 'parameters', 'training time', 'seeds'
    )
    for name, cell in cells.items():
        results = summary.get(cell.name, {})
        link = os.path.relpath(cell.recipe, page.parent)
        accuracies = (write_accuracy(results, column) for column in ACCURACIES)
        lines.append(
            write_row(
                name if cell.change else f'[{name}]({link})',
                *accuracies,
                write_parameters(results),
                write_time(cell, summary),
                count_seeds(results),
            )
        )
    return lines


def make_networks(summary: dict, page: Path) -> list[str]:
    lines = []
    for network, title in NETWORKS.items():
        cells = {c.title: c for c in RECIPES.values() if c.network == network}
        lines += [*make_table(title, cells, summary, page), '']
    note = (
        'Training time is CPU time over that of TSN in the same network. Top-1 of '
        'training videos is that of the trained network, without augmentation.'
    )
    return [*lines, f'{write_state(RECIPES, summary)} {CHANCE} {note}']


def make_changes(summary: dict, page: Path) -> list[str]:
    lines, names = [], []
    for name, changes in CHANGES.items():
        recipe = RECIPES[name]
        cells = {'as the recipe has it': recipe}
        cells |= {CHANGE_TITLES[c]: CELLS[f'{name}-{c}'] for c in changes}
        names += [cell.name for cell in cells.values()]
        title = f'{recipe.title} in {NETWORKS[recipe.network]}'
        lines += [*make_table(title, cells, summary, page), '']
    note = 'Training time is CPU time over that of TSN in the same network.'
    return [*lines, f'{write_state(names, summary)} {CHANCE} {note}']


def make_short(summary: dict, page: Path) -> list[str]:
    titles = [
        f'{network.split(",")[0]}: {ACCURACIES[column]}'
        for network in NETWORKS.values()
        for column in SHORT
    ]
    lines = write_head('method', *titles, 'seeds')
    for method, title in METHODS.items():
        results = [summary.get(f'{method}-{network}', {}) for network in NETWORKS]
        accuracies = (write_accuracy(r, column) for r in results for column in SHORT)
        seeds = dict.fromkeys(map(count_seeds, results))
        if len(seeds) > 1:
            seeds = map(count_seeds, results)
        lines.append(write_row(title, *accuracies, ', '.join(map(str, seeds))))
    note = (
        'In ResNet-18, TAM is TANet and TAdaConv is TAda2D; in the others, TDN is its '
        'long-term module.'
    )
    return [*lines, '', f'{write_state(RECIPES, summary)} {CHANCE} {note}']


def make_recipes(summary: dict, page: Path, folder: str) -> list[str]:
    """Return the table of a folder of configs, sizes from its metafile."""
    models = yaml.safe_load(metafile_of(folder).read_text())['Models']
    entries = {model['Name']: model['Metadata'] for model in models}
    columns = ('config', 'backbone', 'pretrain', *map(ACCURACIES.get, SHORT))
    lines = write_head(*columns, 'FLOPs', 'parameters', 'seeds')
    cells = recipes_of(folder)
    for cell in cells:
        name, results = cell.recipe.stem, summary.get(cell.name, {})
        entry = entries[name]
        pretrained = entry['Pretrained']
        lines.append(
            write_row(
                f'[{name}]({os.path.relpath(cell.recipe, page.parent)})',
                entry['Architecture'],
                'none' if pretrained == 'None' else pretrained,
                *(write_accuracy(results, column) for column in SHORT),
                f'{entry["FLOPs"] / 1e9:.3f} G',
                f'{entry["Parameters"] / 1e6:.2f} M',
                count_seeds(results),
            )
        )
    return [*lines, '', write_state([cell.name for cell in cells], summary)]


def recipes_of(folder: str) -> list[Cell]:
    return [cell for cell in RECIPES.values() if cell.recipe.parent.name == folder]


def metafile_of(folder: str) -> Path:
    return RECOGNITION / folder / 'metafile.yml'


MAKERS = dict(
    networks=make_networks, changes=make_changes, short=make_short, recipes=make_recipes
)
FOLDERS = sorted({cell.recipe.parent.name for cell in RECIPES.values()})
KINDS = ('networks', 'changes', 'short', *(f'recipes {name}' for name in FOLDERS))


def fill(page: Path, summary: dict) -> str:
    """Return the text of a page with its tables made anew."""
    text = page.read_text()
    kinds = [match[2].strip() for match in BLOCK.finditer(text)]
    if not kinds or not {*kinds}.issubset(KINDS):
        raise SystemExit(
            f'error: {page} has {", ".join(kinds) or "nothing"} between '
            '`<!-- utd_mhad KIND -->` and `<!-- end -->`; KIND is one of '
            + ', '.join(KINDS)
        )

    def make_lines(kind: str, *words: str) -> list[str]:
        return MAKERS[kind](summary, page, *words)

    return fill_blocks(text, BLOCK, make_lines)


def folders_in(page: Path) -> list[str]:
    """Return the folders of configs whose recipes a page has."""
    words = [match[2].split() for match in BLOCK.finditer(page.read_text())]
    return [folder[0] for kind, *folder in words if kind == 'recipes']


def fill_metafile(folder: str, summary: dict) -> str:
    """Return the text of a metafile with the accuracies that are known."""
    text = metafile_of(folder).read_text()
    for cell in recipes_of(folder):
        name = cell.recipe.stem
        section = re.compile(
            rf'(  - Name: {re.escape(name)}\n(?:.+\n)*?)    Results:.*\n(?:      .*\n)*'
        )
        lines = partial(_write_results, summary.get(cell.name, {}))
        text, found = section.subn(lines, text)
        if found != 1:
            raise SystemExit(
                f'error: {metafile_of(folder)} has {found} entries with Results for '
                f'{name}, expected 1'
            )
    return text


def _write_results(results: dict, match: re.Match) -> str:
    if not results:
        return f'{match[1]}    Results: []\n'
    return (
        f'{match[1]}    Results:\n'
        '      - Dataset: UTD-MHAD\n'
        '        Metrics:\n'
        f'          Top 1 Accuracy: {100 * results["top1"][0]:.1f}\n'
        '        Task: Action Recognition\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('pages', type=Path, nargs='+')
    parser.add_argument('--results', type=Path, default=FILE)
    args = parser.parse_args()
    for path in (*args.pages, args.results):
        if not path.is_file():
            parser.error(f'{path} is no file')
    summary = summarise(read_rows(args.results))
    for page in args.pages:
        page.write_text(fill(page.resolve(), summary))
        for folder in folders_in(page):
            metafile_of(folder).write_text(fill_metafile(folder, summary))


if __name__ == '__main__':
    main()
