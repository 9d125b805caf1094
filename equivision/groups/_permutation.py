"""Groups that permute a finite set of points: what all of them can do, and their orbits on points and on pairs."""

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from equivision.errors import GroupMismatchError
from equivision.groups._base import Group, IntArray

#: Point i goes to the i-th number.
Permutation = tuple[int, ...]


class PermutationGroup(Group):
    """A group of permutations of the points ``0 .. degree - 1``.

    An element is the tuple of the images of all points: ``p`` sends point i to ``p[i]``. The elements are never listed
    unless you ask for them: S_20 has 2.4e18, and orbits need its two generators only. Build one with
    :func:`~equivision.groups.symmetric`, :func:`~equivision.groups.cyclic_shifts`,
    :func:`~equivision.groups.permutation_group`, :func:`~equivision.groups.disjoint_product` or
    :func:`~equivision.groups.wreath_product`.
    """

    @property
    @abstractmethod
    def degree(self) -> int:
        """Number of points."""

    @property
    @abstractmethod
    def generators(self) -> tuple[Permutation, ...]:
        """Elements whose products reach the whole group (empty for the trivial group)."""

    @abstractmethod
    def _holds(self, p: Permutation) -> bool:
        """Whether a permutation of the points is an element."""

    @abstractmethod
    def sample(self, rng: "np.random.Generator") -> Permutation:  # in quotes: evaluated, it would load numpy.random
        """A random element; all are equally likely."""

    @property
    def identity(self) -> Permutation:
        """The element that moves nothing."""
        return tuple(range(self.degree))

    def check_element(self, g: Any) -> Permutation:
        """Return ``g`` as a tuple of whole numbers if it is an element, else raise :class:`GroupMismatchError`."""
        p = tuple(int(i) for i in g) if isinstance(g, (tuple, list, np.ndarray)) else ()
        if sorted(p) != list(range(self.degree)) or not self._holds(p):
            raise GroupMismatchError(
                f"element g={g!r} is not in {self.name}: elements are the images of the points 0 to "
                f"{self.degree - 1}, such as {self.generators[0] if self.generators else self.identity}"
            )
        return p

    def product(self, g: Permutation, h: Permutation) -> Permutation:
        """The product gh: first h and then g."""
        return compose(self.check_element(g), self.check_element(h))

    def inverse(self, g: Permutation) -> Permutation:
        """The element that undoes g."""
        return inverse(self.check_element(g))

    def elements(self) -> Iterator[Permutation]:
        """All elements, one by one, the identity first. For small groups: those given are kept in memory."""
        seen, waiting = {self.identity}, deque([self.identity])
        while waiting:
            p = waiting.popleft()
            yield p
            for reached in (compose(generator, p) for generator in self.generators):
                if reached not in seen:
                    seen.add(reached)
                    waiting.append(reached)

    @property
    def orbits(self) -> tuple[tuple[int, ...], ...]:
        """The sets of points that the group moves onto each other, by their smallest point."""
        return _orbits(self)

    @property
    def pair_orbits(self) -> IntArray:
        """Number of the orbit of every pair of points, ``[degree, degree]`` (read-only).

        A matrix W commutes with all elements, ``W[p[i], p[j]] = W[i, j]``, exactly if it is constant on these orbits.
        They are numbered row by row, each row from the diagonal on, ``(i, i), (i, i + 1), ...``, around its end.

        >>> from equivision.groups import symmetric
        >>> symmetric(3).pair_orbits.tolist()
        [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
        """
        return _pair_orbits(self)


def compose(g: Permutation, h: Permutation) -> Permutation:
    """First h, then g."""
    return tuple(g[i] for i in h)


def inverse(g: Permutation) -> Permutation:
    """What undoes g."""
    return tuple(sorted(range(len(g)), key=g.__getitem__))


def components(count: int, left: IntArray, right: IntArray) -> IntArray:
    """For each of ``count`` points the smallest point that it is connected with; ``left[k] - right[k]`` are edges."""
    label = np.arange(count)
    while True:
        low, new = np.minimum(label[left], label[right]), label.copy()
        for ends in (left, right, label[left], label[right]):
            np.minimum.at(new, ends, low)
        new = new[new]
        if (new == label).all():
            return label
        label = new


def ranked(labels: IntArray) -> IntArray:
    """The labels as 0, 1, 2, ... in the order in which they are first seen."""
    _, first, back = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[back.reshape(labels.shape)]


@lru_cache(maxsize=256)
def _orbits(group: PermutationGroup) -> tuple[tuple[int, ...], ...]:
    points = np.arange(group.degree)
    images = np.array([group.identity, *group.generators])
    label = components(group.degree, np.tile(points, len(images)), images.reshape(-1))
    return tuple(tuple(np.flatnonzero(label == first).tolist()) for first in np.unique(label))


@lru_cache(maxsize=64)
def _pair_orbits(group: PermutationGroup) -> IntArray:
    n = group.degree
    images = np.array([group.identity, *group.generators])
    moved = (images[:, :, None] * n + images[:, None, :]).reshape(-1)
    label = components(n * n, np.tile(np.arange(n * n), len(images)), moved).reshape(n, n)
    rows = np.arange(n)[:, None]
    columns = (rows + np.arange(n)) % n  # each row from the diagonal on
    numbers = np.empty_like(label)
    numbers[rows, columns] = ranked(label[rows, columns])
    numbers.setflags(write=False)
    return numbers
