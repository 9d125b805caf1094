"""Homomorphisms between groups."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from equivision.errors import GroupMismatchError
from equivision.groups._base import FiniteGroup, SpatialGroup
from equivision.groups._planar import PlanarGroup
from equivision.groups._point import PointGroup
from equivision.groups._subgroup import Subgroup


@dataclass(frozen=True)
class Homomorphism:
    """A map ``source -> target`` with ``f(gh) = f(g) f(h)``; ``images[g]`` is the image of element g.

    >>> from equivision.groups import cyclic
    >>> doubling = Homomorphism(cyclic(4), cyclic(4), (0, 2, 0, 2))
    >>> doubling.kernel().elements, doubling.image().elements
    ((0, 2), (0, 2))

    Raises:
        GroupMismatchError: an element has no image in ``target``, or the map does not respect products.
    """

    source: FiniteGroup
    target: FiniteGroup
    images: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.images) != self.source.order:
            raise GroupMismatchError(
                f"images has {len(self.images)} entries; {self.source.name} has {self.source.order} elements"
            )
        images = np.array([self.target.check_element(image) for image in self.images])
        object.__setattr__(self, "images", tuple(images.tolist()))
        broken = np.argwhere(images[self.source.table] != self.target.table[images[:, None], images[None, :]])
        if broken.size:
            g, h = broken[0]
            raise GroupMismatchError(
                f"images={self.images} is not a homomorphism {self.source.name} -> {self.target.name}: "
                f"f({g})f({h}) differs from f({g}*{h})"
            )

    def __call__(self, g: int) -> int:
        return self.images[self.source.check_element(g)]

    def kernel(self) -> Subgroup:
        """The elements that map to the identity."""
        return Subgroup(self.source, tuple(g for g, image in enumerate(self.images) if image == self.target.identity))

    def image(self) -> Subgroup:
        """The elements of the target that are reached."""
        return Subgroup(self.target, tuple(set(self.images)))

    @property
    def is_injective(self) -> bool:
        """Whether different elements have different images."""
        return len(set(self.images)) == self.source.order

    def after(self, first: "Homomorphism") -> "Homomorphism":
        """The composition: ``first``, then this one."""
        if first.target != self.source:
            raise GroupMismatchError(f"cannot compose: first ends in {first.target.name}, not in {self.source.name}")
        return Homomorphism(first.source, self.target, tuple(self.images[image] for image in first.images))


def _extend(source: FiniteGroup, target: FiniteGroup, chosen: dict[int, int]) -> tuple[int, ...] | None:
    """Extend images of the generators along products; None when two paths disagree."""
    products, target_products = source.table, target.table
    images = {source.identity: target.identity}
    frontier = [source.identity]
    while frontier:
        g = frontier.pop()
        for generator, image in chosen.items():
            reached, value = int(products[g, generator]), int(target_products[images[g], image])
            if reached not in images:
                images[reached] = value
                frontier.append(reached)
            elif images[reached] != value:
                return None
    return tuple(images[g] for g in range(source.order))


def homomorphisms(source: FiniteGroup, target: FiniteGroup) -> tuple[Homomorphism, ...]:
    """All homomorphisms, found from the images of the generators.

    >>> from equivision.groups import cyclic
    >>> len(homomorphisms(cyclic(6), cyclic(4)))
    2
    """
    generators = source.generators
    found = set()
    for images in product(range(target.order), repeat=len(generators)):
        extended = _extend(source, target, dict(zip(generators, images, strict=True)))
        if extended is not None:
            found.add(extended)
    return tuple(Homomorphism(source, target, images) for images in sorted(found))


def inclusion(subgroup: SpatialGroup, group: SpatialGroup) -> Homomorphism:
    """The inclusion of one group in another that keeps the action on the plane, or on space.

    >>> from equivision.groups import cyclic, dihedral, full_octahedral, point_group
    >>> inclusion(cyclic(2), dihedral(4)).images
    (0, 2)
    >>> inclusion(point_group("222"), full_octahedral()).is_injective
    True

    Raises:
        GroupMismatchError: ``subgroup`` is not contained in ``group``.
    """
    if isinstance(subgroup, PlanarGroup) and isinstance(group, PlanarGroup):
        return _plane_inclusion(subgroup, group)
    if isinstance(subgroup, PointGroup) and isinstance(group, PointGroup):
        return _space_inclusion(subgroup, group)
    raise GroupMismatchError(
        f"subgroup={subgroup!r} and group={group!r}: one acts on the plane, the other on space; give two of a kind"
    )


def _plane_inclusion(subgroup: PlanarGroup, group: PlanarGroup) -> Homomorphism:
    if group.rotations % subgroup.rotations or (subgroup.reflections and not group.reflections):
        mirrors = "" if group.reflections else ", which has no reflections"
        raise GroupMismatchError(
            f"subgroup={subgroup.name} is not contained in {group.name}: its rotations must be among the "
            f"{group.rotations} rotations of {group.name}{mirrors}"
        )
    step = group.rotations // subgroup.rotations
    images = (group.element(f, step * r) for f, r in map(subgroup.split, range(subgroup.order)))
    return Homomorphism(subgroup, group, tuple(images))


def _space_inclusion(subgroup: PointGroup, group: PointGroup) -> Homomorphism:
    distances = np.abs(subgroup.matrices[:, None] - group.matrices[None]).max((2, 3))
    images = distances.argmin(1)
    outside = np.flatnonzero(distances.min(1) > 1e-9)
    if outside.size:
        raise GroupMismatchError(
            f"subgroup={subgroup.name} is not contained in {group.name}, which lacks its element "
            f"{subgroup.element_name(int(outside[0]))}: take a group with these axes, or another setting"
        )
    return Homomorphism(subgroup, group, tuple(images.tolist()))
