"""Symmetries that data may have: their elements as moves of the input, and networks that respect them."""

import itertools
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision import functional
from equivision.continuous._elements import check_scales
from equivision.discovery import _networks
from equivision.errors import ConfigError, EquivisionError, GroupMismatchError
from equivision.groups import PermutationGroup, PlanarGroup, cyclic, parse_permutations, planar
from equivision.permutation import permute

Images = Float[Tensor, "batch channel height width"]
Move = Callable[[Tensor], Tensor]

#: Elements that the data is tried with; larger groups are sampled.
_MOST_MOVES = 24
_NEAR = 0.02  # scales may be rounded: two ratios are the same if they differ by less than this share
_LEFT_RIGHT, _UP_DOWN = "D1 left-right", "D1 up-down"


class Candidate(ABC):
    """A symmetry that data may have.

    Attributes:
        name: what it is called in results.
        learns: whether the network chooses how much of it to respect, so that there is no group to count or to test.
    """

    name: str
    learns: bool = False

    @property
    @abstractmethod
    def order(self) -> int:
        """Number of elements."""

    @property
    def bits(self) -> float:
        """The logarithm of the order to base 2: what the complexity penalty counts."""
        return math.log2(self.order)

    @abstractmethod
    def moves(self) -> dict[str, Move]:
        """What its elements do to images, by name, without the identity; a sample where there are many."""

    @abstractmethod
    def network(self, in_channels: int, num_classes: int, parameters: int) -> nn.Module:
        """A small network that respects it, with about this number of parameters."""

    def contains(self, other: "Candidate") -> bool:
        """Whether every element of the other one is an element of this one."""
        return other.order == 1

    def description(self) -> str:
        """All that it depends on, in words that are the same in every process: names may be shared, this is not."""
        return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(self))

    def check(self, in_channels: int, size: tuple[int, int]) -> None:  # noqa: B027 (most have nothing to check)
        """Raise an error if it cannot act on such images."""


