"""How the channels of a layer are divided into feature groups of one or of several sizes."""

from collections.abc import Sequence
from fractions import Fraction

from equivision._numbers import check_count
from equivision.errors import ConfigError

#: Pairs (size, count), in the order of the channels.
FeatureGroups = tuple[tuple[int, int], ...]


def shares_of(sizes: Sequence[int]) -> list[Fraction]:
    """Which part of the groups has which size: half the first, a quarter the next, ..., the last two as many."""
    halves = [Fraction(1, 2 ** (i + 1)) for i in range(len(sizes))]
    halves[-1] = 1 - sum(halves[:-1], start=Fraction(0))
    return halves


def pairs_of(sizes: Sequence[int], groups: int) -> FeatureGroups:
    """So many groups, divided among the sizes."""
    return tuple((size, int(part * groups)) for size, part in zip(sizes, shares_of(sizes), strict=True))


def sizes_of(kind: str | int) -> tuple[int, ...]:
    """The sizes that a text such as ``"4"``, ``"4-2-1"`` or ``"R8-4-2"`` names.

    Raises:
        ConfigError: it does not read as such.
    """
    parts = str(kind).removeprefix("R").split("-")
    sizes = tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()
    if isinstance(kind, bool) or not sizes or min(sizes) < 1 or list(sizes) != sorted(set(sizes), reverse=True):
        raise ConfigError(
            f"feature_groups={kind!r}: give one size, as in 4, or falling sizes joined by '-', as in '4-2-1'"
        )
    return sizes


def fewest_groups(kind: str | int) -> int:
    """The smallest number of groups in the proportions of their sizes; other numbers are multiples of it."""
    return shares_of(sizes_of(kind))[-1].denominator


def feature_groups(kind: str | int, channels: int) -> FeatureGroups:
    """Divide channels into groups of one size, or of several.

    With several sizes half of the *groups* have the first, a quarter the second, and so on; the last two are as many:
    ``"4-2-1"`` is 50 % of four, 25 % of two, 25 % of one.

    Args:
        kind: one size, or sizes joined by ``-``, such as ``"8-4-2-1"``, with or without a leading R.
        channels: how many channels there are.

    Returns:
        Pairs (size, count), for :class:`FeatureGroupPool`.

    Raises:
        ConfigError: the text is not understood, or so many channels cannot be divided in that way; the message names
            the nearest numbers that can.

    Source: IEN, section 3.3 and table 7.

    >>> feature_groups("R4-2-1", 88)
    ((4, 16), (2, 8), (1, 8))
    """
    check_count("channels", channels)
    sizes = sizes_of(kind)
    parts = shares_of(sizes)
    mean = sum((part * size for part, size in zip(parts, sizes, strict=True)), start=Fraction(0))
    block = int(mean * parts[-1].denominator)  # channels of the fewest groups in these proportions
    if channels % block:
        below, above = channels // block * block, (channels // block + 1) * block
        near = f"{below} or {above}" if below else f"{above}"
        raise ConfigError(
            f"feature_groups={kind!r} do not divide {channels} channels: give a multiple of {block}, such as {near}"
        )
    return pairs_of(sizes, int(channels / mean))


def channels_for(kind: str | int, groups: int) -> int:
    """How many channels so many feature groups have.

    Args:
        kind: as in :func:`feature_groups`.
        groups: how many groups.

    Raises:
        ConfigError: the text is not understood, or so many groups cannot be divided in that way.

    Source: IEN, section 3.3.

    >>> channels_for(4, 32), channels_for("4-2-1", 32), channels_for("8-4-2-1", 24)
    (128, 88, 129)
    """
    check_count("groups", groups)
    sizes, block = sizes_of(kind), fewest_groups(kind)
    if groups % block:
        near = (groups // block + 1) * block
        raise ConfigError(f"groups={groups}: for feature_groups={kind!r} give a multiple of {block}, such as {near}")
    return sum(size * count for size, count in pairs_of(sizes, groups))


def channel_share(groups: Sequence[tuple[int, int]]) -> float:
    """Channels of feature groups in % of those of as many groups of the largest size.

    Args:
        groups: pairs (size, count).

    Raises:
        ConfigError: there are none.

    Source: IEN, table 4.

    >>> channel_share(feature_groups("8-4-2-1", 43)), channel_share(feature_groups("4-2-1", 11))
    (67.1875, 68.75)
    """
    channels = sum(size * count for size, count in groups)
    if not channels:
        raise ConfigError(f"groups={groups!r}: give at least one pair (size, count), as feature_groups does")
    return 100 * channels / (sum(count for _, count in groups) * max(size for size, _ in groups))
