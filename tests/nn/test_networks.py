"""Layers together: whole networks, exact from end to end."""

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.tasks import MaskScores
from equivision.testing import (
    assert_batch_independent,
    assert_channels_last,
    assert_compiles,
    assert_copies,
    assert_equivariant,
    assert_equivariant_gradients,
    assert_exports,
    random_input,
    randomize_,
)

GROUPS = [cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)]


def classifier(group: PlanarGroup) -> nn.Sequential:
    """The example of the first page, smaller."""
    return nn.Sequential(
        ev.nn.LiftConv2d(3, 4, 3, group=group, padding=1), nn.BatchNorm3d(4), nn.ReLU(),
        ev.nn.GroupConv2d(4, 4, 3, group=group, padding=1), nn.BatchNorm3d(4), nn.ReLU(), ev.nn.BlurPool2d(),
        ev.nn.GroupPool(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5),
    )  # fmt: skip


def segmenter(group: PlanarGroup) -> nn.Sequential:
    """Down, up, and back to the plane: what goes in turned comes out turned."""
    return nn.Sequential(
        ev.nn.LiftConv2d(3, 4, 2, group=group, stride=2), nn.GroupNorm(2, 4), nn.GELU(),
        ev.nn.GroupConv2d(4, 4, 3, group=group, padding="same"), nn.InstanceNorm3d(4, affine=True), nn.ELU(),
        ev.nn.GroupConvTranspose2d(4, 4, 4, group=group, stride=2, padding=1), nn.SiLU(), nn.Dropout3d(0.2),
        ev.nn.ProjectConv2d(4, 2, 3, group=group, padding=1, padding_mode="reflect"),
    )  # fmt: skip


def through_the_group(group: PlanarGroup) -> nn.Sequential:
    """Space is summed away first; the group axis goes on through linear maps to the very end."""
    return nn.Sequential(
        ev.nn.LiftConv2d(3, 4, 3, group=group), nn.Tanh(), nn.AdaptiveAvgPool3d((None, 1, 1)), nn.Flatten(2),
        ev.nn.GroupLinear(4, 6, group=group), nn.ReLU(), ev.nn.GroupLinear(6, 2, group=group),
    )  # fmt: skip


NETWORKS = [classifier, segmenter, through_the_group]


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("build", NETWORKS)
def test_exact(build, group: PlanarGroup) -> None:
    net = randomize_(build(group).double().eval())
    for size in ((8, 8), (6, 10)):
        x = random_input(3, size)
        assert_equivariant(net, x, group=group)
        assert_equivariant_gradients(net, x, group=group, tolerance=1e-11)
        assert_batch_independent(net, x)


@pytest.mark.parametrize("build", NETWORKS)
def test_float32(build) -> None:
    net = randomize_(build(dihedral(4)).eval())
    assert_equivariant(net, random_input(3, (8, 8), dtype=torch.float32), group=dihedral(4))


def test_training_keeps_a_network_exact() -> None:
    group = dihedral(4)
    net = classifier(group).double()
    optimiser = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    x, target = random_input(3, (8, 8), batch=8), torch.arange(8) % 5
    losses = []
    for _ in range(10):
        loss = nn.functional.cross_entropy(net(x), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert_equivariant(net.eval(), random_input(3, (9, 9)), group=group)


def test_symmetry_can_be_given_up_half_way() -> None:
    """D4 down to C4: exact for the turns, no longer for the reflections."""
    D4, C4 = dihedral(4), cyclic(4)
    net = nn.Sequential(
        ev.nn.LiftConv2d(1, 2, 3, group=D4), nn.ReLU(), ev.nn.Restrict(D4, C4),
        ev.nn.GroupConv2d(4, 3, 3, group=C4), nn.ReLU(), ev.nn.GroupPool(),
    )  # fmt: skip
    net = randomize_(net.double())
    x = random_input(1, (8, 8))
    assert_equivariant(net, x, group=C4)
    with pytest.raises(AssertionError, match="not equivariant under D1"):
        assert_equivariant(net, x, group=dihedral(1))


def test_translations() -> None:
    """On a torus, stride 1: shifting the image shifts the features."""
    net = nn.Sequential(
        ev.nn.LiftConv2d(1, 2, 3, group="D4", padding=1, padding_mode="circular"), nn.ReLU(),
        ev.nn.GroupConv2d(2, 2, 3, group="D4", padding=1, padding_mode="circular"),
    ).double()  # fmt: skip
    x = random_input(1, (6, 7))
    torch.testing.assert_close(net(x.roll((2, 3), (-2, -1))), net(x).roll((2, 3), (-2, -1)), rtol=0, atol=1e-12)


def test_c1_is_an_ordinary_convolution() -> None:
    ours, plain = ev.nn.LiftConv2d(3, 4, 3, group="C1", stride=2, padding=1), nn.Conv2d(3, 4, 3, 2, 1)
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 8, 9)
    torch.testing.assert_close(ours(x)[:, :, 0], plain(x), rtol=0, atol=0)


def test_copies_export_and_memory_format() -> None:
    net = randomize_(segmenter(dihedral(4)).double().eval())
    x = random_input(3, (8, 8))
    assert_copies(net, x)
    assert_exports(net, x)
    assert_channels_last(net, x, kept=False)
    convolutions = nn.Sequential(
        ev.nn.LiftConv2d(3, 4, 3, group="C4"),
        nn.ReLU(),
        ev.nn.GroupConv2d(4, 4, 3, group="C4"),
        nn.SiLU(),
        ev.nn.BlurPool2d(),
    )
    assert_channels_last(convolutions, random_input(3, (9, 9), dtype=torch.float32))


