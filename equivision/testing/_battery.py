"""All properties of one layer as a test class to inherit."""

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

from torch import Tensor, nn

from equivision.functional import act
from equivision.groups import SpatialGroup
from equivision.testing import _deploy, _numeric
from equivision.testing._assert import assert_equivariant, assert_equivariant_gradients
from equivision.testing._random import randomize_


class LayerBattery:
    """Tests for a layer of yours: inherit, say how to build it, run pytest.

    .. code-block:: python

        class TestMyConv(LayerBattery):
            group = dihedral(4)
            names = {"MyConv": MyConv, "dihedral": dihedral}

            def layer(self):
                return MyConv(2, 3, 3, group=self.group)

            def inputs(self):
                return [random_input(2, size, self.group) for size in ((7, 7), (8, 8))]

    Override a test method with ``None`` to leave a property out, and say why. Weights are randomised before every test.

    Attributes:
        group: acts on input and output.
        tolerance: largest relative error of equivariance; the table's by default.
        keeps_channels_last: whether the output has the memory format of the input.
        names: what ``repr(layer)`` needs in order to be evaluated; empty to leave this out.
    """

    group: ClassVar[SpatialGroup]
    tolerance: ClassVar[float | None] = None
    keeps_channels_last: ClassVar[bool] = True
    names: ClassVar[Mapping[str, object]] = {}

    def layer(self) -> nn.Module:
        """A fresh layer."""
        raise NotImplementedError("define layer(self), which builds the layer to test")

    def inputs(self) -> Iterable[Tensor]:
        """Random float64 batches of at least two examples, of odd and even sizes; the first one should be small."""
        raise NotImplementedError("define inputs(self), which returns random float64 batches")

    def act_in(self, x: Tensor, g: int) -> Tensor:
        """Action on the input."""
        return act(x, g, self.group)

    def act_out(self, y: Tensor, g: int) -> Tensor:
        """Action on the output."""
        return act(y, g, self.group)

    def _random_layer(self) -> nn.Module:
        return randomize_(self.layer().double().eval())

    def _each_input(self, check: Callable[[nn.Module, Tensor], None]) -> None:
        __tracebackhide__ = True
        inputs = list(self.inputs())
        if not inputs:
            raise AssertionError("inputs() returned nothing, so nothing is tested")
        for x in inputs:
            check(self._random_layer(), x)

    def test_equivariance(self) -> None:
        """The output moves with the input, for every element and input."""

        def check(layer: nn.Module, x: Tensor) -> None:
            assert_equivariant(
                layer, x, group=self.group, act_in=self.act_in, act_out=self.act_out, tolerance=self.tolerance
            )

        self._each_input(check)

    def test_equivariant_gradients(self) -> None:
        """Gradients move with the input; those of parameters stay."""

        def check(layer: nn.Module, x: Tensor) -> None:
            assert_equivariant_gradients(
                layer, x, group=self.group, act_in=self.act_in, act_out=self.act_out, tolerance=self.tolerance
            )

        self._each_input(check)

    def test_gradcheck(self) -> None:
        """Gradients agree with finite differences."""
        _numeric.assert_gradcheck(self._random_layer(), next(iter(self.inputs())))

    def test_dtypes(self) -> None:
        """float32, bfloat16 and autocast agree with float64."""
        self._each_input(_numeric.assert_dtypes)

    def test_channels_last(self) -> None:
        """The memory format survives; nothing to test without spatial axes."""

        def check(layer: nn.Module, x: Tensor) -> None:
            if x.ndim in (4, 5):
                _numeric.assert_channels_last(layer, x, kept=self.keeps_channels_last)

        self._each_input(check)

    def test_backward_twice(self) -> None:
        """Nothing stale is kept between calls."""
        self._each_input(_numeric.assert_backward_twice)

    def test_batch_independence(self) -> None:
        """Examples do not see each other in eval mode."""
        self._each_input(_numeric.assert_batch_independent)

    def test_copies(self) -> None:
        """Pickle, deepcopy and saved weights bring back the same layer."""
        self._each_input(_deploy.assert_copies)

    def test_state_dict(self) -> None:
        """Parameters and running statistics only, always the same keys."""
        _deploy.assert_state_dict(self.layer, next(iter(self.inputs())))

    def test_repr(self) -> None:
        """The repr builds the layer, if ``names`` says what it needs."""
        if self.names:
            _deploy.assert_repr(self.layer(), self.names)

    def test_compile(self) -> None:
        """One graph, same results."""
        _deploy.assert_compiles(self._random_layer(), next(iter(self.inputs())))

    def test_export(self) -> None:
        """Any batch size, same results."""
        _deploy.assert_exports(self._random_layer(), next(iter(self.inputs())))
