"""Canonical images do not depend on how an image lies; what is computed from them moves as it should, exactly."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equivision.canonical import CanonicalizedNetwork, Canonicalizer, EnergyNetwork, Frame, OrbitEnergy, OutputOnly
from equivision.functional import act, rotate
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.testing import assert_equivariant, random_input, randomize_, sample_elements
from tests.canonical._parts import GRID, OUTPUTS, SIZES, Slots, energies, images, moved, plain_cnn

C4, D4 = cyclic(4), dihedral(4)


class Given(nn.Module):
    """Scores that do not depend on the image."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = nn.Parameter(scores)

    def forward(self, x: Tensor) -> Tensor:
        """The same for every image."""
        return self.scores.expand(len(x), -1)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", ["own", "orbit"])
@pytest.mark.parametrize("group", GRID, ids=str)
class TestExact:
    """Every element of every group on the grid; random weights, images with symmetries among them."""

    def test_energy_turns_as_the_regular_representation(self, group: PlanarGroup, kind: str, size) -> None:
        energy, x = energies(group)[kind], images(size)
        scores = energy(x)
        for g in range(group.order):
            expected = act(scores[:, None], g, group)[:, 0]
            torch.testing.assert_close(energy(act(x, g, group)), expected, rtol=1e-12, atol=1e-12)
        assert group.order == 1 or scores[3:].std(1).min() > 1e-6

    def test_canonical_images_are_the_same_bit_for_bit(self, group: PlanarGroup, kind: str, size) -> None:
        canonicalizer, x = Canonicalizer(energies(group)[kind]), random_input(2, size, batch=6)
        canonical, frame = canonicalizer(x)
        for g in range(group.order):
            same, found = canonicalizer(act(x, g, group))
            assert torch.equal(same, canonical)
            assert found.elements.tolist() == [group.product(g, h) for h in frame.elements.tolist()]
        assert canonicalizer.equivariance == "exact"

    @pytest.mark.parametrize("output", OUTPUTS)
    def test_output(self, group: PlanarGroup, kind: str, size, output) -> None:
        predictor, x = plain_cnn(output, group), images(size)
        net = OutputOnly(CanonicalizedNetwork(predictor, Canonicalizer(energies(group)[kind]), output=output))
        act_out = partial(moved, group=group, output=output)
        assert_equivariant(net, x, group=group, act_out=act_out)
        if group.order > 1:
            with pytest.raises(AssertionError, match="relative error above"):
                assert_equivariant(predictor, x, group=group, act_out=act_out)


@pytest.mark.parametrize("group", [g for g in GRID if g.order > 1], ids=str)
def test_logits_of_a_frozen_predictor_are_the_same_bit_for_bit(group: PlanarGroup) -> None:
    net = CanonicalizedNetwork(
        plain_cnn("invariant", group).float(), Canonicalizer(energies(group)["own"].float()), frozen=True
    )
    x = random_input(2, (8, 8), batch=8, dtype=torch.float32)
    logits = net(x)[0]
    assert all(torch.equal(net(act(x, g, group))[0], logits) for g in sample_elements(group))


def test_values_on_the_group() -> None:
    net = CanonicalizedNetwork(
        randomize_(Slots(8, values=True).double()), Canonicalizer(energies(D4)["own"]), output="regular"
    )
    assert_equivariant(OutputOnly(net), images((8, 8)), group=D4)


@pytest.mark.parametrize("group", ["C1", "C2", "D1", "D2"])
def test_oblong_images(group: str) -> None:
    net = CanonicalizedNetwork(
        plain_cnn("plane", C4), Canonicalizer(energies(PlanarGroup(int(group[1]), group[0] == "D"))["own"]),
        output="plane",
    )  # fmt: skip
    assert_equivariant(OutputOnly(net), random_input(2, (6, 9)), group=group)


