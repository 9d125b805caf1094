"""Correlation with templates: sums written out, one or many sets of templates, quarter turns."""

import pytest
import torch

from equivision.errors import ShapeError
from equivision.functional import cross_correlation
from equivision.groups import dihedral
from equivision.testing import act

D4 = dihedral(4)


def test_sums_written_out() -> None:
    x, z = torch.randn(2, 3, 7, 6).double(), torch.randn(2, 4, 3, 3, 2).double()
    found = cross_correlation(x, z)
    assert found.shape == (2, 4, 5, 5)
    for b, i, row, column in ((0, 0, 0, 0), (0, 3, 4, 2), (1, 1, 2, 4), (1, 2, 4, 4)):
        window = x[b, :, row : row + 3, column : column + 2]
        torch.testing.assert_close(found[b, i, row, column], (window * z[b, i]).sum())


def test_one_set_of_templates_serves_all() -> None:
    x, z = torch.randn(3, 2, 6, 6).double(), torch.randn(1, 4, 2, 3, 3).double()
    torch.testing.assert_close(cross_correlation(x, z), cross_correlation(x, z.repeat(3, 1, 1, 1, 1)))


@pytest.mark.parametrize("g", range(D4.order))
def test_quarter_turns_and_reflections(g: int) -> None:
    x, z = torch.randn(2, 3, 9, 9).double(), torch.randn(2, 2, 3, 4, 4).double()
    moved = cross_correlation(act(x, g, D4), act(z.flatten(1, 2), g, D4).unflatten(1, (2, 3)))
    torch.testing.assert_close(moved, act(cross_correlation(x, z), g, D4), rtol=0, atol=1e-12)


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("x", "z", "message"),
    [
        ((2, 3, 7, 7), (2, 3, 3, 3), "needs .batch, channel, height, width. and .batch, template"),
        ((2, 3, 7, 7), (3, 1, 3, 3, 3), "3 sets of templates with 3 channels for 2 maps with 3 channels"),
        ((2, 3, 7, 7), (2, 1, 4, 3, 3), "2 sets of templates with 4 channels for 2 maps with 3 channels"),
        ((2, 3, 7, 7), (2, 1, 3, 3, 8), "templates of 3 x 8 do not fit into maps of 7 x 7"),
    ],
)
def test_shapes(x: tuple[int, ...], z: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        cross_correlation(torch.zeros(x), torch.zeros(z))


def test_dtypes() -> None:
    with pytest.raises(ShapeError, match="cross_correlation: input has dtype"):
        cross_correlation(torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 1, 2, 2).double())
