"""Layers on sets of interchangeable members, as modules."""

from collections.abc import Callable
from functools import reduce
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.errors import ConfigError, ShapeError
from equivision.functional._checks import Size2, pair, resolve_padding
from equivision.groups import PermutationGroup, parse_permutations
from equivision.nn._base import Guarantee, Movable, uniform_
from equivision.permutation._functional import (
    SetPoolMode,
    Tables,
    check_members,
    check_set_pool_mode,
    mix,
    mixing_tables,
    permutation_conv2d,
    permutation_linear,
    pool_orbits,
)
from equivision.permutation._relations import Level


class _SetLayer(Movable):
    """A layer that mixes the members of a set: the group, and its tables as buffers."""

    equivariance: ClassVar[Guarantee] = "exact"
    means: Tensor
    seen: Tensor

    def __init__(self, group: PermutationGroup | str, device: torch.device | str | None) -> None:
        super().__init__()
        self.group = parse_permutations(group)
        self._mixing, means, seen = mixing_tables(self.group)
        for name, table in (("means", means), ("seen", seen)):
            empty = torch.empty(table.shape, dtype=table.dtype, device=device)
            self.register_buffer(name, empty, persistent=False)

    def _tables(self) -> Tables:
        return Tables(self._mixing, self.means, self.seen)

    def fill_tables(self) -> None:
        """Fill the tables of the means, and of what sees them."""
        _, means, seen = mixing_tables(self.group)
        self.means.copy_(means)
        self.seen.copy_(seen)


