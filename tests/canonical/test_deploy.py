"""Copies, saved weights, compilation, export, audit, repr: wrappers are modules like any other."""

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.canonical import (
    CanonicalizedNetwork,
    Canonicalizer,
    EnergyNetwork,
    FrameAveragedNetwork,
    FrameAveragedPoints,
    OrbitEnergy,
    OutputOnly,
    RotationCanonicalizer,
    VectorEnergy,
)
from equivision.testing import (
    assert_batch_independent,
    assert_compiles,
    assert_copies,
    assert_exports,
    assert_state_dict,
    random_input,
    randomize_,
)


def cnn() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Tanh(), nn.Conv2d(3, 3, 3))


def canonicalized(group: str, output: str = "plane") -> nn.Module:
    predictor = ev.nn.LiftConv2d(2, 2, 3, group=group) if output == "regular" else cnn()
    canonicalizer = Canonicalizer(EnergyNetwork(2, group=group, width=2))
    return OutputOnly(CanonicalizedNetwork(predictor, canonicalizer, output=output))  # pyright: ignore[reportArgumentType]


def by_orbit() -> nn.Module:
    energy = OrbitEnergy(nn.Sequential(nn.Flatten(), nn.Linear(162, 1)), group="D4")
    return OutputOnly(CanonicalizedNetwork(cnn(), Canonicalizer(energy), frozen=True))


def by_angle() -> nn.Module:
    return OutputOnly(CanonicalizedNetwork(cnn(), RotationCanonicalizer(VectorEnergy(2, width=2)), output="plane"))


def points() -> nn.Module:
    return FrameAveragedPoints(nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3)), output="points")


IMAGES = random_input(2, (9, 9), batch=3)
MADE = {
    "C4": lambda: canonicalized("C4"),
    "D4": lambda: canonicalized("D4", "regular"),
    "C3": lambda: canonicalized("C3"),
    "D8": lambda: canonicalized("D8", "invariant"),
    "orbit": by_orbit,
    "angle": by_angle,
    "average": lambda: FrameAveragedNetwork(cnn(), group="D4", output="plane"),
    "points": points,
}


def given(name: str) -> tuple[nn.Module, Tensor]:
    x = torch.randn(3, 7, 3, dtype=torch.float64) if name == "points" else IMAGES
    return randomize_(MADE[name]().double().eval()), x


@pytest.mark.costly(3)
@pytest.mark.parametrize("name", [name for name in MADE if name not in ("C4", "D4")])  # C3 and D8 take longer ways
def test_export(name: str) -> None:
    assert_exports(*given(name))


@pytest.mark.parametrize("name", MADE)
class TestModule:
    def test_copies(self, name: str) -> None:
        assert_copies(*given(name))

    def test_batch_independent(self, name: str) -> None:
        assert_batch_independent(*given(name))

    @pytest.mark.compile
    def test_compile(self, name: str) -> None:
        assert_compiles(*given(name))

    def test_state_dict(self, name: str) -> None:
        if name in ("orbit", "points"):
            net, _ = given(name)
            assert set(net.state_dict()) >= {key for key, _ in net.named_parameters()}
        else:
            assert_state_dict(MADE[name], IMAGES)


def test_frame_average_over_maximisers_is_copied() -> None:
    net = FrameAveragedNetwork(cnn(), energy=EnergyNetwork(2, group="C4", width=2), output="plane")
    assert_copies(randomize_(net.double().eval()), IMAGES)


def test_weights_of_the_predictor_stay_where_they_were() -> None:
    """A network that is already trained is wrapped, not changed: its weights are found under "predictor."."""
    predictor = cnn()
    net = CanonicalizedNetwork(predictor, Canonicalizer(EnergyNetwork(2, group="C4")))
    found = {key.removeprefix("predictor.") for key in net.state_dict() if key.startswith("predictor.")}
    assert found == set(predictor.state_dict())


def test_audit_finds_it_exact() -> None:
    layers = (nn.Conv2d(2, 4, 3), nn.Tanh(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 5))
    predictor = randomize_(nn.Sequential(*layers))
    net = OutputOnly(CanonicalizedNetwork(predictor, randomize_(Canonicalizer(EnergyNetwork(2, group="D4"))))).eval()
    x = random_input(2, (9, 9), batch=6, dtype=torch.float32)
    assert ev.audit(net, x, group="D4").verdict == "exact"
    assert ev.audit(predictor, x, group="D4").verdict == "not equivariant"


def test_guarantees() -> None:
    assert EnergyNetwork(1, group="D4").equivariance == "exact"
    assert EnergyNetwork(1, group="C8").equivariance == "approximate"
    assert OrbitEnergy(nn.Flatten(), group="C6").equivariance == "approximate"
    assert Canonicalizer(EnergyNetwork(1, group="C8")).equivariance == "approximate"
    assert canonicalized("D4").equivariance == "exact"
    assert by_angle().equivariance == "approximate"
    assert OutputOnly(nn.Flatten()).equivariance == "none"


def test_repr_says_how_it_was_built() -> None:
    def first(module: nn.Module) -> str:
        return module.extra_repr()

    energy = EnergyNetwork(1, group="C8")
    assert first(Canonicalizer(energy)) == "group=cyclic(8)"
    assert first(Canonicalizer(energy, beta=2, sampling="bicubic")) == "group=cyclic(8), beta=2.0, sampling='bicubic'"
    assert first(OrbitEnergy(nn.Flatten(), group="D3", sampling="nearest")) == "group=dihedral(3), sampling='nearest'"
    assert first(CanonicalizedNetwork(nn.Flatten(), Canonicalizer(energy))) == "output='invariant'"
    frozen = CanonicalizedNetwork(nn.Flatten(), Canonicalizer(energy), output="plane", frozen=True)
    assert first(frozen) == "output='plane', frozen=True"
    average = FrameAveragedNetwork(nn.Flatten(), group="D4", num_samples=2, output="plane", sampling="nearest")
    assert first(average) == "group=dihedral(4), num_samples=2, output='plane', sampling='nearest'"
    assert first(FrameAveragedPoints(nn.Flatten())) == "group='E'"
    assert first(FrameAveragedPoints(nn.Flatten(), group="SO", output="points", strict=False)) == (
        "group='SO', output='points', strict=False"
    )
    angle = RotationCanonicalizer(VectorEnergy(1), smallest=0.1, sampling="bicubic")
    assert first(angle) == "smallest=0.1, sampling='bicubic'"
    assert first(RotationCanonicalizer(VectorEnergy(1))) == ""
    assert repr(Canonicalizer(energy)._orbit) == "Orbit(cyclic(8), sampling='bilinear')"
