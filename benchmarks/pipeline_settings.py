r"""Tell which settings make loading clips faster, each beside the usual setting.

The usual pipeline takes 8 frames of a video of 10 seconds and 340 x 256 pixels, in
H.264 as MMAction2's ``resize_videos.py`` writes it. Every group changes one thing.
Its rows are ratios to the first row of the group, measured interleaved with it.

    python benchmarks/pipeline_settings.py \
        --out benchmarks/results/pipeline_settings_cpu.csv

Without the program ffmpeg the video is MPEG-4, with key frames closer together, and
the groups about key frames are skipped.
"""

import argparse
import logging
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import torch
from measuring import interleave, machine, ratio, write_csv
from mmaction.registry import MODELS
from mmengine import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from pipeline import RECOGNITION, without_weights
from pipeline_groups import (
    DECORD,
    HEAVY,
    SEGMENTS,
    USUAL,
    reader_groups,
    source_groups,
    transform_groups,
)
from pipeline_loading import Loader, build_dataset, is_decoding
from pipeline_videos import write_video
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Dataset


class Bench:
    """Make the videos and loaders, each video once, and collect the rows."""

    def __init__(self, folder, repeats, h264, seconds):
        self.folder = folder
        self.repeats = repeats
        self.h264 = h264
        self.seconds = seconds
        self.videos = {}
        self.num_loaders = 0
        self.rows = []

    def video(self, size=(340, 256), length=1, key_interval=None, h264=None):
        h264 = self.h264 if h264 is None else h264
        key = (size, length, key_interval, h264)
        if key not in self.videos:
            path = self.folder / f'video{len(self.videos)}.mp4'
            seconds = round(length * self.seconds)
            write_video(path, size, seconds, key_interval, h264)
            self.videos[key] = path
        return self.videos[key]

    def dataset(self, reader=DECORD, sampler=SEGMENTS, transforms=USUAL, **video):
        frames = len(reader) == 1  # RawFrameDecode opens nothing before
        pipeline = [
            *reader[:-1],
            sampler,
            reader[-1],
            *transforms,
            dict(type='FormatShape', input_format='NCHW'),
            dict(type='PackActionInputs'),
        ]
        if sampler['clip_len'] > 1:
            pipeline[-2]['input_format'] = 'NCTHW'
        settings = dict(pipeline=pipeline, ann_file='')
        settings['type'] = 'RawframeDataset' if frames else 'VideoDataset'
        self.num_loaders += 1
        folder = self.folder / str(self.num_loaders)
        return build_dataset(ConfigDict(settings), self.video(**video), folder)

    def loader(self, **settings):
        return Loader(self.dataset(**settings))

    def compare(self, group, cases, calls=None):
        """Time the loaders of a group; calls may put something around them."""
        times = interleave(calls or cases, self.repeats, description=group)
        for name, loader in cases.items():
            decoding = [
                sum(s for s, n in zip(row, loader.names) if is_decoding(n))
                for row in loader.rounds[1:]
            ]
            source = Path(loader.dataset.ann_file).parent
            self.add(
                group,
                name,
                times,
                loader.clips,
                decoding_ms=round(1000 * median(decoding), 2),
                source_kb=round(file_bytes(source) / 1000),
            )

    def add(self, group, name, times, clips, decoding_ms='', source_kb=''):
        middle, minimum, maximum = ratio(times[name], next(iter(times.values())))
        self.rows.append(
            dict(
                group=group,
                setting=name,
                ratio=round(middle, 3),
                ratio_min=round(minimum, 3),
                ratio_max=round(maximum, 3),
                clip_ms=round(1000 * median(times[name]) / clips, 2),
                decoding_ms=decoding_ms,
                source_kb=source_kb,
                repeats=self.repeats,
                **machine(),
            )
        )


def file_bytes(folder):
    files = (p for p in folder.rglob('*') if p.is_file() and p.suffix != '.txt')
    return sum(path.stat().st_size for path in files)


def compare_opencv_threads(bench):
    cases, calls = {}, {}
    for n in (0, 2):
        name = f'opencv_num_threads={n}'
        cases[name] = bench.loader(**HEAVY)
        calls[name] = partial(with_cv2_threads, n, cases[name])
    bench.compare('threads of OpenCV, JPEG frames of 1280 x 720', cases, calls)


