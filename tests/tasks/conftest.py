import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _environment_as_it_was() -> Iterator[None]:
    """Lightning notes its seed in the environment."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
