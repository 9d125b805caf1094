"""Layers on scales: equivariance, and what happens to them after training."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.errors import ConfigError, ShapeError
from equivision.filters import HermiteBasis, LogPolarBasis
from equivision.scale import (
    ScaleConv2d,
    ScaleError,
    ScaleLiftConv2d,
    ScalePool,
    ScaleSpaceConv2d,
    ScaleSpaceLift,
    ScaleSteerableConv2d,
    scale_error,
    similitude_errors,
)
from equivision.testing import (
    assert_backward_twice,
    assert_batch_independent,
    assert_compiles,
    assert_copies,
    assert_dtypes,
    assert_exports,
    assert_gradcheck,
    assert_repr,
    assert_state_dict,
    random_input,
    randomize_,
)

ROOT = 2**0.5
SCALES = tuple(1.5 * ROOT**i for i in range(5))
#: A layer of each kind, small, with the slots of its input; 0 for an image.
LAYERS: dict[str, tuple[Any, int]] = {
    "lift": (lambda: ScaleLiftConv2d(2, 3, 5, scales=(1.0, 2.0), padding=1), 0),
    "conv": (lambda: ScaleConv2d(2, 3, 5, scales=(1.0, 2.0), extent=2, padding="same"), 2),
    "turned lift": (
        lambda: ScaleLiftConv2d(2, 2, 5, scales=(1.0, 2.0), group="C3", basis=HermiteBasis(2), stride=2, strict=False),
        0,
    ),
    "turned conv": (
        lambda: ScaleConv2d(2, 2, 5, scales=(1.5, 2.0), group="D2", basis=HermiteBasis(2), extent=2, padding="same"),
        8,
    ),
    "steerable": (lambda: ScaleSteerableConv2d(2, 3, 5, scales=(3.0, 5.0), basis=LogPolarBasis(2), stride=2), 0),
    "scalar": (lambda: ScaleSteerableConv2d(2, 3, 5, scales=(1.0, 2.0), basis=HermiteBasis(2), bias=False), 0),
    "space lift": (lambda: ScaleSpaceLift(2, zero_scale=0.5), 0),
    "space conv": (lambda: ScaleSpaceConv2d(2, 3, 3, extent=2), 2),
    "pool": (lambda: ScalePool("norm"), 2),
}
PARAMETRIC = [name for name in LAYERS if name not in ("space lift", "pool")]


def layer(name: str) -> nn.Module:
    return randomize_(LAYERS[name][0]().double())


def input_of(name: str, size: tuple[int, int] = (7, 6)) -> Tensor:
    slots = LAYERS[name][1]
    return random_input(2 * slots, size).unflatten(1, (2, slots)) if slots else random_input(2, size)


def smooth(size: int, channels: int = 1) -> Tensor:
    """A few bumps around the middle, of any size."""
    line = torch.linspace(-1, 1, size, dtype=torch.float64)
    x = torch.zeros(2, channels, size, size, dtype=torch.float64)
    for b in range(2 * channels * 8):
        height, width = 0.7 * (torch.rand(2, dtype=torch.float64) - 0.5)
        reach = 2 * (0.06 + 0.12 * torch.rand(1, dtype=torch.float64)) ** 2
        bump = torch.exp(-((line[:, None] - height) ** 2 + (line - width) ** 2) / reach)
        x[b % 2, b % channels] += torch.randn(1, dtype=torch.float64) * bump
    return x


@torch.no_grad()
def errors(net: nn.Module, size: int = 81, factor: float = ROOT, steps: int = 1) -> ScaleError:
    return scale_error(net, smooth(size), factor=factor, steps=steps, margin=size // 4)


@pytest.mark.parametrize("size", [80, 81])
@pytest.mark.parametrize(("factor", "steps"), [(ROOT, 1), (2.0, 2), (1 / ROOT, -1)])
def test_a_scaled_image_shifts_the_scales(size: int, factor: float, steps: int) -> None:
    lift = randomize_(ScaleLiftConv2d(1, 8, 41, scales=SCALES, padding="same", bias=False).double())
    found = errors(lift, size, factor, steps)
    assert 1e-4 < found.shared < 0.03
    assert found.full > 0.2  # what moves in beyond the last scale is not 0
    assert found.unshifted > 0.15


@torch.no_grad()
def test_two_convolutions_and_a_pool() -> None:
    options: dict[str, Any] = {"scales": SCALES[:4], "padding": "same", "bias": False}
    maps = nn.Sequential(ScaleLiftConv2d(1, 3, 29, **options), nn.ReLU(), ScaleConv2d(3, 2, 29, **options))
    randomize_(maps.double())
    assert errors(maps, 57).shared < 0.1 < 0.25 < errors(maps, 57).unshifted
    wider = randomize_(nn.Sequential(maps[0], ScaleConv2d(3, 2, 29, extent=2, **options)).double())
    assert errors(wider, 57).shared > errors(maps, 57).shared  # its last scale sees zeros beyond the largest
    x, inner = smooth(57), (..., slice(14, -14), slice(14, -14))
    moved, still = maps(ev.functional.rescale(x, ROOT)), maps(x)
    pooled = ScalePool()(still[:, :, :-1])  # what is left when everything moves on by one
    error = ev.testing.relative_error(
        ScalePool()(moved[:, :, 1:])[inner], ev.functional.rescale(pooled, ROOT, antialias=False)[inner]
    )
    assert error < 0.1


def test_log_polar_kernels_are_coarser() -> None:
    lift = ScaleLiftConv2d(1, 8, 41, scales=SCALES, basis=LogPolarBasis(), padding="same", bias=False)
    found = errors(randomize_(lift.double()))
    assert found.shared < 0.1 < 0.25 < found.unshifted


def test_a_plain_convolution_fails() -> None:
    plain = randomize_(nn.Sequential(nn.Conv2d(1, 40, 9, padding=4, bias=False), nn.Unflatten(1, (8, 5))).double())
    assert errors(plain).shared > 0.5


@torch.no_grad()
def test_scale_space_convolutions_are_exact_where_taps_meet() -> None:
    """``(L f)(t, k) = f(2 t, k + 1)`` of any maps, away from the border."""
    conv = randomize_(ScaleSpaceConv2d(2, 3, 3, extent=2).double())
    x = random_input(2 * 3, (41, 41)).unflatten(1, (2, 3))

    def move(f: Tensor) -> Tensor:
        return f[:, :, 1:, ::2, ::2]

    moved, expected = conv(move(x)), move(conv(x))
    inner = (..., slice(4, -4), slice(4, -4))
    assert float((moved - expected)[inner].abs().max()) < 1e-12
    assert float(expected[inner].std()) > 0.1
    other = conv(x)[:, :, :-1, ::2, ::2]
    assert float((moved - other)[inner].abs().max()) > 0.1


def test_a_shrunk_image_shifts_the_scale_space() -> None:
    net = randomize_(nn.Sequential(ScaleSpaceLift(4), ScaleSpaceConv2d(1, 8, 3, bias=False)).double())
    with torch.no_grad():
        found = scale_error(net, smooth(96), factor=0.5, steps=-1, margin=34)
    assert found.shared < 0.03
    assert found.unshifted > 0.3


@torch.no_grad()
@pytest.mark.parametrize("name", LAYERS)
def test_translations_are_exact(name: str) -> None:
    net, x = layer(name), torch.zeros_like(input_of(name, (24, 24)))
    x[..., 8:15, 8:14] = input_of(name)
    moved, expected = net(x.roll((2, 4), (-2, -1))), net(x)
    step = 2 if name in ("steerable", "turned lift") else 1
    expected = expected.roll((2 // step, 4 // step), (-2, -1))
    inner = (..., slice(4 // step, -4 // step), slice(5 // step, -5 // step))
    assert float((moved - expected)[inner].abs().max()) < 1e-12
    assert float(expected.std()) > 0


@pytest.mark.parametrize("name", LAYERS)
def test_life_after_training(name: str) -> None:
    net, x = layer(name), input_of(name)
    assert_copies(net, x)
    assert_exports(net, x)
    assert_state_dict(lambda: layer(name), x)
    assert_batch_independent(net, x)


@pytest.mark.parametrize("name", PARAMETRIC)
def test_numbers(name: str) -> None:
    net, x = layer(name), input_of(name)
    assert_gradcheck(net, x[:1])
    assert_backward_twice(net, x)
    assert_dtypes(net, x)


@pytest.mark.compile
@pytest.mark.parametrize("name", LAYERS)
def test_compile(name: str) -> None:
    assert_compiles(layer(name), input_of(name))


@pytest.mark.parametrize("name", LAYERS)
def test_repr(name: str) -> None:
    names = {**vars(ev.scale), **vars(ev.groups), "HermiteBasis": HermiteBasis, "LogPolarBasis": LogPolarBasis}
    assert_repr(LAYERS[name][0](), names)


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "pool"])
def test_built_without_memory(name: str) -> None:
    """As large networks are: on the device "meta", then filled."""
    with torch.device("meta"):
        net = LAYERS[name][0]()
    assert {value.device.type for value in (*net.parameters(), *net.buffers())} == {"meta"}
    net.to_empty(device="cpu")
    for value in (*net.parameters(), *net.buffers()):
        value.detach().fill_(7.0)
    net.reset_parameters()
    model, x = LAYERS[name][0](), input_of(name).float()
    net.load_state_dict(model.state_dict())
    assert torch.equal(net(x), model(x))


def test_torchs_layers_for_volumes_fit() -> None:
    net = nn.Sequential(
        ScaleLiftConv2d(1, 4, 7, scales=(1.0, 2.0, 3.0), padding="same"), nn.BatchNorm3d(4), nn.ReLU(),
        nn.MaxPool3d((1, 2, 2)), ScaleConv2d(4, 6, 7, scales=(1.0, 2.0, 3.0), padding="same"), ScalePool(),
    )  # fmt: skip
    assert net(torch.randn(2, 1, 12, 12)).shape == (2, 6, 6, 6)


def test_the_variance_of_white_noise_doubles_for_the_relu() -> None:
    for conv in (
        ScaleConv2d(16, 256, 7, scales=(1.0, 1.5)),
        ScaleConv2d(16, 256, 7, scales=(1.0, 1.5), extent=2),
        ScaleSpaceConv2d(16, 256, 5),
    ):
        inner = conv(torch.randn(2, 16, 2, 24, 24)).detach()[:, :, : 1 if conv.extent == 2 else 2, 8:-8, 8:-8]
        assert 1.3 < float(inner.var()) < 3.1


def test_errors_are_those_of_evaluation() -> None:
    """Neither does dropout count, nor do running statistics change; gradients flow."""
    net = nn.Sequential(ScaleLiftConv2d(1, 4, 7, scales=SCALES, padding="same"), nn.BatchNorm3d(4), nn.Dropout(0.5))
    net[0].requires_grad_(False)
    mean = net[1].running_mean.clone()  # pyright: ignore[reportOptionalMemberAccess, reportCallIssue]
    x = random_input(1, (16, 16)).float()
    first, second = (scale_error(net, x, factor=ROOT, margin=4) for _ in range(2))
    assert first.shared == second.shared
    table = similitude_errors(net, x, factors=(ROOT,), degrees=(0,), ratio=ROOT, margin=4)
    assert table.shared[0, 0] == first.shared
    assert torch.equal(net[1].running_mean, mean)  # pyright: ignore[reportArgumentType]
    assert net.training
    assert net[2].training
    first.shared.backward()
    assert net[1].weight.grad.abs().sum() > 0  # pyright: ignore[reportOptionalMemberAccess]


def test_smaller_windows_change_nothing() -> None:
    lift = randomize_(ScaleLiftConv2d(2, 3, 9, scales=(1.0, 2.0, 3.0), padding=2).double())
    x = random_input(2, (11, 10))
    whole = ev.scale.scale_lift_conv2d(x, lift.weight, lift.bias, basis=lift.functions, padding=2)
    torch.testing.assert_close(lift(x), whole, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    def test_functions_of_another_group_or_number_of_scales(self) -> None:
        lift, conv = ScaleLiftConv2d(1, 2, 5, scales=(1.0, 2.0)), ScaleConv2d(2, 2, 5, scales=(1.0, 2.0), extent=2)
        x, maps = torch.zeros(1, 1, 9, 9), torch.zeros(1, 2, 2, 9, 9)
        on_image, on_maps = ev.scale.scale_lift_conv2d, ev.scale.scale_conv2d
        for group, basis in (("C4", lift.functions), ("C1", lift.functions[:3]), ("C1", lift.functions[:, :0])):
            with pytest.raises(ShapeError, match=r"ScaleLiftConv2d: basis has shape .*; needs \[15 function"):
                on_image(x, lift.weight, basis=basis, group=group)
        for windows in ((5,), (5, 4), (5, 7), (5, -1)):
            with pytest.raises(ShapeError, match=r"windows=\(.*\): give a number of taps for each of 2 scale"):
                on_image(x, lift.weight, basis=lift.functions, windows=windows)
            with pytest.raises(ShapeError, match=r"windows=\(.*\): give a number of taps for each of 2 scale"):
                on_maps(maps, conv.weight, basis=conv.functions, windows=windows)
        four = torch.zeros(conv.weight.shape[-1], 8, 5, 5)
        with pytest.raises(ShapeError, match=r"ScaleConv2d: weight has shape .* x 4 +of C4, functions"):
            on_maps(torch.zeros(1, 2, 8, 9, 9), conv.weight, basis=four, group="C4")
        space = ScaleSpaceConv2d(2, 2, 3)
        with pytest.raises(ConfigError, match="base=0: give a whole number of at least 1"):
            ev.scale.scale_space_conv2d(maps, space.weight, base=0)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"kernel_size": 4}, "kernel_size=4: give an odd whole number"),
            ({"scales": (2.0, 1.0)}, r"scales=\(2.0, 1.0\): give positive numbers in ascending order"),
            ({"scales": 2.0}, "scales=2.0: give positive numbers in ascending order"),
            ({"scales": "12"}, "scales='12': give positive numbers in ascending order"),
            ({"scales": ["a"]}, r"scales=\['a'\]: give positive numbers in ascending order"),
            ({"basis": "hermite"}, "basis='hermite': give functions for all scales, such as equivision.filters.Herm"),
            ({"padding": "valid"}, "padding='valid': give a whole number of at least 0, or 'same'"),
            ({"stride": 0}, "stride=0: give a whole number of at least 1"),
            ({"in_channels": 0}, "in_channels=0: give a whole number of at least 1"),
            ({"extent": 3}, r"extent=3: there are 2 scale\(s\) only"),
            ({"extent": 0}, "extent=0: give a whole number of at least 1"),
        ],
    )
    def test_convolution(self, options: dict[str, Any], message: str) -> None:
        plain: dict[str, Any] = {"in_channels": 1, "out_channels": 1, "kernel_size": 5, "scales": (1.0, 2.0)}
        with pytest.raises(ConfigError, match=message):
            ScaleConv2d(**plain | options)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: ScaleSpaceLift(0), "num_scales=0: give a whole number of at least 1"),
            (lambda: ScaleSpaceLift(2, base=1), "base=1: give a whole number of at least 2"),
            (lambda: ScaleSpaceLift(2, zero_scale=0.0), "zero_scale=0.0: give a positive number of pixels"),
            (lambda: ScaleSpaceLift(2, zero_scale="1"), "zero_scale='1': give a positive number of pixels"),  # type: ignore[arg-type]
            (lambda: ScaleSpaceConv2d(1, 1, 2), "kernel_size=2: give an odd whole number"),
            (lambda: ScaleSpaceConv2d(1, 1, 3, base=True), "base=True: give a whole number of at least 2"),
            (lambda: ScalePool("sum"), "mode='sum' is not a way to pool"),
        ],
    )
    def test_scale_space(self, make: Any, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            make()

    def test_inputs(self) -> None:
        lift, conv = ScaleLiftConv2d(1, 2, 5, scales=(1.0, 2.0)), ScaleConv2d(2, 2, 5, scales=(1.0, 2.0))
        turned = ScaleConv2d(2, 2, 5, scales=(1.0, 2.0), group="C4")
        space = ScaleSpaceConv2d(1, 2, 3)
        for net, x, message in (
            (lift, torch.zeros(1, 2, 9, 9), r"ScaleLiftConv2d: input has shape \(1, 2, 9, 9\); needs \[batch, 1 chan"),
            (
                lift,
                torch.zeros(1, 1, 9, 4),
                "ScaleLiftConv2d: input of 9 x 4 with padding=0 is smaller than the kernel",
            ),
            (lift, torch.zeros(1, 1, 9, 9).double(), "ScaleLiftConv2d: input has dtype torch.float64"),
            (conv, torch.zeros(1, 2, 3, 9, 9), r"ScaleConv2d: .* needs \[batch, 2 channel\(s\), 2 scale\(s\), height"),
            (turned, torch.zeros(1, 2, 2, 9, 9), r"needs \[batch, 2 channel\(s\), 8 slot\(s\), one for each scale and"),
            (conv, torch.zeros(1, 2, 2, 4, 9), "ScaleConv2d: input of 4 x 9 with padding=0 is smaller than the kernel"),
            (space, torch.zeros(1, 1, 9, 9), r"ScaleSpaceConv2d: .* needs \[batch, 1 channel\(s\), scale, height"),
            (ScaleSpaceLift(2), torch.zeros(1, 9, 9), r"ScaleSpaceLift: input has shape \(1, 9, 9\); needs \[batch, c"),
            (ScaleSpaceLift(2), torch.zeros(1, 1, 9, 9).int(), "ScaleSpaceLift: input has dtype torch.int32"),
            (ScalePool(), torch.zeros(1, 1, 9, 9), "needs .*batch, channel, group, height"),
        ):
            with pytest.raises(ShapeError, match=message):
                net(x)

    def test_scale_error(self) -> None:
        x = torch.zeros(1, 1, 9, 9)
        lift = ScaleLiftConv2d(1, 2, 5, scales=(1.0, 2.0), padding="same")
        with pytest.raises(
            ShapeError, match=r"the function gives \[1, 1, 9, 9\]: scale_error compares \[batch, channel"
        ):
            scale_error(nn.Identity(), x, factor=2.0)
        with pytest.raises(ShapeError, match="the function gives list: scale_error compares"):
            scale_error(lambda x: [x], x, factor=2.0)  # type: ignore[arg-type,return-value]
        with pytest.raises(ConfigError, match=r"steps=2: with 2 scale\(s\) no slot is left to compare"):
            scale_error(lift, x, factor=2.0, steps=2)
        with pytest.raises(ConfigError, match="margin=5: of maps of 9x9 nothing is left"):
            scale_error(lift, x, factor=2.0, margin=5)
        with pytest.raises(ShapeError, match=r"2 slot\(s\) are no number of scales times the 4 elements of C4"):
            scale_error(lift, x, factor=2.0, group="C4")
        with pytest.raises(ConfigError, match="ratio=1: give a number of more than 1"):
            similitude_errors(lift, x, factors=[1], degrees=[0], ratio=1)
        with pytest.raises(ConfigError, match=r"steps=2: with 2 scale\(s\) no slot is left to compare"):
            similitude_errors(lift, x, factors=[4.5], degrees=[0], ratio=2.0)
