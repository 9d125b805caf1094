"""Costs against numbers worked out by hand and those of the literature; the network stays as it is."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import flop_registry, register_flop_formula

import equivision as ev
from equivision.analysis import CostReport, cost
from equivision.errors import ConfigError, EquivisionError, ShapeError

ORDERS = {"C1": 1, "C2": 2, "C4": 4, "D1": 2, "D2": 4, "D4": 8}


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any], **tensors: Tensor) -> None:
        super().__init__()
        self.function = function
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def convolutions(report: CostReport) -> int:
    return sum(layer.macs for layer in report.layers if "Conv" in layer.kind)


@pytest.mark.parametrize(
    ("name", "parameters", "of_convolutions", "of_the_classifier"),
    [("z2cnn", 25_210, 2_979_280, 200), ("p4cnn", 24_810, 11_673_760, 100)],
)
def test_networks_of_the_separable_study(
    name: str, parameters: int, of_convolutions: int, of_the_classifier: int
) -> None:
    """Table 1 of Lengyel & van Gemert 2021: 25.21k and 2.98 M, 24.81k and 11.67 M (convolutions only)."""
    report = cost(ev.create_model(name), (1, 28, 28))
    assert report.parameters == parameters
    assert convolutions(report) == of_convolutions
    assert report.macs == of_convolutions + of_the_classifier
    assert sum(layer.parameters for layer in report.layers) == parameters


@pytest.mark.parametrize(("group", "order"), ORDERS.items())
def test_formulas_of_group_convolutions(group: str, order: int) -> None:
    inside, out, k, n = 3, 5, 3, 9
    lift = cost(ev.nn.LiftConv2d(inside, out, k, group=group), (inside, n, n))
    assert (lift.parameters, lift.macs) == (out * inside * k**2 + out, out * inside * order * k**2 * (n - 2) ** 2)
    conv = cost(ev.nn.GroupConv2d(inside, out, k, group=group, padding=1), (inside, order, n, n))
    assert conv.parameters == out * inside * order * k**2 + out
    assert conv.macs == out * inside * order**2 * k**2 * n**2
    assert conv.layers[0].output_shapes == ((1, out, order, n, n),)
    up = cost(ev.nn.GroupConvTranspose2d(inside, out, 4, group=group, stride=2, padding=1), (inside, order, n, n))
    assert up.macs == out * inside * order**2 * 4**2 * n**2


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(("group", "products"), [("C2", 2), ("D1", 2), ("D2", 4), ("C4", 6), ("D4", 12)])
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"groups": 2}, {"bias": False}], ids=str)
def test_the_fourier_algorithm_counts_its_block_products(group: str, products: int, options: dict, device: str) -> None:
    pytest.importorskip("numba")
    order = ev.groups.planar(group).order
    made = [
        ev.nn.GroupConv2d(4, 6, 3, group=group, algorithm=a, device=device, **options) for a in ("expand", "fourier")
    ]
    expand, fourier = (ev.cost(layer, (4, order, 9, 9), batch_size=2) for layer in made)
    assert expand.macs > 0
    assert fourier.macs * order**2 == expand.macs * products
    assert fourier.activation_bytes == expand.activation_bytes


def test_auto_counts_what_it_takes() -> None:
    pytest.importorskip("numba")
    layer = ev.nn.GroupConv2d(64, 64, 3, group="D4", padding=1)
    few, many = (ev.cost(layer, (64, 8, size, size), batch_size=batch).macs for size, batch in ((1, 1), (14, 16)))
    assert few == 9 * 512**2
    assert many == 9 * 64**2 * 12 * 14**2 * 16


def test_formulas_of_ours_are_not_registered_for_everyone() -> None:
    ev.cost(ev.nn.GroupConv2d(4, 6, 3, group="D4", algorithm="fourier"), (4, 8, 9, 9))
    assert torch.ops.equivision.group_conv2d not in flop_registry


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_network_worked_out_by_hand(batch_size: int) -> None:
    net = nn.Sequential(
        nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Identity(), nn.Dropout(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 7, bias=False),
    ).double()  # fmt: skip
    report = cost(net, (4, 9, 9), batch_size=batch_size)
    assert [layer.kind for layer in report.layers] == [
        "Conv2d", "BatchNorm2d", "ReLU", "Dropout", "MaxPool2d", "Flatten", "Linear",
    ]  # fmt: skip
    assert [layer.name for layer in report.layers] == ["0", "1", "2", "4", "5", "6", "7"]
    assert [layer.parameters for layer in report.layers] == [6 * 2 * 9 + 6, 12, 0, 0, 0, 0, 24 * 7]
    conv = batch_size * 6 * 4 * 4
    assert [layer.macs for layer in report.layers] == [conv * 2 * 9, 0, 0, 0, 0, 0, batch_size * 24 * 7]
    pool = batch_size * 6 * 2 * 2
    numbers = [conv, conv, 0, 0, pool, 0, batch_size * 7]  # in place, handed on, a view: nothing new
    assert [layer.activation_bytes for layer in report.layers] == [8 * number for number in numbers]
    assert report.activation_bytes == 8 * sum(numbers)
    assert report.macs == sum(layer.macs for layer in report.layers)
    assert report.dtype == "float64"
    assert report.layers[-1].output_shapes == ((batch_size, 7),)


def test_transposed_and_three_dimensional_convolutions() -> None:
    assert cost(nn.ConvTranspose2d(3, 5, 4, stride=2), (3, 6, 6)).macs == 3 * 5 * 16 * 36
    assert cost(nn.Conv3d(2, 3, (1, 3, 3)), (2, 4, 5, 5)).macs == 2 * 3 * 9 * 4 * 9


def test_products_that_are_no_layers_belong_to_the_module_that_makes_them() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(5, 8))
            self.inner = nn.Linear(8, 8)
            self.idle = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) @ self.scale.T

    report = cost(Outer(), (8,))
    assert [(layer.name, layer.kind, layer.macs) for layer in report.layers] == [
        ("", "Outer", 8 * 5),
        ("inner", "Linear", 64),
    ]
    assert [layer.parameters for layer in report.layers] == [40, 72]
    assert report.parameters == 40 + 72 + 6
    assert "(not called)" in str(report)
    assert "(model)" in str(report)


def test_modules_called_twice_and_shared_parameters() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)
            self.same = self.layer
            self.tied = nn.Linear(8, 8)
            self.tied.weight = self.layer.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.tied(self.same(self.layer(x)))

    report = cost(Twice(), (8,))
    assert [layer.name for layer in report.layers] == ["layer", "layer (call 2)", "tied"]
    assert [layer.parameters for layer in report.layers] == [72, 0, 8]
    assert [layer.macs for layer in report.layers] == [64, 64, 64]
    assert report.parameters == 80


def test_models_with_several_outputs() -> None:
    def outputs(module: Call, x: Tensor) -> dict[str, Any]:
        return {"twice": 2 * x, "list": [x + 1, (x.mean(), None)], "first": x[:, :1]}

    layer = cost(Call(outputs), (3, 4)).layers[0]
    assert layer.output_shapes == ((1, 3, 4), (1, 3, 4), (), (1, 1, 4))
    assert layer.activation_bytes == 4 * (12 + 12 + 1)  # the last one is a view of the input


@pytest.mark.parametrize(
    ("model", "size", "macs"),
    [
        (nn.LSTM(8, 16, batch_first=True), (5, 8), 5 * 4 * 16 * (8 + 16)),
        (nn.LSTM(8, 16, 2, batch_first=True, bidirectional=True), (5, 8), 2 * 5 * 64 * (8 + 16 + 32 + 16)),
        (nn.GRU(8, 16, batch_first=True), (5, 8), 5 * 3 * 16 * (8 + 16)),
        (
            nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
            (5, 16),
            5 * 16 * 64 + 2 * 5 * 5 * 16 + 2 * 5 * 16 * 32,
        ),
        (Call(lambda m, x: nn.functional.scaled_dot_product_attention(x, x, x)), (4, 5, 16), 2 * 4 * 5 * 5 * 16),
        (Call(lambda m, x: x @ m.w, w=torch.ones(8)), (4, 8), 32),
        (Call(lambda m, x: x[0].dot(m.w), w=torch.ones(8)), (8,), 8),
        (Call(lambda m, x: torch.einsum("bij,bkj->bik", x, x)), (4, 8), 4 * 4 * 8),
    ],
)
def test_other_products(model: nn.Module, size: tuple[int, ...], macs: int) -> None:
    assert cost(model, size).macs == macs


class Watchful(nn.Module):
    """Remembers, counts, draws random numbers, and notes whether it saw values."""

    def __init__(self, *, looks: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.register_buffer("calls", torch.zeros(()))
        self.plain = torch.ones(2, 1, 1)
        self.looks = looks

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.last = self.norm(self.conv(x)) * self.plain + torch.rand(1)
        return self.last if not self.looks or float(x.sum()) == 0 else self.last[:0]


@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_the_network_is_left_as_it_is(looks: bool, fails: bool) -> None:
    net = Watchful(looks=looks).train()
    net.norm.eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    identities = {name: id(tensor) for name, tensor in (*net.named_parameters(), *net.named_buffers())}
    state = torch.random.get_rng_state()
    if fails:
        with pytest.raises(ShapeError):
            cost(net, (1, 2, 2))
    else:
        assert cost(net, (1, 5, 5)).macs == 2 * 9 * 9
    assert torch.equal(torch.random.get_rng_state(), state)
    assert {name: id(tensor) for name, tensor in (*net.named_parameters(), *net.named_buffers())} == identities
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert [module.training for module in net.modules()] == [True, True, False]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert not hasattr(net, "last")
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert torch.is_grad_enabled()


def test_nothing_is_computed_where_nothing_looks_at_values() -> None:
    """A petabyte of activations."""
    report = cost(nn.Sequential(nn.Conv2d(1, 1024, 1), nn.ReLU()), (1, 2**19, 2**19))
    assert report.activation_bytes == 2 * 4 * 1024 * 2**38


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_device_does_not_matter(device: str) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(ev.create_model("p4cnn", width=2), nn.LSTM(10, 3))
    here = cost(net, (1, 28, 28), batch_size=2)
    assert cost(net.to(device), (1, 28, 28), batch_size=2) == here
    assert next(net.parameters()).device.type == device


def test_tensors_made_in_forward_lie_beside_the_network() -> None:
    net = Call(lambda m, x: x + torch.arange(4) + m.w, w=torch.ones(4))
    assert cost(net.to("meta"), (4,)).activation_bytes == 16


def test_dtype_of_the_input() -> None:
    report = cost(nn.Embedding(10, 6), (5,), dtype=torch.long)
    assert (report.parameters, report.layers[0].output_shapes) == (60, ((1, 5, 6),))
    assert cost(nn.Conv2d(1, 1, 1).half(), (1, 2, 2)).dtype == "float16"
    net = nn.Sequential(nn.Identity(), nn.Conv2d(1, 1, 1))
    net[0].register_buffer("exact", torch.zeros(1, dtype=torch.float64))  # as tables that layers keep
    assert cost(net, (1, 2, 2)).dtype == "float32"
    assert cost(ev.create_model("dss", width=2), (1, 28, 28)).dtype == "float32"


def test_weights_that_are_computed() -> None:
    with pytest.deprecated_call():
        old = nn.utils.weight_norm(nn.Conv2d(1, 2, 3))
    assert cost(old, (1, 5, 5)).macs == 2 * 9 * 9
    new = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 2, 3))
    report = cost(new, (1, 5, 5))
    assert (report.macs, report.parameters) == (2 * 9 * 9, 2 * 9 + 2 + 2)


def test_failures_inside_that_the_network_survives() -> None:
    class Tries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wrong, self.right = nn.Linear(3, 3), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            try:
                return self.wrong(x)
            except RuntimeError:
                return self.right(x)

    assert [layer.name for layer in cost(Tries(), (4,)).layers] == ["right"]


def test_an_operator_of_ones_own_can_be_counted() -> None:
    @torch.library.custom_op("equivision_tests::squares", mutates_args=())
    def squares(x: Tensor) -> Tensor:
        return x @ x.mT

    @squares.register_fake
    def _(x: Tensor) -> Tensor:
        return x.new_empty(*x.shape[:-1], x.shape[-2])

    net, target = Call(lambda m, x: squares(x)), torch.ops.equivision_tests.squares
    assert cost(net, (4, 8)).macs == 0

    @register_flop_formula(target)
    def _formula(shape: Any, *args: Any, **kwargs: Any) -> int:
        return 2 * shape[-2] ** 2 * shape[-1]

    try:
        assert cost(net, (4, 8)).macs == 4 * 4 * 8
    finally:
        flop_registry.pop(target, None)
        torch.utils.flop_counter.flop_registry.pop(target, None)


def test_compiled_networks_are_counted_as_what_was_compiled() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3))
    assert cost(torch.compile(net, backend="eager"), (1, 5, 5)) == cost(net, (1, 5, 5))


def test_table_and_json() -> None:
    report = cost(ev.create_model("p4cnn"), (1, 28, 28))
    text = str(report)
    assert text.splitlines()[0] == (
        "RotatedMNISTNet on 1 x (1 x 28 x 28), float32: "
        "24,810 parameters, 11.674 M MACs, 728.280 k bytes of activations"
    )
    assert "features.3" in text
    assert "1 x 10 x 4 x 24 x 24" in text
    assert text.splitlines()[-1].split() == ["total", "24,810", "11,673,860", "728,280"]
    values = json.loads(json.dumps(report.to_dict()))
    assert values["macs"] == 11_673_860
    assert values["layers"][0]["output_shapes"] == [[1, 10, 4, 26, 26]]
    assert math.isclose(sum(layer["macs"] for layer in values["layers"]), values["macs"])


@pytest.mark.parametrize("size", [(), (0, 4), (1, -2), (1.5, 2), "12", (True, 3), ("1", 2)])
def test_wrong_sizes(size: Any, unchecked_annotations: None) -> None:
    with pytest.raises(ConfigError, match=r"input_size=.*: give the shape of one input without the batch axis"):
        cost(nn.Identity(), size)


def test_other_mistakes(unchecked_annotations: None) -> None:
    with pytest.raises(ConfigError, match="batch_size=0: give a whole number of at least 1"):
        cost(nn.Identity(), (1,), batch_size=0)
    with pytest.raises(ConfigError, match=r"model is a str: cost needs a torch\.nn\.Module"):
        cost("p4cnn", (1, 28, 28))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"has parameters without a shape yet \(lazy modules\): run it once"):
        cost(nn.LazyLinear(3), (4,))
    with pytest.deprecated_call():
        scripted = nn.Sequential(torch.jit.script(nn.ReLU()))
    with pytest.raises(ConfigError, match="holds a scripted module, whose layers cannot be watched"):
        cost(scripted, (4,))


def test_a_network_that_fails_says_on_what_and_why() -> None:
    expected = (
        r"model RotatedMNISTNet fails on 2 input\(s\) of size 1 x 12 x 12, float32 \(288 numbers\): \w+: .*\. Give "
        "input_size as the model takes it, without the batch axis"
    )
    with pytest.raises(ShapeError, match=expected) as raised:
        cost(ev.create_model("p4cnn"), (1, 12, 12), batch_size=2)
    assert raised.value.__cause__ is not None
    assert str(raised.value.__cause__) in str(raised.value)


def test_a_network_that_cannot_be_copied() -> None:
    net = nn.Linear(2, 2)
    net.file = (i for i in range(3))  # type: ignore[assignment]
    with pytest.raises(EquivisionError, match=r"model Linear cannot be copied .*generator"):
        cost(net, (2,))
