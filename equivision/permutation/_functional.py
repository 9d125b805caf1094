"""Stateless operators on sets: the action, layers that commute with it, and pools."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.functional._checks import Size2, check_dtypes, pair, resolve_padding
from equivision.functional._grid import check_fits
from equivision.groups import PermutationGroup, parse_permutations
from equivision.permutation._relations import Level, Mixing, mixing

SetPoolMode = Literal["mean", "max", "sum"]


def permute(x: Shaped[Tensor, "batch member ..."], p: Sequence[int]) -> Shaped[Tensor, "batch member ..."]:
    """Act with a permutation on the members of a set: what was member i becomes member ``p[i]``.

    Args:
        x: sets of anything.
        p: an element of a permutation group, the image of every member.

    Raises:
        GroupMismatchError: p does not permute as many members.

    >>> permute(torch.tensor([[10, 11, 12]]), (1, 2, 0)).tolist()
    [[12, 10, 11]]
    """
    if x.ndim < 2 or sorted(p) != list(range(x.shape[1])):
        raise GroupMismatchError(
            f"p={tuple(p)!r} does not permute the members of a tensor of shape {tuple(x.shape)}: axis 1 holds the set, "
            "and p the image of each member, once each"
        )
    source = torch.empty(len(p), dtype=torch.long)
    source[torch.tensor(p, dtype=torch.long)] = torch.arange(len(p))
    return x.index_select(1, source.to(x.device))


class Tables(NamedTuple):
    """What :func:`mix` needs to know of a group.

    Attributes:
        mixing: which means there are, and who shares them.
        means: what they average.
        seen: which mean each member sees.
    """

    mixing: Mixing
    means: Float[Tensor, "rows member"]
    seen: Int[Tensor, " places"]


def mixing_tables(group: PermutationGroup | str) -> Tables:
    """The tables of a group, on the CPU."""
    found, means, seen = mixing(parse_permutations(group))
    return Tables(found, torch.tensor(means, device="cpu"), torch.tensor(seen, device="cpu"))


def mix(
    x: Float[Tensor, "batch member ..."], tables: Tables, apply: Callable[[Tensor, Level], Tensor]
) -> Float[Tensor, "batch member ..."]:
    """``y_i = sum_r apply(mean of the members in relation r to i)``, with every mean taken and mapped once.

    Args:
        x: sets of anything.
        tables: of the group.
        apply: takes the means of one level, ``[batch * means, relation, ...]``, and gives the sum over the relations of
            what becomes of them, ``[batch * means, ...]``.
    """
    mixing, means, seen = tables
    parts = []
    for levels in mixing.parts:
        terms = []
        for level in levels:
            z = x if level.rows is None else (means[level.rows].to(x) @ x.flatten(2)).unflatten(2, x.shape[2:])
            y = apply(z.unflatten(1, (level.count, len(level.relations))).flatten(0, 1), level)
            y = y.unflatten(0, (x.shape[0], level.count))
            terms.append(y if level.spread is None else y.index_select(1, seen[level.spread]))
        parts.append(reduce(torch.add, terms))
    y = torch.cat(parts, 1) if len(parts) > 1 else parts[0]
    return y if mixing.order is None else y.index_select(1, seen[mixing.order])


def permutation_linear(
    x: Float[Tensor, "batch member in_features"],
    weight: Float[Tensor, "out_features in_features relations"],
    bias: Float[Tensor, "out_features orbits"] | None = None,
    *,
    group: PermutationGroup | str,
    tables: Tables | None = None,
) -> Float[Tensor, "batch member out_features"]:
    """The linear maps of sets of vectors that commute with permutations of the members.

    ``y_i = sum_r weight[r] m_r(x, i) + bias[orbit of i]``, with ``m_r(x, i)`` the mean of the members in relation r to
    member i, in the order of :func:`~equivision.permutation.mean_matrices`.

    Args:
        x: sets of vectors.
        weight: one matrix for each relation, so for each orbit of pairs of members.
        bias: one vector for each orbit of members.
        group: acts on the members; or its name.
        tables: kept by :class:`PermutationLinear`; leave it out.

    Raises:
        ShapeError: the input or the weight does not fit the group, or they differ in dtype.
        GroupMismatchError: the name of the group is not understood.

    Source: Zaheer et al. 2017, lemma 3; Ravanbakhsh, Schneider & Poczos 2017.

    >>> from equivision.groups import symmetric
    >>> x, ones = torch.tensor([[[1.0], [2.0], [6.0]]]), torch.ones(1, 1, 2)
    >>> permutation_linear(x, ones, group=symmetric(3)).flatten().tolist()  # each with the mean, 3, added
    [4.0, 5.0, 9.0]
    """
    tables = tables or mixing_tables(group)
    _check(x, weight, bias, tables, "PermutationLinear", "feature(s)")

    def apply(z: Tensor, level: Level) -> Tensor:
        matrix = torch.stack([weight[..., r] for r in level.relations], 1).flatten(1)
        return F.linear(z.flatten(1), matrix, _bias(bias, level))

    return mix(x, tables, apply)


def permutation_conv2d(
    x: Float[Tensor, "batch member in_channels height width"],
    weight: Float[Tensor, "out_channels in_channels relations kh kw"],
    bias: Float[Tensor, "out_channels orbits"] | None = None,
    *,
    group: PermutationGroup | str,
    stride: Size2 = 1,
    padding: Size2 | str = 0,
    dilation: Size2 = 1,
    tables: Tables | None = None,
) -> Float[Tensor, "batch member out_channels out_height out_width"]:
    """The convolutions of sets of images that commute with permutations of the members.

    ``y_i = sum_r weight[r] * m_r(x, i) + bias[orbit of i]``, with ``m_r(x, i)`` the mean of the images in relation r to
    member i. Every mean is convolved once: n + 1 images for S_n, n + b + 1 for b interchangeable blocks.

    Args:
        x: sets of images.
        weight: one kernel for each relation, so for each orbit of pairs of members.
        bias: one number a channel for each orbit of members.
        group: acts on the members; or its name.
        stride, padding, dilation: as in :func:`torch.nn.functional.conv2d`.
        tables: kept by :class:`PermutationConv2d`; leave it out.

    Raises:
        ShapeError: the input or the weight does not fit the group, they differ in dtype, or images are smaller than the
            kernel.
        GroupMismatchError: the name of the group is not understood.
        ConfigError: an option is out of range.

    Source: Maron, Litany, Chechik & Fetaya 2020, theorem 1 (S_n and translations).

    >>> from equivision.groups import symmetric
    >>> permutation_conv2d(torch.randn(2, 5, 3, 9, 9), torch.randn(4, 3, 2, 3, 3), group=symmetric(5)).shape
    torch.Size([2, 5, 4, 7, 7])
    """
    tables = tables or mixing_tables(group)
    _check(x, weight, bias, tables, "PermutationConv2d", "channel(s), height, width")
    spread = pair(dilation, "dilation", least=1)
    options: dict[str, Any] = {"stride": pair(stride, "stride", least=1), "dilation": spread}
    taps = (weight.shape[-2], weight.shape[-1])
    options["padding"] = resolve_padding(padding, taps, spread)
    check_fits("PermutationConv2d", (x.shape[-2], x.shape[-1]), taps, options["padding"], spread)

    def apply(z: Tensor, level: Level) -> Tensor:
        kernel = torch.stack([weight[:, :, r] for r in level.relations], 1).flatten(1, 2)
        return F.conv2d(z.flatten(1, 2), kernel, _bias(bias, level), **options)

    return mix(x, tables, apply)


def set_pool(
    x: Float[Tensor, "batch member ..."], mode: SetPoolMode = "mean", *, group: PermutationGroup | str | None = None
) -> Float[Tensor, "batch ..."]:
    """Pool over the members of a set.

    Args:
        x: sets of anything.
        mode: ``"mean"``, ``"max"`` or ``"sum"``.
        group: pool over each orbit of members of this group, or of the one with this name, by itself, ``[batch, orbit,
            ...]``; by default over all members.

    Raises:
        ConfigError: unknown mode.
        GroupMismatchError: the name of the group is not understood.
        ShapeError: there is no axis of members, or there are not as many as the group permutes.

    >>> set_pool(torch.tensor([[[1.0], [2.0], [6.0]]])).tolist()
    [[3.0]]
    """
    return pool_orbits(x, mode, None if group is None else parse_permutations(group).orbits)


def pool_orbits(x: Tensor, mode: SetPoolMode, orbits: tuple[tuple[int, ...], ...] | None) -> Tensor:
    """As :func:`set_pool`, with the orbits of the group; None: one, without an axis of its own."""
    check_set_pool_mode(mode)
    members = None if orbits is None else sum(map(len, orbits))
    if x.ndim < 2 or members not in (None, x.shape[1]):
        raise ShapeError(
            f"SetPool: input has shape {tuple(x.shape)}; needs [batch, {'member' if members is None else members}, ...]"
        )
    if orbits is None:
        return x.amax(1) if mode == "max" else x.sum(1) if mode == "sum" else x.mean(1)
    return torch.stack([pool_orbits(x[:, list(orbit)], mode, None) for orbit in orbits], 1)


def check_set_pool_mode(mode: str) -> None:
    """Raise ConfigError unless the mode is known."""
    if mode not in get_args(SetPoolMode):
        raise ConfigError(f"mode={mode!r} is not a way to pool a set: choose one of 'mean', 'max', 'sum'")


def _bias(bias: Tensor | None, level: Level) -> Tensor | None:
    return None if bias is None or level.orbit is None else bias[:, level.orbit]


def check_members(x: Tensor, members: int, layer: str) -> None:
    """Raise ShapeError unless axis 1 holds so many members, each with axes of its own."""
    if x.ndim < 3 or x.shape[1] != members:
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; its group permutes {members} member(s), so it needs "
            f"[batch, {members}, ...]"
        )


def _check(x: Tensor, weight: Tensor, bias: Tensor | None, tables: Tables, layer: str, axes: str) -> None:
    """Raise ShapeError unless the input fits the weight, and both the group; x and weight have as many axes."""
    members, relations, orbits = tables.mixing.degree, tables.mixing.relations, len(tables.mixing.parts)
    if weight.ndim < 3 or weight.shape[2] != relations:
        raise ShapeError(
            f"{layer}: weight has shape {tuple(weight.shape)}; the group has {relations} relation(s) between members, "
            f"so it needs [out, in, {relations}, ...]"
        )
    if bias is not None and bias.shape != (weight.shape[0], orbits):
        raise ShapeError(
            f"{layer}: bias has shape {tuple(bias.shape)}; the group has {orbits} orbit(s) of members, so it needs "
            f"[{weight.shape[0]}, {orbits}]"
        )
    if x.ndim != weight.ndim or tuple(x.shape[1:3]) != (members, weight.shape[1]):
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; needs [batch, {members} member(s), {weight.shape[1]} {axes}]"
        )
    check_dtypes(x, weight, layer)
