"""Frame averaging of point sets: the axes of their covariance, with all signs."""

import itertools
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from equivision.canonical._energy import kind_of
from equivision.canonical._orbit import check_choice
from equivision.errors import FrameError, ShapeError
from equivision.nn._base import Guarantee

#: Orthogonal maps and rotations of n-dimensional space, and either of them with translations.
PointGroup = Literal["O", "SO", "E", "SE"]
#: How the output of a function of points moves when they do.
PointOutput = Literal["invariant", "points", "vectors"]
Points = Float[Tensor, "batch point dim"]


class PointFrames(NamedTuple):
    """The frames of point sets: rigid motions ``p -> R p + t``, a set that moves with the points.

    Attributes:
        rotations: ``[B, F, d, d]``; the columns are axes of the point set.
        centres: ``[B, d]``; 0 for groups without translations.
        is_degenerate: whether axes are not determined, ``[B]``: two variances are equal, and not 0.
        is_flat: whether two or more variances are 0, ``[B]``: the points lie on a line in 3-d, or in one point.
    """

    rotations: Float[Tensor, "batch frame dim dim"]
    centres: Float[Tensor, "batch dim"]
    is_degenerate: Bool[Tensor, " batch"]
    is_flat: Bool[Tensor, " batch"]

    def undone(self, points: Points) -> Float[Tensor, "batch frame point dim"]:
        """The points as every frame sees them, ``R^-1 (p - t)``."""
        with torch.autocast(points.device.type, enabled=False):
            return torch.einsum("bnd,bfde->bfne", points - self.centres[:, None], self.rotations)

    def done(
        self, pieces: Float[Tensor, "batch frame point dim"], *, translate: bool = True
    ) -> Float[Tensor, "batch frame point dim"]:
        """What was computed in every frame, moved back: ``R y + t``, or ``R y``."""
        with torch.autocast(pieces.device.type, enabled=False):
            turned = torch.einsum("bfne,bfde->bfnd", pieces.to(self.rotations.dtype), self.rotations)
        return turned + self.centres[:, None, None] if translate else turned


def pca_frames(points: Points, group: PointGroup = "E") -> PointFrames:
    """All orthonormal bases of principal axes of point sets, sorted by variance: 2^d, one for each choice of signs.

    For ``"SO"`` and ``"SE"`` only those with determinant 1, half of them. Without translations the axes are those of
    the second moments about the origin. Where all variances differ, frames of moved points are the moved frames, in
    some order. Where two are equal there are infinitely many bases, of which an arbitrary one is returned; such sets
    are marked. Gradients go through the axes, and grow as the inverse of the smallest difference of two variances.

    Args:
        points: ``[B, N, d]``.
        group: ``"E"``, ``"SE"``, ``"O"`` or ``"SO"`` of d-dimensional space.

    Raises:
        ShapeError: points have another number of axes, or hold whole numbers.
        ConfigError: unknown group.
        FrameError: coordinates are infinite, or not numbers.

    Source: Puny et al. 2022, section 3.1.

    >>> frames = pca_frames(torch.randn(2, 10, 3), "SE")
    >>> frames.rotations.shape, bool((torch.linalg.det(frames.rotations) > 0).all())
    (torch.Size([2, 4, 3, 3]), True)
    """
    check_choice("group", group, PointGroup)
    if points.ndim != 3 or not points.is_floating_point():
        raise ShapeError(
            f"points has shape {tuple(points.shape)} and dtype {points.dtype}: give floating-point numbers "
            "[batch, point, dimension]"
        )
    dim = points.shape[2]
    centres = points.mean(1) if group in ("E", "SE") else points.new_zeros(points.shape[0], dim)
    centred = points - centres[:, None]
    variances, axes = _principal_axes(centred)
    signs = torch.tensor(list(itertools.product((1.0, -1.0), repeat=dim)), dtype=points.dtype, device=points.device)
    if group in ("SO", "SE"):
        handed = torch.linalg.det(axes.detach()).sign()
        axes = torch.cat([axes[:, :, :1] * handed[:, None, None], axes[:, :, 1:]], 2)
        signs = signs[signs.prod(1) > 0]
    return PointFrames(axes[:, None] * signs[:, None], centres, *_undetermined(variances.detach()))


