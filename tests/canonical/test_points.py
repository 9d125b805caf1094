"""Point sets: principal axes with all signs move with the points; functions averaged over them are equivariant."""

import pytest
import torch
from torch import Tensor, nn

from equivision.canonical import FrameAveragedPoints, pca_frames
from equivision.errors import FrameError
from equivision.testing import randomize_

GROUPS = ("E", "SE", "O", "SO")
OUTPUTS = ("invariant", "points", "vectors")


class Net(nn.Module):
    """A function of points, and of features, without any symmetry."""

    def __init__(self, dim: int, output: str, features: int = 0) -> None:
        super().__init__()
        self.hidden = nn.Linear(dim + features, 8)
        self.last = nn.Linear(8, dim)
        self.output = output

    def forward(self, points: Tensor, features: Tensor | None = None) -> Tensor:
        """Points, or one vector of their mean."""
        x = points if features is None else torch.cat([points, features], 2)
        y = self.last(torch.tanh(self.hidden(x)))
        return y.mean(1).exp() if self.output == "invariant" else y


def predictor(dim: int, output: str, features: int = 0) -> nn.Module:
    return randomize_(Net(dim, output, features).double())


def motion(dim: int, group: str, seed: int) -> tuple[Tensor, Tensor]:
    """A random element of the group: a matrix, and a translation."""
    generator = torch.Generator().manual_seed(seed)
    q = torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64))[0]
    if group.startswith("S"):
        q[0] *= torch.linalg.det(q).sign()
    elif seed % 2:
        q[0] *= -torch.linalg.det(q).sign()
    t = torch.randn(dim, generator=generator, dtype=torch.float64)
    return q, t if group.endswith("E") else torch.zeros_like(t)


def cloud(dim: int, num: int = 9, batch: int = 5) -> Tensor:
    return torch.randn(batch, num, dim, dtype=torch.float64) + 0.3


@torch.no_grad()
def error(net: nn.Module, points: Tensor, group: str, output: str, seed: int) -> float:
    q, t = motion(points.shape[2], group, seed)
    found, y = net(points @ q.T + t), net(points)
    expected = y if output == "invariant" else y @ q.T + (t if output == "points" else 0)
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
@pytest.mark.parametrize("group", GROUPS)
class TestExact:
    @pytest.mark.parametrize("output", OUTPUTS)
    def test_output(self, group, dim: int, output) -> None:
        net, points = FrameAveragedPoints(predictor(dim, output), group=group, output=output), cloud(dim)
        assert max(error(net, points, group, output, seed) for seed in range(4)) < 1e-11
        if (group, dim) != ("SO", 1):  # the trivial group
            assert max(error(predictor(dim, output), points, group, output, seed) for seed in range(4)) > 1e-3
        assert net(points).std(0).min() > 0

    def test_frames_move_with_the_points(self, group, dim: int) -> None:
        points, (q, t) = cloud(dim), motion(dim, group, 1)
        frames, found = pca_frames(points, group), pca_frames(points @ q.T + t, group)
        assert frames.rotations.shape[1] == 2 ** (dim - group.startswith("S"))
        torch.testing.assert_close(found.centres, frames.centres @ q.T + t)
        distance = torch.cdist((q @ frames.rotations).flatten(2), found.rotations.flatten(2))
        assert distance.amin(1).max() < 1e-10
        assert distance.amin(2).max() < 1e-10

    def test_frames_are_motions_of_the_group(self, group, dim: int) -> None:
        frames = pca_frames(cloud(dim), group)
        R = frames.rotations
        torch.testing.assert_close(R.mT @ R, torch.eye(dim, dtype=R.dtype).expand_as(R))
        assert not group.startswith("S") or (torch.linalg.det(R) > 0).all()
        assert group.endswith("E") or (frames.centres == 0).all()
        points = cloud(dim)
        again = frames.done(frames.undone(points))
        torch.testing.assert_close(again, points[:, None].expand_as(again))


def test_groups_are_told_apart() -> None:
    """SE does not average over reflections, nor O over translations."""
    points = cloud(3)
    handed = FrameAveragedPoints(predictor(3, "invariant"), group="SE")
    assert error(handed, points, "O", "invariant", 1) > 1e-3
    fixed = FrameAveragedPoints(predictor(3, "invariant"), group="O")
    assert error(fixed, points, "E", "invariant", 0) > 1e-3


def test_order_of_points_is_kept() -> None:
    net, points, order = FrameAveragedPoints(predictor(3, "points"), output="points"), cloud(3), torch.randperm(9)
    torch.testing.assert_close(net(points[:, order]), net(points)[:, order])


