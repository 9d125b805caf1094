"""Group names, read at the edge only: command line, configuration files, constructors."""

import re
from functools import reduce

from equivision.errors import GroupMismatchError
from equivision.groups._base import FiniteGroup, SpatialGroup
from equivision.groups._orthogonal import OrthogonalGroup, PlaneGroup
from equivision.groups._permutation import PermutationGroup
from equivision.groups._permutation_families import cyclic_shifts, disjoint_product, symmetric, wreath_product
from equivision.groups._planar import PlanarGroup
from equivision.groups._point import CRYSTAL_CLASSES, SYMBOLS, PointGroup, full_octahedral, octahedral
from equivision.groups._product import direct_product

#: Groups of the plane as groups of space: by rotations alone, where reflections become half turns; and by reflections.
_IN_SPACE = {
    **{f"C{n}": (str(n),) for n in (1, 2, 3, 4, 6)},
    "D1": ("2", "m"),
    "D2": ("222", "mm2"),
    "D3": ("32", "3m"),
    "D4": ("422", "4mm"),
    "D6": ("622", "6mm"),
}


def parse(group: FiniteGroup | str) -> FiniteGroup:
    """Read a name such as ``"C4"``, ``"D4"`` or ``"C4xC2"``; a group passes through unchanged.

    >>> parse("D4")
    dihedral(4)

    Raises:
        GroupMismatchError: the name is not understood.
    """
    if isinstance(group, FiniteGroup):
        return group
    parts = [re.fullmatch(r"([CDcd])([1-9]\d*)", part) for part in str(group).split("x")]
    if not all(parts):
        raise GroupMismatchError(
            f"group={group!r} is not a group name: write C or D and a number (C4: quarter turns; D4: quarter turns and "
            "reflections; C1: no symmetry), or a product such as C4xC2; steerable layers also know SO2 and O2"
        )
    factors: list[FiniteGroup] = [PlanarGroup(int(m[2]), m[1] in "Dd") for m in parts if m]
    result = factors[0]
    for factor in factors[1:]:
        result = direct_product(result, factor)
    return result


def planar(group: FiniteGroup | str) -> PlanarGroup:
    """As :func:`parse`, for a group that must act on images.

    >>> planar("C4")
    cyclic(4)

    Raises:
        GroupMismatchError: the name is not understood, or the group does not act on the plane.
    """
    parsed = parse(group)
    if not isinstance(parsed, PlanarGroup):
        raise GroupMismatchError(f"group={group!r} does not act on images: use C_n or D_n, such as C4 or D4")
    return parsed


def parse_plane(group: PlaneGroup | str) -> PlaneGroup:
    """As :func:`planar`, with the continuous groups too: ``"SO2"`` and ``"O2"``.

    >>> parse_plane("SO2"), parse_plane("D8")
    (special_orthogonal(), dihedral(8))

    Raises:
        GroupMismatchError: the name is not understood, or the group does not act on the plane.
    """
    if isinstance(group, OrthogonalGroup):
        return group
    if isinstance(group, str) and group.upper() in ("SO2", "O2"):
        return OrthogonalGroup(reflections=group.upper() == "O2")
    return planar(group)


def parse_point(group: PointGroup | str) -> PointGroup:
    """As :func:`parse`, for a point group of space: ``"O"`` and ``"Oh"``, the rotations of a cube without and with its
    reflections, and the Hermann-Mauguin symbols, such as ``"432"`` (which is O), ``"4/mmm"`` or ``"622"``.

    >>> parse_point("O"), parse_point("6/mmm")
    (point_group('432'), point_group('6/mmm'))

    Raises:
        GroupMismatchError: the name is not understood.
    """
    if isinstance(group, PointGroup):
        return group
    if group in ("O", "Oh"):
        return octahedral() if group == "O" else full_octahedral()
    try:
        return PointGroup(group)
    except GroupMismatchError as error:
        raise GroupMismatchError(
            f"group={group!r} is not the name of a point group of space: write O or Oh (the rotations of a cube, "
            f"without and with reflections), or a Hermann-Mauguin symbol, one of {', '.join(CRYSTAL_CLASSES)}"
            f"{_in_space(group)}"
        ) from error


def _in_space(group: object) -> str:
    """What a group of the plane, or its name, is in space, if it is anything there."""
    name = group.name if isinstance(group, PlanarGroup) else group
    if not isinstance(name, str) or name not in _IN_SPACE:
        return ""
    turning, *mirrored = _IN_SPACE[name]
    rest = f", or {mirrored[0]} with reflections" if mirrored else ""
    return f"; what is {name} in the plane is {turning} in space{rest}"


def spatial(group: SpatialGroup | str) -> PlanarGroup | PointGroup:
    """As :func:`planar` and :func:`parse_point`, for a group that acts on images or on volumes.

    >>> spatial("D4"), spatial("Oh")
    (dihedral(4), point_group('m-3m'))

    Raises:
        GroupMismatchError: the name is not understood, or the group acts neither on the plane nor on space.
    """
    if isinstance(group, PointGroup) or (isinstance(group, str) and group in ("O", "Oh", *SYMBOLS)):
        return parse_point(group)
    return planar(group)  # pyright: ignore[reportArgumentType]  # which says what is wrong with any other value


def parse_permutations(group: PermutationGroup | str) -> PermutationGroup:
    """As :func:`parse`, for a group that permutes points: ``"S5"``, ``"C5"`` (shifts around a ring), products of parts
    such as ``"S1xS4"``, and blocks in blocks such as ``"S3wrS4"``, four blocks of three; ``wr`` binds first.

    >>> parse_permutations("S1xS4")
    disjoint_product(symmetric(1), symmetric(4))
    >>> parse_permutations("S3wrS4").degree
    12

    Raises:
        GroupMismatchError: the name is not understood.
    """
    if isinstance(group, PermutationGroup):
        return group
    parts = [[re.fullmatch(r"([SC])([1-9]\d*)", one) for one in part.split("wr")] for part in str(group).split("x")]
    factors: list[PermutationGroup] = []
    for part in parts:
        found = [(symmetric if m[1] == "S" else cyclic_shifts)(int(m[2])) for m in part if m]
        if len(found) < len(part):
            raise GroupMismatchError(
                f"group={group!r} is not the name of a permutation group: write S and a number (S5: five points in any "
                "order), C and a number (C5: shifts around a ring), a product of parts such as S1xS4 (the first point "
                "stays), or blocks in blocks such as S3wrS4 (four blocks of three); for others see "
                "equivision.groups.permutation_group"
            )
        factors.append(reduce(wreath_product, found))
    return factors[0] if len(factors) == 1 else disjoint_product(*factors)
