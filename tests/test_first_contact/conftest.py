"""What the tests of first contact share."""

import pytest
from stock_zoo import Videos


@pytest.fixture(scope='session')
def videos(tmp_path_factory):
    return Videos(tmp_path_factory.mktemp('videos'))
