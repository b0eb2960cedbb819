"""Write the table of what temporal layers add to the networks that they are put into.

A page says where: between `<!-- adapter table -->` and `<!-- end -->`. There is a row
for each recipe of configs/recognition/temporal_adapter for Kinetics-400; some of them
need torchvision.

    python benchmarks/adapter_table.py docs/any_backbone.md
"""

import argparse
import os
import re
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmaction.utils import register_all_modules
from mmengine import Config
from mmengine.logging import MMLogger

from mmtemporal.analysis import count_multiply_adds
from mmtemporal.datasets.input_shape import input_shape

FOLDER = Path(__file__).resolve().parents[1] / 'configs/recognition/temporal_adapter'
BLOCK = re.compile(r'(<!-- adapter table -->\n).*?(<!-- end -->)', re.DOTALL)
BACKBONE = re.compile(r'_(?:scratch|imagenet-pretrained)-(.+?)_\d+xb')
HEAD = [
    '| backbone | layer | where | insertion points | input | parameters '
    '| multiply-adds |',
    '|---|---|---|---|---|---|---|',
]


def build(model):
    register_all_modules()
    with torch.device('meta'):
        return MODELS.build(model)


def measure(recognizer, shape):
    """Return millions of parameters and billions of multiply-adds."""
    parameters = sum(parameter.numel() for parameter in recognizer.parameters())
    return parameters / 1e6, count_multiply_adds(recognizer, 1, *shape) / 1e9


def make_row(config, page):
    """Return the row of a config, with a link from the page to it."""
    cfg = Config.fromfile(config)
    shape = input_shape(cfg)
    backbone = cfg.model.backbone
    adapted = build(cfg.model)
    bare = build({**cfg.model, 'backbone': backbone.backbone})
    where = [backbone.where] if isinstance(backbone.where, str) else backbone.where
    cells = [
        f'[{BACKBONE.search(config.stem)[1]}]({os.path.relpath(config, page.parent)})',
        backbone.temporal.type,
        ', '.join(f'`{rule}`' for rule in where),
        len(adapted.backbone.temporal_layers()),
        f'{backbone.num_segments} x {shape[-2]} x {shape[-1]}',
    ]
    for unit, old, new in zip('MG', measure(bare, shape), measure(adapted, shape)):
        cells.append(f'{old:.2f} to {new:.2f} {unit} ({new - old:+.3f})')
    return f'| {" | ".join(map(str, cells))} |'


def make_table(page):
    rows = [
        make_row(config, page) for config in sorted(FOLDER.glob('*_kinetics400-rgb.py'))
    ]
    return [*HEAD, *rows]


def fill(page):
    """Return the text of a page with its table made anew."""

    def replace(match):
        start, end = match.groups()
        return start + '\n' + '\n'.join(make_table(page)) + '\n\n' + end

    return BLOCK.sub(replace, page.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('pages', type=Path, nargs='+')
    MMLogger.get_instance('adapter_table', log_level='WARNING')
    for page in parser.parse_args().pages:
        page.write_text(fill(page.resolve()))


if __name__ == '__main__':
    main()
