"""Test the tester: every assertion passes what is right and fails what is wrong, for the reason it gives."""

import math
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from equivision.errors import ConfigError
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.testing import (
    TOLERANCE,
    assert_backward_twice,
    assert_batch_independent,
    assert_channels_last,
    assert_compiles,
    assert_copies,
    assert_dtypes,
    assert_equivariant,
    assert_equivariant_gradients,
    assert_exports,
    assert_gradcheck,
    assert_repr,
    assert_state_dict,
    random_input,
    randomize_,
    sample_elements,
    tolerance_of,
)
from tests.testing import _bad

C4, D4 = cyclic(4), dihedral(4)
IMAGE, FIELD = random_input(3, (5, 5)), random_input(3, (5, 5), D4)
GATE = randomize_(_bad.Gate(3, group=D4).double())


def same(x: Tensor, g: int) -> Tensor:
    """Every element leaves x as it is."""
    return x


class TestEquivariant:
    def test_passes_what_is_right(self) -> None:
        for x in (IMAGE, FIELD):
            assert_equivariant(torch.relu, x, group=D4)
        assert_equivariant(GATE, FIELD, group=D4)
        assert_equivariant(lambda x: x.amax((2, 3)), IMAGE, group=D4)

    def test_takes_models_that_view_and_groups_by_name(self) -> None:
        assert_equivariant(lambda x: x.view(x.size(0), -1).sum(1, keepdim=True), IMAGE, group="D4")
        assert_equivariant_gradients(lambda x: x.view(x.size(0), -1).square().sum(1), IMAGE, group="D4", act_out=same)
        with pytest.raises(AssertionError, match="not equivariant under D4"):
            assert_equivariant(lambda x: x.view(x.size(0), -1), IMAGE, group="D4")

    @pytest.mark.parametrize(
        "function",
        [
            _bad.Roll(),
            nn.Conv2d(3, 2, 3).double(),
            lambda x: x.flatten(1),
            lambda x: x[..., :-1, :-1],
            lambda x: x[:, :, ::2, ::2] * torch.arange(3),
            lambda x: torch.rot90(x, 1, (-2, -1)),  # commutes with turns, not with reflections
        ],
    )
    def test_fails_what_is_wrong(self, function: Callable[[Tensor], Tensor]) -> None:
        with pytest.raises(AssertionError, match="not equivariant under D4: relative error above 1e-12 for "):
            assert_equivariant(function, IMAGE, group=D4)

    def test_names_only_the_elements_that_fail(self) -> None:
        with pytest.raises(AssertionError, match=r"D4.*for m: .*, r m: .*, r\^2 m: .*, r\^3 m: ") as caught:
            assert_equivariant(lambda x: torch.rot90(x, 1, (-2, -1)), IMAGE, group=D4)
        assert "for r:" not in str(caught.value)

    def test_one_wrong_element_is_enough(self) -> None:
        def turned_by_half_only(x: Tensor) -> Tensor:
            return x + torch.rot90(x, 2, (-2, -1)) * torch.arange(5.0).double()

        with pytest.raises(AssertionError, match="not equivariant"):
            assert_equivariant(turned_by_half_only, IMAGE, group=C4, elements=[2])
        assert_equivariant(lambda x: x.roll(1, 1), IMAGE, group=C4, elements=[2])

    def test_a_tiny_error_is_an_error(self) -> None:
        ramp = torch.arange(5.0).double()
        assert_equivariant(lambda x: x + 1e-15 * x * ramp, IMAGE, group=C4)
        with pytest.raises(AssertionError, match="not equivariant"):
            assert_equivariant(lambda x: x + 1e-11 * x * ramp, IMAGE, group=C4)
        assert_equivariant(lambda x: x + 1e-11 * x * ramp, IMAGE, group=C4, tolerance=1e-10)

    def test_scale_does_not_help(self) -> None:
        with pytest.raises(AssertionError, match="not equivariant"):
            assert_equivariant(lambda x: 1e-9 * _bad.Roll()(x), IMAGE, group=C4)

    @pytest.mark.parametrize("constant", [0.0, 3.0])
    def test_constant(self, constant: float) -> None:
        with pytest.raises(AssertionError, match="the output is constant"):
            assert_equivariant(lambda x: torch.full_like(x, constant), IMAGE, group=C4)

    def test_ignores_its_input(self) -> None:
        def the_same_for_all(x: Tensor) -> Tensor:
            return torch.arange(4.0).expand(len(x), 4)

        with pytest.raises(AssertionError, match="the same for every input of the batch"):
            assert_equivariant(the_same_for_all, IMAGE, group=C4)

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_not_finite(self, value: float) -> None:
        with pytest.raises(AssertionError, match="not finite"):
            assert_equivariant(lambda x: x * value, IMAGE, group=C4)

    def test_not_a_number_for_one_orientation_only(self) -> None:
        first = IMAGE.flatten()[0]
        with pytest.raises(AssertionError, match="for r: nan"):
            assert_equivariant(lambda x: x if x.flatten()[0] == first else x * math.nan, IMAGE, group=C4)

    def test_input_that_does_not_move(self) -> None:
        with pytest.raises(AssertionError, match="no element moves the input"):
            assert_equivariant(nn.Linear(5, 3).double(), IMAGE[:, 0, 0], group=C4)

    def test_other_shape_for_another_orientation(self) -> None:
        x = random_input(1, (4, 6))
        with pytest.raises(RuntimeError, match="size"):
            assert_equivariant(lambda x: x[..., :-1], x, group=C4, elements=[1])

    def test_other_actions(self) -> None:
        def upside_down(x: Tensor, g: int) -> Tensor:
            return x.flip(-2) if g else x

        assert_equivariant(lambda x: x.cumsum(-1), IMAGE, group=cyclic(2), act_in=upside_down, act_out=upside_down)
        with pytest.raises(AssertionError, match="not equivariant"):
            assert_equivariant(lambda x: x.cumsum(-2), IMAGE, group=cyclic(2), act_in=upside_down, act_out=upside_down)

    def test_tolerance_follows_the_dtype(self) -> None:
        ramp = torch.arange(5.0)
        assert_equivariant(lambda x: x + 1e-6 * x * ramp, IMAGE.float(), group=C4)
        with pytest.raises(AssertionError, match="above 1e-05"):
            assert_equivariant(lambda x: x + 1e-4 * x * ramp, IMAGE.float(), group=C4)

    def test_dtype_without_tolerance(self) -> None:
        with pytest.raises(
            ConfigError, match=r"dtype=torch.int64 has no tolerance: use a tensor of one of float64, float32"
        ):
            assert_equivariant(torch.relu, IMAGE.long(), group=C4)

    def test_the_table(self) -> None:
        assert [tolerance_of(dtype) for dtype in (torch.float64, torch.float32)] == [1e-12, 1e-5]
        assert set(TOLERANCE) == {torch.float64, torch.float32, torch.bfloat16, torch.float16}

    def test_the_trivial_group_needs_no_moves(self) -> None:
        assert_equivariant(_bad.Roll(), IMAGE, group=cyclic(1))


