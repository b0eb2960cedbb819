"""Set-up of all tests."""

import pytest
import torch
from browser import page, problems  # noqa: F401  fixtures

import mmtemporal  # noqa: F401  makes the released mmaction2 importable


@pytest.fixture(autouse=True)
def same_random_numbers():
    """Start every test from one seed, whichever tests run before it."""
    torch.manual_seed(0)
