"""Reading one video as a config reads its test set."""

from pathlib import Path

from mmengine import Config
from mmengine.dataset import Compose, pseudo_collate


def read_video(cfg: Config, video: Path) -> dict:
    """Runs the ``test_pipeline`` of a config on a video file.

    Where that reads folders of frames, the same frames are taken from the video.

    Args:
        cfg: The config; its scope is the default one, as ``init_recognizer`` makes it.
        video: The file.

    Returns:
        A batch of one sample, for ``model.test_step`` or its ``data_preprocessor``.

    Raises:
        ValueError: The file is missing or cannot be read.
    """
    if not video.is_file():
        raise ValueError(f'{video} is no file')
    sample = dict(filename=str(video), label=-1, start_index=0, modality='RGB')
    try:
        return pseudo_collate([Compose(_from_video(cfg.test_pipeline))(sample)])
    except Exception as error:  # of any type; decord has its own
        raise ValueError(
            f'cannot read {video} by the test_pipeline of the config: {error!r}'
        ) from error


def _from_video(pipeline: list[dict]) -> list[dict]:
    steps = [
        dict(type='DecordDecode') if step['type'] == 'RawFrameDecode' else step
        for step in pipeline
    ]
    return steps if steps == pipeline else [dict(type='DecordInit'), *steps]
