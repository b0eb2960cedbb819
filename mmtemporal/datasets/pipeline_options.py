"""Options that change one of the two test pipelines of a config."""

from mmengine import Config

KEYS = ('test_pipeline', 'test_dataloader.dataset.pipeline')


def check_pipeline_options(cfg: Config, options: dict) -> None:
    """Check that ``--cfg-options`` change both test pipelines, or none.

    Configs say ``dataset=dict(pipeline=test_pipeline)``, which mmengine makes a copy:
    inference, export and figures read ``test_pipeline``, and ``test.py`` reads that of
    ``test_dataloader``. A config whose pipelines differ by itself is left alone.

    Args:
        cfg: The config without the options.
        options: The options, which it is given after the check.

    Raises:
        ValueError: They make pipelines differ that were equal.
    """
    changed = Config(cfg.to_dict())
    changed.merge_from_dict(options)
    if _are_equal(cfg) and not _are_equal(changed):
        raise ValueError(
            f'--cfg-options make {KEYS[0]}, which is read here, differ from {KEYS[1]}, '
            'which test.py reads; give the same change for both'
        )


def _are_equal(cfg: Config) -> bool:
    dataset = (cfg.get('test_dataloader') or {}).get('dataset', {})
    # Without one of them there is nothing to mix up.
    pipeline = cfg.get('test_pipeline', dataset.get('pipeline'))
    return dataset.get('pipeline', pipeline) == pipeline
