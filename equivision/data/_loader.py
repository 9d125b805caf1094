"""Batches from memory, in an order that depends on (seed, epoch) only."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from equivision.data._images import ImageData
from equivision.data._random import permutation
from equivision.data._variants import Variant
from equivision.errors import ConfigError

Target = Int[Tensor, " batch"] | Int[Tensor, "batch height width"]
Batch = tuple[Float[Tensor, "batch channel height width"], Target]


def check_augment(augment: Variant) -> Variant:
    """The same; a ConfigError where it moves the images alike in every epoch."""
    if not augment.is_random:
        raise ConfigError(
            f"augment={augment.name!r} would move the images alike in every epoch: choose a random variant, such as "
            "'quarters', 'quarters_reflected' or 'rotated', or give it as the variant of training"
        )
    return augment


class VariantDataset(Dataset):
    """Images moved by a variant, with their labels or their masks.

    Nothing is derived in advance: a batch is converted to floats in [0, 1] and moved as a whole when it is asked for,
    which costs about 15 microseconds for a 28x28 image and no memory.

    Args:
        data: images in memory.
        variant: how they are moved.
        augment: how they are moved after that, anew in every epoch; random. Epoch e takes the positions from e times
            the length on (:class:`NumberedEpochs`).

    ``dataset[i]`` is the pair (image, label). For data with masks and without labels it is (image, mask), moved alike,
    the mask of int64; without either, the second entry is the position i.

    Raises:
        ConfigError: augment moves the images alike in every epoch.

    >>> from equivision.data import named_variant, read_digits
    >>> image, label = VariantDataset(read_digits(), named_variant("rotated"))[3]
    >>> image.shape, int(label)
    (torch.Size([1, 28, 28]), 3)
    """

    def __init__(self, data: ImageData, variant: Variant | None = None, augment: Variant | None = None) -> None:
        self.data = data
        self.variant = Variant() if variant is None else variant
        self.augment = None if augment is None else check_augment(augment)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, position: int) -> tuple[Float[Tensor, "channel height width"], Int[Tensor, "..."]]:
        images, targets = self.__getitems__([range(len(self))[position]])
        return images[0], targets[0]

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """A batch at once; torch's DataLoader calls this where it exists."""
        at = torch.as_tensor(positions, dtype=torch.int64)
        moves = [(self.variant, torch.zeros_like(at))]
        if self.augment is not None:  # an image has a number of its own in every epoch
            at, epoch = at % len(self), at // len(self)
            moves.append((self.augment, (epoch + 1) * 2**32))
        data, index = self.data, self.data.index[at]
        images, masks = data.images[at], None if data.labels is not None or data.masks is None else data.masks[at]
        for variant, count in moves:
            images = variant.apply(images, index + count)
            if masks is not None:
                masks = variant.apply_masks(masks.to(torch.uint8), index + count, outside=data.ignore_index or 0)
        return images, masks if masks is not None else at if data.labels is None else data.labels[at]


def keep_batch(batch: Any) -> Any:
    """Collate function for data sets whose ``__getitems__`` returns a finished batch."""
    return batch


class EpochSampler(DistributedSampler):
    """Shuffles by (seed, epoch), and deals the order out to the processes.

    The order is a pure function of both numbers, so a run that is resumed in epoch 7 sees what the unbroken run saw
    there. Lightning calls ``set_epoch`` before every epoch. With several processes, the order is filled up from its
    start so that all get the same number.

    Args:
        size: number of examples.
        seed: of the order.
        num_replicas: number of processes.
        rank: number of this process.
    """

    def __init__(self, size: int, *, seed: int = 0, num_replicas: int = 1, rank: int = 0) -> None:
        super().__init__(range(size), num_replicas, rank, shuffle=True, seed=seed)  # type: ignore[arg-type]
        self.start = 0

    def __iter__(self) -> Iterator[int]:
        """Positions for this process; the first ``start`` of them are left out, once."""
        order = permutation(len(self.dataset), "shuffle", self.seed, self.epoch)  # type: ignore[arg-type]
        start, self.start = self.start, 0
        return iter(np.resize(order, self.total_size)[self.rank :: self.num_replicas].tolist()[start:])


class NumberedEpochs(EpochSampler):
    """Positions that no earlier epoch had: those of epoch e are counted from e times the size on.

    For data sets that give something new at every number, and keep no state.

    >>> sampler = NumberedEpochs(3)
    >>> sampler.set_epoch(2)
    >>> sorted(sampler)
    [6, 7, 8]
    """

    def __iter__(self) -> Iterator[int]:
        positions, start = super().__iter__(), self.epoch * len(self.dataset)  # type: ignore[arg-type]
        return (start + position for position in positions)


class ResumableLoader(DataLoader):
    """A DataLoader, over an :class:`EpochSampler`, that can go on in the middle of an epoch.

    ``state_dict`` says how many batches of which epoch are done; Lightning keeps it in its checkpoints. After
    ``load_state_dict`` the next pass over that same epoch gives the remaining batches; any other epoch is complete.
    A pass begins when its first batch is asked for: Lightning makes an iterator before it sets the epoch.
    """

    _epoch, _done = 0, 0
    _resume: dict[str, int] | None = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        sampler: Any = self.sampler
        state, self._resume = self._resume, None
        self._epoch = getattr(sampler, "epoch", 0)
        self._done = state["batches"] if state is not None and state["epoch"] == self._epoch else 0
        sampler.start = self._done * (self.batch_size or 1)
        for batch in super().__iter__():
            self._done += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """The epoch of the last pass, and the number of batches it gave."""
        return {"epoch": self._epoch, "batches": self._done}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from there."""
        self._resume = dict(state_dict)


def training_loader(
    data: ImageData,
    variant: Variant | None,
    batch_size: int,
    *,
    augment: Variant | None = None,
    seed: int = 0,
    num_replicas: int = 1,
    rank: int = 0,
    num_workers: int = 0,
) -> ResumableLoader:
    """Batches in an order that depends on the seed and the epoch; each process gets its share.

    With ``augment`` the images are moved anew in every epoch, which also depends on the seed and the epoch only, not on
    the seed of ``augment``.

    Raises:
        ConfigError: augment moves the images alike in every epoch.

    >>> from equivision.data import named_variant, read_digits
    >>> loader = training_loader(read_digits(), None, 64, augment=named_variant("quarters"), seed=3)
    >>> loader.sampler.set_epoch(1)  # Lightning does this
    >>> next(iter(loader))[0].shape
    torch.Size([64, 1, 28, 28])
    """
    sampler = NumberedEpochs if augment is not None else EpochSampler
    return ResumableLoader(
        VariantDataset(data, variant, None if augment is None else replace(augment, seed=seed)),
        batch_size=batch_size,
        sampler=sampler(len(data), seed=seed, num_replicas=num_replicas, rank=rank),
        num_workers=num_workers,
        collate_fn=keep_batch,
    )


def evaluation_loader(data: ImageData, variant: Variant | None, batch_size: int, *, num_workers: int = 0) -> DataLoader:
    """Batches in the order of the data."""
    return DataLoader(
        VariantDataset(data, variant), batch_size=batch_size, num_workers=num_workers, collate_fn=keep_batch
    )
