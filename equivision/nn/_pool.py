"""Pooling over the group, its cosets and space."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision import functional
from equivision._numbers import check_count
from equivision.errors import GroupMismatchError
from equivision.functional._pool import PoolMode, character_signs, check_pool_mode, coset_slots
from equivision.groups import PlanarGroup, SpatialGroup, Subgroup, inclusion, planar, spatial
from equivision.nn._base import Guarantee, Movable, grid_numbers
from equivision.nn._steerable import representation
from equivision.reps import Representation


class GroupPool(nn.Module):
    """Pool over the group axis: what is left no longer depends on the orientation of each feature.

    Args:
        mode: ``"max"``, ``"mean"`` or ``"norm"``.

    Shape:
        ``[B, C, |G|, H, W]`` to ``[B, C, H, W]``, in space likewise with a depth; ``[B, C, |G|]`` to ``[B, C]``.

    Equivariance: exact, regular to plane or space: ``f(L_g x) = g f(x)``.

    Raises:
        ConfigError: unknown mode.
        ShapeError: the input has not 3, 5 or 6 axes.

    >>> import torch
    >>> GroupPool()(torch.randn(2, 16, 8, 5, 5)).shape
    torch.Size([2, 16, 5, 5])
    """

    equivariance: ClassVar[Guarantee] = "exact"

    def __init__(self, mode: PoolMode = "max") -> None:
        super().__init__()
        check_pool_mode(mode)
        self.mode: PoolMode = mode

    def forward(self, x: Float[Tensor, "batch channel group *space"]) -> Float[Tensor, "batch channel *space"]:
        """Pool."""
        return functional.group_pool(x, self.mode)

    def extra_repr(self) -> str:
        return repr(self.mode)


class CosetPool(Movable):
    """Pool over the left cosets ``gH`` of a subgroup: a feature on G becomes one on the cosets G/H.

    Args:
        group: G, of the plane or of space.
        subgroup: H, as a :class:`~equivision.groups.Subgroup` of G, or as a group of the same kind (or its name) inside
            G.
        mode: ``"max"``, ``"mean"`` or ``"norm"``.

    Shape:
        ``[B, C, |G|, H, W]`` to ``[B, C, |G| / |H|, H, W]``; likewise with a depth, or without the spatial axes.

    Equivariance: exact, regular to ``quotient(subgroup)``.

    Raises:
        GroupMismatchError: the subgroup is not one of G.

    Source: Cohen & Welling 2016, section 6.3; the G-CNN segmentation study, eq. 10.

    >>> import torch
    >>> CosetPool("D4", "C4")(torch.randn(2, 3, 8, 5, 5)).shape
    torch.Size([2, 3, 2, 5, 5])
    """

    equivariance: ClassVar[Guarantee] = "exact"
    slots: Tensor

    def __init__(
        self, group: SpatialGroup | str, subgroup: Subgroup | SpatialGroup | str, mode: PoolMode = "max"
    ) -> None:
        super().__init__()
        check_pool_mode(mode)
        self.group = spatial(group)
        inside = subgroup if isinstance(subgroup, Subgroup) else inclusion(spatial(subgroup), self.group).image()
        self.subgroup = inside
        if self.subgroup.group != self.group:
            raise GroupMismatchError(
                f"subgroup={subgroup!r} is one of {self.subgroup.group.name}, not of {self.group.name}"
            )
        self.mode: PoolMode = mode
        self.register_buffer("slots", coset_slots(self.subgroup), persistent=False)

    def fill_tables(self) -> None:
        """Fill the index table."""
        self.slots.copy_(coset_slots(self.subgroup))

    def forward(self, x: Float[Tensor, "batch channel group *space"]) -> Float[Tensor, "batch channel coset *space"]:
        """Pool."""
        return functional.coset_pool(x, self.subgroup, self.mode, self.slots)

    def extra_repr(self) -> str:
        return f"{self.group!r}, {self.subgroup!r}, mode={self.mode!r}"


class CharacterPool(Movable):
    """Pool over the group with signs, ``1/|G| sum_h rho(h) f(h)``: what is left is moved by ``rho`` alone.

    With ``"sign"`` of D_n it is a pseudoscalar: the same for all rotations, and with the other sign for a reflection.
    That is what tells left from right, and what a :class:`GroupPool` over D_n forgets. To keep it, go on with odd maps:
    ``torch.nn.Tanh`` and ``torch.nn.Linear`` without a bias, but no ReLU.

    Args:
        rep: representation of size 1 of C_n or D_n, or its name: ``"sign"``, ``"B"``, ``"B1"``, ``"trivial"``.
        group: needed where the representation is given by name.

    Shape:
        ``[B, C, |G|, H, W]`` to ``[B, C, H, W]``; ``[B, C, |G|]`` to ``[B, C]``.

    Equivariance: exact, regular to ``rep``: ``f(L_g x) = rho(g) g f(x)``.

    Raises:
        ConfigError: the size of the representation is not 1.
        GroupMismatchError: the group has no such representation, or is not finite.
        ShapeError: the group axis of the input has another length.

    Source: the article on the principles of group-equivariant networks (chirality); the projection onto an irrep is
    that of any book on representations, such as Serre 1977, section 2.6.

    >>> import torch
    >>> pool, x = CharacterPool("sign", group="D4"), torch.randn(2, 16, 8, 5, 5)
    >>> mirrored = functional.act(x, 4, pool.rep.group)
    >>> torch.allclose(pool(mirrored).mean((2, 3)), -pool(x).mean((2, 3)), atol=1e-6)
    True
    """

    equivariance: ClassVar[Guarantee] = "exact"
    signs: Tensor

    def __init__(self, rep: Representation | str = "sign", *, group: PlanarGroup | str | None = None) -> None:
        super().__init__()
        self.rep = representation("rep", rep, group)
        signs = character_signs(self.rep)
        self.register_buffer("signs", torch.empty(len(signs), dtype=signs.dtype), persistent=False)
        self.reset_parameters()

    def fill_tables(self) -> None:
        """Fill the signs."""
        self.signs.copy_(character_signs(self.rep))

    def forward(self, x: Float[Tensor, "batch channel group *space"]) -> Float[Tensor, "batch channel *space"]:
        """Pool."""
        return functional.character_pool(x, self.rep, self.signs)

    def extra_repr(self) -> str:
        return repr(self.rep)


class SpatialPool(nn.Module):
    """What pools over the plane, and over space, share: checked arguments and repr."""

    equivariance: Guarantee = "exact"
    group: Any
    kernel_size: Any
    stride: Any
    padding: Any

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        *,
        group: SpatialGroup | str,
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        strict: bool = True,
    ) -> None:
        super().__init__()
        self.group = self.acting(group)
        if not self.group.is_on_grid:
            self.equivariance = "approximate"
        self.kernel_size = grid_numbers("kernel_size", kernel_size, self.group)
        self.stride = self.kernel_size if stride is None else grid_numbers("stride", stride, self.group)
        self.padding = grid_numbers("padding", padding, self.group, least=0)
        self.strict = strict

    @classmethod
    def acting(cls, group: Any) -> SpatialGroup:
        """The group that acts, of a group or its name."""
        return planar(group)

    def extra_repr(self) -> str:
        strict = "" if self.strict else ", strict=False"
        return f"{self.kernel_size}, group={self.group!r}, stride={self.stride}, padding={self.padding}{strict}"


class MaxPool2d(SpatialPool):
    """Spatial max pooling that refuses sizes on which its windows are off centre.

    Where you know the sizes, ``torch.nn.MaxPool3d((1, 2, 2))`` does the same without the check.

    Args:
        kernel_size: window.
        group: C_n or D_n, as a group or its name: the symmetry that must hold. Slots are pooled one by one, so that it
            asks for nothing but windows that lie where the group moves them.
        stride: step; the window by default.
        padding: pixels on both sides.
        strict: raise GridError where size and stride cannot be exact.

    Shape:
        ``[B, C, H, W]`` or ``[B, C, |G|, H, W]``; only the last two axes change.

    Equivariance: exact where ``(n + 2 padding - kernel_size) mod stride == 0``, for the elements that move the pixel
    grid onto itself; approximate for the others of larger groups, such as C8.

    Raises:
        GridError: it is not 0; the message names sizes, paddings and kernels that would do.

    >>> import torch
    >>> MaxPool2d(2, group="C4")(torch.randn(1, 3, 4, 8, 8)).shape
    torch.Size([1, 3, 4, 4, 4])
    """

    def forward(self, x: Float[Tensor, "batch channel *rest"]) -> Float[Tensor, "batch channel *out"]:
        """Pool."""
        return functional.max_pool2d(
            x, self.kernel_size, group=self.group, stride=self.stride, padding=self.padding, strict=self.strict
        )


class AvgPool2d(SpatialPool):
    """Spatial mean pooling; otherwise as :class:`MaxPool2d`.

    >>> import torch
    >>> AvgPool2d(3, group="D4", stride=2, padding=1)(torch.randn(1, 3, 8, 9, 9)).shape
    torch.Size([1, 3, 8, 5, 5])
    """

    def forward(self, x: Float[Tensor, "batch channel *rest"]) -> Float[Tensor, "batch channel *out"]:
        """Pool."""
        return functional.avg_pool2d(
            x, self.kernel_size, group=self.group, stride=self.stride, padding=self.padding, strict=self.strict
        )


class CenteredMaxPool2d(nn.Module):
    """Spatial max pooling that is centred, and so exact, at every size: its windows follow the size.

    Args:
        stride: step; a map of n pixels becomes ``ceil(n / stride)``. With 2, windows are 2x2 on even sizes and 3x3,
            padded by 1, on odd ones.

    Shape:
        ``[B, C, H, W]`` or ``[B, C, |G|, H, W]``; only the last two axes change.

    Equivariance: exact for C1, C2, C4, D1, D2 and D4, at every size; approximate at other angles.

    Raises:
        ConfigError: stride is no whole number of at least 1.

    >>> import torch
    >>> pool = CenteredMaxPool2d()
    >>> pool(torch.randn(1, 3, 4, 8, 8)).shape, pool(torch.randn(1, 3, 4, 9, 9)).shape
    (torch.Size([1, 3, 4, 4, 4]), torch.Size([1, 3, 4, 5, 5]))
    """

    equivariance: ClassVar[Guarantee] = "exact"

    def __init__(self, stride: int = 2) -> None:
        super().__init__()
        check_count("stride", stride)
        self.stride = stride

    def forward(self, x: Float[Tensor, "batch channel *rest"]) -> Float[Tensor, "batch channel *out"]:
        """Pool."""
        return functional.centered_max_pool2d(x, self.stride)

    def extra_repr(self) -> str:
        return str(self.stride)
