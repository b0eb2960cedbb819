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
        ValueError: The file is missing or cannot be read, or the config does not say
            how.
    """
    if not video.is_file():
        raise ValueError(f'{video} is no file')
    sample = dict(filename=str(video), label=-1, start_index=0, modality='RGB')
    if 'test_pipeline' not in cfg:
        raise ValueError(
            'the config has no test_pipeline, which says how a video is read'
        )
    # Damaged files make the decoders raise errors of any type.
    try:
        return pseudo_collate([Compose(_from_video(cfg.test_pipeline))(sample)])
    except Exception as error:
        reason = ' '.join(str(error).split())[:200]
        raise ValueError(
            f'cannot read {video} by the test_pipeline of the config: '
            f'{type(error).__name__}: {reason}'
        ) from error


def _from_video(pipeline: list[dict]) -> list[dict]:
    steps = [
        dict(type='DecordDecode') if step['type'] == 'RawFrameDecode' else step
        for step in pipeline
    ]
    return steps if steps == pipeline else [dict(type='DecordInit'), *steps]