class _LinearSetLayer(_SetLayer):
    """What the two layers with weights share: one matrix or kernel for each relation, one bias for each orbit."""

    bias: Tensor | None

    def __init__(
        self,
        shape: tuple[int, ...],
        group: PermutationGroup | str,
        bias: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__(group, device)
        out, taken, *taps = shape
        shape = (out, taken, self._mixing.relations, *taps)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        empty = torch.empty(out, len(self._mixing.parts), device=device, dtype=dtype)
        self.bias = nn.Parameter(empty) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights so that activations keep their variance through a ReLU; biases are 0; fill the tables."""
        super().reset_parameters()
        summed = self.weight[0, :, 0].numel()
        for levels in self._mixing.parts:
            relations = [relation for level in levels for relation in level.relations]
            drawn = torch.empty_like(self.weight[:, :, relations])
            uniform_(drawn, 2 / (summed * len(relations)))
            with torch.no_grad():
                self.weight[:, :, relations] = drawn
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class PermutationLinear(_LinearSetLayer):
    """Linear map of sets of vectors that commutes with permutations of the members.

    ``y_i = sum_r W_r m_r(x, i) + b[orbit of i]``, with ``m_r(x, i)`` the mean of the members that stand in relation r
    to member i (:func:`~equivision.permutation.mean_matrices`). For S_n that is ``A x_i + B mean(x) + b``, the layer of
    deep sets; for blocks in blocks, S_a wr S_b, there is a third matrix, for the mean of the block. No other linear
    maps commute with the group.

    Args:
        in_features: of each member.
        out_features: of each member.
        group: a permutation group, or its name such as ``"S5"``, ``"S1xS4"`` or ``"S3wrS4"``.
        bias: add one vector for each orbit of members.
        device, dtype: of the parameters.

    Shape:
        ``[B, n, in_features]`` to ``[B, n, out_features]``; the weight is ``[out_features, in_features, relations]``.

    Equivariance: exact, ``f(p x) = p f(x)``.

    The weights of S_n do not depend on n: a ``state_dict`` can be loaded into a layer for another number of members.

    Raises:
        GroupMismatchError: the name of the group is not understood.
        ConfigError: a number is out of range.
        ShapeError: the input does not fit.

    Source: Zaheer et al. 2017, lemma 3; Ravanbakhsh, Schneider & Poczos 2017; Wang et al. 2020 (blocks in blocks).

    >>> layer = PermutationLinear(3, 8, group="S5")
    >>> layer.weight.shape, layer(torch.randn(2, 5, 3)).shape
    (torch.Size([8, 3, 2]), torch.Size([2, 5, 8]))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        group: PermutationGroup | str,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_count("in_features", in_features)
        check_count("out_features", out_features)
        self.in_features, self.out_features = in_features, out_features
        super().__init__((out_features, in_features), group, bias, device, dtype)

    def forward(self, x: Float[Tensor, "batch member in_features"]) -> Float[Tensor, "batch member out_features"]:
        """Apply the map."""
        return permutation_linear(x, self.weight, self.bias, group=self.group, tables=self._tables())

    def extra_repr(self) -> str:
        parts = f"{self.in_features}, {self.out_features}, group={self.group!r}"
        return parts + ("" if self.bias is not None else ", bias=False")


class PermutationConv2d(_LinearSetLayer):
    """Convolution of sets of images that commutes with permutations of the members.

    ``y_i = sum_r W_r * m_r(x, i) + b[orbit of i]``, with ``m_r(x, i)`` the mean of the images that stand in relation r
    to member i. For S_n: one kernel on every image, another on the mean of all. Every mean is convolved once, so that
    S_n costs n + 1 convolutions, and b interchangeable blocks of interchangeable images cost n + b + 1.

    Args:
        in_channels: of each image.
        out_channels: of each image.
        kernel_size: one number, or (height, width).
        group: a permutation group of the members, or its name such as ``"S5"``, ``"S1xS4"`` or ``"S3wrS4"``.
        stride, padding, dilation: as in :class:`torch.nn.Conv2d`.
        bias: add one number a channel for each orbit of members.
        device, dtype: of the parameters.

    Shape:
        ``[B, n, in_channels, H, W]`` to ``[B, n, out_channels, H', W']``; the weight is ``[out_channels, in_channels,
        relations, kh, kw]``.

    Equivariance: exact, ``f(p x) = p f(x)``. Translations: as :class:`torch.nn.Conv2d`. Where the images may be turned
    too, put layers of :mod:`equivision.nn` into a :class:`PermutationLayer`.

    Raises:
        GroupMismatchError: the name of the group is not understood.
        ConfigError: a number is out of range.
        ShapeError: the input does not fit.

    Source: Maron, Litany, Chechik & Fetaya 2020, theorem 1.

    >>> conv = PermutationConv2d(1, 8, 3, group="S5", padding=1)
    >>> conv.weight.shape, conv(torch.randn(2, 5, 1, 9, 9)).shape
    (torch.Size([8, 1, 2, 3, 3]), torch.Size([2, 5, 8, 9, 9]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        *,
        group: PermutationGroup | str,
        stride: Size2 = 1,
        padding: Size2 | str = 0,
        dilation: Size2 = 1,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_count("in_channels", in_channels)
        check_count("out_channels", out_channels)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = pair(kernel_size, "kernel_size", least=1)
        self.stride, self.dilation = pair(stride, "stride", least=1), pair(dilation, "dilation", least=1)
        self.padding = resolve_padding(padding, self.kernel_size, self.dilation)
        super().__init__((out_channels, in_channels, *self.kernel_size), group, bias, device, dtype)

    def forward(
        self, x: Float[Tensor, "batch member in_channels height width"]
    ) -> Float[Tensor, "batch member out_channels out_height out_width"]:
        """Convolve."""
        return permutation_conv2d(
            x, self.weight, self.bias, group=self.group, stride=self.stride, padding=self.padding,
            dilation=self.dilation, tables=self._tables(),
        )  # fmt: skip

    def extra_repr(self) -> str:
        def short(value: tuple[int, int]) -> str:
            return str(value[0] if value[0] == value[1] else value)

        parts = [f"{self.in_channels}, {self.out_channels}, {short(self.kernel_size)}, group={self.group!r}"]
        defaults = (("stride", 1), ("padding", 0), ("dilation", 1))
        parts += [f"{n}={short(getattr(self, n))}" for n, plain in defaults if getattr(self, n) != (plain, plain)]
        parts += ["bias=False"] if self.bias is None else []
        return ", ".join(parts)


class PermutationLayer(_SetLayer):
    """Any linear layer for one member, made a layer for sets: ``y_i = sum_r layer_r(m_r(x, i))``.

    As in :class:`PermutationConv2d`, each relation r has weights of its own and sees the means of the members, each
    once. If the layers commute with motions of one member, such as rotations of an image, the result commutes with
    these, the same for all members, and with the permutations.

    Args:
        make: builds a fresh layer, with parameters of its own; called once for each relation.
        group: a permutation group of the members, or its name.
        device: of the tables.

    Shape:
        ``[B, n, ...]`` to ``[B, n, ...]``, where the layers take ``[B, ...]`` to ``[B, ...]``.

    Equivariance: exact under the permutations; under motions of the members as the layers are.

    Raises:
        GroupMismatchError: the name of the group is not understood.
        ConfigError: make is no function that builds a fresh layer.
        ShapeError: there are not as many members as the group permutes.

    Source: Maron, Litany, Chechik & Fetaya 2020, theorem 1: no other linear maps commute with S_n and with the motions,
    if no others than the layers commute with the motions.

    >>> from equivision.nn import LiftConv2d
    >>> layer = PermutationLayer(lambda: LiftConv2d(1, 4, 3, group="D4", padding=1), group="S5")
    >>> layer(torch.randn(2, 5, 1, 9, 9)).shape
    torch.Size([2, 5, 4, 8, 9, 9])
    """

    def __init__(
        self,
        make: Callable[[], nn.Module],
        *,
        group: PermutationGroup | str,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(group, device)
        self.layers = nn.ModuleList(_made(make, self._mixing.relations))
        super().reset_parameters()

    def reset_parameters(self) -> None:
        """Fill the tables, and reset the layers that can be."""
        super().reset_parameters()
        for layer in self.layers:
            if callable(reset := getattr(layer, "reset_parameters", None)):
                reset()

    def _apply_layers(self, means: Tensor, level: Level) -> Tensor:
        parts = [self.layers[r](z) for r, z in zip(level.relations, means.unbind(1), strict=True)]
        return reduce(torch.add, parts)

    def forward(self, x: Float[Tensor, "batch member ..."]) -> Float[Tensor, "batch member ..."]:
        """Apply the layers to the means, and add up."""
        check_members(x, self._mixing.degree, "PermutationLayer")
        return mix(x, self._tables(), self._apply_layers)

    def extra_repr(self) -> str:
        return f"group={self.group!r}"


def _made(make: Callable[[], nn.Module], count: int) -> list[nn.Module]:
    """So many fresh layers.

    Raises:
        ConfigError: they are no layers, or two share their parameters, which would tie relations.
    """
    if isinstance(make, nn.Module) or not callable(make):
        raise ConfigError(
            f"make={make!r}: give a function that builds a layer, such as lambda: nn.Linear(2, 2), not the layer itself"
        )
    layers = [make() for _ in range(count)]
    for layer in layers:
        if not isinstance(layer, nn.Module):
            raise ConfigError(f"make() gives {layer!r}: it must return a layer, a torch.nn.Module")
    owned = [id(one) for layer in layers for one in (layer, *layer.parameters())]
    if len(set(owned)) < len(owned):
        raise ConfigError(
            "make() gives layers that are the same or share parameters, which would tie the relations between members: "
            "build a new layer in every call"
        )
    return layers


class MemberWise(nn.Sequential):
    """Do the same to every member of a set: modules for one member, one after another, with the same weights.

    Torch's pointwise layers and :class:`torch.nn.Linear` need this not; batch norm and pools do. Batch norm then shares
    its statistics over all members.

    Args:
        modules: layers that take ``[B, ...]``.

    Shape:
        ``[B, n, ...]`` to ``[B, n, ...]``.

    Equivariance: exact under all permutations.

    Raises:
        ShapeError: there is no axis of members.

    >>> MemberWise(nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))(torch.randn(2, 5, 8, 12, 12)).shape
    torch.Size([2, 5, 8, 6, 6])
    """

    equivariance: ClassVar[Guarantee] = "exact"

    def forward(self, input: Float[Tensor, "batch member ..."]) -> Float[Tensor, "batch member ..."]:
        """Take the members as examples of one batch."""
        if input.ndim < 2:
            raise ShapeError(f"MemberWise: input has shape {tuple(input.shape)}; needs [batch, member, ...]")
        return super().forward(input.flatten(0, 1)).unflatten(0, input.shape[:2])


class SetPool(nn.Module):
    """Pool over the members of a set: what is left does not depend on their order.

    Args:
        mode: ``"mean"``, ``"max"`` or ``"sum"``. With ``"sum"`` the number of members counts.
        group: pool over each orbit of members by itself, as under ``"S1xS4"`` the first member and the mean of the
            others; by default over all.

    Shape:
        ``[B, n, ...]`` to ``[B, ...]``; with a group to ``[B, orbits, ...]``.

    Equivariance: exact, invariant under the group; without one, under all permutations.

    Raises:
        ConfigError: unknown mode.
        GroupMismatchError: the name of the group is not understood.
        ShapeError: the input does not fit.

    >>> SetPool("max")(torch.randn(2, 5, 16)).shape, SetPool(group="S1xS4")(torch.randn(2, 5, 16)).shape
    (torch.Size([2, 16]), torch.Size([2, 2, 16]))
    """

    equivariance: ClassVar[Guarantee] = "exact"

    def __init__(self, mode: SetPoolMode = "mean", *, group: PermutationGroup | str | None = None) -> None:
        super().__init__()
        check_set_pool_mode(mode)
        self.mode: SetPoolMode = mode
        self.group = None if group is None else parse_permutations(group)
        self._orbits = None if self.group is None else self.group.orbits

    def forward(self, x: Float[Tensor, "batch member ..."]) -> Float[Tensor, "batch ..."]:
        """Pool."""
        return pool_orbits(x, self.mode, self._orbits)

    def extra_repr(self) -> str:
        return repr(self.mode) + ("" if self.group is None else f", group={self.group!r}")
