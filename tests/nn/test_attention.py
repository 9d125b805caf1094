"""Attentive convolutions: bounded memory, what they reduce to, and messages."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import equivision.nn as evnn
from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.functional import _attention, attentive_group_conv2d
from equivision.groups import cyclic, dihedral
from equivision.testing import assert_equivariant, random_input, randomize_
from equivision.testing._numeric import gradients_of

C4, D4 = cyclic(4), dihedral(4)


class Largest(TorchDispatchMode):
    """Notes the number of entries of the largest tensor that any operation gives."""

    def __init__(self) -> None:
        super().__init__()
        self.entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for one in result if isinstance(result, tuple | list) else (result,):
            self.entries = max(self.entries, one.numel() if isinstance(one, Tensor) else 0)
        return result


# of 4 fields and 3 images, each pair with 3 * 4 * 4 * 49 products: all pairs at once, 3, 1, and less than one
@pytest.mark.parametrize("pairs", [12, 3, 1, 0])
def test_products_are_bounded_and_change_nothing(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = randomize_(evnn.AttentiveGroupConv2d(3, 4, 3, group=C4, padding=1, attention_size=3).double())
    x = random_input(3, (7, 7), C4, batch=3)
    expected = gradients_of(layer, x)
    products = 3 * 4 * 4 * 49
    monkeypatch.setattr(_attention, "MOST_PRODUCTS", pairs * products)
    with Largest() as largest:
        actual = gradients_of(layer, x)
    assert largest.entries == max(pairs, 1) * products
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("pairs", [12, 0])
def test_autocast_and_empty_batches(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_attention, "MOST_PRODUCTS", pairs * 3 * 4 * 4 * 49)
    layer = evnn.AttentiveGroupConv2d(3, 4, 3, group=C4, padding=1)
    x = random_input(3, (7, 7), C4, batch=3, dtype=torch.float32)
    expected = torch.autograd.grad(layer(x).square().sum(), layer.weight)[0]
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    actual = torch.autograd.grad(y.float().square().sum(), layer.weight)[0]
    assert float((actual - expected).norm() / expected.norm()) < 0.05
    assert layer(x[:0]).shape == (0, 4, 4, 7, 7)


def test_open_gates_leave_a_group_convolution() -> None:
    """With a sigmoid of 0, one half, for either gate, a quarter of the convolution is left."""
    plain = randomize_(evnn.GroupConv2d(3, 4, 3, group=D4).double())
    layer = randomize_(evnn.AttentiveGroupConv2d(3, 4, 3, group=D4).double())
    layer.load_state_dict({**layer.state_dict(), **plain.state_dict()})
    nn.init.zeros_(layer.excite)
    nn.init.zeros_(layer.spatial)
    x = random_input(3, (6, 6), D4)
    bias = plain.bias[:, None, None, None]
    torch.testing.assert_close(4 * (layer(x) - bias), plain(x) - bias, rtol=0, atol=1e-12)


def test_gates_open_and_close() -> None:
    """Gates between 0 and 1 that are far from one half, and differ from slot to slot: attention does something."""
    x = 30 * random_input(3, (6, 6), D4)
    for layer in (
        evnn.ChannelAttention2d(3, group=D4), evnn.SpatialAttention2d(3, group=D4), evnn.CoAttention2d(3, group=D4)
    ):  # fmt: skip
        gates = randomize_(layer.double())(x) / x
        assert 0 <= float(gates.detach().min()) < 0.4
        assert 0.6 < float(gates.detach().max()) <= 1
        assert float(gates.detach().std(2).max()) > 0.1


def test_attention_without_constraint_is_not_equivariant() -> None:
    class Plain(nn.Module):
        """Attention over the slots as if they were more channels."""

        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Sequential(nn.Linear(12, 6, bias=False), nn.ReLU(), nn.Linear(6, 12, bias=False))

        def forward(self, x: Tensor) -> Tensor:
            score = self.mix(x.mean((-2, -1)).flatten(1)) + self.mix(x.amax((-2, -1)).flatten(1))
            return x * torch.sigmoid(score).unflatten(1, (3, 4))[..., None, None]

    class Position(nn.Module):
        """A gate for every position from an ordinary convolution."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 1, 7, padding=3)

        def forward(self, x: Tensor) -> Tensor:
            maps = x.flatten(1, 2)
            seen = torch.stack((maps.mean(1), maps.amax(1)), 1)
            return x * torch.sigmoid(self.conv(seen)).unsqueeze(1)

    for layer in (Plain(), Position()):
        with pytest.raises(AssertionError, match="not equivariant under C4"):
            assert_equivariant(randomize_(layer.double()), random_input(3, (7, 7), C4), group=C4)


def test_weights_are_not_expanded() -> None:
    for group in (C4, D4):
        lift = evnn.AttentiveLiftConv2d(4, 5, 3, group=group)
        shapes = {name: tuple(value.shape) for name, value in lift.named_parameters()}
        assert shapes == {
            "weight": (5, 4, 3, 3), "squeeze": (5, 2, 4), "excite": (5, 4, 2), "spatial": (5, 2, 7, 7), "bias": (5,),
        }  # fmt: skip
        order, layer = group.order, evnn.AttentiveGroupConv2d(4, 5, 3, group=group, bias=False)
        shapes = {name: tuple(value.shape) for name, value in layer.named_parameters()}
        assert shapes == {
            "weight": (5, 4, order, 3, 3), "squeeze": (5, 2, 4, order), "excite": (5, 4, 2, order),
            "spatial": (5, 2, order, 7, 7),
        }  # fmt: skip


