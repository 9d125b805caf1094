"""One trial: a split of the data, a training that can be stopped early, accuracies."""

import copy
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.data import TensorDataset

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
    """Read a pair (images, labels), a TensorDataset, or anything with attributes ``images`` and ``labels``.

    Raises:
        DataError: it is something else, there are no labels, they do not fit or are no whole numbers, there is one
            class only, or numbers are not finite.
    """
    images, labels = _pair(data)
    if labels is None:
        raise DataError("the data has no labels: discovery compares networks by how well they learn classes")
    images, labels = _tensor("images", images), _tensor("labels", labels)
    if not torch.equal(labels.double(), labels.double().round()) or not bool(labels.double().isfinite().all()):
        raise DataError(f"labels {labels.flatten()[:5].tolist()}, ...: give class numbers, which are whole")
    labels = labels.long()
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


def _pair(data: Any) -> tuple[Any, Any]:
    """Images and labels, as they are given."""
    if hasattr(data, "images"):
        return data.images, getattr(data, "labels", None)
    pair = data.tensors if isinstance(data, TensorDataset) else data
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        size = f" of {len(pair)}" if isinstance(pair, tuple | list) else ""
        raise DataError(
            f"the data is a {type(data).__name__}{size}: give a pair (images, labels) of tensors [image, channel, "
            "height, width] and [image], a TensorDataset of both, or an object with the attributes images and labels, "
            "such as equivision.data.ImageData; of a data set of pairs, stack the images and the labels"
        )
    return pair[0], pair[1]


def _tensor(name: str, values: Any) -> Tensor:
    try:
        return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        kinds = "numbers [image, channel, height, width]" if name == "images" else "class numbers [image]"
        raise DataError(f"{name} cannot be read as a tensor ({error}): give {kinds}") from error


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
        ConfigError: ``train_size`` is no number, or one part would be empty.
    """
    total = len(data.labels)
    if not isinstance(train_size, Real) or isinstance(train_size, bool) or not math.isfinite(train_size):
        raise ConfigError(f"train_size={train_size!r}: give a number of images, or a share below 1")
    count = round(train_size * total) if train_size < 1 else round(train_size)
    if not data.num_classes <= count <= total - data.num_classes:
        absent = data.num_classes - len(data.labels.unique())
        gaps = f" (no image is of {absent} of them: number the classes from 0 on, without gaps)" if absent else ""
        raise ConfigError(
            f"train_size={train_size} of {total} images: give a number, or a share below 1, that leaves at least one "
            f"image for each of the {data.num_classes} classes{gaps} in both parts"
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
