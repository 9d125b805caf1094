"""One trial: a split of the data, a training that can be stopped early, accuracies."""

import copy
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from equivision.data import ImageData, stratified_split
from equivision.discovery._candidates import Candidate, Move, moved
from equivision.discovery._networks import logits_of
from equivision.errors import ConfigError, DataError

_DECAY = 0.97  # of the running mean of the weights, with which accuracies are measured
_RATE, _RISE, _BATCH = 0.01, 0.2, 64
_LEAST = 6  # steps that a schedule is drawn for: torch divides by zero where the rate rises for one step only


@dataclass(frozen=True, eq=False)
class Labelled:
    """Images with classes.

    Attributes:
        images: floats, with mean 0 and standard deviation 1 over all of them.
        labels: class numbers.
        num_classes: how many classes there are.
    """

    images: Float[Tensor, "image channel height width"]
    labels: Int[Tensor, " image"]
    num_classes: int

    def fingerprint(self) -> str:
        """Tells whether other data is the same."""
        digest = hashlib.sha256(repr(tuple(self.images.shape)).encode())
        for tensor in (self.images, self.labels):
            digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
        return digest.hexdigest()[:16]


def labelled(data: Any) -> Labelled:
    """Read a pair (images, labels), or anything with attributes ``images`` and ``labels``.

    Raises:
        DataError: there are no labels, they do not fit, there is one class only, or numbers are not finite.
    """
    images, labels = (data.images, data.labels) if hasattr(data, "images") else data
    if labels is None:
        raise DataError("the data has no labels: discovery compares networks by how well they learn classes")
    images, labels = torch.as_tensor(images), torch.as_tensor(labels).long()
    if images.ndim != 4 or labels.shape != images.shape[:1]:
        raise DataError(
            f"images have shape {tuple(images.shape)} and labels {tuple(labels.shape)}: give [image, channel, height, "
            "width], and one class number an image"
        )
    images = images.double()
    if not bool(images.isfinite().all()):
        raise DataError("images hold numbers that are not finite: replace them, or leave those images out")
    spread, classes = float(images.std()), labels.unique()
    if len(classes) < 2 or int(classes[0]) < 0 or spread == 0:
        raise DataError(
            f"{len(images)} images have classes {classes.tolist()[:5]} and standard deviation {spread:g}: there must "
            "be two classes or more, numbered from 0 on, and something to see"
        )
    return Labelled(((images - images.mean()) / spread).float().cpu(), labels.cpu(), int(classes[-1]) + 1)


@dataclass(frozen=True, eq=False)
class Split:
    """What is trained on, and what accuracies are measured on."""

    train: Labelled
    held_out: Labelled


def split(data: Labelled, train_size: float | int, seed: int) -> Split:
    """A random split with the same classes in both parts, as nearly as whole numbers allow.

    Args:
        data: images with classes.
        train_size: number of images to train on, or below 1 their share.
        seed: of the split.

    Raises:
        ConfigError: one part would be empty.
    """
    total = len(data.labels)
    count = round(train_size * total) if train_size < 1 else round(train_size)
    if not data.num_classes <= count <= total - data.num_classes:
        raise ConfigError(
            f"train_size={train_size} of {total} images: give a number, or a share below 1, that leaves at least one "
            f"image for each of the {data.num_classes} classes in both parts"
        )
    names = tuple(str(label) for label in range(data.num_classes))
    whole = ImageData(data.images, data.labels, names, torch.arange(total))
    parts = (part.index for part in stratified_split(whole, (count, total - count), seed=seed))
    return Split(*(Labelled(data.images[part], data.labels[part], data.num_classes) for part in parts))


class Training:
    """A network in training, whose accuracy can be asked for at any time.

    Adam, with a rate that rises for a fifth of the steps and falls along a cosine; accuracies are those of a running
    mean of the weights, which is good long before the schedule has ended.

    Args:
        candidate: the symmetry.
        split: the data.
        parameters: of the network, about.
        steps: of the whole training.
        seed: of weights and batches.
        device: where it runs.
    """

    def __init__(
        self, candidate: Candidate, split: Split, *, parameters: int, steps: int, seed: int, device: torch.device
    ) -> None:
        self.split, self.steps, self.device = split, steps, device
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            network = candidate.network(split.train.images.shape[1], split.train.num_classes, parameters)
        self.network = network.to(device)
        self._mean = {name: value.clone() for name, value in self.network.state_dict().items()}
        self._seed = seed

    def run(self, rungs: Sequence[int]) -> Iterator[int]:
        """Train; yield the number of steps at every rung, the last of which is the end."""
        network, (x, y) = self.network, (self.split.train.images, self.split.train.labels)
        order = torch.Generator().manual_seed(self._seed)
        optimizer = torch.optim.Adam(network.parameters(), _RATE)
        total = max(self.steps + 1, _LEAST)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=total, pct_start=_RISE)
        batches = _batches(len(y), order)
        for step in range(1, self.steps + 1):
            network.train()
            batch = next(batches)
            with torch.random.fork_rng([]):  # partial layers draw their elements
                torch.manual_seed(self._seed * 1_000_003 + step)
                logits = network(x[batch].to(self.device))
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, y[batch].to(self.device)).backward()
            optimizer.step()
            schedule.step()
            self._follow(min(_DECAY, step / (step + 9)))
            if step in rungs:
                yield step

    def _follow(self, decay: float) -> None:
        for name, value in self.network.state_dict().items():
            mean = self._mean[name]
            _ = mean.lerp_(value, 1 - decay) if value.is_floating_point() else mean.copy_(value)

    def accuracy(self) -> float:
        """Accuracy on the held-out images as they are."""
        return self.accuracies({"": lambda x: x})[""]

    def accuracies(self, moves: dict[str, Move]) -> dict[str, float]:
        """Accuracy on the held-out images after each move."""
        network = copy.deepcopy(self.network)
        network.load_state_dict(self._mean)
        images, labels = self.split.held_out.images, self.split.held_out.labels
        found = {}
        for name, move in moves.items():
            logits = logits_of(network, moved(images, move).to(self.device))
            found[name] = float((logits.argmax(1).cpu() == labels).double().mean())
        return found


def _batches(count: int, order: torch.Generator) -> Iterator[Tensor]:
    """Shuffled batches, one pass after another; the last of a pass may take from the next."""
    waiting = torch.empty(0, dtype=torch.int64)
    size = min(_BATCH, count)
    while True:
        while len(waiting) < size:
            waiting = torch.cat([waiting, torch.randperm(count, generator=order)])
        yield waiting[:size]
        waiting = waiting[size:]