def with_cv2_threads(count, run):
    cv2.setNumThreads(count)
    run()
    cv2.setNumThreads(0)


class Repeated(Dataset):
    """A data set that has the one video many times."""

    def __init__(self, dataset, length):
        self.dataset = dataset
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return self.dataset[0]


def iterate(batches, step=None, threads=1):
    torch.set_num_threads(threads)
    for batch in batches:
        if step:
            step(batch)
    torch.set_num_threads(1)


def compare_workers(bench, clips=16, batch=4):
    def batches(workers, persistent=True, length=clips):
        return DataLoader(
            Repeated(dataset, length),
            batch,
            num_workers=workers,
            persistent_workers=persistent and workers > 0,
            collate_fn=pseudo_collate,
        )

    def compare(group, cases, length):
        times = interleave(cases, bench.repeats, description=group)
        for name in cases:
            bench.add(group, name, times, length)

    dataset = bench.dataset()
    cases = {f'num_workers={n}': partial(iterate, batches(n)) for n in (0, 1, 2)}
    compare('loading alone', cases, clips)
    cases = {
        f'persistent_workers={flag}': partial(iterate, batches(2, flag, 2 * batch))
        for flag in (True, False)
    }
    compare(f'an epoch of {2 * batch} clips', cases, 2 * batch)
    step = make_step(iter(batches(0)))
    cases = {
        f'workers={n}, threads={threads}': partial(iterate, batches(n), step, threads)
        for threads in (1, 2)
        for n in (0, 1, 2)
    }
    compare('training on the CPU', cases, clips)


def make_step(batches):
    """Return a training step that takes about as long as loading its clips.

    A small network, on a sixteenth of the pixels.
    """
    (path,) = (RECOGNITION / 'tanet').glob('*motionclips*.py')
    cfg = Config.fromfile(path)
    model = MODELS.build(without_weights(cfg.model))

    def step(batch):
        batch['inputs'] = [clip[..., ::4, ::4] for clip in batch['inputs']]
        data = model.data_preprocessor(batch, training=True)
        sum(model(**data, mode='loss').values()).backward()
        model.zero_grad()

    start = time.perf_counter()
    batch = next(batches)
    loaded = time.perf_counter()
    step(batch)
    print(
        f'a batch: {loaded - start:.2f} s of loading, '
        f'{time.perf_counter() - loaded:.2f} s of training'
    )
    return step


def show(rows):
    table = Table(title='Time of a clip / time with the first setting of the group')
    table.add_column('setting')
    for column in ('ratio', 'range', 'ms', 'decoding', 'source kB'):
        table.add_column(column, justify='right')
    group = None
    for row in rows:
        if row['group'] != group:
            group = row['group']
            table.add_section()
            table.add_row(f'[bold]{group}[/]')
        table.add_row(
            f'  {row["setting"]}',
            f'{row["ratio"]:.2f}',
            f'{row["ratio_min"]:.2f}-{row["ratio_max"]:.2f}',
            f'{row["clip_ms"]:.1f}',
            str(row['decoding_ms']),
            str(row['source_kb']),
        )
    Console().print(table)


GROUPS = ('sources', 'readers', 'transforms', 'opencv', 'workers')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--groups', nargs='+', choices=GROUPS, default=GROUPS)
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--seconds', type=int, default=10, help='of the usual video')
    parser.add_argument('--out', type=Path, help='write the rows to this CSV file')
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)  # as the runner of mmengine does
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    init_default_scope('mmaction')
    h264 = shutil.which('ffmpeg') is not None
    if not h264:
        print('ffmpeg is not on the PATH: MPEG-4, and nothing about key frames')
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), args.repeats, h264, args.seconds)
        groups = {}
        if 'sources' in args.groups:
            groups.update(source_groups(h264))
        if 'readers' in args.groups:
            groups.update(reader_groups(h264))
        if 'transforms' in args.groups:
            groups.update(transform_groups())
        for group, cases in groups.items():
            bench.compare(group, {k: bench.loader(**v) for k, v in cases.items()})
        if 'opencv' in args.groups:
            compare_opencv_threads(bench)
        if 'workers' in args.groups:
            compare_workers(bench)
    show(bench.rows)
    if args.out:
        write_csv(args.out, bench.rows)


if __name__ == '__main__':
    main()
