"""Linear maps on group values, and restriction to a subgroup."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision import functional
from equivision._numbers import check_count
from equivision.functional._linear import induction_table, linear_table, restriction_slots
from equivision.groups import SpatialGroup, spatial
from equivision.nn._base import Guarantee, Movable, uniform_


class GroupLinear(Movable):
    """Linear map of values on the group: ``y[o, g] = sum_{c, h} w[o, c, g^-1 h] x[c, h] + b[o]``.

    Args:
        in_features: fields of the input.
        out_features: fields of the output.
        group: any C_n, D_n or point group of space: no grid is involved.
        bias: add one number for each output field.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_features, |G|]`` to ``[B, out_features, |G|]``.

    Equivariance: exact, regular to regular.

    Raises:
        ShapeError: the input is not ``[batch, feature, group]``.

    >>> import torch
    >>> GroupLinear(8, 4, group="C8")(torch.randn(2, 8, 8)).shape
    torch.Size([2, 4, 8])
    """

    equivariance: ClassVar[Guarantee] = "exact"
    table: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        group: SpatialGroup | str,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_count("in_features", in_features)
        check_count("out_features", out_features)
        self.group = spatial(group)
        self.in_features, self.out_features = in_features, out_features
        shape = (out_features, in_features, self.group.order)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype)) if bias else None
        self.register_buffer("table", torch.empty_like(linear_table(self.group), device=device), persistent=False)
        self.reset_parameters()

    def fill_tables(self) -> None:
        """Fill the index table."""
        self.table.copy_(linear_table(self.group))

    def reset_parameters(self) -> None:
        """Draw the weights so that activations keep their variance through a ReLU; biases are 0; fill the table."""
        self.fill_tables()
        uniform_(self.weight, 2 / (self.in_features * self.group.order))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "batch in_features group"]) -> Float[Tensor, "batch out_features group"]:
        """Apply the map."""
        return functional.group_linear(x, self.weight, self.bias, group=self.group, table=self.table)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, group={self.group!r}" + (
            "" if self.bias is not None else ", bias=False"
        )


class Restrict(Movable):
    """Go on with a smaller symmetry: a field on G becomes ``|G| / |H|`` fields on the subgroup H, without loss.

    Args:
        group: G, of the plane or of space.
        subgroup: H, a group of the same kind inside G.

    Shape:
        ``[B, C, |G|, H, W]`` to ``[B, C |G| / |H|, |H|, H, W]``; likewise with a depth, or without the spatial axes.

    Equivariance: exact, for the elements of the subgroup.

    Raises:
        GroupMismatchError: the subgroup is not contained in the group.

    Source: Weiler & Cesa 2019, section 2.7.

    >>> import torch
    >>> Restrict("D4", "C4")(torch.randn(1, 3, 8, 5, 5)).shape
    torch.Size([1, 6, 4, 5, 5])
    """

    equivariance: ClassVar[Guarantee] = "exact"
    slots: Tensor

    def __init__(self, group: SpatialGroup | str, subgroup: SpatialGroup | str) -> None:
        super().__init__()
        self.group, self.subgroup = spatial(group), spatial(subgroup)
        self.register_buffer("slots", restriction_slots(self.group, self.subgroup), persistent=False)

    def fill_tables(self) -> None:
        """Fill the index table."""
        self.slots.copy_(restriction_slots(self.group, self.subgroup))

    def forward(
        self, x: Float[Tensor, "batch channel group *space"]
    ) -> Float[Tensor, "batch channel2 subgroup *space"]:
        """Reorder."""
        return functional.restrict(x, self.group, self.subgroup, self.slots)

    def extra_repr(self) -> str:
        return f"{self.group!r}, {self.subgroup!r}"


class Induce(Movable):
    """Go on with a larger group: learned maps from fields on the subgroup H to fields on G, at every pixel.

    ``y[o, s] = sum_{c, r} w[o, c, r^-1 s] x[c, r] + b[o]``, with r in H: every equivariant map there is. Weights that
    are 1 on one element of each coset of H, and 0 elsewhere, repeat the values; weights that are 1 on the identity
    alone fill up with zeros.

    Args:
        in_channels: fields on the subgroup.
        out_channels: fields on the group.
        subgroup: H, a group of the same kind inside G, such as ``"C4"``.
        group: G, such as ``"C16"``.
        bias: one number for each field.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, |H|, H, W]`` to ``[B, out_channels, |G|, H, W]``; likewise with a depth, or without the
        spatial axes.

    Equivariance: exact, for the elements of the subgroup. A network that goes from C4 to C16 is equivariant under C4:
    what its first layers do not know of the finer rotations cannot be had back.

    Raises:
        GroupMismatchError: the subgroup is not contained in the group.

    Source: the article on the principles of group-equivariant networks (hierarchical groups).

    >>> import torch
    >>> Induce(3, 2, "C4", "C16")(torch.randn(1, 3, 4, 5, 5)).shape
    torch.Size([1, 2, 16, 5, 5])
    """

    equivariance: ClassVar[Guarantee] = "exact"
    weight: Tensor
    table: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        subgroup: SpatialGroup | str,
        group: SpatialGroup | str,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("in_channels", in_channels), ("out_channels", out_channels)):
            check_count(name, value)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.subgroup, self.group = spatial(subgroup), spatial(group)
        table = induction_table(self.group, self.subgroup)
        shape = (out_channels, in_channels, self.group.order)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.register_buffer("table", torch.empty_like(table, device=device), persistent=False)
        self.reset_parameters()

    def fill_tables(self) -> None:
        """Fill the index table."""
        self.table.copy_(induction_table(self.group, self.subgroup))

    def reset_parameters(self) -> None:
        """Draw the weights so that activations keep their variance through a ReLU; biases are 0; fill the table."""
        self.fill_tables()
        uniform_(self.weight, 2 / (self.in_channels * self.subgroup.order))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "batch in_channels sub *space"]) -> Float[Tensor, "batch channel group *space"]:
        """Map."""
        return functional.induce(x, self.weight, self.bias, group=self.group, subgroup=self.subgroup, table=self.table)

    def extra_repr(self) -> str:
        parts = f"{self.in_channels}, {self.out_channels}, {self.subgroup!r}, {self.group!r}"
        return parts + ("" if self.bias is not None else ", bias=False")