@dataclass(frozen=True)
class PlaneSymmetry(Candidate):
    """Rotations, or rotations and reflections, of the plane.

    Attributes:
        group: C_n or D_n, which reverses the rows first.
        turned: all of it turned by 90 degrees: D1 then is left-right symmetry.

    >>> left_right = PlaneSymmetry(planar("D1"), turned=True)
    >>> left_right.name, list(left_right.moves())
    ('D1 left-right', ['mirrored, 180°'])
    >>> PlaneSymmetry(planar("D4")).contains(left_right), PlaneSymmetry(planar("D1")).contains(left_right)
    (True, False)
    """

    group: PlanarGroup
    turned: bool = False

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Name of the group; for D1 with its mirror."""
        if self.group.name == "D1":
            return _LEFT_RIGHT if self.turned else _UP_DOWN
        return f"{self.group.name}{' turned' if self.turned else ''}"

    @property
    def order(self) -> int:
        return self.group.order

    def _elements(self) -> list[tuple[int, float]]:
        """Flips and degrees of all elements: R90 (R_a M) R-90 = R_(a + 180) M."""
        elements = ((self.group.split(g)[0], self.group.degrees(g)) for g in range(self.group.order))
        return [(flips, (degrees + 180 * (flips * self.turned)) % 360) for flips, degrees in elements]

    def moves(self) -> dict[str, Move]:
        return {
            f"{'mirrored, ' if flips else ''}{degrees:g}°": _PlaneMove(flips, degrees)
            for flips, degrees in self._elements()
            if flips or degrees
        }

    def network(self, in_channels: int, num_classes: int, parameters: int) -> nn.Module:
        def build(width: int) -> nn.Module:
            return _networks.planar_network(width, self.group, in_channels, num_classes, turned=self.turned)

        return _networks.matched(build, parameters)

    def contains(self, other: Candidate) -> bool:
        if isinstance(other, PlaneSymmetry):
            return set(other._elements()) <= set(self._elements())
        return super().contains(other)

    def check(self, in_channels: int, size: tuple[int, int]) -> None:
        if size[0] != size[1] and any(degrees % 180 for _, degrees in self._elements()):
            raise ConfigError(
                f"candidate {self.name} turns pictures by other angles than 180 degrees, but they are {size[0]} x "
                f"{size[1]}: crop them to squares, or choose among C1, C2, left-right, up-down and D2"
            )


@dataclass(frozen=True)
class _PlaneMove:
    """Reverse the rows if it flips, then turn counter-clockwise; interpolated off the pixel grid."""

    flips: int
    degrees: float

    def __call__(self, x: Images) -> Images:
        x = x.flip(-2) if self.flips else x
        turns, rest = divmod(self.degrees, 90)
        return functional.rotate(x, self.degrees, padding_mode="border") if rest else x.rot90(int(turns), (-2, -1))


@dataclass(frozen=True)
class ScaleSymmetry(Candidate):
    """Enlarging and shrinking about the centre.

    Attributes:
        scales: enlargements that are looked for, at least two, ascending, each as many times the one before.

    Raises:
        ConfigError: scales are something else.
    """

    scales: tuple[float | int, ...] = (1.0, 1.4, 1.96)

    name = "scale"

    def __post_init__(self) -> None:
        scales = check_scales(self.scales)
        ratios = [after / before for before, after in itertools.pairwise(scales)]
        if not ratios or max(ratios) > (1 + _NEAR) * min(ratios):
            raise ConfigError(
                f"scales={self.scales!r}: give two enlargements or more, each as many times the one before, such as "
                "(1.0, 1.4, 1.96)"
            )
        object.__setattr__(self, "scales", scales)  # floats, so that equal ones are written in one way

    @property
    def order(self) -> int:
        return len(self.scales)

    def moves(self) -> dict[str, Move]:
        ratio = self.scales[1] / self.scales[0]
        return {f"x {scale:.2g}": _ScaleMove(scale) for scale in (1 / ratio, ratio)}

    def network(self, in_channels: int, num_classes: int, parameters: int) -> nn.Module:
        def build(width: int) -> nn.Module:
            return _networks.scale_network(width, self.scales, in_channels, num_classes)

        return _networks.matched(build, parameters)


@dataclass(frozen=True)
class _ScaleMove:
    """Enlarge about the centre."""

    scale: float

    def __call__(self, x: Images) -> Images:
        return functional.rescale(x, self.scale)


@dataclass(frozen=True)
class ChannelSymmetry(Candidate):
    """Channels that may be exchanged, as interchangeable sensors. Equal parts of the channels are one sensor each.

    >>> ChannelSymmetry(parse_permutations("S3")).order
    6
    """

    group: PermutationGroup

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Name of the group."""
        return self.group.name

    @property
    def order(self) -> int:
        return self.group.order

    def moves(self) -> dict[str, Move]:
        if self.order <= _MOST_MOVES:
            found = list(self.group.elements())
        else:
            rng = np.random.default_rng(0)
            found = [self.group.sample(rng) for _ in range(_MOST_MOVES)]
        return {f"channels {p}": _ChannelMove(p) for p in found if p != self.group.identity}

    def network(self, in_channels: int, num_classes: int, parameters: int) -> nn.Module:
        def build(width: int) -> nn.Module:
            return _networks.permutation_network(width, self.group, in_channels, num_classes)

        return _networks.matched(build, parameters)

    def contains(self, other: Candidate) -> bool:
        if not isinstance(other, ChannelSymmetry) or other.group.degree != self.group.degree:
            return super().contains(other)
        try:
            _ = [self.group.check_element(p) for p in other.group.generators]
        except GroupMismatchError:
            return False
        return True

    def check(self, in_channels: int, size: tuple[int, int]) -> None:
        if in_channels % self.group.degree:
            raise ConfigError(
                f"candidate {self.name} exchanges {self.group.degree} sensors, but images have {in_channels} "
                "channel(s): give a group of as many members as there are channels, or of a divisor of them"
            )