class TestSampleElements:
    @pytest.mark.parametrize("group", [cyclic(2), C4, D4, dihedral(16)], ids=str)
    def test_never_the_identity(self, group: PlanarGroup) -> None:
        for seed in range(20):
            for num in (None, 1, 3, 100):
                elements = sample_elements(group, num, seed=seed)
                assert elements == sorted(set(elements))
                assert group.identity not in elements
                assert len(elements) == min(num or 100, group.order - 1)

    def test_every_element_gets_its_turn(self) -> None:
        assert {g for seed in range(50) for g in sample_elements(D4, 1, seed=seed)} == set(range(1, 8))
        assert sample_elements(D4, 3, seed=5) == sample_elements(D4, 3, seed=5)

    def test_nothing_to_sample(self) -> None:
        assert sample_elements(cyclic(1)) == []
        with pytest.raises(ConfigError, match="num=0: ask for at least one element"):
            sample_elements(C4, 0)


class TestGradients:
    def test_pass_what_is_right(self) -> None:
        assert_gradcheck(GATE, FIELD[..., :3, :3])
        assert_equivariant_gradients(GATE, FIELD, group=D4)
        assert_equivariant_gradients(torch.tanh, IMAGE, group=D4)

    def test_wrong_backward(self) -> None:
        with pytest.raises(AssertionError, match="gradients differ from finite differences"):
            assert_gradcheck(_bad.WrongGradient(), IMAGE)
        assert_equivariant(_bad.WrongGradient(), IMAGE, group=C4)
        with pytest.raises(
            AssertionError, match="gradients not equivariant under C4: relative error above 1e-12 for r: "
        ):
            assert_equivariant_gradients(_bad.WrongGradient(), IMAGE, group=C4)

    def test_gradients_of_parameters_count(self) -> None:
        class Cheat(_bad.Gate):
            """Right output, but the gradient of the weight depends on the orientation."""

            def forward(self, x: Tensor) -> Tensor:
                y = super().forward(x)
                return y + (self.weight.sum() - self.weight.detach().sum()) * torch.arange(5.0).double()

        layer = randomize_(Cheat(3, group=D4).double())
        assert_equivariant(layer, FIELD, group=D4)
        with pytest.raises(AssertionError, match="gradients not equivariant"):
            assert_equivariant_gradients(layer, FIELD, group=D4)