@pytest.mark.compile
@pytest.mark.parametrize("build", NETWORKS)
def test_compile(build) -> None:
    assert_compiles(randomize_(build(cyclic(4)).double().eval()), random_input(3, (8, 8)))


@pytest.mark.compile
def test_compiled_training_step_with_batch_norm() -> None:
    def step(net: nn.Module, x: Tensor) -> Tensor:
        return net(x).square().mean()

    torch.manual_seed(0)
    net = classifier(cyclic(4)).double().train()
    other = classifier(cyclic(4)).double().train()
    other.load_state_dict(net.state_dict())
    x = random_input(3, (8, 8), batch=4)
    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    step(net, x).backward()
    compiled(other, x).backward()
    for one, two in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(two.grad, one.grad, rtol=1e-9, atol=1e-12)


def test_built_on_the_meta_device_and_in_another_dtype() -> None:
    assert ev.nn.GroupConv2d(2, 3, 3, group="C4", dtype=torch.float64).weight.dtype == torch.float64
    layer = ev.nn.GroupConv2d(2, 3, 3, group="C4", device="meta")
    assert {tensor.device.type for tensor in (*layer.parameters(), *layer.buffers())} == {"meta"}


def to_a_device_without_double_precision(tensor: torch.Tensor) -> torch.Tensor:
    """What ``to("mps")`` says there."""
    if tensor.dtype == torch.float64:
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64")
    return tensor.clone()


@pytest.mark.parametrize(
    "make",
    [
        lambda: ev.nn.LiftConv2d(2, 3, 3, group="C8"),
        lambda: ev.nn.SteerableConv2d("regular + A2", "E1 + A1", 3, group="D4"),
        lambda: ev.nn.FieldBatchNorm2d("regular + A1", group="D4"),
        lambda: ev.nn.FourierNonlinearity("2 band1", group="D4"),
        lambda: ev.scale.ScaleLiftConv2d(1, 2, 5, scales=(1.0, 2.0)),
        lambda: ev.scale.ScaleSpaceLift(2),
        lambda: ev.create_model("harmonic_cnn", width=2),
        lambda: ev.create_model("unet", group="C8", width=2),
        lambda: MaskScores(3),
    ],
)
def test_devices_without_double_precision(make) -> None:
    layer = make()
    layer._apply(to_a_device_without_double_precision)
    assert {tensor.dtype for tensor in (*layer.parameters(), *layer.buffers())} <= {torch.float32, torch.int64}
    with pytest.raises(TypeError, match="float64"):  # what is learned does not lose precision in silence
        ev.nn.LiftConv2d(2, 3, 3, group="C8").double()._apply(to_a_device_without_double_precision)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: ev.nn.LiftConv2d(2, 3, 3, group="D4"), (2, 2, 5, 5)),
        (lambda: ev.nn.GroupConv2d(2, 3, 3, group="D4"), (2, 2, 8, 5, 5)),
        (lambda: ev.nn.ProjectConv2d(2, 3, 2, group="D4"), (2, 2, 8, 5, 5)),
        (lambda: ev.nn.GroupConvTranspose2d(2, 3, 3, group="D4"), (2, 2, 8, 5, 5)),
        (lambda: ev.nn.GroupLinear(2, 3, group="D4"), (2, 2, 8)),
        (lambda: ev.nn.CosetPool("D4", "C4"), (2, 2, 8, 5, 5)),
        (lambda: ev.nn.CharacterPool("sign", group="D4"), (2, 2, 8, 5, 5)),
        (lambda: ev.nn.Restrict("D4", "C2"), (2, 2, 8, 5, 5)),
        (lambda: ev.nn.Induce(2, 3, "C2", "D4"), (2, 2, 2, 5, 5)),
        (lambda: ev.nn.SteerableConv2d("regular + A2", "E1 + A1", 3, group="D4"), (2, 9, 5, 5)),
        (lambda: ev.nn.FieldBatchNorm2d("regular + A1", group="D4"), (2, 9, 5, 5)),
        (lambda: ev.nn.FourierNonlinearity("2 band1", group="D4"), (2, 12, 5, 5)),
        (lambda: ev.nn.LiftConv2d(2, 3, 3, group="C8"), (2, 2, 5, 5)),
        (lambda: ev.scale.ScaleLiftConv2d(2, 3, 5, scales=(1.0, 2.0)), (2, 2, 7, 7)),
        (lambda: ev.scale.ScaleSpaceLift(2), (2, 2, 9, 9)),
        (lambda: ev.permutation.PermutationLinear(2, 3, group="S4"), (2, 4, 2)),
    ],
)
def test_built_on_the_meta_device_then_filled(make, shape: tuple[int, ...]) -> None:
    """The way of large models: construct without memory, ``to_empty``, ``reset_parameters``, load the weights."""
    right = make()
    with torch.device("meta"):
        layer = make()
    x = torch.randn(shape)
    assert layer(x.to("meta")).shape == right(x).shape
    for resets in (True, False):  # weights that are loaded need not be drawn before
        layer.to_empty(device="cpu")
        for tensor in (*layer.parameters(), *layer.buffers()):
            tensor.detach().fill_(0)
        if resets:
            layer.reset_parameters()
        layer.load_state_dict(right.state_dict())
        assert torch.equal(layer(x), right(x))
