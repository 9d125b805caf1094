"""A continuous angle: exact for quarter turns, close for others, with gradients of its own."""

import pytest
import torch
from torch import Tensor, nn

from equivision.canonical import (
    CanonicalizedNetwork,
    OutputOnly,
    RotationCanonicalizer,
    RotationFrame,
    VectorEnergy,
)
from equivision.functional import rotate
from equivision.groups import cyclic
from equivision.testing import assert_equivariant, random_input, randomize_
from tests.canonical._parts import SIZES, plain_cnn

C4 = cyclic(4)


def canonicalizer() -> RotationCanonicalizer:
    return randomize_(RotationCanonicalizer(VectorEnergy(2, width=4)).double().eval())


def blobs(n: int = 33) -> Tensor:
    """Smooth pictures without symmetry, black at the border."""
    line = torch.linspace(-1.2, 1.2, n, dtype=torch.float64)
    y, x = torch.meshgrid(-line, line, indexing="ij")
    centres = [(0.5, 0.1, 0.3), (-0.1, 0.45, 0.25), (0.3, -0.3, 0.35)]
    maps = [torch.exp(-((x - a) ** 2 + 2 * (y - b) ** 2) / c**2) for a, b, c in centres]
    return torch.stack(maps)[:, None].repeat(1, 2, 1, 1)


class Centre(nn.Module):
    """The centre of mass: a vector that turns with the picture."""

    def forward(self, x: Tensor) -> Tensor:
        """x to the right, y up."""
        line = torch.linspace(-1, 1, x.shape[-1], dtype=x.dtype)
        return torch.stack([(x * line).sum((1, 2, 3)), (x * -line[:, None]).sum((1, 2, 3))], 1)


@pytest.mark.parametrize("size", SIZES, ids=str)
class TestQuarterTurns:
    def test_vector_turns(self, size) -> None:
        energy, x = canonicalizer().energy, random_input(2, size, batch=4)
        turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
        for k in range(4):
            expected = energy(x) @ torch.linalg.matrix_power(turn, k).T
            torch.testing.assert_close(energy(x.rot90(k, (-2, -1))), expected, rtol=1e-11, atol=1e-12)

    @pytest.mark.parametrize("output", ["invariant", "plane"])
    def test_output(self, size, output) -> None:
        net = OutputOnly(CanonicalizedNetwork(plain_cnn(output, C4), canonicalizer(), output=output))
        assert_equivariant(net, random_input(2, size, batch=4), group=C4, tolerance=1e-10)
        with pytest.raises(AssertionError, match="relative error above"):
            assert_equivariant(plain_cnn(output, C4), random_input(2, size, batch=4), group=C4)


@pytest.mark.parametrize("degrees", [17.0, 45.0, 130.0, -60.0])
def test_any_angle_is_close(degrees: float) -> None:
    x = blobs()
    turned = rotate(x, degrees)
    canonical, frame = RotationCanonicalizer(Centre())(x)
    again, found = RotationCanonicalizer(Centre())(turned)
    difference = (found.degrees - frame.degrees - degrees + 180) % 360 - 180
    assert difference.abs().max() < 0.5
    assert (again - canonical).norm() / canonical.norm() < 0.05 < 0.3 < (turned - x).norm() / x.norm()


def test_steerable_vector_turns_by_any_angle_better_than_a_plain_one() -> None:
    x, degrees = blobs(), 40.0
    energy = canonicalizer().energy
    found, turned = (torch.atan2(v[:, 1], v[:, 0]).rad2deg() for v in (energy(x), energy(rotate(x, degrees))))
    error = ((turned - found - degrees + 180) % 360 - 180).abs()
    assert error.max() < 5


def test_angles_are_counter_clockwise() -> None:
    frame = RotationCanonicalizer(Centre())._frame(torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]]))
    torch.testing.assert_close(frame.degrees, torch.tensor([0.0, 90.0, 180.0]))
    torch.testing.assert_close(frame.matrices[1], torch.tensor([[0.0, -1.0], [1.0, 0.0]]))


def test_picture_without_direction_is_left_alone() -> None:
    x = random_input(2, (9, 9), batch=2)
    x = (x + x.rot90(2, (-2, -1))).requires_grad_()
    own = canonicalizer()
    canonical, frame = own(x)
    torch.testing.assert_close(canonical, x)
    assert (frame.degrees == 0).all()
    canonical.sum().backward()
    assert x.grad is not None
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in (x, *own.parameters()))


def test_gradients_reach_every_parameter() -> None:
    net = CanonicalizedNetwork(plain_cnn("invariant", C4), canonicalizer(), frozen=True).train()
    y, frame = net(random_input(2, (9, 9), batch=4))
    (y.square().sum() + frame.prior_loss()).backward()
    for name, parameter in net.canonicalizer.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_angle_has_the_right_gradient() -> None:
    own, x = RotationCanonicalizer(Centre()), blobs(9)[:2] + 0.1 * random_input(2, (9, 9))

    def loss(vectors: Tensor) -> Tensor:
        frame = own._frame(vectors)
        return rotate(x, -frame.degrees, padding_mode="border").square().sum() + frame.prior_loss()

    assert torch.autograd.gradcheck(loss, Centre()(x).requires_grad_())


def test_prior_and_metric() -> None:
    degrees = torch.tensor([0.0, 90.0, 180.0, 5.0])
    radians = torch.deg2rad(degrees)
    rows = [torch.stack([radians.cos(), -radians.sin()], 1), torch.stack([radians.sin(), radians.cos()], 1)]
    frame = RotationFrame(degrees, torch.stack(rows, 1))
    torch.testing.assert_close(frame.prior_loss(), (1 - radians.cos()).mean())  # 2 - 2 cos in squares, 4 entries
    assert frame.identity_fraction() == 0.5
    assert frame.identity_fraction(within=1.0) == 0.25
    assert float(RotationFrame(torch.zeros(2), torch.eye(2).repeat(2, 1, 1)).prior_loss()) == 0
