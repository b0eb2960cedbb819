"""Loading a video by a config's own pipeline, with the time of each transform."""

import random
import time
from copy import deepcopy
from pathlib import Path
from statistics import mean

import mmcv
import numpy as np
from mmaction.registry import DATASETS
from pipeline_videos import extract_frames

import mmtemporal  # noqa: F401  registers the samplers
from mmtemporal.config_types import is_type

# Crops, flips and positions are random: a round averages over some clips.
CLIPS_PER_ROUND = 8


def build_dataset(settings, video, folder):
    """Build a config's data set so that it has the one video only."""
    settings = deepcopy(settings)
    folder.mkdir()
    if is_type(settings, 'VideoDataset'):
        # A link, as names in annotation files have no spaces.
        line = f'video{video.suffix} 0\n'
        (folder / f'video{video.suffix}').symlink_to(video.resolve())
        settings.data_prefix = dict(video=str(folder))
    elif is_type(settings, 'RawframeDataset'):
        template = settings.get('filename_tmpl', 'img_{:05}.jpg')
        start = settings.get('start_index', 1)
        count = extract_frames(video, folder / 'frames', template, start)
        line = f'frames {count} 0\n'
        settings.data_prefix = dict(img=str(folder))
    else:
        raise SystemExit(
            f'error: got a {settings.type}, expected a VideoDataset or RawframeDataset'
        )
    settings.ann_file = str(folder / 'list.txt')
    Path(settings.ann_file).write_text(line)
    return DATASETS.build(settings)


class Loader:
    """Load clips of a data set's first video and keep the time of each transform.

    Attributes:
        rounds: For each call, the mean seconds of each transform.
        clip: What the pipeline gave last.
    """

    def __init__(self, dataset, clips=CLIPS_PER_ROUND):
        self.dataset = dataset
        self.transforms = dataset.pipeline.transforms
        self.names = [type(transform).__name__ for transform in self.transforms]
        self.clips = clips
        self.rounds = []
        self.num_frames = None
        self.clip = None

    def __call__(self):
        # RawFrameDecode sets this for all that comes after it, resizing too.
        mmcv.use_backend('cv2')
        # The same draws for all that is compared in a round.
        random.seed(len(self.rounds))
        np.random.seed(len(self.rounds))
        clips = [self.load() for _ in range(self.clips)]
        self.rounds.append([mean(times) for times in zip(*clips)])

    def load(self):
        results = self.dataset.get_data_info(0)
        times = []
        for transform in self.transforms:
            start = time.perf_counter()
            results = transform(results)
            times.append(time.perf_counter() - start)
            self.num_frames = len(results.get('frame_inds', ())) or self.num_frames
        self.clip = results
        return times


def is_decoding(name):
    """Whether a transform opens or decodes files: DecordInit, DecordDecode, ..."""
    return name.endswith(('Init', 'Decode'))