def _principal_axes(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Variances, ascending, and axes; in float32 at least, as eigenvectors exist in no other dtype."""
    exact = centred.to(torch.promote_types(centred.dtype, torch.float32))
    try:
        with torch.autocast(centred.device.type, enabled=False):
            variances, axes = torch.linalg.eigh(exact.mT @ exact)
    except torch.linalg.LinAlgError as error:
        raise FrameError(
            f"points have no principal axes: {error} Look for infinite numbers and such that are none"
        ) from error
    return variances.to(centred.dtype), axes.to(centred.dtype)


def _undetermined(variances: Tensor) -> tuple[Tensor, Tensor]:
    """Whether two variances are equal and not 0, and whether two are 0, to half the digits of the dtype."""
    slack = torch.finfo(variances.dtype).eps ** 0.5 * variances[:, -1:]
    alike = variances[:, 1:] - variances[:, :-1] <= slack
    zero = variances[:, 1:] <= slack
    return (alike & ~zero).any(1), zero.any(1)


class FrameAveragedPoints(nn.Module):
    """The mean of a network over the principal axes of point sets: ``1/|F| sum_{(R, t)} R y(R^-1 (p - t)) + t``.

    Args:
        predictor: a module on points ``[B, N, d]``, and on features of points if :meth:`forward` gets any; the order of
            the points is its own affair.
        group: ``"E"``, ``"SE"``, ``"O"`` or ``"SO"`` of d-dimensional space: with translations or without, with
            reflections or without.
        output: what the predictor gives: ``"invariant"``, a tensor ``[B, ...]``; ``"points"``, ``[B, N, d]``; or
            ``"vectors"``, ``[B, N, d]`` that do not move when the points are translated, such as forces.
        strict: raise FrameError for point sets whose axes are not determined. With False they are averaged over an
            arbitrary choice of axes, which is not equivariant. Nothing is raised under ``torch.compile``.

    Shape:
        ``[B, N, d]``, and features ``[B, N, C]`` if there are any, to the output of the predictor, which sees one batch
        of ``B 2^d`` point sets, half as many for rotations only.

    Equivariance: exact, but for sets of points with two equal variances, whose axes are not determined, such as a
    square. Where two variances are 0, as of points on a line in 3-d, invariants are exact and other outputs are not.
    In finite precision errors grow as the inverse of the smallest difference of two variances.

    Raises:
        FrameError: axes are not determined.
        ShapeError: points or outputs have another shape.
        ConfigError: an argument is out of range.

    Source: Puny et al. 2022, sections 2 and 3.1.

    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(30, 5)).double()
    >>> net = FrameAveragedPoints(net, group="E")
    >>> points = torch.randn(2, 10, 3).double()
    >>> R = torch.linalg.qr(torch.randn(3, 3).double())[0]
    >>> torch.allclose(net(points), net(points @ R + 1.0))
    True
    """

    equivariance: Guarantee = "exact"

    def __init__(
        self,
        predictor: nn.Module,
        *,
        group: PointGroup = "E",
        output: PointOutput = "invariant",
        strict: bool = True,
    ) -> None:
        super().__init__()
        check_choice("group", group, PointGroup)
        check_choice("output", output, PointOutput)
        self.predictor = predictor
        self.group: PointGroup = group
        self.output: PointOutput = output
        self.strict = strict

    def forward(self, points: Points, features: Float[Tensor, "batch point channel"] | None = None) -> Tensor:
        """The mean over the frame."""
        frames = pca_frames(points, self.group)
        if self.strict and not torch.compiler.is_compiling():
            self._check(frames)
        copies = frames.undone(points)
        num = copies.shape[1]
        if features is not None and features.shape[:1] != points.shape[:1]:
            raise ShapeError(
                f"FrameAveragedPoints: features has shape {tuple(features.shape)} for {points.shape[0]} point set(s): "
                "give features for each of them"
            )
        more = () if features is None else (features.repeat_interleave(num, 0),)
        y = self.predictor(copies.flatten(0, 1), *more)
        if not isinstance(y, Tensor) or y.ndim == 0 or y.shape[0] != points.shape[0] * num:
            raise ShapeError(
                f"FrameAveragedPoints: the predictor gives {kind_of(y)} for {points.shape[0] * num} point set(s): it "
                "must give one tensor, whose first axis is theirs"
            )
        y = y.unflatten(0, (points.shape[0], num))
        if self.output == "invariant":
            return y.mean(1)
        if y.ndim != 4 or y.shape[3] != points.shape[2]:
            raise ShapeError(
                f"FrameAveragedPoints: the predictor gives shape {(y.shape[0] * num, *y.shape[2:])}; "
                f"output={self.output!r} needs [batch, point, {points.shape[2]}]. For classes and energies: "
                "output='invariant'"
            )
        return frames.done(y, translate=self.output == "points" and self.group in ("E", "SE")).mean(1)

    def _check(self, frames: PointFrames) -> None:
        wrong = frames.is_degenerate if self.output == "invariant" else frames.is_degenerate | frames.is_flat
        if bool(wrong.any()):
            first = wrong.nonzero()[:3, 0].tolist()
            raise FrameError(
                f"points: the axes of {int(wrong.sum())} point set(s) are not determined, as two variances are equal, "
                f"such as number {', '.join(map(str, first))} of the batch: leave these out (pca_frames marks them), "
                "or give strict=False to average over an arbitrary choice, which is not equivariant"
            )

    def extra_repr(self) -> str:
        parts = [f"group={self.group!r}"]
        parts += [f"output={self.output!r}"] if self.output != "invariant" else []
        return ", ".join(parts + ([] if self.strict else ["strict=False"]))
