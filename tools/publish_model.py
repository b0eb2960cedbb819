r"""Publish a trained model: a small checkpoint and its entry in the metafile.

    python tools/publish_model.py work_dirs/run/epoch_50.pth CONFIG published \
        --dataset Kinetics-400 --metric 'Top 1 Accuracy=76.1'

The file is named after the config, the day and its own SHA-256, and is checked to
give the outputs of the training checkpoint. The entry is printed; --append writes it.
"""

import argparse
import contextlib
import io
import math
from pathlib import Path
from typing import Optional

import yaml

from mmtemporal.checkpoints.publish import Published, publish_checkpoint
from mmtemporal.config_types import type_name


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', type=Path, help='training checkpoint')
    parser.add_argument('config', type=Path, help='config it was trained with')
    parser.add_argument('out_dir', type=Path, help='folder of the new file')
    parser.add_argument('--dataset', help='what the metrics were measured on')
    parser.add_argument(
        '--metric',
        type=parse_metric,
        action='append',
        default=[],
        metavar='NAME=NUMBER',
        help='a result for the entry, such as "Top 1 Accuracy=76.1"; may be repeated',
    )
    parser.add_argument(
        '--append',
        action='store_true',
        help='write the entry to the metafile too',
    )
    parser.add_argument(
        '--metafile', type=Path, help='defaults to metafile.yml beside the config'
    )
    parser.add_argument(
        '--force',
        action='store_true',
        help='replace a file of the same name, and update an entry of the same name',
    )
    parser.add_argument(
        '--allow-pickle',
        action='store_true',
        help='run code that the checkpoint names; only for files that you trust',
    )
    args = parser.parse_args()
    if args.metric and not args.dataset:
        parser.error('--metric needs --dataset')
    args.metafile = args.metafile or args.config.with_name('metafile.yml')
    return args