class TestNumbers:
    def test_pass_what_is_right(self) -> None:
        for check in (assert_dtypes, assert_channels_last, assert_backward_twice, assert_batch_independent):
            check(GATE, FIELD)

    @pytest.mark.parametrize(
        ("layer", "message"),
        [
            (_bad.AlwaysFloat64(), "the output is torch.float64 where layer and input are torch.float32"),
            (_bad.LosesPrecision(), "torch.float32 against float64: relative error"),
            (_bad.NoGradient(), "under bfloat16 autocast the gradient of weight is missing"),
        ],
    )
    def test_dtypes(self, layer: nn.Module, message: str) -> None:
        with pytest.raises(AssertionError, match=message):
            assert_dtypes(layer, IMAGE)

    @pytest.mark.parametrize("x", [IMAGE, FIELD], ids=["image", "field"])
    def test_channels_last(self, x: Tensor) -> None:
        assert_channels_last(nn.ReLU(), x)
        assert_channels_last(_bad.Contiguous(), x, kept=False)
        with pytest.raises(AssertionError, match="the output is not channels_last: shape"):
            assert_channels_last(_bad.Contiguous(), x)
        with pytest.raises(AssertionError, match="channels_last against contiguous: relative error"):
            assert_channels_last(_bad.ReadsMemory(), x)
        with pytest.raises(ConfigError, match=r"x has shape \(2, 3\): channels_last needs 4 or 5 axes"):
            assert_channels_last(nn.ReLU(), x.flatten(2)[..., 0])

    def test_stale(self) -> None:
        with pytest.raises(AssertionError, match="in eval mode the output does not change when weight does"):
            assert_backward_twice(_bad.Stale(), IMAGE)
        with pytest.raises(AssertionError, match="second backward against first"):
            assert_backward_twice(_bad.Counter(), IMAGE)

    def test_batch(self) -> None:
        with pytest.raises(AssertionError, match="example 0 alone: relative error"):
            assert_batch_independent(_bad.BatchMean(), IMAGE)
        with pytest.raises(ConfigError, match="a batch of at least two examples is needed"):
            assert_batch_independent(nn.ReLU(), IMAGE[:1])

    def test_nothing_is_changed(self) -> None:
        before = {name: value.clone() for name, value in GATE.state_dict().items()}
        for check in (assert_gradcheck, assert_dtypes, assert_channels_last, assert_backward_twice, assert_copies):
            check(GATE, FIELD)
        assert all(torch.equal(value, before[name]) for name, value in GATE.state_dict().items())
        assert all(parameter.grad is None for parameter in GATE.parameters())


