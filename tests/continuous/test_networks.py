"""Networks of partial convolutions: symmetry, elements, what happens after training."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

import equivision as ev
from equivision.continuous import (
    CKResNet,
    FixedElements,
    PartialNet,
    ck_cnn13,
    ck_resnet,
    partial_layers,
    sim2_resnet,
)
from equivision.continuous._partial_nets import CKBlock
from equivision.errors import ConfigError, ShapeError
from equivision.testing import assert_copies, assert_equivariant, assert_exports, random_input, randomize_

Make = Callable[..., PartialNet]
SIZES = ((11, 11), (12, 12))


def resnet(**options: object) -> CKResNet:
    return CKResNet((4, 4, 6), num_rotations=4, kernel_size=5, hidden=8, **options)  # pyright: ignore[reportArgumentType]


def cnn13(**options: object) -> PartialNet:
    return ck_cnn13(2, in_channels=1, num_rotations=4, kernel_size=3, hidden=8, **options)


def random_net(make: Make, p: float = 1.0, **options: object) -> PartialNet:
    """Random parameters, but for p and the probability of reflections."""
    net = randomize_(make(p=p, **options).double().eval())
    for layer in partial_layers(net):
        layer.p.data.fill_(p)
        if layer.reflection_logit is not None:
            layer.reflection_logit.data.fill_(2.0)
    return net


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", [resnet, cnn13])
def test_logits_do_not_change_under_quarter_turns_when_p_is_1(make: Make, size: tuple[int, int]) -> None:
    assert_equivariant(random_net(make), random_input(1, size), group="C4")


@pytest.mark.parametrize("size", SIZES)
def test_nor_under_reflections_where_these_are_kept(size: tuple[int, int]) -> None:
    net = random_net(resnet, reflections=True)
    assert_equivariant(net, random_input(1, size), group="D4")
    for layer in partial_layers(net)[-1:]:
        layer.reflection_logit.data.fill_(-2.0)
    assert_equivariant(net, random_input(1, size), group="C4")
    with pytest.raises(AssertionError, match="not equivariant under D4"):
        assert_equivariant(net, random_input(1, size), group="D4", elements=[4, 5])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("p", [0.2, 0.6])
def test_they_do_when_p_is_less(p: float, size: tuple[int, int]) -> None:
    net = random_net(resnet)
    partial_layers(net)[-1].p.data.fill_(p)
    with pytest.raises(AssertionError, match="not equivariant under C4"):
        assert_equivariant(net, random_input(1, size), group="C4")


@pytest.mark.parametrize("size", SIZES)
def test_a_plain_network_fails_the_same_check(size: tuple[int, int]) -> None:
    plain = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), ev.nn.BlurPool2d(2), nn.Conv2d(8, 8, 5, padding=2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
    )  # fmt: skip
    with pytest.raises(AssertionError, match="not equivariant under C4"):
        assert_equivariant(randomize_(plain.double().eval()), random_input(1, size), group="C4")


@pytest.mark.parametrize(("width", "count"), [(32, 382_510), (8, 32_278)])
def test_parameters_of_the_residual_network(width: int, count: int) -> None:
    assert sum(p.numel() for p in ck_resnet(width).parameters()) == count


def test_layers_of_the_network_with_thirteen() -> None:
    net = cnn13()
    layers = partial_layers(net)
    assert [layer.out_channels for layer in layers] == [2, 2, 4, 4, 4, 8, 4, 2]
    assert [layer.kernel_size for layer in layers] == [3] * 6 + [1] * 2
    assert len(net.elements()) == 9
    assert ck_cnn13().classifier.in_features == 128


def test_elements_go_through_the_network() -> None:
    net = random_net(resnet)
    for layer, p in zip(partial_layers(net), (1.0, 0.6, 0.4, 0.0), strict=True):
        layer.p.data.fill_(p)
    assert [len(one.angles) for one in net.elements()] == [4, 4, 3, 2, 1]
    seen: list[int] = []
    for block in net.modules():
        if isinstance(block, CKBlock):
            block.register_forward_hook(lambda _, __, y: seen.append(y.shape[2]))
    net(random_input(1, (9, 9)))
    assert seen == [3, 1]


def test_deterministic_in_eval_mode_and_random_in_training() -> None:
    net, x = random_net(resnet, p=0.7), random_input(1, (9, 9))
    assert torch.equal(net(x), net(x))
    generators = (torch.Generator().manual_seed(s) for s in (3, 3, 4))
    one, same, other = (net(x, net.elements(generator=g)) for g in generators)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    net.train()
    assert not torch.equal(net(x), net(x))


@pytest.mark.parametrize("gradient", ["shift", "elements"])
def test_training_moves_every_parameter(gradient: str) -> None:
    net = resnet(p=0.7, p_gradient=gradient, reflections=True)
    for _ in range(3):
        nn.functional.cross_entropy(net(torch.randn(4, 1, 9, 9)), torch.arange(4)).backward()
    assert not [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


@pytest.mark.parametrize("make", [resnet, cnn13])
def test_life_after_training(make: Make) -> None:
    net, x = random_net(make, p=0.6), random_input(1, (9, 9))
    assert_copies(FixedElements(net), x)
    assert_exports(FixedElements(net), x)
    keys = set(net.state_dict())
    assert keys == set(net.train().state_dict()) == set(net.eval().state_dict())
    other = make(p=1.0).double().eval()
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x), net(x))
    x = x.requires_grad_()
    (gradient,) = torch.autograd.grad(net(x).sum(), x)
    assert bool(torch.isfinite(gradient).all())


@pytest.mark.parametrize("fixed", [False, True])
def test_pickle_and_deepcopy(fixed: bool) -> None:
    net: nn.Module = random_net(resnet)
    x = random_input(1, (9, 9))
    assert_copies(FixedElements(net) if fixed else net, x)


def test_fixed_elements() -> None:
    net, x = random_net(resnet, p=0.7), random_input(1, (9, 9))
    fixed, drawn = FixedElements(net), net.elements(random=True)
    assert torch.equal(fixed(x), net(x))
    assert torch.equal(FixedElements(net, drawn)(x), net(x, drawn))
    assert set(fixed.state_dict()) == {f"net.{key}" for key in net.state_dict()}
    fixed.train()
    assert torch.equal(fixed(x), fixed(x))
    turning = randomize_(sim2_resnet("SE2", width=2, num_rotations=4, hidden=4).double().eval())
    assert torch.equal(FixedElements(turning)(x), turning(x))


def test_statistics_at_the_elements_of_eval_mode() -> None:
    """update_bn averages them there, so that training and eval mode then agree on the batch itself."""
    net, x = random_net(resnet, p=0.7).train(), random_input(1, (9, 9), batch=8)
    update_bn([x], FixedElements(net))
    elements = net.elements(random=False)
    with torch.no_grad():
        trained, evaluated = net(x, elements), net.eval()(x, elements)
    assert float((trained - evaluated).norm() / trained.norm()) < 0.02  # variances: divided by n, and by n - 1


@pytest.mark.compile
def test_compile() -> None:
    ev.testing.assert_compiles(FixedElements(random_net(resnet, p=0.6)), random_input(1, (9, 9)))


def test_the_registry_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from equivision.models import _registry

    monkeypatch.setattr(_registry, "_MODELS", dict(_registry._MODELS))
    ev.models.register(ck_resnet)
    assert isinstance(ev.create_model("ck_resnet", width=2), CKResNet)


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    def test_widths(self) -> None:
        with pytest.raises(ConfigError, match=r"widths=\(\): give the fields of the lifting convolution"):
            CKResNet(())
        with pytest.raises(ConfigError, match=r"widths\[1\]=0: give a whole number"):
            CKResNet((2, 0))
        with pytest.raises(ConfigError, match="num_classes=0: give a whole number"):
            ck_cnn13(2, num_classes=0)

    def test_images(self) -> None:
        with pytest.raises(ShapeError, match=r"ContinuousLiftConv2d: .*needs \[batch, 1 channel"):
            resnet()(torch.rand(1, 3, 9, 9))


@pytest.mark.usefixtures("unchecked_annotations")
def test_what_is_no_network_or_not_its_elements() -> None:
    net = ck_resnet(width=2, num_rotations=4)
    with pytest.raises(ShapeError, match=r"CKResNet: elements holds 2 set\(s\) of elements; it needs 5"):
        net(torch.rand(1, 1, 8, 8), net.elements()[:2])
    with pytest.raises(ConfigError, match="net=Flatten has no method elements"):
        FixedElements(nn.Flatten())
    with pytest.raises(ConfigError, match="widths=32: give the fields"):
        CKResNet(32)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="p='a': give a number from 0"):
        ck_resnet(width=2, p="a")
