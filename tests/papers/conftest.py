"""What the tests of all reproductions share."""

import importlib
import sys
from collections.abc import Iterator

import pytest

from tests.papers._folder import Load


@pytest.fixture
def load(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """The programs of the FOLDER that a test file names, as modules; afterwards they are forgotten."""
    monkeypatch.syspath_prepend(str(request.module.FOLDER))
    yield importlib.import_module
    for program in request.module.FOLDER.glob("*.py"):
        sys.modules.pop(program.stem, None)
