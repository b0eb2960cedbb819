"""Set-up of all tests."""

import mmtemporal  # noqa: F401  makes the released mmaction2 importable