def test_features_of_points_are_not_moved() -> None:
    net = FrameAveragedPoints(predictor(3, "points", 2), output="points")
    points, features, (q, t) = cloud(3), torch.randn(5, 9, 2).double(), motion(3, "E", 0)
    torch.testing.assert_close(net(points @ q.T + t, features), net(points, features) @ q.T + t)
    assert not torch.allclose(net(points, features), net(points, features + 1))


def test_one_forward_sees_all_frames() -> None:
    seen = []

    class Spy(nn.Module):
        def forward(self, points: Tensor) -> Tensor:
            seen.append(tuple(points.shape))
            return points

    FrameAveragedPoints(Spy(), output="points")(cloud(3))
    FrameAveragedPoints(Spy(), output="points", group="SE")(cloud(3))
    assert seen == [(40, 9, 3), (20, 9, 3)]


def test_low_precision_leaves_the_axes_alone() -> None:
    net, points, (q, t) = (
        FrameAveragedPoints(predictor(3, "points").float(), output="points"),
        cloud(3),
        motion(3, "E", 0),
    )
    with torch.autocast("cpu", torch.bfloat16):
        found, moved = (net(p.float()) for p in (points, points @ q.T + t))
    assert found.dtype == torch.float32
    torch.testing.assert_close(moved, found @ q.float().T + t.float(), rtol=0.05, atol=0.05)
    frames = pca_frames(points.float())
    with torch.autocast("cpu", torch.bfloat16):
        again = frames.done(frames.undone(points.float()))
    torch.testing.assert_close(again, points.float()[:, None].expand_as(again))


def test_gradients() -> None:
    net, points = FrameAveragedPoints(predictor(2, "vectors"), group="SE", output="vectors"), cloud(2, 4, 2)
    assert torch.autograd.gradcheck(net, points.requires_grad_())


SQUARE = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)


class TestDegenerate:
    def test_equal_variances_are_marked_and_refused(self) -> None:
        points = torch.cat([cloud(2, 4, 2), SQUARE[None]])
        assert pca_frames(points).is_degenerate.tolist() == [False, False, True]
        for group in GROUPS:
            net = FrameAveragedPoints(predictor(2, "invariant"), group=group)
            with pytest.raises(FrameError, match=r"axes of 1 point set\(s\) are not determined.*number 2 of the batch"):
                net(points)
            net(points[:2])

    def test_arbitrary_axes_are_no_frame(self) -> None:
        """The error is real: a square that is turned gets other axes than a turned square."""
        net = FrameAveragedPoints(predictor(2, "invariant"), strict=False)
        assert torch.isfinite(net(SQUARE[None])).all()
        assert max(error(net, SQUARE[None], "E", "invariant", seed) for seed in range(6)) > 1e-4

    @pytest.mark.parametrize("group", GROUPS)
    def test_points_on_a_line(self, group) -> None:
        """Two variances are 0: every choice of axes sees the same points, but would turn vectors differently."""
        points = torch.randn(3, 6, 1).double() * torch.tensor([1.0, 2.0, -1.0]).double()
        frames = pca_frames(points, group)
        assert frames.is_flat.all()
        assert not frames.is_degenerate.any()
        net = FrameAveragedPoints(predictor(3, "invariant"), group=group)
        assert max(error(net, points, group, "invariant", seed) for seed in range(4)) < 1e-11
        with pytest.raises(FrameError, match="not determined"):
            FrameAveragedPoints(predictor(3, "points"), group=group, output="points")(points)

    @pytest.mark.parametrize("output", OUTPUTS)
    def test_points_in_a_plane_are_no_exception(self, output) -> None:
        points = torch.cat([cloud(2), torch.zeros(5, 9, 1).double()], 2) @ motion(3, "O", 3)[0]
        net = FrameAveragedPoints(predictor(3, output), output=output)
        assert max(error(net, points, "E", output, seed) for seed in range(4)) < 1e-11

    def test_one_point(self) -> None:
        points = cloud(3, 1, 3)
        net = FrameAveragedPoints(predictor(3, "invariant"))
        torch.testing.assert_close(net(points), net(points + 1.0))
        assert pca_frames(points).is_flat.all()

    def test_symmetric_sets_with_different_variances(self) -> None:
        """A rectangle is mirror symmetric, and its axes are determined all the same."""
        points = (SQUARE * torch.tensor([2.0, 1.0]))[None]
        for output in OUTPUTS:
            net = FrameAveragedPoints(predictor(2, output), output=output)
            assert max(error(net, points, "E", output, seed) for seed in range(4)) < 1e-11


def test_half_precision() -> None:
    """Eigenvectors are found in float32."""
    points = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    frames, exact = pca_frames(points.bfloat16(), "E"), pca_frames(points, "E")
    assert frames.rotations.dtype == torch.bfloat16
    torch.testing.assert_close(frames.rotations.float().abs(), exact.rotations.abs(), atol=0.1, rtol=0)
