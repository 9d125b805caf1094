"""The first component of filter sets, against an SVD, known cases and what cannot change it."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.analysis import filter_redundancy, random_redundancy, redundancy
from equivision.errors import ConfigError, ShapeError
from equivision.functional import act

GROUPS = ("C2", "C4", "D1", "D2", "D4")


def weights(order: int, k: int, *, out: int = 3, inside: int = 2) -> Tensor:
    return torch.randn(out, inside, order, k, k, dtype=torch.float64)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_it_is_the_share_of_the_first_singular_value(k: int) -> None:
    weight = weights(4, k)
    ratios = filter_redundancy(weight)
    assert ratios.shape == (6,)
    for n, ratio in enumerate(ratios):
        rows = weight[n // 2, n % 2].reshape(4, k * k)
        singular = torch.linalg.svdvals(rows - rows.mean(1, keepdim=True))
        torch.testing.assert_close(ratio, singular[0] ** 2 / singular.square().sum())


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("k", [2, 3, 4])
def test_separable_filters_give_one(group: str, k: int) -> None:
    order = ev.groups.parse(group).order
    weight = torch.randn(3, 2, 1, k, k, dtype=torch.float64) * torch.randn(3, 2, order, 1, 1, dtype=torch.float64)
    assert (filter_redundancy(weight) - 1).abs().max() <= 1e-12
    assert filter_redundancy(weight).max() <= 1
    assert filter_redundancy(weight + 0.1 * weights(order, k)).max() < 1 - 1e-6


def test_filters_at_right_angles_give_the_least() -> None:
    columns = torch.randn(9, 4, dtype=torch.float64)
    basis = torch.linalg.qr(columns - columns.mean(0))[0].T  # four orthonormal rows of mean zero
    torch.testing.assert_close(
        filter_redundancy(basis.reshape(1, 1, 4, 3, 3)), torch.tensor([0.25], dtype=torch.float64)
    )


@pytest.mark.parametrize("k", [2, 3, 4])
def test_what_does_not_change_it(k: int) -> None:
    weight = weights(8, k)
    expected = filter_redundancy(weight)
    scaled = weight * torch.rand(3, 2, 1, 1, 1, dtype=torch.float64).add(0.5)
    shifted = weight + torch.randn(3, 2, 8, 1, 1, dtype=torch.float64)
    shuffled = weight.flatten(-2)[..., torch.randperm(k * k)].unflatten(-1, (k, k))[:, :, torch.randperm(8)]
    for same in (scaled, shifted, shuffled):
        torch.testing.assert_close(filter_redundancy(same), expected)


@pytest.mark.parametrize("group", GROUPS)
def test_it_is_the_same_for_every_copy_in_the_filter_bank(group: str) -> None:
    acting = ev.groups.planar(group)
    weight = weights(acting.order, 3)
    for g in range(acting.order):
        torch.testing.assert_close(filter_redundancy(act(weight, g, acting)), filter_redundancy(weight))


@pytest.mark.parametrize(
    ("distribution", "k", "expected"),
    [("normal", 3, 0.517), ("normal", 4, 0.441), ("uniform", 3, 0.491), ("uniform", 4, 0.420)],
)
def test_random_filters(distribution: Any, k: int, expected: float) -> None:
    baseline = random_redundancy(4, (k, k), distribution=distribution)
    assert baseline == pytest.approx(expected, abs=2e-3)
    assert random_redundancy.__wrapped__(4, (k, k), distribution=distribution) == baseline
    weight = weights(4, k, out=40, inside=40)
    drawn = filter_redundancy(weight if distribution == "normal" else torch.rand_like(weight))
    assert float(drawn.mean()) == pytest.approx(baseline, abs=5e-3)


def test_the_baseline_draws_from_its_own_generator() -> None:
    state = torch.random.get_rng_state()
    assert random_redundancy.__wrapped__(2, (3, 3), sets=10) != random_redundancy(2, (3, 3), sets=10, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_constant_filters_are_left_out() -> None:
    weight = weights(4, 3)
    weight[0, 0] = 0
    weight[1, 1] = torch.randn(4, 1, 1, dtype=torch.float64)
    ratios = filter_redundancy(weight)
    assert ratios.shape == (4,)
    assert torch.isfinite(ratios).all()
    layer = ev.nn.GroupConv2d(2, 3, 3, group="C4").double()
    with torch.no_grad():
        layer.weight.copy_(weight)
    found = redundancy(layer).layers[0]
    assert (found.constant, len(found.ratios)) == (2, 4)
    with torch.no_grad():
        layer.weight.zero_()
    assert redundancy(layer).layers[0].mean is None
    assert "–" in str(redundancy(layer))


def test_layers_of_a_network() -> None:
    net = ev.create_model("p4cnn", width=3)
    report = redundancy(net)
    assert [layer.name for layer in report.layers] == [f"features.{i}" for i in (3, 7, 10, 13, 16, 19)]
    assert [layer.kernel_size for layer in report.layers] == 5 * [(3, 3)] + [(4, 4)]
    for layer in report.layers:
        module = net.get_submodule(layer.name)
        assert (layer.kind, layer.group, layer.constant) == ("GroupConv2d", "C4", 0)
        assert layer.ratios == tuple(filter_redundancy(module).tolist())
        assert len(layer.ratios) == 9
        assert layer.baseline == random_redundancy(4, layer.kernel_size)
    assert json.loads(json.dumps(report.to_dict()))["layers"][5]["kernel_size"] == [4, 4]
    assert "features.19  GroupConv2d  C4, 4 x 4" in str(report)
    uniform = redundancy(net, distribution="uniform").layers[0]
    assert uniform.baseline == random_redundancy(4, (3, 3), distribution="uniform")
    assert uniform.ratios == report.layers[0].ratios


def test_what_is_skipped_and_why() -> None:
    net = nn.Sequential(
        ev.nn.LiftConv2d(1, 2, 3, group="C4"),
        ev.nn.GroupConv2d(2, 2, 1, group="C4"),
        ev.nn.GroupConv2d(2, 2, 3, group="C1"),
        ev.nn.GroupConvTranspose2d(2, 2, 4, group="C4"),
        nn.Conv3d(2, 2, (4, 3, 3)),
    )
    report = redundancy(net)
    assert [layer.name for layer in report.layers] == ["3"]
    assert dict(report.skipped) == {
        "1": "its kernels are 1 x 1: centring leaves nothing",
        "2": "its group is trivial: a set holds one filter",
    }
    assert "1: skipped, its kernels are 1 x 1" in str(report)


def test_a_foreign_layer_is_recognised_by_what_it_has() -> None:
    class Foreign(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.group = ev.groups.cyclic(4)
            self.weight = nn.Parameter(torch.randn(2, 2, 4, 3, 3))

    assert redundancy(nn.Sequential(Foreign())).layers[0].kind == "Foreign"


def test_mistakes(unchecked_annotations: None) -> None:
    with pytest.raises(ShapeError, match=r"weight has shape \(2, 2, 3, 3\): filter_redundancy needs the weight of a"):
        filter_redundancy(nn.Conv2d(2, 2, 3))
    wrong: Any = [1.0]
    with pytest.raises(ShapeError, match="weight has type list"):
        filter_redundancy(wrong)
    with pytest.raises(ShapeError, match=r"of kernels of 1 x 1 centring leaves nothing"):
        filter_redundancy(torch.randn(2, 2, 4, 1, 1))
    with pytest.raises(ConfigError, match="weight holds numbers that are not finite"):
        filter_redundancy(torch.full((1, 1, 4, 3, 3), torch.nan))
    with pytest.raises(ConfigError, match=r"order=0, kernel_size=\(3, 3\), sets=20000: give numbers of at least 1"):
        random_redundancy(0, (3, 3))
    with pytest.raises(ConfigError, match="distribution='cauchy' is not known: choose 'normal' or 'uniform'"):
        random_redundancy(4, (3, 3), distribution="cauchy")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="model Conv2d has no group convolution: redundancy looks for modules"):
        redundancy(nn.Conv2d(2, 2, 3))
    with pytest.raises(ConfigError, match=r"model is a list: redundancy needs a torch\.nn\.Module"):
        redundancy(wrong)
