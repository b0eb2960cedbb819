"""Tell what loading a clip costs, beside a step of the model that waits for it.

Every transform of a config's own pipeline is timed on one video, and one training
step (with --test one inference) of its model on a clip that the pipeline gave. The
first divided by the second is how many worker processes keep the device fed.

    python benchmarks/pipeline.py --h264 --out benchmarks/results/pipeline_cpu.csv

The files are read from memory after the first time: slow disks and networks come on
top. It needs no weights and no data set: without --video it makes a video, with --h264
by ffmpeg, whose H.264 takes two to three times as long to decode as OpenCV's MPEG-4.
"""

import argparse
import logging
import shutil
import tempfile
from copy import deepcopy
from pathlib import Path
from statistics import median

import cv2
import decord
import torch
from measuring import check_device, interleave, machine, write_csv
from mmaction.registry import MODELS
from mmengine import Config, DictAction
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from pipeline_loading import Loader, build_dataset, is_decoding
from pipeline_videos import describe, write_video
from rich.console import Console
from rich.table import Table

import mmtemporal  # noqa: F401  registers the networks and samplers

RECOGNITION = Path(__file__).resolve().parents[1] / 'configs' / 'recognition'
# One recipe of each way to read a video.
RECIPES = (
    'tanet/tanet_imagenet-pretrained-r50_8xb8-dense-1x1x8-100e_kinetics400-rgb.py',
    'tanet/tanet_imagenet-pretrained-r50_8xb8-1x1x8-50e_sthv2-rgb.py',
    'tin/tin_imagenet-pretrained-r50_8xb6-1x1x8-40e_sthv1-rgb.py',
    'tdn/tdn_imagenet-pretrained-r50_8xb8-5x1x8-60e_sthv2-rgb.py',
    'tada2d/tada2d_imagenet-pretrained-r50_8xb16-8x8x1-100e_kinetics400-rgb.py',
    'tada2d/tada2d_imagenet-pretrained-r50_8xb16-u8-64e_sthv2-rgb.py',
    'tadaconvnext/'
    'tadaconvnextv2_imagenet-pretrained-tiny_32xb16-16x5x1-100e_kinetics400-rgb.py',
)


def without_weights(settings):
    """Return a config without the keys that load pretrained weights."""
    if isinstance(settings, dict):
        return type(settings)(
            {
                key: None if key in ('pretrained', 'init_cfg') else without_weights(v)
                for key, v in settings.items()
            }
        )
    if isinstance(settings, (list, tuple)):
        return type(settings)(without_weights(value) for value in settings)
    return settings


class Step:
    """A training step or an inference of a config's model, on clips of its loader."""

    def __init__(self, cfg, loader, test, batch, device):
        self.loader = loader
        self.batch = batch
        self.model = MODELS.build(without_weights(cfg.model)).to(device)
        self.model.train(not test)
        wrapper = cfg.optim_wrapper
        self.optimizer = None if test else build_optim_wrapper(self.model, wrapper)

    def __call__(self):
        data = pseudo_collate([deepcopy(self.loader.clip) for _ in range(self.batch)])
        if self.optimizer:
            self.model.train_step(data, self.optimizer)
        else:
            with torch.no_grad():
                self.model.test_step(data)


def measure(paths, args, folder):
    """Return a row for each transform of each config."""
    split = 'test' if args.test else 'train'
    cases, configs = {}, {}
    for i, path in enumerate(paths):
        cfg = Config.fromfile(path)
        cfg.merge_from_dict(args.cfg_options)
        init_default_scope(cfg.get('default_scope', 'mmaction'))
        settings = cfg[f'{split}_dataloader'].dataset
        loader = Loader(build_dataset(settings, args.video, folder / str(i)))
        loader.load()
        step = Step(cfg, loader, args.test, args.batch_size, args.device)
        cases[path, 'pipeline'] = loader
        cases[path, 'step'] = step
        configs[path] = cfg
    description = f'{args.repeats} rounds of {len(paths)} configs'
    times = interleave(cases, args.repeats, args.device, description)
    rows = []
    for path in paths:
        step = median(times[path, 'step']) / args.batch_size
        rows += transform_rows(path.stem, split, cases[path, 'pipeline'], step, args)
    return rows


