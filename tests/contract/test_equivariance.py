"""Every layer, every element, odd, even and oblong sizes, float64."""

import pytest
import torch
from torch import Tensor, nn

from equivision.groups import cyclic, dihedral
from equivision.testing import assert_equivariant, random_input, randomize_
from tests.contract._layers import CASES, GROUPS, Case, plain_networks

D4 = dihedral(4)


@pytest.mark.costly(5)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_equivariance(case: Case) -> None:
    layer = case.layer()
    for x in case.inputs():
        assert_equivariant(layer, x, group=case.group, act_in=case.act_in, act_out=case.act_out)


def test_one_of_the_inputs_is_odd_and_one_even() -> None:
    sizes = [case.sizes for case in CASES if case.sizes is not None]
    assert sum({n % 2 for size in each for n in size} == {0, 1} for each in sizes) > len(sizes) / 2


@pytest.mark.parametrize(
    ("name", "layer", "x"), plain_networks(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_plain_layers_fail(name: str, layer: nn.Module, x: Tensor) -> None:
    with pytest.raises(AssertionError, match="not equivariant under D4: relative error above 1e-12 for r: "):
        assert_equivariant(layer, x, group=D4)


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("norm", [nn.BatchNorm3d(3), nn.InstanceNorm3d(3, affine=True, track_running_stats=True)])
def test_norms_are_equivariant_while_they_train(norm: nn.Module, group) -> None:
    layer = randomize_(norm.double().train())
    assert_equivariant(layer, random_input(3, (5, 6), group, batch=3), group=group)


@pytest.mark.parametrize(
    ("dropout", "passes"), [(nn.Dropout3d(0.5), True), (nn.FeatureAlphaDropout(0.5), True), (nn.Dropout(0.5), False)]
)
def test_only_dropout_of_whole_fields_is_equivariant_for_a_given_draw(dropout: nn.Module, passes: bool) -> None:
    def with_one_draw(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return dropout.train()(x)

    x = random_input(16, (5, 5), cyclic(4))
    if passes:
        assert_equivariant(with_one_draw, x, group=cyclic(4))
    else:
        with pytest.raises(AssertionError, match="not equivariant"):
            assert_equivariant(with_one_draw, x, group=cyclic(4))
