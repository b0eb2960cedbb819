"""What UTD-MHAD consists of: classes, persons, recordings, lists."""

from typing import NamedTuple

CLASS_NAMES = (
    'swipe_left',
    'swipe_right',
    'wave',
    'clap',
    'throw',
    'cross_arms',
    'basketball_shoot',
    'draw_x',
    'draw_circle_cw',
    'draw_circle_ccw',
    'draw_triangle',
    'bowling',
    'boxing',
    'baseball_swing',
    'tennis_forehand',
    'arm_curl',
    'tennis_serve',
    'two_hand_push',
    'knock',
    'catch',
    'pickup_throw',
    'jog_in_place',
    'walk_in_place',
    'sit_to_stand',
    'stand_to_sit',
    'forward_lunge',
    'squat',
)
"""Names of the labels, in the order of the authors' action numbers 1 to 27."""


def _labels_of(*pairs: tuple[str, str]) -> tuple[tuple[int, int], ...]:
    return tuple((CLASS_NAMES.index(a), CLASS_NAMES.index(b)) for a, b in pairs)


_SIDES = _labels_of(
    ('swipe_left', 'swipe_right'), ('draw_circle_cw', 'draw_circle_ccw')
)

ORDER_PAIRS = (*_SIDES, *_labels_of(('sit_to_stand', 'stand_to_sit')))
"""Pairs of labels whose motions are each other's reversal."""

FLIP_LABEL_MAP = {a: b for pair in _SIDES for a, b in (pair, pair[::-1])}
"""Labels that a horizontal flip exchanges, as ``Flip(flip_label_map=...)`` wants them.
"""

LISTS = dict(train=(1, 3, 5, 7), test=(2, 4, 6, 8), tune_train=(1, 3, 5), tune_val=(7,))
"""Lists of videos and the persons in them.

The first two are the authors' cross-subject split. The others divide the training
persons, for choosing settings without a look at the test persons.
"""


class Recording(NamedTuple):
    """A person doing an action once; numbers as the authors count, from 1."""

    action: int
    person: int
    trial: int

    @property
    def name(self) -> str:
        """How the authors' file names begin."""
        return f'a{self.action}_s{self.person}_t{self.trial}'

    @property
    def label(self) -> int:
        """The action, counted from 0."""
        return self.action - 1

    @property
    def video(self) -> str:
        """Path of the video, relative to the folder of the prepared data set."""
        return f'videos/{CLASS_NAMES[self.label]}/{self.name}.mp4'


_NOT_PUBLISHED = (Recording(8, 1, 4), Recording(23, 6, 4), Recording(27, 8, 4))

RECORDINGS = tuple(
    recording
    for action in range(1, 28)
    for person in range(1, 9)
    for trial in range(1, 5)
    if (recording := Recording(action, person, trial)) not in _NOT_PUBLISHED
)
"""All 861 recordings of the data set; three of 27 x 8 x 4 were never published."""
