"""Compare what readers of videos cost, in CPU time, for recipes and for codecs.

Every reader opens a made video of 10 seconds and 340 x 256 pixels and decodes the same
frames: those that the samplers of the recipes draw, from H.264 as ffmpeg writes it by
default, and one of each of 8 segments from other codecs. The readers take turns. Their
ratio to decord is that of medians over rounds of several draws.

    python benchmarks/decoding.py --out benchmarks/results/decoding_cpu.csv

decord2 has the import name of decord, so it runs in a process of its own, from a folder
in which it was installed:

    pip install --no-deps --target /tmp/decord2 decord2==3.4.0
    python benchmarks/decoding.py --decord2 /tmp/decord2
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from copy import deepcopy
from pathlib import Path
from statistics import median

import av
import cv2
import imageio_ffmpeg
import numpy as np
from measuring import machine, write_csv
from mmaction.registry import TRANSFORMS
from mmengine import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from pipeline import RECIPES, RECOGNITION
from pipeline_videos import draw_frames, encode
from rich.console import Console
from rich.progress import track
from rich.table import Table

import mmtemporal  # noqa: F401  registers the transforms
from mmtemporal.config_types import is_type

SIZE, FPS = (340, 256), 30
READERS = {
    'decord': (dict(type='DecordInit'), dict(type='DecordDecode')),
    'StrictDecordInit': (
        dict(type='mmtemporal.StrictDecordInit'),
        dict(type='DecordDecode'),
    ),
    'StrictPyAVInit': (
        dict(type='mmtemporal.StrictPyAVInit'),
        dict(type='DecordDecode'),
    ),
    'PyAV': (dict(type='PyAVInit'), dict(type='PyAVDecode')),
    'OpenCV': (dict(type='OpenCVInit'), dict(type='OpenCVDecode')),
}
# Ending of the file, and options of ffmpeg; the first one is for the recipes.
CODECS = {
    'H.264': ('mp4', '-c:v libx264'),
    'H.264, key frame every 16': ('mp4', '-c:v libx264 -g 16'),
    'H.264, without B-frames': ('mp4', '-c:v libx264 -bf 0'),
    'H.264 in AVI': ('avi', '-c:v libx264'),
    'H.265': ('mp4', '-c:v libx265 -x265-params log-level=error'),
    'VP8': ('webm', '-c:v libvpx -deadline realtime -cpu-used 8 -b:v 1M'),
    'VP9': ('webm', '-c:v libvpx-vp9 -deadline realtime -cpu-used 8'),
    'AV1': ('mp4', '-c:v libsvtav1 -preset 12'),
    'MPEG-4': ('mp4', '-c:v mpeg4 -q:v 4'),
    'MPEG-4 with B-frames': ('mp4', '-c:v mpeg4 -q:v 4 -bf 2'),
    'MPEG-4 in AVI': ('avi', '-c:v libxvid -q:v 4'),
    'MPEG-2': ('mpg', '-c:v mpeg2video -q:v 4 -bf 2'),
    'MJPEG': ('avi', '-c:v mjpeg -q:v 4 -pix_fmt yuvj420p'),
    'FFV1': ('mkv', '-c:v ffv1'),
}
SEGMENTS = dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=8)


class Reader:
    """Reads frames by two transforms, the second of which decodes them."""

    def __init__(self, opener, decoder):
        self.opener = TRANSFORMS.build(opener)
        self.decoder = TRANSFORMS.build(decoder)

    def __call__(self, path, indices):
        start = time.process_time()
        results = self.opener(dict(filename=str(path), start_index=0))
        results['frame_inds'] = indices.copy()
        frames = self.decoder(results)['imgs']
        return time.process_time() - start, np.stack(frames)


class Decord2:
    """Reads frames in a process that finds decord2 under the name of decord."""

    SERVE = """
import io, json, sys, time
import decord
for line in sys.stdin:
    path, indices = json.loads(line)
    start = time.process_time()
    with open(path, 'rb') as file:
        reader = decord.VideoReader(io.BytesIO(file.read()), num_threads=1)
    frames = list(reader.get_batch(indices).asnumpy())
    print(time.process_time() - start, len(frames), flush=True)