class TestDeployment:
    def test_pass_what_is_right(self) -> None:
        assert_copies(GATE, FIELD)
        assert_exports(GATE, FIELD)
        assert_state_dict(lambda: _bad.Gate(3, group=D4), FIELD)
        assert_repr(GATE, {"Gate": _bad.Gate, "dihedral": dihedral})

    @pytest.mark.parametrize(
        ("layer", "message"),
        [
            (_bad.Unpicklable(), "pickle: relative error"),
            (_bad.Shared(), "the original after its copy by deepcopy was changed: relative error"),
            (_bad.Counter(), "pickle: relative error"),
        ],
    )
    def test_copies(self, layer: nn.Module, message: str) -> None:
        with pytest.raises(AssertionError, match=message):
            assert_copies(layer, IMAGE)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (_bad.SavesTable, r"state_dict holds \['table'\]: only parameters and running statistics belong there"),
            (_bad.BuffersComeAndGo, "state_dict has other keys after a pass in eval mode"),
            (_bad.RandomConstant, "a fresh layer that loaded the state_dict: relative error"),
        ],
    )
    def test_state_dict(self, make: Callable[[], nn.Module], message: str) -> None:
        with pytest.raises(AssertionError, match=message):
            assert_state_dict(make, IMAGE)

    def test_repr(self) -> None:
        with pytest.raises(AssertionError, match=r"Gate\(3, group=dihedral\(4\)\) does not evaluate: NameError"):
            assert_repr(GATE, {"Gate": _bad.Gate})
        with pytest.raises(AssertionError, match=r"ReLU\(\) evaluates to Tanh\(\)"):
            assert_repr(nn.ReLU(), {"ReLU": nn.Tanh})
        with pytest.raises(AssertionError, match=r"OtherRepr\(\) builds other parameters"):
            assert_repr(_bad.OtherRepr(2), {"OtherRepr": _bad.OtherRepr})

    def test_export(self) -> None:
        with pytest.raises(AssertionError, match=r"torch\.export with a dynamic batch fails"):
            assert_exports(_bad.GraphBreak(), IMAGE)
        with pytest.raises(AssertionError, match=r"torch\.export with a dynamic batch fails"):
            assert_exports(_bad.FixedBatch(), IMAGE)
        with pytest.raises(ConfigError, match="a batch of at least two examples is needed"):
            assert_exports(GATE, FIELD[:1])

    @pytest.mark.compile
    def test_compile(self) -> None:
        assert_compiles(GATE, FIELD)
        with pytest.raises(AssertionError, match=r"torch.compile\(fullgraph=True\) fails"):
            assert_compiles(_bad.GraphBreak(), IMAGE)


class TestRandom:
    def test_everything_is_randomised(self) -> None:
        layer = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU())
        before = {name: value.clone() for name, value in layer.state_dict().items()}
        assert randomize_(layer, seed=1) is layer
        for name, value in layer.state_dict().items():
            assert torch.equal(value, before[name]) == name.endswith("num_batches_tracked"), name
        assert bool((layer[1].running_var > 0).all())

    def test_seeds(self) -> None:
        first, again, other = (randomize_(nn.Conv2d(3, 4, 3), seed=seed).weight for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert not torch.equal(random_input(1, (3, 3), seed=1), random_input(1, (3, 3), seed=2))

    def test_the_global_state_is_left_alone(self) -> None:
        state = torch.get_rng_state()
        randomize_(nn.Conv2d(3, 4, 3, device="meta").to_empty(device="cpu"))
        random_input(1, (3, 3))
        sample_elements(D4, 2)
        assert torch.equal(torch.get_rng_state(), state)

    def test_shapes(self) -> None:
        assert random_input(3, (4, 5), dtype=torch.float32).shape == (2, 3, 4, 5)
        assert random_input(3, (4, 5), D4, batch=1).shape == (1, 3, 8, 4, 5)


def test_pytest_is_not_needed_to_import_the_kit() -> None:
    code = "import sys, equivision.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
