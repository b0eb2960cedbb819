"""Which parameters of a test the quick tests have."""

import pytest


def slow_but(quick, values):
    """Mark all values as slow but the quick ones, which stand for the others."""
    return [
        value if value in quick else pytest.param(value, marks=pytest.mark.slow)
        for value in values
    ]
