"""Pairs of crops from which Siamese trackers learn."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.utils.data import Dataset

from equivision.data._crops import context_side, crop_and_resize
from equivision.data._random import random_uniform
from equivision.data._sequences import TrackingSequence
from equivision.errors import ConfigError, DataError

Pair = tuple[Float32[Tensor, "3 exemplar exemplar"], Float32[Tensor, "3 search search"], Float32[Tensor, "2"]]


class TrackingPairs(Dataset):
    """Exemplar z, search region x, and where in x the target is.

    Both crops come from one sequence, from frames at most ``max_gap`` apart, with the target visible. The exemplar is
    the square of side :func:`context_side` around the target; the search region is larger by ``search_size /
    exemplar_size``, so a target has the same size in both crops. In the search region it is off the centre by up to
    ``shift`` pixels along each axis: a network that always answers "the middle" learns nothing. What lies outside a
    frame has its mean colour.

    Pair i depends on the seed and on i only. ``len(pairs)`` is the number of pairs in an epoch, but larger i give
    further pairs: epoch e takes those from ``e len(pairs)`` on.

    Args:
        sequences: where the crops come from, each equally often.
        length: pairs in an epoch.
        exemplar_size: side of z.
        search_size: side of x.
        max_gap: largest distance between the two frames.
        shift: largest offset of the target along each axis, in pixels of x; 0: always in the middle.
        stretch: the sides of the squares are multiplied, each by its own factor, between 1 / (1 + stretch) and
            1 + stretch.
        seed: of all choices.

    ``pairs[i]`` is (z, x, offset): z and x as floats in [0, 1]; ``offset`` is (right, down), from the centre of x to
    the centre of the target's box, in pixels of x.

    Raises:
        ConfigError: a number is out of range.
        DataError: there is no sequence, or one without a visible target.

    From Bertinetto et al., Fully-convolutional Siamese networks for object tracking, 2016, section 3.

    >>> from equivision.data import synthetic_sequences
    >>> pairs = TrackingPairs(synthetic_sequences(2, backgrounds="noise", frames=9), length=100)
    >>> z, x, offset = pairs[7]
    >>> len(pairs), z.shape, x.shape, offset.shape
    (100, torch.Size([3, 127, 127]), torch.Size([3, 255, 255]), torch.Size([2]))
    """

    def __init__(
        self,
        sequences: Sequence[TrackingSequence],
        *,
        length: int = 1000,
        exemplar_size: int = 127,
        search_size: int = 255,
        max_gap: int = 100,
        shift: float = 32.0,
        stretch: float = 0.05,
        seed: int = 0,
    ) -> None:
        for name, value, least in (
            ("length", length, 1),
            ("exemplar_size", exemplar_size, 1),
            ("search_size", search_size, exemplar_size),
            ("max_gap", max_gap, 0),
            ("shift", shift, 0),
            ("stretch", stretch, 0),
        ):
            if not (math.isfinite(value) and value >= least):
                raise ConfigError(f"{name}={value}: it must be finite, and at least {least}")
        if not sequences:
            raise DataError("sequences is empty: give at least one, for example those of find_sequences")
        for one in sequences:
            if one.visible is not None and not one.visible.any():
                raise DataError(f"{one!r}: its target is never visible; leave it out")
        self.sequences, self.length, self.max_gap, self.seed = tuple(sequences), length, max_gap, seed
        self.exemplar_size, self.search_size, self.shift, self.stretch = exemplar_size, search_size, shift, stretch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Pair]:
        """The pairs of an epoch, the first one."""
        return map(self.__getitem__, range(self.length))

    def __getitem__(self, index: int) -> Pair:
        if index < 0:
            raise IndexError(f"pair {index}: pairs are counted from 0")
        random = random_uniform(np.arange(7), "tracking pairs", self.seed, index).tolist()
        sequence = self.sequences[int(random[0] * len(self.sequences))]
        first, second = self._choose(sequence, random[1], random[2])
        offset = tuple(self.shift * (2 * value - 1) for value in random[3:5])
        z = self._crop(sequence, first, self.exemplar_size, (0.0, 0.0), random[5])
        x = self._crop(sequence, second, self.search_size, offset, random[6])
        return z, x, torch.tensor(offset, dtype=torch.float32)

    def _choose(self, sequence: TrackingSequence, first: float, second: float) -> tuple[int, int]:
        """Two frames with a visible target, at most max_gap apart, from two numbers in [0, 1)."""
        among = torch.arange(len(sequence)) if sequence.visible is None else sequence.visible.nonzero().flatten()
        chosen = int(among[int(first * len(among))])
        near = among[(among - chosen).abs() <= self.max_gap]
        return chosen, int(near[int(second * len(near))])

    def _crop(
        self, sequence: TrackingSequence, index: int, size: int, offset: tuple[float, ...], stretch: float
    ) -> Float32[Tensor, "3 size size"]:
        """A square that has the target off its middle by ``offset`` pixels of the crop."""
        left, top, width, height = sequence.boxes[index].tolist()
        factor = (1 + self.stretch) ** (2 * stretch - 1)
        scale = context_side(width, height) * factor / self.exemplar_size
        centre = (left + width / 2 - offset[0] * scale, top + height / 2 - offset[1] * scale)
        return crop_and_resize(sequence.frame(index), centre, scale * size, size)