class TestTies:
    def test_symmetric_picture(self) -> None:
        """Half turns leave it alone: two elements give one canonical image, and plane outputs get the symmetry."""
        x = images((8, 8))[:1]
        net = CanonicalizedNetwork(plain_cnn("plane", C4), Canonicalizer(energies(C4)["own"]), output="plane")
        maps, frame = net(x)
        assert sorted(frame.weights[0].tolist()) == [0, 0, 0.5, 0.5]
        assert frame.weights[0, 0] == frame.weights[0, 2]
        assert frame.elements[0] == frame.weights[0].argmax()
        torch.testing.assert_close(maps.rot90(2, (-2, -1)), maps, rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("group", GRID, ids=str)
    @pytest.mark.parametrize("output", OUTPUTS)
    def test_scores_that_are_all_alike(self, group: PlanarGroup, output) -> None:
        """As of a network that has died: the pixels decide, and the promise still holds."""
        energy = Given(torch.zeros(group.order))
        predictor, x = plain_cnn(output, group), images((9, 9))
        net = OutputOnly(CanonicalizedNetwork(predictor, Canonicalizer(energy, group=group), output=output).double())
        assert_equivariant(net, x, group=group, act_out=partial(moved, group=group, output=output))
        frame = Canonicalizer(energy, group=group)(x[3:])[1]
        assert (frame.weights.detach() == 1).sum(1).tolist() == [1, 1, 1, 1]

    def test_accident(self) -> None:
        """Two scores are equal and the image has no symmetry."""

        class Accident(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                corner = torch.stack([act(x, g, C4)[:, 0, 0, 0] for g in C4.inverses.tolist()], 1)
                top = corner.topk(2, dim=1).values
                return corner.clamp(max=top[:, 1:])

        canonicalizer, x = Canonicalizer(Accident(), group=C4), random_input(2, (8, 8), batch=16)
        canonical, frame = canonicalizer(x)
        best = frame.scores.amax(1, keepdim=True)
        assert ((frame.scores == best).sum(1) == 2).all()
        assert all(torch.equal(canonicalizer(act(x, g, C4))[0], canonical) for g in range(4))

    def test_the_same_choice_every_time_and_in_every_batch(self) -> None:
        canonicalizer, x = Canonicalizer(energies(D4)["own"]), images((8, 8))
        whole = canonicalizer(x)[1].elements
        assert torch.equal(canonicalizer(x)[1].elements, whole)
        alone = torch.cat([canonicalizer(x[i : i + 1])[1].elements for i in range(len(x))])
        assert torch.equal(alone, whole)


class TestGradients:
    def test_of_scores_are_those_of_the_softmax(self) -> None:
        """For a linear loss the straight-through gradient is that of the expected loss."""
        x, v = random_input(1, (5, 5), batch=1), random_input(1, (5, 5), batch=1, seed=1)
        scores = torch.tensor([0.3, 0.1, -0.2, 0.4], dtype=torch.float64)
        energy = Given(scores.clone())
        canonical, _ = Canonicalizer(energy, group=C4, beta=2.0)(x)
        (canonical * v).sum().backward()
        soft = scores.clone().requires_grad_()
        losses = torch.stack([(act(x, C4.inverse(h), C4) * v).sum() for h in range(4)])
        (torch.softmax(2 * soft, 0) * losses).sum().backward()
        torch.testing.assert_close(energy.scores.grad, soft.grad)

    @pytest.mark.parametrize("output", OUTPUTS)
    @pytest.mark.parametrize("kind", ["own", "orbit"])
    def test_reach_every_parameter(self, output, kind: str) -> None:
        net = CanonicalizedNetwork(plain_cnn(output, C4), Canonicalizer(energies(C4)[kind]), output=output).train()
        y, frame = net(random_input(2, (9, 9), batch=4))
        (y.square().sum() + frame.prior_loss()).backward()
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, name
            assert kind == "orbit" or name.endswith("bias") or parameter.grad.abs().max() > 0, name

    def test_prior_lowers_itself(self) -> None:
        torch.manual_seed(0)
        canonicalizer = Canonicalizer(EnergyNetwork(1, group="C4", width=4))
        x = random_input(1, (8, 8), batch=16, dtype=torch.float32) + torch.linspace(-2, 2, 8)
        optimizer = torch.optim.Adam(canonicalizer.parameters(), 0.02)
        for _ in range(60):
            optimizer.zero_grad()
            canonicalizer(x)[1].prior_loss().backward()
            optimizer.step()
        assert canonicalizer(x)[1].identity_fraction() > 0.9

    def test_task_trains_the_energy_alone(self) -> None:
        """A frozen predictor that likes one side bright: the energy learns to turn this side up."""
        torch.manual_seed(0)

        class Bright(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x[:, 0, :4].mean((1, 2)) - x[:, 0, 4:].mean((1, 2))

        net = CanonicalizedNetwork(Bright(), Canonicalizer(EnergyNetwork(1, group="C4", width=4)), frozen=True)
        x = random_input(1, (8, 8), batch=32, dtype=torch.float32) * 0.1
        x = torch.cat([act(x[i::4] + torch.linspace(1, -1, 8)[:, None], i, C4) for i in range(4)])
        optimizer = torch.optim.Adam(net.parameters(), 0.02)
        for _ in range(60):
            optimizer.zero_grad()
            (-net(x)[0].mean()).backward()
            optimizer.step()
        assert net.eval()(x)[0].min() > 0


class TestFrozen:
    def test_predictor_stays_as_it_is(self) -> None:
        predictor = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(18, 3))
        net = CanonicalizedNetwork(predictor, Canonicalizer(EnergyNetwork(1, group="C4", width=2)), frozen=True)
        before = {name: value.clone() for name, value in predictor.state_dict().items()}
        net.train()(torch.randn(4, 1, 5, 5))[0].sum().backward()
        assert not predictor.training
        assert net.canonicalizer.training
        assert all(parameter.grad is None for parameter in predictor.parameters())
        assert all(torch.equal(value, before[name]) for name, value in predictor.state_dict().items())
        assert net.eval().train().training

    def test_predictor_that_is_trained(self) -> None:
        predictor = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        net = CanonicalizedNetwork(predictor, Canonicalizer(EnergyNetwork(1, group="C4", width=2)), output="plane")
        net.train()(torch.randn(4, 1, 5, 5))[0].sum().backward()
        assert predictor.training
        assert all(parameter.grad is not None for parameter in predictor.parameters())


class TestFrame:
    def test_prior_is_the_cross_entropy_to_the_identity(self) -> None:
        scores = torch.randn(5, 4)
        frame = Frame(scores.argmax(1), F.one_hot(scores.argmax(1), 4).float(), scores)
        expected = -(scores[:, 0] - torch.logsumexp(scores, 1)).mean()
        torch.testing.assert_close(frame.prior_loss(), expected)
        assert frame.identity_fraction() == (scores.argmax(1) == 0).float().mean()

    def test_symmetric_images_count_as_left_alone(self) -> None:
        frame = Canonicalizer(energies(D4)["own"])(images((8, 8))[1:2])[1]
        assert frame.identity_fraction() == 1

    def test_image_is_its_canonical_image_moved(self) -> None:
        x = random_input(2, (8, 8), batch=6)
        canonicalizer = Canonicalizer(energies(D4)["own"])
        canonical, frame = canonicalizer(x)
        assert torch.equal(canonicalizer.restore(canonical, frame), x)
        for i, h in enumerate(frame.elements.tolist()):
            assert torch.equal(act(canonical[i : i + 1], h, D4), x[i : i + 1])

    def test_anything_invariant_is_passed_on(self) -> None:
        class Two(nn.Module):
            def forward(self, x: Tensor) -> dict[str, Tensor]:
                return {"mean": x.mean((1, 2, 3)), "max": x.amax((1, 2, 3))}

        net = CanonicalizedNetwork(Two(), Canonicalizer(energies(C4)["own"]))
        assert set(net(random_input(2, (8, 8)))[0]) == {"mean", "max"}


@pytest.mark.parametrize("group", [cyclic(3), cyclic(8), dihedral(6), dihedral(8)], ids=str)
class TestAnyAngle:
    def test_elements_on_the_grid_are_exact(self, group: PlanarGroup) -> None:
        net = CanonicalizedNetwork(plain_cnn("plane", group), Canonicalizer(energies(group)["orbit"]), output="plane")
        on_grid = [g for g in range(1, group.order) if 4 * group.split(g)[1] % group.rotations == 0]
        x = random_input(2, (9, 9), batch=3)
        if on_grid:
            assert_equivariant(OutputOnly(net), x, group=group, elements=on_grid, tolerance=1e-11)
        assert net.equivariance == "approximate"

    def test_others_are_closer_than_without(self, group: PlanarGroup) -> None:
        """Smooth blobs, turned by one step: canonical images differ by interpolation, the images altogether."""
        line = torch.linspace(-1.2, 1.2, 33, dtype=torch.float64)
        y, x = torch.meshgrid(-line, line, indexing="ij")
        centre = [(0.5, 0.1, 0.3), (-0.1, 0.45, 0.25), (0.3, -0.3, 0.35)]
        blobs = torch.stack([torch.exp(-((x - a) ** 2 + 2 * (y - b) ** 2) / c**2) for a, b, c in centre])[:, None]
        turned = rotate(blobs, group.degrees(1), padding_mode="border")

        class Up(nn.Module):
            def forward(self, images: Tensor) -> Tensor:
                inner = images * torch.exp(-((x**2 + y**2) ** 4))
                return (inner * (y + 0.1 * x)).sum((1, 2, 3))

        canonicalizer = Canonicalizer(OrbitEnergy(Up(), group=group))
        canonical, again = canonicalizer(blobs)[0], canonicalizer(turned)[0]
        assert (again - canonical).norm() / canonical.norm() < 0.1 < 0.3 < (turned - blobs).norm() / blobs.norm()

    def test_borders_are_continued(self, group: PlanarGroup) -> None:
        canonicalizer = Canonicalizer(energies(group)["orbit"])
        torch.testing.assert_close(canonicalizer(torch.ones(1, 2, 9, 9).double())[0], torch.ones(1, 2, 9, 9).double())


def test_no_state_between_calls() -> None:
    net = CanonicalizedNetwork(plain_cnn("plane", C4), Canonicalizer(energies(C4)["own"]), output="plane")
    x = images((8, 8))
    before = {name: set(vars(module)) for name, module in net.named_modules()}
    first, frame = net(x)
    net(x.flip(0))
    assert {name: set(vars(module)) for name, module in net.named_modules()} == before
    again, same = net(x)
    assert torch.equal(first, again)
    assert torch.equal(frame.elements, same.elements)


def test_low_precision_leaves_the_energy_alone() -> None:
    """Under autocast the predictor runs in bfloat16, the energy does not: otherwise scores would tie."""
    energy = energies(C4)["own"].float()
    net = CanonicalizedNetwork(plain_cnn("invariant", C4).float(), Canonicalizer(energy))
    x = random_input(2, (8, 8), batch=6, dtype=torch.float32)
    logits, frame = net(x)
    with torch.autocast("cpu", torch.bfloat16):
        low, same = net(x)
        half = net(x.bfloat16())[1]
    assert torch.equal(frame.scores, same.scores)
    assert half.scores.dtype == torch.float32
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), logits, rtol=0.1, atol=0.1)