@pytest.mark.parametrize("fields", [2, 32])
def test_gates_start_near_one_half(fields: int) -> None:
    x = torch.relu(torch.randn(2, fields, 4, 8, 8))
    with torch.no_grad():
        for layer in (evnn.ChannelAttention2d(fields, group=C4), evnn.SpatialAttention2d(group=C4)):
            gates = (layer(x + 1) / (x + 1)).mean()
            assert 0.1 < float(gates) < 0.95
        grown = evnn.AttentiveGroupConv2d(fields, fields, 3, group=C4)(x).square().mean() / x.square().mean()
    assert 0.01 < float(grown) < 3


class TestErrors:
    pytestmark = pytest.mark.usefixtures("unchecked_annotations")

    def test_even_attention(self) -> None:
        for kind in (evnn.AttentiveLiftConv2d, evnn.AttentiveGroupConv2d):
            with pytest.raises(ConfigError, match="attention_size=4: give an odd number"):
                kind(1, 1, 3, group="C4", attention_size=4)
        with pytest.raises(ConfigError, match="kernel_size=2: give an odd number"):
            evnn.SpatialAttention2d(2, group="C4")

    def test_reduction(self) -> None:
        with pytest.raises(ConfigError, match="reduction=0: give a whole number of at least 1"):
            evnn.AttentiveGroupConv2d(1, 1, 3, group="C4", reduction=0)
        with pytest.raises(ConfigError, match="reduction=0: give a whole number of at least 1"):
            evnn.ChannelAttention2d(1, group="C4", reduction=0)

    def test_off_the_grid(self) -> None:
        for make in (
            lambda: evnn.AttentiveGroupConv2d(1, 1, 3, group="C8"), lambda: evnn.SpatialAttention2d(group="C8")
        ):  # fmt: skip
            with pytest.raises(GroupMismatchError, match="group=C8 holds rotations by 45 degrees"):
                make()

    def test_image_where_a_feature_map_is_needed(self) -> None:
        image = torch.zeros(1, 2, 5, 5)
        for layer in (
            evnn.AttentiveGroupConv2d(2, 1, 3, group="C4"), evnn.ChannelAttention2d(2, group="C4"),
            evnn.SpatialAttention2d(group="C4"), evnn.CoAttention2d(2, group="C4"),
        ):  # fmt: skip
            with pytest.raises(ShapeError, match=f"^{type(layer).__name__}: input has shape"):
                layer(image)

    def test_feature_map_where_an_image_is_needed(self) -> None:
        field = torch.zeros(1, 2, 4, 5, 5)
        with pytest.raises(ShapeError, match=r"AttentiveLiftConv2d: .* an image is .* go through AttentiveGroupConv2d"):
            evnn.AttentiveLiftConv2d(2, 1, 3, group="C4")(field)
        with pytest.raises(ShapeError, match=r"CoAttention2d: .* build the layer with on_group=True"):
            evnn.CoAttention2d(2, group="C4", on_group=False)(field)

    def test_channels(self) -> None:
        field = torch.zeros(1, 3, 4, 5, 5)
        with pytest.raises(ShapeError, match=r"AttentiveGroupConv2d: input has 3 field\(s\), the filters take 2"):
            evnn.AttentiveGroupConv2d(2, 1, 3, group="C4")(field)
        for layer in (evnn.ChannelAttention2d(2, group="C4"), evnn.CoAttention2d(2, group="C4")):
            with pytest.raises(ShapeError, match=r"input has 3 channel\(s\), .* build the layer with channels=3"):
                layer(field)

    @pytest.mark.parametrize("on_group", [True, False])
    def test_dtypes(self, on_group: bool) -> None:
        shape = (1, 2, 4, 5, 5) if on_group else (1, 2, 5, 5)
        for layer in (
            evnn.ChannelAttention2d(2, group="C4", on_group=on_group),
            evnn.SpatialAttention2d(group="C4", on_group=on_group),
        ):
            name = type(layer).__name__
            with pytest.raises(ShapeError, match=f"{name}: input has dtype torch.int64"):
                layer(torch.ones(shape, dtype=torch.int64))
            with pytest.raises(
                ShapeError, match=rf"{name}: input has dtype torch\.float64, the weights torch\.float32"
            ):
                layer(torch.ones(shape, dtype=torch.float64))

    def test_parts_that_do_not_fit(self) -> None:
        layer = evnn.AttentiveGroupConv2d(2, 1, 3, group="C4")
        x, parts = torch.zeros(1, 2, 4, 5, 5), dict(layer.named_parameters())
        for name, value in {"squeeze": torch.zeros(1, 1, 3, 4), "excite": torch.zeros(1, 2, 2, 4)}.items():
            with pytest.raises(ShapeError, match=f"AttentiveGroupConv2d: {name} has shape .* it needs"):
                attentive_group_conv2d(x, **{**parts, name: value}, group=C4)
        with pytest.raises(ShapeError, match="spatial has 2 x 2 taps; give an odd number"):
            attentive_group_conv2d(x, **{**parts, "spatial": torch.zeros(1, 2, 4, 2, 2)}, group=C4)
