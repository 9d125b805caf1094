"""The battery passes a correct layer of somebody else, fails wrong ones, and is not collected by itself."""

import inspect

import pytest
import torch
from torch import Tensor, nn

from equivision import functional
from equivision.groups import cyclic, dihedral
from equivision.reps import quotient
from equivision.testing import LayerBattery, act, random_input
from tests.testing import _bad

D4 = dihedral(4)


class TestGate(LayerBattery):
    group = D4
    names = {"Gate": _bad.Gate, "dihedral": dihedral}

    def layer(self) -> nn.Module:
        return _bad.Gate(3, group=D4)

    def inputs(self) -> list[Tensor]:
        return [random_input(3, size, D4) for size in ((3, 3), (4, 4), (5, 6))]

    @pytest.mark.compile
    def test_compile(self) -> None:
        super().test_compile()


class TestOwnActions(LayerBattery):
    """Input on the group, output on cosets, no parameters; approximate on purpose."""

    group = D4
    subgroup = D4.subgroup([4])
    tolerance = 1e-3
    keeps_channels_last = False
    test_compile = None

    def layer(self) -> nn.Module:
        subgroup = self.subgroup

        class Pool(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                ramp = torch.arange(x.shape[-1], dtype=x.dtype)
                return functional.coset_pool(x, subgroup) * (1 + 1e-5 * ramp)

        return Pool()

    def inputs(self) -> list[Tensor]:
        return [random_input(2, (3, 3), D4)]

    def act_out(self, y: Tensor, g: int) -> Tensor:
        return act(y, g, D4, quotient(self.subgroup))

    test_copies = None  # a class inside a function cannot be pickled


PROPERTIES = [name for name in vars(LayerBattery) if name.startswith("test_")]
BAD = {
    "test_equivariance": _bad.Roll,
    "test_equivariant_gradients": _bad.WrongGradient,
    "test_gradcheck": _bad.WrongGradient,
    "test_dtypes": _bad.AlwaysFloat64,
    "test_channels_last": _bad.Contiguous,
    "test_backward_twice": _bad.Stale,
    "test_batch_independence": _bad.BatchMean,
    "test_copies": _bad.Unpicklable,
    "test_state_dict": _bad.SavesTable,
    "test_repr": _bad.Roll,
    "test_compile": _bad.GraphBreak,
    "test_export": _bad.GraphBreak,
}


def test_every_property_has_a_layer_that_fails_it() -> None:
    assert set(BAD) == set(PROPERTIES)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.compile if name == "test_compile" else ()) for name in PROPERTIES]
)
def test_wrong_layers_fail(name: str) -> None:
    class Battery(LayerBattery):
        group = cyclic(4)
        names = {"Ro": _bad.Roll}

        def layer(self) -> nn.Module:
            return BAD[name]()

        def inputs(self) -> list[Tensor]:
            return [random_input(2, (5, 5))]

    with pytest.raises(AssertionError):
        getattr(Battery(), name)()


def test_no_inputs() -> None:
    class Battery(TestGate):
        def inputs(self) -> list[Tensor]:
            return []

    with pytest.raises(AssertionError, match=r"inputs\(\) returned nothing, so nothing is tested"):
        Battery().test_equivariance()


def test_what_is_missing_is_named() -> None:
    with pytest.raises(NotImplementedError, match=r"define layer\(self\), which builds the layer to test"):
        LayerBattery().layer()
    with pytest.raises(NotImplementedError, match=r"define inputs\(self\), which returns random float64 batches"):
        LayerBattery().inputs()


def test_is_not_collected_by_itself() -> None:
    assert not LayerBattery.__name__.startswith("Test")
    assert all(inspect.getdoc(getattr(LayerBattery, name)) for name in PROPERTIES)
