"""Candidates: their elements are the groups that they name, their networks respect them, others do not."""

import itertools
import pickle
from typing import Any

import pytest
import torch
from torch import nn

from equivision.discovery import PLANE, ChannelSymmetry, LearnedSymmetry, PlaneSymmetry, ScaleSymmetry, candidate
from equivision.discovery._candidates import TRIVIAL, candidates_of
from equivision.discovery._networks import matched, parameters_of
from equivision.errors import ConfigError
from equivision.groups import cyclic, dihedral, parse_permutations, special_orthogonal

GRID = ("up-down", "left-right", "C2", "D2", "C4", "D4")


def randomised(network: nn.Module) -> nn.Module:
    """Float64, in eval mode, with random running statistics."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network.double().eval()


def error(network: nn.Module, x: torch.Tensor, moved: torch.Tensor) -> float:
    with torch.no_grad():
        expected = network(x)
        assert expected.std(0).max() > 1e-6  # images are told apart
        return float((network(moved) - expected).norm() / expected.norm())


@pytest.mark.parametrize("name", GRID)
@pytest.mark.parametrize("size", [14, 15])
def test_networks_are_invariant_under_their_elements_and_no_others(name: str, size: int) -> None:
    one, x = candidate(name), torch.randn(3, 2, size, size, dtype=torch.float64)
    network = randomised(one.network(2, 5, 2000))
    assert len(one.moves()) == one.order - 1
    for move in one.moves().values():
        assert error(network, x, move(x)) < 1e-12
    others = {key: move for key, move in candidate("D4").moves().items() if key not in one.moves()}
    assert all(error(network, x, move(x)) > 1e-3 for move in others.values())


def test_the_network_without_symmetry_has_none() -> None:
    network, x = randomised(TRIVIAL.network(1, 3, 2000)), torch.randn(3, 1, 13, 13, dtype=torch.float64)
    assert TRIVIAL.moves() == {}
    assert all(error(network, x, move(x)) > 1e-3 for move in candidate("D4").moves().values())


@pytest.mark.parametrize("name", ["S3", "S1xS2"])
def test_networks_are_invariant_when_channels_are_exchanged(name: str) -> None:
    one, x = candidate(name), torch.randn(2, 6, 9, 9, dtype=torch.float64)
    network = randomised(one.network(6, 4, 2000))
    assert len(one.moves()) == one.order - 1
    assert all(error(network, x, move(x)) < 1e-12 for move in one.moves().values())
    everything = candidate("S3").moves()
    outside = [move for key, move in everything.items() if key not in one.moves()]
    assert all(error(network, x, move(x)) > 1e-4 for move in outside)
    assert len(outside) == 6 - one.order


def test_large_groups_are_sampled() -> None:
    one = ChannelSymmetry(parse_permutations("S12"))
    assert 10 < len(one.moves()) <= 24
    x = torch.randn(1, 12, 4, 4)
    assert all(torch.equal(move(x).sort(1).values, x.sort(1).values) for move in one.moves().values())


def test_permutations_send_member_i_to_place_p_i() -> None:
    move = candidate("S3").moves()["channels (1, 2, 0)"]
    assert move(torch.arange(3.0).reshape(1, 3, 1, 1)).flatten().tolist() == [2, 0, 1]


def test_a_scale_network_changes_less_than_a_plain_one() -> None:
    """Not exact, so that it is a comparison: the same blobs, enlarged by the ratio of the scales."""
    one, line = ScaleSymmetry(), torch.linspace(-1, 1, 33)
    blobs = [torch.exp(-((line - a) ** 2 + 2 * (line[:, None] - b) ** 2) / 0.02) for a, b in ((0.1, 0), (-0.1, 0.2))]
    x = torch.stack(blobs)[:, None].double()
    move = next(move for key, move in one.moves().items() if key == "x 1.4")
    torch.manual_seed(0)
    changes: dict[str, list[float]] = {"scale": [], "C1": []}
    for _, key in itertools.product(range(6), changes):
        network = randomised(candidate(key).network(1, 3, 3000))
        with torch.no_grad():
            before, after = network(x), network(move(x))
        changes[key].append(float((after - before).norm() / (before[0] - before[1]).norm()))
    assert sum(changes["scale"]) < 0.5 * sum(changes["C1"])


def test_turned_groups_are_conjugates() -> None:
    """{R90 g R-90}: every element of the turned group, as matrices."""
    for n in (1, 2):
        turned, group = PlaneSymmetry(dihedral(n), turned=True), dihedral(n)
        x = torch.randn(1, 1, 6, 6)
        expected = []
        for g in range(1, group.order):
            flips, r = group.split(g)
            y = x.rot90(-1, (-2, -1))
            y = (y.flip(-2) if flips else y).rot90(4 * r // n, (-2, -1))
            expected.append(y.rot90(1, (-2, -1)))
        found = [move(x) for move in turned.moves().values()]
        assert all(any(torch.equal(a, b) for b in found) for a in expected)


def test_containment_is_a_partial_order() -> None:
    groups = [candidate(name) for name in (*PLANE, "D8")]
    pairs = {(a.name, b.name) for a in groups for b in groups if a.contains(b)}
    assert all((a.name, a.name) in pairs for a in groups)
    assert not any((b, a) in pairs for a, b in pairs if a != b)
    assert all((a, d) in pairs for a, b in pairs for c, d in pairs if b == c)
    assert ("D4", "D1 left-right") in pairs
    assert ("D2", "D1 up-down") in pairs
    assert ("C4", "D1 up-down") not in pairs
    assert ("D8", "C8") in pairs
    assert candidate("S3").contains(candidate("S1xS2"))
    assert not candidate("S1xS2").contains(candidate("S3"))
    assert candidate("S3").contains(TRIVIAL)
    assert not candidate("S3").contains(candidate("C2"))
    assert not LearnedSymmetry().contains(TRIVIAL)


@pytest.mark.parametrize("name", [*PLANE, "scale", "learned", "S2"])
def test_networks_have_about_as_many_parameters(name: str) -> None:
    count = parameters_of(candidate(name).network(2, 10, 20_000))
    assert 0.85 * 20_000 < count < 1.15 * 20_000


def test_the_nearest_width_is_taken() -> None:
    found = matched(lambda width: nn.Linear(width, width, bias=False), 101)
    assert parameters_of(found) == 100


def test_candidates_are_read_and_the_trivial_one_is_added() -> None:
    names = [one.name for one in candidates_of(["d4", "Left-Right", TRIVIAL, "S2wrS3"])]
    assert names == ["C1", "D4", "D1 left-right", "S2wrS3"]


@pytest.mark.parametrize("name", [*PLANE, "scale", "learned", "S3", "S2wrS3"])
def test_names_of_results_are_read(name: str) -> None:
    one = candidate(name)
    assert candidate(one.name) == candidate(one.name.upper() if isinstance(one, PlaneSymmetry) else one.name) == one


@pytest.mark.parametrize("name", ["D1 scale", "D1 learned"])
def test_mirrors_alone_have_two_names(name: str) -> None:
    with pytest.raises(ConfigError, match="is not understood"):
        candidate(name)


def test_groups_and_single_candidates_are_read() -> None:
    assert candidate(cyclic(4)) == candidate(" C4 ") == candidate("c4")
    assert candidate(dihedral(4)).name == "D4"
    assert candidate(parse_permutations("S3")) == candidate("S3 ")
    for one in ("C4", cyclic(4), candidate("C4")):
        assert candidates_of(one) == [TRIVIAL, candidate("C4")]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["X4"], "candidate 'X4' is not understood.*left-right"), (["C4", "c4"], "give each one once"),
        (None, "candidate None is not"), ([4], "candidate 4 is not"), (special_orthogonal(), "candidate .* is not"),
    ],
)  # fmt: skip
def test_bad_names(given: Any, message: str, unchecked_annotations: None) -> None:
    with pytest.raises(ConfigError, match=message):
        candidates_of(given)


@pytest.mark.parametrize("scales", [(), (1.0,), (2.0, 1.0), (1.0, 3.0, 4.0), (1.0, 1.0), (0.0, 1.0), (1.0, "a"), 2])
def test_bad_scales(scales: Any, unchecked_annotations: None) -> None:
    with pytest.raises(ConfigError, match=r"scales=.*: give .*, such as \(1.0, 1"):
        ScaleSymmetry(scales)


@pytest.mark.parametrize("name", ["scale", "C8", "left-right", "S3"])
def test_moves_are_plain_values(name: str) -> None:
    """They can be sent to other processes, and compared."""
    moves, x = candidate(name).moves(), torch.randn(1, 3, 8, 8)
    copies = pickle.loads(pickle.dumps(moves))
    assert copies == moves
    assert all(torch.equal(copies[key](x), move(x)) for key, move in moves.items())


def test_rounded_scales_are_scales() -> None:
    assert ScaleSymmetry((1, 1.41, 2)).scales == (1.0, 1.41, 2.0)


def test_descriptions_tell_candidates_apart_in_every_process() -> None:
    given = [*(candidate(name) for name in (*PLANE, "scale", "learned", "S3", "S1xS2")), ScaleSymmetry((1, 2))]
    assert len({one.description() for one in given}) == len(given)

    class Mine(LearnedSymmetry):
        __repr__ = object.__repr__

    assert Mine().description() == Mine().description()
    assert candidate("scale").description() == "ScaleSymmetry(scales=(1.0, 1.4, 1.96))"


def test_candidates_that_cannot_act() -> None:
    with pytest.raises(ConfigError, match=r"candidate C4 turns pictures.*8 x 9"):
        candidate("C4").check(1, (8, 9))
    candidate("D2").check(1, (8, 9))
    with pytest.raises(ConfigError, match=r"candidate S3 exchanges 3 sensors, but images have 4 channel"):
        candidate("S3").check(4, (8, 8))
