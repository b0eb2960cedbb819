"""Reading one video as a config reads its test set."""

import re
from pathlib import Path
from string import Formatter
from typing import Any

from mmengine import Config
from mmengine.dataset import Compose, pseudo_collate

from mmtemporal.config_types import is_type

from .input_shape import walk

_OPENERS = (
    *('DecordInit', 'StrictDecordInit', 'StrictPyAVInit'),
    *('OpenCVInit', 'PyAVInit', 'PIMSInit'),
)
_DECODERS = ('DecordDecode', 'OpenCVDecode', 'PyAVDecode', 'PIMSDecode')


def read_video(cfg: Config, video: Path, strict: bool = False) -> dict:
    """Run the ``test_pipeline`` of a config on a video.

    Where that reads folders of frames and is given a file, or the other way round,
    the same frames are taken. A folder of frames has no frame rate; so for the
    configs of such folders a file has none either.

    Args:
        cfg: The config; its scope is the default one, as ``init_recognizer`` makes it.
        video: A video file, or a folder of frames that are named as
            ``test_dataloader.dataset.filename_tmpl`` says, by default
            ``img_00001.jpg`` and so on.
        strict: Whether ``StrictDecordInit`` takes the place of ``DecordInit``, with
            which a corrupt file can end the process.

    Returns:
        A batch of one sample, for ``model.test_step`` or its ``data_preprocessor``.

    Raises:
        ValueError: The file or folder is missing, has no such frames or cannot be
            read, or the config does not say how.
    """
    if not video.exists():
        raise ValueError(f'{video} is no file, and no folder of frames')
    if 'test_pipeline' not in cfg:
        raise ValueError(
            'the config has no test_pipeline, which says how a video is read'
        )
    steps = [step for _, step in walk(cfg.test_pipeline)]
    if video.is_dir():
        sample, steps = _describe_folder(cfg, video), _for_folder(steps)
    else:
        sample = dict(filename=str(video), label=-1, start_index=0, modality='RGB')
        steps = _for_file(steps)
    if strict:
        steps = [_strictly(step) for step in steps]
    # Damaged files make the decoders raise errors of any type.
    try:
        return pseudo_collate([Compose(steps)(sample)])
    except Exception as error:
        # The message has the whole path already.
        reason = str(error).replace(str(video), video.name)
        reason = ' '.join(reason.split())[:200]
        raise ValueError(
            f'cannot read {video} by the test_pipeline of the config: '
            f'{type(error).__name__}: {reason}'
        ) from error


def _for_file(steps: list[dict]) -> list:
    if not any(is_type(step, 'RawFrameDecode') for step in steps):
        return steps
    decode = dict(type='mmaction.DecordDecode')
    steps = [decode if is_type(step, 'RawFrameDecode') else step for step in steps]
    return [dict(type='mmaction.DecordInit'), _forget_frame_rate, *steps]


def _strictly(step: Any) -> Any:
    if not is_type(step, 'DecordInit'):
        return step
    threads = step.get('num_threads', 1)
    return dict(type='mmtemporal.StrictDecordInit', num_threads=threads)


def _forget_frame_rate(results: dict) -> dict:
    del results['avg_fps']
    return results


def _for_folder(steps: list[dict]) -> list[dict]:
    decode = dict(type='mmaction.RawFrameDecode')
    return [
        decode if is_type(step, *_DECODERS) else step
        for step in steps
        if not is_type(step, *_OPENERS)
    ]


def _describe_folder(cfg: Config, folder: Path) -> dict:
    """Return the sample of a folder, as ``RawframeDataset`` describes one."""
    key, dataset = 'test_dataloader.dataset', cfg.get('test_dataloader') or {}
    while 'dataset' in dataset:  # also within wrappers
        dataset = dataset['dataset']
    # A data set of videos says nothing about frames in folders.
    own = dataset if is_type(dataset, 'RawframeDataset') else {}
    template = own.get('filename_tmpl', 'img_{:05}.jpg')
    first = own.get('start_index', 1)
    if own.get('modality', 'RGB') != 'RGB':
        raise ValueError(
            f'{folder}: got {key}.modality={own["modality"]!r}; only RGB frames are '
            'read from folders'
        )
    numbers = _numbers_in(folder, template)
    missing = {*range(first, first + len(numbers))}.difference(numbers)
    if not numbers or missing:
        lacking = template.format(min(missing, default=first))
        raise ValueError(
            f'the folder {folder} has {len(numbers)} frames, and no {lacking}; their '
            f'names are {key}.filename_tmpl={template!r}, counted from '
            f'{key}.start_index={first}'
        )
    return dict(
        frame_dir=str(folder),
        filename_tmpl=template,
        total_frames=len(numbers),
        start_index=first,
        label=-1,
        modality='RGB',
    )


def _numbers_in(folder: Path, template: str) -> list[int]:
    """Return the numbers of the files whose names a template gives."""
    parts = Formatter().parse(template)
    pattern = ''.join(
        re.escape(literal) + (r'(\d+)' if field is not None else '')
        for literal, field, *_ in parts
    )
    matches = (re.fullmatch(pattern, path.name) for path in folder.iterdir())
    numbers = (int(match[1]) for match in matches if match)
    return [n for n in numbers if (folder / template.format(n)).is_file()]
