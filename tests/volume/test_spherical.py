"""Convolutions between fields of SO(3) and O(3): exact on the grid, and their kernels everywhere."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.errors import ConfigError, GridError, GroupMismatchError, ShapeError
from equivision.functional import act, relative_error
from equivision.groups import PointGroup, full_octahedral, octahedral
from equivision.reps import Representation, restricted
from equivision.testing import (
    assert_backward_twice,
    assert_batch_independent,
    assert_compiles,
    assert_copies,
    assert_dtypes,
    assert_exports,
    assert_gradcheck,
    assert_repr,
    assert_state_dict,
    randomize_,
)
from equivision.volume import (
    SphericalBatchNorm3d,
    SphericalConv3d,
    SphericalGate,
    SphericalInvariants,
    SphericalNormReLU,
    spherical_rep,
)

FIELDS, PARITIES = "2 D0 + D1 + D2", "D0g + D0u + D1u + D1g + D2g"


def points_of(size: tuple[int, int, int]) -> np.ndarray:
    """Coordinates (x, y, z) of all voxels from the centre: x to the right, y up, z towards the viewer."""
    rows = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1).reshape(-1, 3)
    d, h, w = (rows - (np.array(size) - 1) / 2).T
    return np.stack([w, -h, -d], axis=1)


def moved(x: Tensor, matrix: np.ndarray, rep: Representation | None) -> Tensor:
    """``rho(R) x(R^-1 p)``, point by point; R moves a grid of cubes onto itself."""
    size = tuple(x.shape[2:])
    read = points_of(size) @ matrix  # R^-1 p
    places = np.rint(np.stack([-read[:, 2], -read[:, 1], read[:, 0]], axis=1) + (np.array(size) - 1) / 2).astype(int)
    found = x[:, :, places[:, 0], places[:, 1], places[:, 2]].reshape(x.shape)
    if rep is None:
        return found
    return torch.einsum("ij,bjdhw->bidhw", torch.from_numpy(rep.matrix(matrix)), found)


def worst(
    layer: Callable[[Tensor], Tensor], x: Tensor, group: PointGroup, *reps: Representation | None, every: int = 1
) -> float:
    """The largest error over all elements of a group, or over every fifth, say."""
    y = layer(x)
    assert y.std() > 0
    return max(
        float(relative_error(layer(moved(x, matrix, reps[0])), moved(y, matrix, reps[1])))
        for matrix in group.matrices[::-every]
    )


def volume(rep: Representation | str, size: int = 5, batch: int = 2) -> Tensor:
    return torch.randn(batch, spherical_rep(rep).size, size, size, size, dtype=torch.float64)


def network(fields: str, scalar: str) -> nn.Sequential:
    gate = SphericalGate(fields)
    return nn.Sequential(
        SphericalConv3d(fields, gate.in_rep, 3, padding=1), gate, SphericalBatchNorm3d(fields),
        SphericalConv3d(fields, fields, 2, padding_mode="circular", padding=1), SphericalNormReLU(fields),
        SphericalConv3d(fields, f"2 {scalar} + D2{scalar[2:]}", 3, stride=2, padding=1),
    )  # fmt: skip


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "3x3x3": lambda: SphericalConv3d(FIELDS, FIELDS, 3, padding=1),
    "even": lambda: SphericalConv3d(FIELDS, "D0 + D3", 4, bias=False, padding=2, profile="bspline"),
    "wide": lambda: SphericalConv3d("D0", "D1 + D4", 5, padding="same", cutoff=2.0, padding_mode="replicate"),
    "strided": lambda: SphericalConv3d(PARITIES, PARITIES, 3, stride=2, dilation=2, padding=2),
}


@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_exact_under_what_moves_the_grid(name: str) -> None:
    layer = randomize_(LAYERS[name]().double())
    assert isinstance(layer, SphericalConv3d)
    group = full_octahedral() if layer.group.name == "O3" else octahedral()
    for size, every in ((5, 1), (7 if name == "strided" else 6, 7)):
        x = volume(layer.in_rep, size, batch=1)
        assert worst(layer, x, group, layer.in_rep, layer.out_rep, every=every) < 1e-12


@torch.no_grad()
def test_the_action_of_the_library() -> None:
    group, rep = full_octahedral(), spherical_rep(PARITIES)
    x, acts = volume(rep, 4, batch=1), restricted(rep, group)
    for g in (7, 20, 31):
        assert relative_error(act(x, g, group, acts), moved(x, group.matrix(g), rep)) < 1e-14


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("fields", "scalar"), [(FIELDS, "D0"), (PARITIES, "D0g")])
@torch.no_grad()
def test_networks(fields: str, scalar: str, training: bool) -> None:
    net, x = randomize_(network(fields, scalar).double()).train(training), volume(fields, 4)
    rep = spherical_rep(fields)
    group = full_octahedral() if scalar == "D0g" else octahedral()
    few = group.matrices[[5, 9, 14, 23, *([30, 41] if len(group) > 24 else [])]]
    y, out = net(x), net[-1].out_rep
    for matrix in few:
        assert relative_error(net(moved(x, matrix, rep)), moved(y, matrix, out)) < 1e-12
    lengths = SphericalInvariants(out).double()
    assert relative_error(lengths(moved(y, few[0], out)), moved(lengths(y), few[0], None)) < 1e-12


@torch.no_grad()
def test_what_must_fail() -> None:
    """A plain convolution; components that nobody turns; rotations of SO(3) do not bring reflections with them."""
    rep = spherical_rep(FIELDS)
    x = volume(FIELDS, batch=1)
    plain = nn.Conv3d(rep.size, rep.size, 3, padding=1).double()
    layer = randomize_(SphericalConv3d(FIELDS, FIELDS, 3, padding=1).double())
    assert worst(plain, x, octahedral(), rep, rep, every=7) > 0.3
    assert worst(layer, x, octahedral(), None, None, every=7) > 0.3
    even = spherical_rep("2 D0g + D1u + D2g")  # the same fields, with parities that the layer does not know
    assert worst(layer, x, full_octahedral(), even, even, every=7) > 0.3


@pytest.mark.parametrize(
    ("into", "out", "size", "profile"),
    [(FIELDS, "D0 + D3", 5, "gaussian"), (PARITIES, PARITIES, 3, "bspline"), ("D4", "D4", 4, "gaussian")],
)
@torch.no_grad()
def test_kernels_obey_their_constraint_everywhere(into: str, out: str, size: int, profile: str) -> None:
    """``K(R p) = D_out(R) K(p) D_in(R)^T`` at points off the grid, random R; the filters are read from them."""
    layer = randomize_(SphericalConv3d(into, out, size, profile=profile).double())  # pyright: ignore[reportArgumentType]
    points = 0.5 * size * np.random.default_rng(0).standard_normal((12, 3))
    kernel = layer.kernel_at(points)
    for seed in range(4):
        turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))[0]
        if layer.group.name == "SO3":
            turn *= np.linalg.det(turn)
        left, right = (torch.from_numpy(rep.matrix(turn)) for rep in (layer.out_rep, layer.in_rep))
        assert relative_error(layer.kernel_at(points @ turn.T), left @ kernel @ right.T) < 1e-10
        assert relative_error(layer.kernel_at(points @ turn), left @ kernel @ right.T) > 0.1
    at_taps = layer.kernel_at(points_of((size, size, size))).movedim(0, -1).unflatten(-1, (size, size, size))
    assert relative_error(layer.filters(), at_taps) < 1e-14


@torch.no_grad()
def test_kernels_between_vectors() -> None:
    """What is known by hand: multiples of the identity, of the cross product, and of ``p p^T - |p|^2 / 3``."""
    points = np.random.default_rng(0).standard_normal((9, 3))
    p = torch.from_numpy(points / np.linalg.norm(points, axis=1, keepdims=True))
    zero = torch.zeros(9, dtype=torch.float64)
    cross = torch.stack([zero, -p[:, 2], p[:, 1], p[:, 2], zero, -p[:, 0], -p[:, 1], p[:, 0], zero], 1).view(9, 3, 3)
    one = torch.eye(3, dtype=torch.float64).expand(9, 3, 3)
    shapes = torch.stack([one, cross, p[:, :, None] * p[:, None] - one / 3])
    layer = randomize_(SphericalConv3d("D1", "D1", 5).double())
    kernel = layer.kernel_at(points)
    for at in range(9):
        basis = shapes[:, at].flatten(1).T
        weights = torch.linalg.lstsq(basis, kernel[at].flatten()[:, None]).solution
        assert relative_error(basis @ weights, kernel[at].flatten()[:, None]) < 1e-12
        assert weights.abs().min() > 1e-6


@torch.no_grad()
def test_gates_and_norms() -> None:
    x = volume("2 D0 + D2 + 2 D1 + 3 D0", 3)
    gated = SphericalGate("2 D0 + D2 + 2 D1")(x)
    assert torch.equal(gated[:, :2], x[:, :2].relu())
    torch.testing.assert_close(gated[:, 2:7], x[:, 2:7] * x[:, 13:14].sigmoid())
    torch.testing.assert_close(gated[:, 10:13], x[:, 10:13] * x[:, 15:].sigmoid())
    layer = SphericalNormReLU("D0 + D1").double()
    layer.bias.copy_(torch.tensor([0.5, -0.5]))
    x = volume("D0 + D1", 3)
    norm = x[:, 1:].norm(dim=1, keepdim=True)
    expected = torch.cat([(x[:, :1] + 0.5).relu(), x[:, 1:] / norm * (norm - 0.5).relu()], 1)
    torch.testing.assert_close(layer(x), expected)
    assert torch.equal(SphericalInvariants("D0 + D1")(x), torch.cat([x[:, :1], norm], 1))


@torch.no_grad()
def test_batch_norm() -> None:
    """Scalars have mean 0 and variance 1; of vectors, no component is shifted."""
    norm = SphericalBatchNorm3d("2 D0 + D1", affine=False).double().train()
    x = 3 * volume("2 D0 + D1", 4) + 2
    y = norm(x)
    assert y[:, :2].mean((0, 2, 3, 4)).abs().max() < 1e-12
    assert (y[:, :2].var((0, 2, 3, 4), correction=0) - 1).abs().max() < 1e-4
    assert y[:, 2:].square().mean() == pytest.approx(1, abs=1e-4)
    assert relative_error(y[:, 2:] / y[0, 2, 0, 0, 0], x[:, 2:] / x[0, 2, 0, 0, 0]) < 1e-12
    reference = nn.BatchNorm3d(2, affine=False).double()
    reference(x[:, :2])
    assert norm.running_mean.tolist() == pytest.approx(reference.running_mean.tolist())  # pyright: ignore[reportOptionalMemberAccess]
    assert norm.running_var[:2].tolist() == pytest.approx(reference.running_var.tolist())  # pyright: ignore[reportOptionalMemberAccess]


class Small(nn.Sequential):
    """One layer of every kind."""

    def __init__(self) -> None:
        gate = SphericalGate("D0 + D1")
        super().__init__(
            SphericalConv3d("D0 + D1", gate.in_rep, 2), gate, SphericalBatchNorm3d("D0 + D1"),
            SphericalNormReLU("D0 + D1"), SphericalInvariants("D0 + D1"),
        )  # fmt: skip


def test_life_after_training() -> None:
    net, x = randomize_(Small().double().eval()), volume("D0 + D1", 3)
    assert_gradcheck(net, x[:1])
    assert_backward_twice(net, x)
    assert_dtypes(net, x)
    assert_batch_independent(net, x)
    assert_copies(net, x)
    assert_exports(net, x)
    assert_state_dict(Small, x)


@torch.no_grad()
def test_frozen_to_torch_alone() -> None:
    net, x = randomize_(Small().double().eval()), volume("D0 + D1", 4)
    frozen = ev.freeze(net)
    assert all(type(module).__module__.startswith("torch.") for module in frozen.modules())
    assert relative_error(frozen(x), net(x)) < 1e-14
    strided = ev.freeze(randomize_(LAYERS["strided"]().double().eval()))
    with pytest.raises(AssertionError, match="modulo 2 must be 1"):
        strided(volume(PARITIES, 6))


@pytest.mark.compile
def test_compile() -> None:
    assert_compiles(randomize_(Small().double().eval()), volume("D0 + D1", 3))


def test_repr() -> None:
    names = vars(ev.volume)
    for layer in (*(make() for make in LAYERS.values()), *Small()):
        assert_repr(layer, names)
        assert layer.equivariance == "exact"


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    with pytest.raises(GroupMismatchError, match="of SO3, out_rep='D0g' of O3: give parities, g or u, to both or to"):
        SphericalConv3d("D0", "D0g", 3)
    with pytest.raises(ConfigError, match=r"in_rep='D0', out_rep='D4', kernel_size=3: no kernel of this size"):
        SphericalConv3d("D0", "D4", 3)
    with pytest.raises(ConfigError, match="profile='pixels' is not known"):
        SphericalConv3d("D0", "D0", 3, profile="pixels")  # pyright: ignore[reportArgumentType]
    for cutoff in (-1, "a"):
        with pytest.raises(ConfigError, match=f"cutoff={cutoff!r}: give a number of at least 0"):
            SphericalConv3d("D0", "D0", 3, cutoff=cutoff)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="kernel_size=0"):
        SphericalConv3d("D0", "D0", 0)
    layer = SphericalConv3d("D0 + D1", "D0", 3, stride=2, padding=1)
    with pytest.raises(GridError, match=r"6 with kernel_size=3, stride=2.*left over on one side"):
        layer(torch.zeros(1, 4, 6, 6, 6))
    with pytest.raises(
        ShapeError, match=r"SphericalConv3d: input has shape \(1, 3, 5, 5, 5\); the representation needs"
    ):
        layer(torch.zeros(1, 3, 5, 5, 5))
    with pytest.raises(GroupMismatchError, match=r"stride=\(1, 2, 1\) differs between"):
        SphericalConv3d("D0", "D0", 3, stride=(1, 2, 1))
    with pytest.raises(ShapeError, match=r"SphericalGate: input has shape \(1, 4, 5, 5\)"):
        SphericalGate("D0 + D1")(torch.zeros(1, 4, 5, 5))