@dataclass(frozen=True)
class _ChannelMove:
    """Send member i to place p[i]."""

    p: tuple[int, ...]

    def __call__(self, x: Images) -> Images:
        return permute(x.unflatten(1, (len(self.p), -1)), self.p).flatten(1, 2)


@dataclass(frozen=True)
class LearnedSymmetry(Candidate):
    """Turns and reflections, of which every layer learns how much it respects: the soft alternative to a choice."""

    name = "learned"
    learns = True

    @property
    def order(self) -> int:
        return 1

    def moves(self) -> dict[str, Move]:
        return {}

    def network(self, in_channels: int, num_classes: int, parameters: int) -> nn.Module:
        def build(width: int) -> nn.Module:
            return _networks.partial_network(width, in_channels, num_classes)

        return _networks.matched(build, parameters)

    def contains(self, other: Candidate) -> bool:
        return False


#: No symmetry but that of the convolution.
TRIVIAL = PlaneSymmetry(cyclic(1))
#: What is tried when nothing is said: the groups of the pixel grid, and turns by 45 degrees.
PLANE = ("C1", "up-down", "left-right", "C2", "D2", "C4", "D4", "C8")


#: What :func:`candidate` reads.
CandidateLike = Candidate | PlanarGroup | PermutationGroup | str


def candidate(given: CandidateLike) -> Candidate:
    """Read the name of a symmetry: ``"C4"``, ``"D4"``, ``"left-right"``, ``"up-down"``, ``"scale"``, ``"S3"``,
    ``"learned"``.

    The mirrors are also read by the names that results give them, ``"D1 left-right"`` and ``"D1 up-down"``. A group of
    the plane, or of channels that may be exchanged, is taken as such; a candidate passes through.

    Raises:
        ConfigError: the name is not understood.

    >>> candidate("left-right").name, candidate("left-right") == candidate("D1 left-right")
    ('D1 left-right', True)
    """
    if isinstance(given, Candidate):
        return given
    if isinstance(given, PlanarGroup):
        return PlaneSymmetry(given)
    if isinstance(given, PermutationGroup):
        return ChannelSymmetry(given)
    known: dict[str, Candidate] = {
        **dict.fromkeys(("left-right", _LEFT_RIGHT.lower()), PlaneSymmetry(planar("D1"), turned=True)),
        **dict.fromkeys(("up-down", _UP_DOWN.lower()), PlaneSymmetry(planar("D1"))),
        "scale": ScaleSymmetry(),
        "learned": LearnedSymmetry(),
    }
    wanted = (
        f"candidate {given!r} is not understood: give C_n or D_n for turns, without or with reflections (C4, D4), "
        "left-right, up-down, scale, S_n for channels that may be exchanged (S3), learned, a group, or a Candidate"
    )
    if not isinstance(given, str):
        raise ConfigError(wanted)
    text = given.strip()
    name = text.lower()
    if name in known:
        return known[name]
    try:
        return PlaneSymmetry(planar(text)) if re.match(r"[cd]\d", name) else ChannelSymmetry(parse_permutations(text))
    except EquivisionError as error:
        raise ConfigError(wanted) from error


def candidates_of(given: CandidateLike | Sequence[CandidateLike]) -> list[Candidate]:
    """Read a list of candidates, or one; the trivial one comes first, as the others are measured against it.

    Raises:
        ConfigError: a name is not understood, or given twice.
    """
    listed = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    found = [candidate(one) for one in listed]
    others = [one for one in found if one != TRIVIAL]
    names = [one.name for one in others]
    if len(set(names)) < len(names):
        raise ConfigError(f"candidates={[one.name for one in found]}: give each one once")
    return [TRIVIAL, *others]


def moved(x: Tensor, move: Move) -> Tensor:
    """Images after a move, in their own memory."""
    with torch.no_grad():
        return move(x).contiguous()
