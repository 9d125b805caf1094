"""Convolutions over points that are lifted to a Lie group, and a network for images and point sets."""

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from equivision._numbers import check_count, check_part, check_positive
from equivision.continuous._lie_groups import LieGroup, Lifted, Pairs, lie_group
from equivision.errors import ConfigError, ShapeError
from equivision.functional._checks import check_dtypes
from equivision.nn._base import Guarantee

#: Width of the last layer of the kernel's network: the sum over neighbours has so many columns for each field.
_COLUMNS = 16


class LieConv(nn.Module):
    """Convolution over the elements of a Lie group near each element.

    ``y(u) = 1 / |N(u)| sum_{v in N(u)} k(log(v^-1 u), q_u, q_v) f(v)``, where k is a network of three layers and a
    linear map, and N(u) are the elements within a radius. The radius follows, in training, the share of all pairs that
    are to be near. The linear map comes after the sum ("PointConv trick"), so that no kernel of ``in_channels x
    out_channels`` is ever formed for a pair.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        group: a :class:`LieGroup`, or its name.
        fill: share of all pairs that are to be near; 1 takes all pairs, without a radius.
        radius: at the start.
        hidden: width of the kernel's network.
        bias: whether every field of the output has one.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, M]`` on M elements to ``[B, out_channels, M]``, so that ``torch.nn.BatchNorm1d`` fits. All
        pairs of elements are formed: some thousand elements at most.

    Equivariance: exact: what it computes depends on ``log(v^-1 u)`` and the orbits alone, which no element of the group
    changes. Elements that rounding moves across the radius are the exception.

    Raises:
        ConfigError: a count or an option is out of range.
        ShapeError: there are not as many values as elements.

    Source: Finzi et al. 2020, eqs. 5 to 8.

    >>> group = lie_group("SE2")
    >>> lifted = group.lift(torch.rand(1, 9, 2))
    >>> LieConv(2, 5, group=group)(torch.rand(3, 2, 36), group.pairs(lifted)).shape
    torch.Size([3, 5, 36])
    """

    equivariance: Guarantee = "exact"
    running_radius: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        group: LieGroup | str,
        fill: float = 0.15,
        radius: float = 0.6,
        hidden: int = 32,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, count in (("in_channels", in_channels), ("out_channels", out_channels), ("hidden", hidden)):
            check_count(name, count)
        check_part("fill", fill, "the share of pairs that are near, more than 0 and up to 1", zero=False)
        check_positive("radius", radius)
        self.in_channels, self.out_channels, self.group = in_channels, out_channels, lie_group(group)
        self.fill, self.radius, self.hidden = fill, radius, hidden
        coordinates = self.group.dim + 2 * self.group.orbit_dim
        widths = (coordinates, hidden, hidden, _COLUMNS)
        layers: list[nn.Module] = []
        for i, o in itertools.pairwise(widths):
            layers += [nn.Linear(i, o, device=device, dtype=dtype), nn.SiLU()]
        self.kernel = nn.Sequential(*layers)
        self.linear = nn.Linear(_COLUMNS * in_channels, out_channels, bias=bias, device=device, dtype=dtype)
        self.register_buffer("running_radius", torch.tensor(float(radius), device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Draw all weights as torch does, and go back to the first radius."""
        for module in (*self.kernel, self.linear):
            if isinstance(module, nn.Linear):
                module.reset_parameters()
        self.running_radius.fill_(self.radius)

    def _neighbours(self, pairs: Pairs) -> Float[Tensor, "batch element element2"]:
        """1 for near pairs, divided by the number of neighbours."""
        there = torch.ones_like(pairs.distance) if pairs.mask is None else pairs.mask.to(pairs.distance)
        near = there if self.fill == 1 else there * (pairs.distance <= self.running_radius)
        if self.training and self.fill < 1:
            share = (near.sum() / there.sum().clamp_min(1)).clamp_min(1e-3)
            self.running_radius.mul_((self.fill / share) ** (0.5 / self.group.dim))
        return near / near.sum(-1, keepdim=True).clamp_min(1)

    def forward(
        self, f: Float[Tensor, "batch in_channels element"], pairs: Pairs
    ) -> Float[Tensor, "batch out_channels element"]:
        """Convolve."""
        elements = pairs.distance.shape[-1]
        if f.ndim != 3 or f.shape[1:] != (self.in_channels, elements):
            raise ShapeError(
                f"LieConv: f has shape {tuple(f.shape)}; needs [batch, {self.in_channels} channel(s), {elements} "
                "element(s)], as many as were lifted"
            )
        weights = self.kernel(pairs.coordinates) * self._neighbours(pairs)[..., None]
        rows = weights.transpose(-1, -2).flatten(1, 2)  # batch, element u times column, element v
        summed = rows @ f.transpose(1, 2)
        return self.linear(summed.unflatten(1, (elements, -1)).flatten(2)).transpose(1, 2)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, group={self.group!r}, fill={self.fill:g}"


class _LieBlock(nn.Module):
    """Norm, convolution, norm and a linear map, around a skip connection."""

    def __init__(self, width: int, group: LieGroup, fill: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm1d(width), nn.BatchNorm1d(width)
        self.conv = LieConv(width, width, group=group, fill=fill)
        self.linear = nn.Conv1d(width, width, 1)

    def forward(self, f: Float[Tensor, "batch width element"], pairs: Pairs) -> Float[Tensor, "batch width element"]:
        y = self.conv(nn.functional.silu(self.norm1(f)), pairs)
        return f + self.linear(nn.functional.silu(self.norm2(y)))


class LieConvNet(nn.Module):
    """Residual network of LieConv layers for point sets and images: lift, blocks, mean over all elements, linear.

    An image is the set of its pixels in the disk that touches its sides. The pixel in the middle of an odd size is left
    out where the group turns about it (:class:`Rotations`, :class:`ScaleRotations`).

    Args:
        group: a :class:`LieGroup`, or its name.
        width: fields of every layer.
        in_channels: channels of the images, or values at each point.
        num_classes: number of logits.
        num_blocks: residual blocks.
        fill: share of all pairs that are near, as in :class:`LieConv`.
        alpha: weight of the group in the distance, against that of the orbits.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes]``; with points ``[B, N, 2]`` or ``[1, N, 2]``, values
        ``[B, in_channels, N]``.

    Equivariance: logits of point sets are invariant, to rounding, under all elements of T(2), SO(2) and R+ x SO(2), and
    under those of SE(2) that turn by multiples of 360 degrees / num_lifts; images under those of them that map pixels
    onto pixels. In training mode lifts begin at a random angle.

    Source: Finzi et al. 2020, without its random choice of neighbours and of points.

    >>> LieConvNet("SO2", width=4, num_blocks=1)(torch.rand(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """

    equivariance: Guarantee = "exact"

    def __init__(
        self,
        group: LieGroup | str = "SE2",
        *,
        width: int = 32,
        in_channels: int = 1,
        num_classes: int = 10,
        num_blocks: int = 3,
        fill: float = 0.15,
        alpha: float = 0.5,
    ) -> None:
        super().__init__()
        for name, count in (("num_blocks", num_blocks), ("num_classes", num_classes)):
            check_count(name, count)
        self.group, self.alpha = lie_group(group), alpha
        self.embed = LieConv(in_channels, width, group=self.group, fill=fill)
        self.blocks = nn.ModuleList(_LieBlock(width, self.group, fill) for _ in range(num_blocks))
        self.norm = nn.BatchNorm1d(width)
        self.classifier = nn.Linear(width, num_classes)

    def forward(
        self,
        x: Float[Tensor, "batch in_channels *space"],
        points: Float[Tensor, "batch2 point 2"] | None = None,
        mask: Bool[Tensor, "batch2 point"] | None = None,
    ) -> Float[Tensor, "batch num_classes"]:
        """Class logits.

        Args:
            x: images; or, with points, values at them.
            points: coordinates (right, up), of each example or of all.
            mask: False for points that are not there.
        """
        check_dtypes(x, self.classifier.weight, "LieConvNet")
        if points is None:
            x, points = self._as_points(x)
        elif x.ndim != 3 or x.shape[-1] != points.shape[-2] or points.shape[0] not in (1, x.shape[0]):
            raise ShapeError(
                f"LieConvNet: x has shape {tuple(x.shape)} for points of shape {tuple(points.shape)}: give "
                "[batch, channel, point], one value a point"
            )
        if mask is not None and (mask.shape[-1] != points.shape[-2] or mask.shape[0] not in (1, x.shape[0])):
            raise ShapeError(
                f"LieConvNet: mask has shape {tuple(mask.shape)} for points of shape {tuple(points.shape)}: give "
                "[batch, point]"
            )
        shift = torch.rand((), device=x.device, dtype=x.dtype) if self.training else 0.0
        lifted = self.group.lift(points, mask, shift)
        pairs = self.group.pairs(lifted, self.alpha)
        f = self.embed(self.group.repeated(x), pairs)
        for block in self.blocks:
            f = block(f, pairs)
        return self.classifier(_mean(nn.functional.silu(self.norm(f)), lifted))

    def _as_points(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.ndim != 4:
            raise ShapeError(f"LieConvNet: x has shape {tuple(x.shape)}; needs images [batch, channel, height, width]")
        points, index = image_points(x.shape[-2:], centre=not self.group.fixes_origin)
        return x.flatten(2)[..., index.to(x.device)], points.to(x)[None]


def image_points(size: Sequence[int], *, centre: bool = True) -> tuple[Float[Tensor, "point 2"], Int[Tensor, " point"]]:
    """The pixels in the disk that touches the sides of an image: coordinates (right, up), and positions row by row.

    Args:
        size: height and width; the longer side runs from -1 to 1.
        centre: whether the pixel at the very middle is among them.

    Raises:
        ConfigError: the size is not two whole numbers, or no pixel is left.

    >>> image_points((3, 3))[1].tolist(), image_points((3, 3), centre=False)[1].tolist()
    ([0, 1, 2, 3, 4, 5, 6, 7, 8], [0, 1, 2, 3, 5, 6, 7, 8])
    """
    if not isinstance(size, Sequence) or len(size) != 2 or min(size) < 1:
        raise ConfigError(f"size={size!r}: give height and width, whole numbers of at least 1")
    height, width = size
    # plain numbers: how many there are must be known to torch.compile and torch.export
    places = [(2 * c - (width - 1), (height - 1) - 2 * r) for r in range(height) for c in range(width)]
    squares = [right**2 + up**2 for right, up in places]
    index = [i for i, square in enumerate(squares) if square <= max(height, width) ** 2 and (centre or square > 0)]
    if not index:
        raise ConfigError(f"size={size!r} has its only pixel in the middle, about which the group turns: give more")
    return torch.tensor([places[i] for i in index]).float() / max(height, width), torch.tensor(index)


def _mean(f: Tensor, lifted: Lifted) -> Tensor:
    """The mean over the elements that are there."""
    if lifted.mask is None:
        return f.mean(-1)
    there = lifted.mask[:, None].to(f)
    return (f * there).sum(-1) / there.sum(-1).clamp_min(1)