def parse_metric(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition('=')
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not name.strip() or not math.isfinite(value):
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME=NUMBER')
    return name.strip(), value


# ------------------------------------------------------------------------ entry


def make_entry(
    config: Path,
    published: Published,
    collection: str,
    dataset: Optional[str],
    metrics: list[tuple[str, float]],
) -> dict:
    """Return the item of ``Models`` in a metafile."""
    cfg, backbone = published.cfg, published.cfg.model.get('backbone', {})
    metadata = {'Batch Size': cfg.train_dataloader.batch_size}
    if 'max_epochs' in cfg.train_cfg:
        metadata['Epochs'] = cfg.train_cfg.max_epochs
    if backbone:
        metadata['FLOPs'] = published.flops
        metadata['Parameters'] = published.parameters
        depth = backbone.get('depth')
        name = f'ResNet{depth}' if depth else type_name(backbone.type)
        metadata['Architecture'] = name
        metadata['Resolution'] = '{}x{}'.format(*published.shape[-2:])
    if dataset:
        metadata['Training Data'] = dataset
    entry = {
        'Name': config.stem,
        'Config': path_in_repository(config),
        'In Collection': collection,
        'Metadata': dict(sorted(metadata.items())),
        'Modality': 'RGB',
    }
    if metrics:
        task = 'Action Recognition' if backbone else 'Temporal Action Localization'
        result = {'Dataset': dataset, 'Metrics': dict(metrics), 'Task': task}
        entry['Results'] = [result]
    return {**entry, 'Weights': published.file.name}


def path_in_repository(config: Path) -> str:
    parts = config.resolve().parts
    if 'configs' not in parts:
        return config.name
    last = len(parts) - 1 - parts[::-1].index('configs')
    return Path(*parts[last:]).as_posix()


def update_entry(old: dict, new: dict) -> dict:
    """Return the new entry with what only the old one knows."""
    merged = {**old, **new}
    merged['Metadata'] = {**old.get('Metadata', {}), **new['Metadata']}
    results = [*old.get('Results', []), *new.get('Results', [])]
    results = {(item['Dataset'], item.get('Task')): item for item in results}
    if results:
        merged['Results'] = [*results.values()]
    return merged


# --------------------------------------------------------------------- metafile


class Dumper(yaml.SafeDumper):
    """Indent the items of a list, as the metafiles do."""

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


def dump(entry: dict) -> str:
    return yaml.dump([entry], Dumper=Dumper, sort_keys=False, allow_unicode=True)


def find_models(text: str, metafile: Path) -> yaml.SequenceNode:
    """Return the list of models, with the lines where its items are."""
    root = yaml.compose(text)
    items = root.value if isinstance(root, yaml.MappingNode) else []
    for key, value in items:
        if key.value == 'Models' and isinstance(value, yaml.SequenceNode):
            if value.value and not value.flow_style:
                return value
    raise ValueError(f'{metafile} has no list of Models, an item a "- Name: ..."')


def place_entry(text: str, metafile: Path, entry: dict) -> str:
    """Put an entry at the end of the models, or in the place of its old one."""
    models = find_models(text, metafile)
    names = [item['Name'] for item in yaml.safe_load(text)['Models']]
    if entry['Name'] in names:
        node = models.value[names.index(entry['Name'])]
        first, last = node.start_mark.line, last_line(node)
    else:
        last = last_line(models)
        first = last + 1
    margin = ' ' * models.start_mark.column
    block = [margin + line for line in dump(entry).splitlines()]
    if first > last:
        block.insert(0, '')
    lines = text.splitlines()
    lines[first : last + 1] = block
    return '\n'.join(lines) + '\n'


def last_line(node: yaml.Node) -> int:
    """Return where a node ends, without the comments and blank lines behind it."""
    if isinstance(node, yaml.ScalarNode) or not node.value or node.flow_style:
        return node.end_mark.line
    last = node.value[-1]
    return last_line(last[1] if isinstance(node, yaml.MappingNode) else last)


def read_metafile(metafile: Path, name: str, args: argparse.Namespace) -> dict:
    """Return the content; raise before anything is published if it cannot serve."""
    if not metafile.is_file():
        if args.append:
            raise FileNotFoundError(f'there is no {metafile} to write the entry to')
        return {}
    content = yaml.safe_load(metafile.read_text(encoding='utf-8'))
    if args.append:
        find_models(metafile.read_text(encoding='utf-8'), metafile)
        if not args.force and name in [item['Name'] for item in content['Models']]:
            raise FileExistsError(
                f'{metafile} has an entry {name}; pass --force to update it'
            )
    return content


# -------------------------------------------------------------------------- run


def run(args: argparse.Namespace) -> None:
    name = args.config.stem
    content = read_metafile(args.metafile, name, args)
    # What mmengine prints while it loads and counts is of no use here.
    with contextlib.redirect_stdout(io.StringIO()):
        published = publish_checkpoint(
            args.checkpoint,
            args.config,
            args.out_dir,
            force=args.force,
            allow_pickle=args.allow_pickle,
        )
    print(f'published {published.file}')
    if published.averaged:
        print('its weights are the moving average that EMAHook saved as state_dict')
    if content.get('Collections'):
        collection = content['Collections'][0]['Name']
    else:
        collection = name.split('_')[0]
    entry = make_entry(args.config, published, collection, args.dataset, args.metric)
    known = {item['Name']: item for item in content.get('Models', [])}
    if name in known:
        entry = update_entry(known[name], entry)
    print(dump(entry), end='')
    if args.append:
        text = args.metafile.read_text(encoding='utf-8')
        text = place_entry(text, args.metafile, entry)
        args.metafile.write_text(text, encoding='utf-8')
        print(f'written to {args.metafile}')


def main() -> None:
    args = parse_args()
    try:
        run(args)
    except (ValueError, OSError, yaml.YAMLError) as error:
        raise SystemExit(f'error: {" ".join(str(error).split())}') from None


if __name__ == '__main__':
    main()
