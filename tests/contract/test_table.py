"""The table is worth something only if it is complete."""

import pytest
from torch import nn

import equivision.nn as evnn
from equivision import gauge, permutation, scale, volume
from tests.contract._families import InFrames
from tests.contract._layers import CASES, GROUPS, Case

PUBLIC = {value for value in vars(evnn).values() if isinstance(value, type) and issubclass(value, nn.Module)}
BESIDE = {
    value
    for module in (volume, permutation, scale, gauge)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, nn.Module)
}
#: No finite group moves its input: a picture shrinks (test_scale_space_convolutions_are_exact_where_taps_meet).
NO_GROUP = {scale.ScaleSpaceConv2d}


@pytest.fixture(scope="module")
def rows() -> list[tuple[Case, type[nn.Module]]]:
    """Every row with the class of its layer."""
    layers = [(case, case.make()) for case in CASES]
    return [(case, type(layer.inside if isinstance(layer, InFrames) else layer)) for case, layer in layers]


def test_table_is_complete(rows: list[tuple[Case, type[nn.Module]]]) -> None:
    missing = (PUBLIC | BESIDE) - NO_GROUP - {kind for _, kind in rows}
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


def test_layers_state_their_guarantee(rows: list[tuple[Case, type[nn.Module]]]) -> None:
    """Of the class, since a layer may take it back for a group off the grid."""
    stated = {kind: getattr(kind, "equivariance", None) for kind in PUBLIC | BESIDE}
    assert all(stated[kind] == case.guarantee for case, kind in rows if kind in stated)
    assert stated[scale.ScaleSpaceConv2d] == "approximate"