def transform_rows(name, split, loader, step, args):
    rounds = loader.rounds[1:]  # the first one warmed up
    pipeline = median(map(sum, rounds))
    seconds = [median(times) for times in zip(*rounds)]
    decoding = sum(s for s, n in zip(seconds, loader.names) if is_decoding(n))
    video = args.video_description
    if 'RawFrameDecode' in loader.names:
        video = f'JPEG frames of {video}'
    return [
        dict(
            config=name,
            split=split,
            video=video,
            frames=loader.num_frames,
            position=position,
            transform=transform,
            milliseconds=round(1000 * value, 3),
            pipeline_ms=round(1000 * pipeline, 2),
            decoding_share=round(decoding / sum(seconds), 3),
            step_ms=round(1000 * step, 2),
            workers=float(f'{pipeline / step:.2g}'),
            batch_size=args.batch_size,
            repeats=args.repeats,
            **machine(args.device),
        )
        for position, (transform, value) in enumerate(zip(loader.names, seconds))
    ]


def show(rows, args):
    per = 'video' if args.test else 'clip'
    table = Table(title=f'Pipelines, milliseconds per {per}: {args.video_description}')
    table.add_column('config', no_wrap=True)
    table.add_column('transform')
    for column in ('ms', 'share'):
        table.add_column(column, justify='right')
    summary = Table(title=f'Pipeline and model, milliseconds per {per}')
    summary.add_column('config', no_wrap=True)
    step = 'inference' if args.test else 'training step'
    for column in ('frames', 'pipeline', 'decoding', step, 'workers'):
        summary.add_column(column, justify='right')
    for i, row in enumerate(rows):
        total = row['pipeline_ms']
        last = i + 1 == len(rows) or rows[i + 1]['position'] == 0
        # The long name runs down beside the transforms.
        name = row['config'].split('_')
        table.add_row(
            name[row['position']] if row['position'] < len(name) else '',
            row['transform'],
            f'{row["milliseconds"]:.2f}',
            f'{row["milliseconds"] / total:.0%}',
            end_section=last,
        )
        if last:
            summary.add_row(
                '\n'.join(name),
                str(row['frames']),
                f'{total:.1f}',
                f'{row["decoding_share"]:.0%}',
                f'{row["step_ms"]:.1f}',
                f'{row["workers"]:g}',
                end_section=True,
            )
    console = Console()
    console.print(table)
    console.print(summary)
    console.print(
        f'workers: as many processes loading a {per} each keep one such device busy; '
        f'{machine(args.device)["device"]}, {torch.get_num_threads()} threads.'
    )


def parse_args(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('configs', nargs='*', type=Path, metavar='CONFIG')
    parser.add_argument('--video', type=Path, help='measure with this video')
    parser.add_argument(
        '--h264',
        action='store_true',
        help='make the video with ffmpeg, as MMAction2 prepares its data sets',
    )
    parser.add_argument('--test', action='store_true', help='testing, not training')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1, help="the model's, on a CPU")
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--batch-size', type=int, default=1, help='clips of a step')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    parser.add_argument('--out', type=Path, help='write the rows to this CSV file')
    args = parser.parse_args(arguments)
    args.configs = args.configs or [RECOGNITION / name for name in RECIPES]
    for path in args.configs:
        if not path.is_file():
            parser.error(f'CONFIG {path}: no such file')
    if args.video:
        check_video(args.video, parser)
    if args.video and args.h264:
        parser.error('--h264 is for the video that is made; omit --video')
    if args.h264 and not shutil.which('ffmpeg'):
        parser.error('--h264: the program ffmpeg is not on the PATH')
    for name in ('repeats', 'threads', 'batch_size'):
        if getattr(args, name) < 1:
            flag = name.replace('_', '-')
            parser.error(f'--{flag} {getattr(args, name)}: give 1 or more')
    check_device(parser, args.device)
    return args


def check_video(path, parser):
    if not path.is_file():
        parser.error(f'--video {path}: no such file')
    try:
        describe(path)
    except (decord.DECORDError, RuntimeError):
        parser.error(f'--video {path}: decord cannot read it as a video')


def main(arguments=None):
    args = parse_args(arguments)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(0)  # as the runner of mmengine does
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if not args.video:
            args.video = write_video(folder / 'made.mp4', h264=args.h264)
        args.video_description = describe(args.video)
        rows = measure(args.configs, args, folder)
    show(rows, args)
    if args.out:
        write_csv(args.out, rows)


if __name__ == '__main__':
    main()
