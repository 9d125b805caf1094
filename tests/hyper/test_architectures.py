"""Networks as people write them: what is followed, what is refused, and that nothing inexact slips through."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import prune

from equivision.errors import ConfigError, EquivisionError, GridError, GroupMismatchError, ShapeError
from equivision.hyper import HyperEquivariantCNN, conv_trunk
from equivision.testing import randomize_

pytestmark = pytest.mark.usefixtures("unchecked_annotations")


class Own(nn.Module):
    """A network written as a function of itself and the images."""

    def __init__(self, run: Callable[[Any, Tensor], Any], **layers: nn.Module) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)


class Marked(nn.Conv2d):
    """Inherits everything."""


class Scaled(nn.Conv2d):
    """Has a way of its own to use its weights."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(input, 2 * weight, bias)


class Several(nn.Module):
    """Takes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3)

    def forward(self, *x: Tensor) -> Tensor:
        return self.conv(x[0])


def own(run: Callable[[Any, Tensor], Any], channels: int = 6, inputs: int | None = None) -> Own:
    return Own(run, conv=nn.Conv2d(2, channels, 3), linear=nn.Linear(inputs or channels, 3))


def wrapped(main: nn.Module, **options: Any) -> HyperEquivariantCNN:
    generator = conv_trunk(2, (4, 4))
    return HyperEquivariantCNN(main, generator, input_shape=(2, 8, 8), **options)


@torch.no_grad()
def error(net: HyperEquivariantCNN) -> float:
    """Relative change of the outputs as every image turns by another angle."""
    net = randomize_(net.double().eval())
    x = torch.rand(4, 2, 8, 8, dtype=torch.float64)
    expected, found = net(x), net(torch.stack([torch.rot90(image, i, (-2, -1)) for i, image in enumerate(x)]))
    assert (expected - expected[:1]).abs().max() > 0
    return ((expected - found).abs().max() / expected.abs().max()).item()


FOLLOWED = {
    "torch.where": lambda: own(lambda s, x: s.linear(torch.where((y := s.conv(x)) > 0, y, 0.1 * y).mean((2, 3)))),
    "masks": lambda: own(lambda s, x: s.linear((y := s.conv(x)).masked_fill(y < 0, -torch.inf).amax((2, 3)).exp())),
    "squeeze": lambda: own(lambda s, x: s.linear(F.adaptive_avg_pool2d(s.conv(x), 1).squeeze())),
    "twice": lambda: Own(
        lambda s, x: s.linear(s.again(torch.tanh(s.again(s.conv(x)))).mean((2, 3))),
        conv=nn.Conv2d(2, 4, 3), again=nn.Conv2d(4, 4, 3, padding=1), linear=nn.Linear(4, 3),
    ),
    "rows of a map": lambda: own(lambda s, x: s.linear(s.conv(x).flatten(2)).flatten(1), inputs=36),
    "inherited": lambda: nn.Sequential(Marked(2, 4, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)),
    "names that look alike": lambda: Own(
        lambda s, x: s.linear(s.a_0(s.a[0](x)).mean((2, 3))),
        a=nn.Sequential(nn.Conv2d(2, 4, 3)), a_0=nn.Conv2d(4, 4, 3), linear=nn.Linear(4, 3),
    ),
    "domain": lambda: own(lambda s, x: s.linear(torch.sqrt(F.relu(s.conv(x))).mean((2, 3)))),
    "depthwise": lambda: nn.Sequential(
        nn.Conv2d(2, 8, 3, groups=2, dilation=2, padding=2, padding_mode="reflect"), nn.GELU(),
        nn.Conv2d(8, 8, 3, groups=8), nn.GroupNorm(2, 8), nn.Flatten(), nn.Linear(8 * 36, 8), nn.LayerNorm(8),
    ),
    "channels as images": lambda: own(
        lambda s, x: s.linear(F.avg_pool2d((y := s.conv(x)).reshape(-1, 1, 6, 6), 2).view(y.shape[0], -1)), inputs=54
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLLOWED)
def test_usual_ways_to_write_a_network_are_exact(name: str) -> None:
    assert error(wrapped(FOLLOWED[name]())) <= 1e-12


def narrow(*layers: nn.Module) -> nn.Sequential:
    """Behind a threshold that nothing passes."""
    return nn.Sequential(nn.Conv2d(2, 1, 3), nn.Softshrink(1e3), *layers, nn.Flatten())


REFUSED: dict[str, tuple[Callable[[], nn.Module], type[EquivisionError], str]] = {
    "dead maps": (
        lambda: Own(lambda s, x: s.net(x)[:, :, ::2, ::2].sum((2, 3)), net=narrow(nn.ReLU())[:3]),
        ConfigError, r"call of getitem .* does not follow",
    ),
    "dead maps, padded": (
        lambda: nn.Sequential(narrow(nn.ZeroPad2d((1, 0, 1, 0)), nn.Softplus()), nn.Linear(49, 3)), ConfigError,
        r"0.2 \(ZeroPad2d\)",
    ),
    "dead pixel": (
        lambda: nn.Sequential(nn.Conv2d(2, 1, 8), nn.Softshrink(1e3), nn.Conv2d(1, 3, 2, padding="same")), GridError,
        r"2 \(Conv2d\)",
    ),
    "mixed images": (
        lambda: own(lambda s, x: s.linear(((y := s.conv(x)) - y.mean(0, keepdim=True)).square().mean((2, 3)))),
        ConfigError, "or mixes the images of a batch",
    ),
    "flattened part": (
        lambda: own(lambda s, x: (s.linear((y := s.conv(x)).mean((2, 3))), y.flatten(1))), ConfigError,
        "main ends in a flattened feature map",
    ),
    "linear on rows": (lambda: own(lambda s, x: s.linear(s.conv(x)).mean((2, 3))), ConfigError, r"linear \(Linear\)"),
    "wrong view": (
        lambda: own(lambda s, x: s.linear(s.conv(x).view(-1, 72)), inputs=72), ShapeError, r"fails .* at linear",
    ),
    "own way": (
        lambda: nn.Sequential(Scaled(2, 4, 3), nn.Flatten(), nn.Linear(144, 3)), GridError, r"0 \(Scaled\)",
    ),
    "kernel": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, (3, 1))), GroupMismatchError, r"^0 \(Conv2d\): kernel_size=\(3, 1\)",
    ),
    "padding": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=(1, 0))), GroupMismatchError, r"padding=\(1, 0\) differs",
    ),
    "functional pool": (
        lambda: own(lambda s, x: s.linear(F.max_pool2d(s.conv(x), 4).mean((2, 3)))), GridError,
        r"call of max_pool2d.*windows that cover the map",
    ),
    "rectangles": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.AdaptiveAvgPool2d((3, 2))), GridError, "as many rows as columns",
    ),
    "several inputs": (Several, ConfigError, r"takes \*args"),
    "lazy": (lambda: nn.Sequential(nn.LazyConv2d(4, 3)), ConfigError, "0.weight has no shape yet"),
    "meta": (lambda: nn.Conv2d(2, 4, 3, device="meta"), ConfigError, "weight is on the meta device"),
    "pruned": (
        lambda: nn.Sequential(prune.l1_unstructured(nn.Conv2d(2, 4, 3), "weight", 0.5)), ConfigError,
        "cannot be copied.*prune.remove",
    ),
    "hooks": (
        lambda: nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(2, 4, 3))), ConfigError, "parametrization or hooks",
    ),
    "no network": (lambda: "resnet", ConfigError, "main='resnet': give a network"),  # type: ignore[dict-item, return-value]
    "two ways": (
        lambda: own(lambda s, x: s.linear(F.dropout(s.conv(x).mean((2, 3)), 0.5 if s.training else 0.1))), ConfigError,
        "another way in training than in evaluation at dropout",
    ),
    "more steps": (
        lambda: own(lambda s, x: s.linear((s.conv(x) + 1 if s.training else s.conv(x)).mean((2, 3)))), ConfigError,
        "another way in training",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*spectral_norm:FutureWarning", "ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_exact_is_refused(name: str) -> None:
    make, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        wrapped(make())


def test_shapes_that_no_symmetry_asks_for_are_left_alone() -> None:
    main = nn.Sequential(nn.Conv2d(2, 4, (3, 1), stride=(2, 1)), nn.Flatten(2), nn.Linear(24, 3))
    net = wrapped(main, combiner="none")
    assert net(torch.rand(3, 2, 8, 8)).shape == (3, 4, 3)
    assert wrapped(own(lambda s, x: s.linear(s.conv(x))), combiner="none").layers["linear"].extra_repr()
    with pytest.raises(GroupMismatchError, match="kernel_size="):
        wrapped(main, strict=False)
    assert wrapped(nn.Sequential(nn.Conv2d(2, 4, 3, padding=(1, 0))), strict=False)(torch.rand(2, 2, 8, 8)).ndim == 4


def test_the_question_whether_one_trains_is_asked_every_time() -> None:
    """``training=self.training`` in the network's own code."""
    for training in (True, False):
        main = own(lambda s, x: s.linear(F.dropout(s.conv(x).mean((2, 3)), 0.5, training=s.training)))
        net = wrapped(main.train(training))
        assert main.training == net.main.training == training
        x = torch.rand(2, 2, 8, 8)
        net.eval()
        torch.testing.assert_close(net(x), net(x), rtol=0, atol=0)
        net.train()
        assert (net(x) - net(x)).abs().max() > 1e-3
        assert error(net) <= 1e-12
    assert not any(key.startswith("main") for key in net.state_dict())