"""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [sys.executable, '-c', self.SERVE],
            env={**os.environ, 'PYTHONPATH': str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, path, indices):
        line = json.dumps([str(path), indices.tolist()])
        print(line, file=self.process.stdin, flush=True)
        seconds = self.process.stdout.readline().split()[0]
        return float(seconds), None


def read_samplers():
    """Return the samplers of the recipes for videos, by the names of the recipes."""
    samplers = {}
    for name in RECIPES:
        dataset = Config.fromfile(RECOGNITION / name).train_dataloader.dataset
        if is_type(dataset, 'VideoDataset'):
            samplers[Path(name).stem] = dataset.pipeline[1]
    return samplers


def draw(sampler, num_frames, seed):
    np.random.seed(seed)
    results = dict(total_frames=num_frames, avg_fps=FPS, start_index=0)
    return np.ravel(TRANSFORMS.build(deepcopy(sampler))(results)['frame_inds'])


def decode_fully(path):
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return np.stack(
            [f.to_ndarray(format='rgb24', interpolation='BICUBIC') for f in frames]
        )


def measure(readers, videos, samplers, args):
    """Return a row for each video, sampler and reader that can read it."""
    cases = [(next(iter(videos)), name, steps) for name, steps in samplers.items()]
    cases += [(codec, '8 segments', SEGMENTS) for codec in videos]
    rows = []
    for codec, name, sampler in track(cases, description='measuring'):
        path = videos[codec]
        expected = decode_fully(path)
        seconds = {reader: [] for reader in readers}
        right = dict.fromkeys(readers, '')
        for repeat in range(args.repeats + 1):  # the first one warms up
            draws = [
                draw(sampler, len(expected), 100 * repeat + i)
                for i in range(args.draws)
            ]
            for reader in list(seconds):
                try:
                    results = [readers[reader](path, indices) for indices in draws]
                except Exception:  # a codec that it lacks
                    if repeat:
                        raise
                    del seconds[reader]
                    continue
                if repeat:
                    seconds[reader].append(sum(cpu for cpu, _ in results))
                elif results[0][1] is not None:
                    same = [
                        np.abs(frames - expected[i].astype(int)).mean((1, 2, 3)) < 1
                        for (_, frames), i in zip(results, draws)
                    ]
                    right[reader] = round(float(np.concatenate(same).mean()), 3)
        decord = median(seconds['decord']) if 'decord' in seconds else None
        rows += [
            dict(
                video=codec,
                frames=name,
                reader=reader,
                ratio=round(median(times) / decord, 3) if decord else '',
                clip_ms=round(1000 * median(times) / args.draws, 2),
                frames_right=right[reader],
                repeats=args.repeats,
                draws=args.draws,
                **machine(),
            )
            for reader, times in seconds.items()
        ]
    return rows


def show(rows):
    readers = list(dict.fromkeys(row['reader'] for row in rows))
    table = Table(title='CPU time of decoding / that of decord, and wrong frames')
    for column in ('video', 'frames', *readers):
        table.add_column(column)
    cells = {}
    for row in rows:
        ratio = f'{row["ratio"]:.2f}' if row['ratio'] else f'{row["clip_ms"]:.0f} ms'
        wrong = '' if row['frames_right'] in ('', 1) else ' wrong'
        key = row['video'], row['frames']
        cells.setdefault(key, {})[row['reader']] = ratio + wrong
    for (video, frames), found in cells.items():
        table.add_row(video, frames, *(found.get(reader, '-') for reader in readers))
    Console().print(table)


def parse_args(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--codecs', nargs='+', choices=CODECS, default=list(CODECS))
    parser.add_argument('--seconds', type=int, default=10, help='of the videos')
    parser.add_argument('--repeats', type=int, default=7, help='rounds')
    parser.add_argument('--draws', type=int, default=4, help='of frames, in each round')
    parser.add_argument('--decord2', type=Path, help='the folder it is installed in')
    parser.add_argument('--out', type=Path, help='write the rows to this CSV file')
    args = parser.parse_args(arguments)
    for name in ('seconds', 'repeats', 'draws'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} {getattr(args, name)}: give 1 or more')
    if args.decord2 and not (args.decord2 / 'decord').is_dir():
        parser.error(f'--decord2 {args.decord2}: it has no folder decord')
    return args


def main(arguments=None):
    args = parse_args(arguments)
    cv2.setNumThreads(0)  # as the runner of mmengine does
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    init_default_scope('mmaction')
    readers = {name: Reader(*steps) for name, steps in READERS.items()}
    if args.decord2:
        readers['decord2'] = Decord2(args.decord2)
    frames = list(draw_frames(SIZE, FPS * args.seconds))
    program = imageio_ffmpeg.get_ffmpeg_exe()
    with tempfile.TemporaryDirectory() as folder:
        videos = {}
        for i, name in enumerate(track(args.codecs, description='encoding')):
            ending, options = CODECS[name]
            videos[name] = Path(folder) / f'{i}.{ending}'
            options = f'-pix_fmt yuv420p {options}'
            encode(videos[name], frames, SIZE, options, program)
        rows = measure(readers, videos, read_samplers(), args)
    show(rows)
    if args.out:
        write_csv(args.out, rows)


if __name__ == '__main__':
    main()
