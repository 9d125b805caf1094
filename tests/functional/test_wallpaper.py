"""Convolution with kernels that are invariant under a point group."""

import pytest
import torch

from equivision import functional
from equivision.errors import ConfigError, ShapeError
from equivision.filters import orbit_basis
from equivision.functional import _wallpaper
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.nn import SteerableConv2d, WallpaperConv2d
from equivision.testing import assert_equivariant, random_input, randomize_, relative_error

D4 = dihedral(4)


@pytest.mark.parametrize("group", [cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), D4], ids=str)
def test_the_kernels_are_those_of_steerable_convolutions_between_invariants(group: PlanarGroup) -> None:
    steerable = SteerableConv2d("trivial", "trivial", 5, group=group, profile="pixels", bias=False).double()
    basis = torch.from_numpy(orbit_basis(group, (5, 5)).copy())
    weight = torch.randn(1, 1, len(basis), dtype=torch.float64)
    assert steerable.weight.numel() == len(basis)
    ours = functional.wallpaper_filters(weight, group, 5)
    columns = []
    for one in torch.eye(len(basis), dtype=torch.float64):
        steerable.weight.data = one
        columns.append(steerable.filters().detach().flatten())
    theirs = torch.stack(columns, 1)
    rest = ours.flatten() - theirs @ torch.linalg.lstsq(theirs, ours.flatten()[:, None]).solution[:, 0]
    assert rest.norm() < 1e-12 * ours.norm()


def picture(group: PlanarGroup, g: int, frequency: float) -> torch.Tensor:
    """Waves, drawn in the pose that an element gives them."""
    line = torch.arange(-4.0, 5.0, dtype=torch.float64)
    at = torch.stack(torch.meshgrid(line, -line, indexing="xy"), -1) @ torch.from_numpy(group.matrix(g).copy())
    return (torch.sin(frequency * at[..., 0] + 0.4) + torch.cos(1.3 * frequency * at[..., 1]))[None, None]


@pytest.mark.parametrize(
    ("group", "inside"),
    [(cyclic(3), cyclic(1)), (cyclic(6), cyclic(2)), (dihedral(3), dihedral(1)), (dihedral(6), dihedral(2))],
    ids=str,
)
@torch.no_grad()
def test_triangular_kernels(group: PlanarGroup, inside: PlanarGroup) -> None:
    """Exact for the elements on the grid; for the others the nearer the smoother the picture; free kernels are far."""
    layer, free = (randomize_(WallpaperConv2d(1, 32, 5, group=g, bias=False).double()) for g in (group, "C1"))
    assert layer.equivariance == "approximate"
    if inside.order > 1:
        assert_equivariant(layer, random_input(1, (8, 7)), group=inside)

    def worst(net: torch.nn.Module, frequency: float) -> float:
        answers = [net(picture(group, g, frequency))[0, :, 2, 2] for g in range(group.order)]
        return max(float(relative_error(answer, answers[0])) for answer in answers)

    assert worst(layer, 0.25) < 0.03
    assert worst(layer, 0.25) < worst(layer, 0.5) / 2
    assert worst(layer, 0.5) < worst(free, 0.5) / 10


def test_sums_and_expanded_kernels_have_the_same_gradients() -> None:
    x, weight = random_input(4, (7, 7)), torch.randn(6, 2, 6, dtype=torch.float64)
    found = []
    for algorithm in ("expand", "sums"):
        leaves = [x.clone().requires_grad_(), weight.clone().requires_grad_()]
        y = functional.wallpaper_conv2d(
            *leaves, group=D4, kernel_size=5, stride=2, padding=2, groups=2, algorithm=algorithm
        )
        found.append(torch.autograd.grad(y.square().sum(), leaves))
    assert all(relative_error(a, b) < 1e-13 for a, b in zip(*found, strict=True))


def test_when_sums_pay() -> None:
    def pay(layer: WallpaperConv2d) -> bool:
        x = torch.zeros(1, 2, 5, 5)
        return _wallpaper._sums_pay(x, layer.weight, layer.group, layer.groups, layer.basis)

    assert pay(WallpaperConv2d(2, 128, 3, group="D4"))
    assert not pay(WallpaperConv2d(2, 127, 3, group="D4"))
    assert not pay(WallpaperConv2d(2, 128, 3, group="D4", groups=2))
    assert not pay(WallpaperConv2d(2, 128, 3, group="C2"))
    assert not pay(WallpaperConv2d(2, 128, 3, group="C6"))
    wide, x = WallpaperConv2d(2, 128, 3, group="D4"), random_input(2, (5, 5)).float()
    torch.testing.assert_close(wide(x), torch.nn.functional.conv2d(x, wide.filters(), wide.bias))


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    x, weight = torch.zeros(1, 2, 5, 5), torch.zeros(3, 2, 3)
    with pytest.raises(ConfigError, match="algorithm='fast' is not known: choose one of 'auto', 'expand', 'sums'"):
        WallpaperConv2d(2, 3, 3, group="D4", algorithm="fast")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="algorithm='sums' adds the taps of an orbit up, but C6 does not permute"):
        WallpaperConv2d(2, 3, 3, group="C6", algorithm="sums")
    with pytest.raises(ShapeError, match=r"WallpaperConv2d: input has shape \(2, 5, 5\); needs \[batch, channel"):
        functional.wallpaper_conv2d(x[0], weight, group=D4, kernel_size=3)
    with pytest.raises(
        ShapeError, match=r"weight has shape \(3, 2, 3\).*under D2 need .*4\], one number for each orbit"
    ):
        functional.wallpaper_conv2d(x, weight, group=dihedral(2), kernel_size=3)
