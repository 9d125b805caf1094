"""Plain twins leave out the group axis, and freezing traces: annotations of the package are not checked here."""

import pytest


@pytest.fixture(autouse=True)
def _annotations_are_not_checked(unchecked_annotations: None) -> None:
    pass
