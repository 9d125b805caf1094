"""Initialisation keeps the size of activations, layer after layer, whatever the group."""

import pytest
import torch

import equivision.nn as evnn
from equivision.groups import PlanarGroup, cyclic, dihedral

GROUPS = [cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)]


@torch.no_grad()
def sizes_through_a_stack(group: PlanarGroup, kernel: int, depth: int = 10) -> list[float]:
    """Mean square after every layer of ``depth`` group convolutions with ReLUs between them, on a torus."""
    width = 48
    options = {"group": group, "padding": kernel // 2, "padding_mode": "circular"}
    x = evnn.LiftConv2d(3, width, kernel, **options)(torch.randn(1, 3, 4, 4))[..., :4, :4]
    sizes = [float(x.square().mean())]
    for _ in range(depth):
        x = evnn.GroupConv2d(width, width, kernel, **options)(torch.relu(x))[..., :4, :4]
        sizes.append(float(x.square().mean()))
    return sizes


@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_activations_keep_their_size_through_a_deep_stack(group: PlanarGroup, kernel: int) -> None:
    """Of single nets the size walks at random, the more the narrower they are; over nets it stays what it is."""
    nets = torch.tensor([sizes_through_a_stack(group, kernel) for _ in range(8)])
    means = nets.log().mean(0).exp()
    assert 1.6 < float(means[0]) < 2.5
    assert float(means.max() / means[0]) < 2, means
    assert float(means.min() / means[0]) > 0.5, means


@pytest.mark.parametrize("group", GROUPS, ids=str)
@torch.no_grad()
def test_one_layer_doubles_the_second_moment(group: PlanarGroup) -> None:
    """Variance ``2 / fan_in``: twice the mean square of the input, of which a ReLU then halves again."""
    order = group.order
    field = torch.relu(torch.randn(64, 16, order, 8, 8))
    moment = float(field.square().mean())
    layers = {
        "project": evnn.ProjectConv2d(16, 64, 3, group=group),
        "group": evnn.GroupConv2d(16, 64 // order, 3, group=group),
        "separate": evnn.GroupConv2d(16, 64, 3, group=group, groups=2),
        "g": evnn.SeparableGroupConv2d(16, 64, 3, group=group, variant="g"),
        "gc": evnn.SeparableGroupConv2d(16, 64, 3, group=group, variant="gc"),
        "separate gc": evnn.SeparableGroupConv2d(16, 64, 3, group=group, variant="gc", groups=2),
        "transposed": evnn.GroupConvTranspose2d(16, 64 // order, 4, group=group, stride=2, padding=1),
    }
    for name, layer in layers.items():
        inner = layer(field)[..., 2:-2, 2:-2]
        assert float(inner.square().mean()) / (2 * moment) == pytest.approx(1, abs=0.35), name
    values = torch.relu(torch.randn(256, 64, order))
    grown = evnn.GroupLinear(64, 128 // order, group=group)(values).square().mean() / values.square().mean()
    assert float(grown) / 2 == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize("layer", [evnn.LiftConv2d, evnn.GroupConv2d, evnn.ProjectConv2d, evnn.GroupConvTranspose2d])
def test_biases_start_at_zero_and_reset_draws_anew(layer) -> None:
    conv = layer(2, 3, 3, group="C4")
    assert conv.bias.abs().max() == 0
    before = conv.weight.detach().clone()
    conv.reset_parameters()
    assert not torch.equal(conv.weight, before)
    assert layer(2, 3, 3, group="C4", bias=False).bias is None


@pytest.mark.parametrize("variant", ["g", "gc"])
def test_both_parts_of_separable_kernels_reset(variant: str) -> None:
    conv = evnn.SeparableGroupConv2d(2, 3, 3, group="C4", variant=variant)
    assert conv.bias.abs().max() == 0
    before = {name: value.detach().clone() for name, value in conv.named_parameters()}
    conv.reset_parameters()
    assert not torch.equal(conv.spatial, before["spatial"])
    assert not torch.equal(conv.pointwise, before["pointwise"])
    assert evnn.SeparableGroupConv2d(2, 3, 3, group="C4", variant=variant, bias=False).bias is None


@pytest.mark.parametrize("variant", ["g", "gc"])
@pytest.mark.parametrize("group", GROUPS, ids=str)
@torch.no_grad()
def test_activations_keep_their_size_through_separable_layers(group: PlanarGroup, variant: str) -> None:
    options = {"group": group, "padding": 1, "padding_mode": "circular"}
    means = torch.zeros(7)
    for _ in range(8):
        x = evnn.LiftConv2d(3, 32, 3, **options)(torch.randn(1, 3, 4, 4))
        means[0] += x.square().mean().log() / 8
        for i in range(1, 7):
            x = evnn.SeparableGroupConv2d(32, 32, 3, variant=variant, **options)(torch.relu(x))
            means[i] += x.square().mean().log() / 8
    assert float((means - means[0]).abs().max()) < 1, means


def test_linear_resets() -> None:
    linear = evnn.GroupLinear(2, 3, group="C8")
    before = linear.weight.detach().clone()
    linear.reset_parameters()
    assert linear.bias is not None
    assert linear.bias.abs().max() == 0
    assert not torch.equal(linear.weight, before)
