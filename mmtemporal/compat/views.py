"""Fix for what is said of a number of views that cannot be tested at a time."""

import functools

from .on_import import change_module

RECOGNIZERS = 'mmaction.models.recognizers.recognizer{}d'


def _check_views(recognizer, num_segments):
    views = (recognizer.test_cfg or {}).get('max_testing_views')
    step = num_segments or 1
    if views and (not isinstance(views, int) or views < 0 or views % step):
        # The type is that of the assertions in mmaction2.
        raise AssertionError(
            f'got model.test_cfg.max_testing_views={views!r}, expected a positive '
            f'number{f" and a multiple of num_segments={step}" if step > 1 else ""}'
        )


def _check_first(recognizer, get_num_segments):
    stock = recognizer.extract_feat

    @functools.wraps(stock)
    def extract_feat(self, *args, **kwargs):
        if kwargs.get('test_mode'):
            _check_views(self, get_num_segments(self.backbone))
        return stock(self, *args, **kwargs)

    recognizer.extract_feat = extract_feat


def _change_2d(module):
    # It counts frames of clips, or windows.
    _check_first(module.Recognizer2D, lambda b: getattr(b, 'num_segments', None))


def _change_3d(module):
    _check_first(module.Recognizer3D, lambda backbone: None)


def name_wrong_views():
    """Let the recognizers say which ``max_testing_views`` they got and can take.

    Symptom: ``make sure that max_testing_views is a multiple of num_segments, but got
    {max_testing_views} and {num_segments}``; with a text for a number an empty
    message; with a negative number a test that never ends.
    Cause: mmaction2 asserts, and forgot the prefix of a formatted string.
    Acts when: called for the first time.
    """
    changes = ((2, _change_2d), (3, _change_3d))
    return all([change_module(RECOGNIZERS.format(d), change) for d, change in changes])