def test_statistics_kept_by_a_function_follow_the_mode() -> None:
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 3)
            self.register_buffer("mean", torch.zeros(4))
            self.register_buffer("var", torch.ones(4))

        def forward(self, x: Tensor) -> Tensor:
            return F.batch_norm(self.conv(x), self.mean, self.var, training=self.training)  # type: ignore[arg-type]

    net = wrapped(Normed())
    x = torch.rand(4, 2, 8, 8)
    before = net.state_dict()["main.mean"].clone()
    assert not before.any()  # calibration leaves no trace
    net.eval()(x)
    assert torch.equal(net.state_dict()["main.mean"], before)
    net.train()(x)
    assert not torch.equal(net.state_dict()["main.mean"], before)


@pytest.mark.parametrize("options", [{}, {"light": 2}, {"mode": "batch"}])
def test_a_batch_may_be_empty(options: dict[str, Any]) -> None:
    main = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    assert wrapped(main, **options).eval()(torch.rand(0, 2, 8, 8)).shape == (0, 3)


def test_what_is_given_beside_the_network_is_checked() -> None:
    main = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(144, 3))
    net = wrapped(main)
    with pytest.raises(ShapeError, match=r"input has dtype torch.float64, the weights torch.float32"):
        net(torch.rand(2, 2, 8, 8, dtype=torch.float64))
    with pytest.raises(ShapeError, match=r"x has shape \(2, 1, 8, 8\)"):
        net.generate(torch.rand(2, 1, 8, 8))
    with pytest.raises(ConfigError, match="input_shape=None"):
        HyperEquivariantCNN(main, input_shape=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="generator='small': give a network"):
        HyperEquivariantCNN(main, "small", input_shape=(2, 8, 8))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="generator fails on such images"):
        HyperEquivariantCNN(main, conv_trunk(3), input_shape=(2, 8, 8))
    pair = wrapped(own(lambda s, x: (s.linear(s.conv(x).mean((2, 3))), s.conv(x))), group="C8")
    with pytest.raises(ConfigError, match="main gives a tuple: over groups larger than C4"):
        pair(torch.rand(2, 2, 8, 8))


@torch.no_grad()
def test_a_norm_before_the_generator_takes_contrast_out_of_the_weights() -> None:
    main = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(144, 3))
    x = torch.rand(2, 2, 8, 8)
    for first, grows in ((nn.Identity(), True), (nn.GroupNorm(1, 2, eps=1e-12), False)):
        net = HyperEquivariantCNN(main, nn.Sequential(first, conv_trunk(2, (4, 4))), input_shape=(2, 8, 8))
        before, after = net.generate(x)["0.weight"], net.generate(4 * x)["0.weight"]
        assert bool((before - after).abs().max() > 1e-3) == grows
        assert error(net) <= 1e-12
