"""The table is worth something only if it is complete."""

import pytest
from torch import nn

import equivision.nn as evnn
from equivision import volume
from tests.contract._layers import CASES, GROUPS, Case

PUBLIC = {value for value in vars(evnn).values() if isinstance(value, type) and issubclass(value, nn.Module)}
IN_SPACE = {value for value in vars(volume).values() if isinstance(value, type) and issubclass(value, nn.Module)}


@pytest.fixture(scope="module")
def rows() -> list[tuple[Case, type[nn.Module]]]:
    """Every row with the class of its layer."""
    return [(case, type(case.make())) for case in CASES]


def test_table_is_complete(rows: list[tuple[Case, type[nn.Module]]]) -> None:
    missing = (PUBLIC | IN_SPACE) - {kind for _, kind in rows}
    assert not missing, f"add rows to tests/contract/_layers.py for {sorted(layer.__name__ for layer in missing)}"


def test_slow_properties_see_every_layer(rows: list[tuple[Case, type[nn.Module]]]) -> None:
    missing = PUBLIC - {kind for case, kind in rows if case.representative}
    assert not missing, f"mark a row as representative for {sorted(layer.__name__ for layer in missing)}"


def test_every_layer_meets_every_group(rows: list[tuple[Case, type[nn.Module]]]) -> None:
    for layer in PUBLIC - {evnn.Restrict}:
        met = {case.group for case, kind in rows if kind is layer}
        assert met >= set(GROUPS), f"{layer.__name__} is not tested with {[g.name for g in set(GROUPS) - met]}"


def test_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_layers_state_their_guarantee() -> None:
    assert all(getattr(layer, "equivariance", None) == "exact" for layer in PUBLIC | IN_SPACE)
