"""The videos that the benchmarks of pipelines load."""

import subprocess

import cv2
import decord
import numpy as np
from rich.progress import track

# OpenCV's names of what is written here.
CODECS = {'FMP4': 'MPEG-4', 'h264': 'H.264'}


def draw_frames(size, num_frames, seed=0):
    """Yield BGR frames of a turning, panning texture, moving discs and noise."""
    rng = np.random.default_rng(seed)
    width, height = size
    side = int(1.3 * max(size))
    canvas = 128 + sum(
        cv2.resize(
            rng.normal(0, 90 / cells**0.4, (cells, cells, 3)).astype(np.float32),
            (side, side),
            interpolation=cv2.INTER_CUBIC,
        )
        for cells in (4, 16, 64, 160, 400)
    )
    canvas = np.clip(canvas, 0, 255).astype(np.uint8)
    noise = [rng.normal(0, 3, (height, width, 3)).astype(np.float32) for _ in range(5)]
    colours = rng.integers(0, 255, (6, 3)).tolist()
    phases = rng.uniform(0, 2 * np.pi, (6, 2))
    for i in range(num_frames):
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), 8 * np.sin(i / 40), 1)
        shift = 0.15 * side * np.array([np.sin(i / 23), np.cos(i / 31)])
        turn[:, 2] += shift + (np.array(size) - side) / 2
        frame = cv2.warpAffine(canvas, turn, size, borderMode=cv2.BORDER_REFLECT)
        for colour, (a, b) in zip(colours, phases):
            x = width * (0.5 + 0.4 * np.sin(i / 17 + a))
            y = height * (0.5 + 0.4 * np.sin(i / 11 + b))
            cv2.circle(frame, (int(x), int(y)), height // 12, colour, -1)
        yield np.clip(frame + noise[i % 5], 0, 255).astype(np.uint8)


def write_video(path, size=(340, 256), seconds=10, key_interval=None, h264=False):
    """Write a made video: MPEG-4 by OpenCV, or H.264 by the program ffmpeg.

    The options of ffmpeg are those of MMAction2's ``resize_videos.py``, which sets a
    key interval of 16 if ``--dense`` is given, and none otherwise.
    """
    frames = track(
        draw_frames(size, 30 * seconds),
        total=30 * seconds,
        description=f'making {path.name}',
        transient=True,
    )
    if h264:
        codec = '-pix_fmt yuv420p -c:v libx264'
        codec += f' -g {key_interval}' if key_interval else ''
        encode(path, frames, size, codec)
    else:
        fourcc = cv2.VideoWriter_fourcc(*'mp4v')
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, 30, size)
        if not writer.isOpened():
            raise RuntimeError(
                f'OpenCV {cv2.__version__} cannot write MPEG-4 video; give a file with '
                '--video, or install an opencv-python (or headless) wheel'
            )
        for frame in frames:
            writer.write(frame)
        writer.release()
    return path


def encode(path, frames, size, options, program='ffmpeg'):
    """Write BGR frames by ffmpeg, 30 a second, with its options for the output."""
    source = f'-f rawvideo -pix_fmt bgr24 -s {size[0]}x{size[1]} -r 30 -i -'
    command = f'-y -loglevel error {source} {options} -an'.split()
    with subprocess.Popen([program, *command, path], stdin=subprocess.PIPE) as process:
        for frame in frames:
            process.stdin.write(frame.data)
    if process.returncode:
        raise RuntimeError(f'ffmpeg could not write {path}')


def describe(video):
    """Name what decoding depends on; a video that cannot be read is an error."""
    reader = decord.VideoReader(str(video), num_threads=1)
    height, width = reader[0].shape[:2]
    fourcc = int(cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FOURCC))
    codec = fourcc.to_bytes(4, 'little').decode(errors='replace')
    return (
        f'{CODECS.get(codec, codec)} {width}x{height}, '
        f'{len(reader)} frames, {len(reader.get_key_indices())} key frames'
    )


def extract_frames(video, folder, template, start=1):
    """Write the frames as JPEG files and return their number."""
    folder.mkdir()
    capture = cv2.VideoCapture(str(video))
    count = 0
    while True:
        found, frame = capture.read()
        if not found:
            return count
        cv2.imwrite(str(folder / template.format(start + count)), frame)
        count += 1
