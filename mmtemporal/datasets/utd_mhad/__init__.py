from .check import check_utd_mhad
from .preparation import prepare_utd_mhad
from .recordings import (
    CLASS_NAMES,
    FLIP_LABEL_MAP,
    LISTS,
    ORDER_PAIRS,
    RECORDINGS,
    Recording,
)
from .source import render_depth

__all__ = [
    'CLASS_NAMES',
    'FLIP_LABEL_MAP',
    'LISTS',
    'ORDER_PAIRS',
    'RECORDINGS',
    'Recording',
    'check_utd_mhad',
    'prepare_utd_mhad',
    'render_depth',
]
