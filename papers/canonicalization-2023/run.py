"""A plain network trained on upright digits, made invariant: a queue of short trainings that can be stopped.

    EQUIVISION_DATA=... python papers/canonicalization-2023/run.py            # trains what is missing
    EQUIVISION_DATA=... python papers/canonicalization-2023/run.py --list     # says what is done and what is not
    python papers/canonicalization-2023/table.py                              # the tables of README.md

Every run ends in one file, results/<kind>-s<seed>.json. All kinds of one seed share one plain network.
"""

import copy
import functools
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import _runs
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import equivision as ev
from equivision.canonical import CanonicalizedNetwork, Canonicalizer, EnergyNetwork, FrameAveragedNetwork, OutputOnly
from equivision.data import ImageData, named_variant, random_split, read_mnist

TRAIN_IMAGES, TEST_IMAGES, BATCH = 12_000, 10_000, 64
PLAIN_EPOCHS = 6
TESTS = ("upright", "rotated90")
GROUP = "C4"


@dataclass(frozen=True)
class Kind:
    """What is done to the plain network.

    ``task`` and ``prior`` are the factors of the two losses of the energy; where both are 0, it is not trained.
    """

    name: str
    title: str
    task: float = 0.0
    prior: float = 0.0
    epochs: int = 2

    @property
    def is_trained(self) -> bool:
        return self.task > 0 or self.prior > 0


PLAIN = Kind("plain", "the plain network itself")
AVERAGE = Kind("average", "mean over C4")
FRAMES = Kind("frames", "mean over the frames of an untrained energy")
UNTRAINED = Kind("untrained", "canonicalised, untrained energy")
TASK = Kind("task", "canonicalised, loss of the task", task=1.0)
BOTH = Kind("task-prior", "canonicalised, both losses", task=1.0, prior=1.0)
PRIOR = Kind("prior", "canonicalised, prior alone", prior=1.0)
LONG = Kind("task-prior-long", "the same, 8 epochs", task=1.0, prior=1.0, epochs=8)
KINDS = {kind.name: kind for kind in (PLAIN, AVERAGE, FRAMES, UNTRAINED, TASK, PRIOR, BOTH, LONG)}


@dataclass(frozen=True)
class Run(_runs.QueuedRun):
    """One kind with one seed."""

    folder = Path(__file__).parent
    kind: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.kind}-s{self.seed}"


@functools.cache
def digits() -> tuple[ImageData, ImageData]:
    """Upright digits to train on and to test on."""
    train, _ = random_split(read_mnist(parts=("train",)), (TRAIN_IMAGES, 60_000 - TRAIN_IMAGES), seed=0)
    return train, read_mnist(parts=("test",)).take(range(TEST_IMAGES))


def images_of(data: ImageData, variant: str = "upright") -> tuple[Tensor, Tensor]:
    """Images from 0 to 1 and labels."""
    if data.labels is None:
        raise TypeError("digits have labels")
    return named_variant(variant).apply(data.images, data.index), data.labels


def fit(net: nn.Module, losses: Any, epochs: int, seed: int) -> float:
    """Train with Adam, learning rate 1e-3, falling to 0 by a cosine; the hours that it took."""
    images, labels = images_of(digits()[0])
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 1e-3)
    steps = epochs * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    start = time.perf_counter()
    net.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=generator).split(BATCH):
            optimizer.zero_grad()
            losses(net, images[batch], labels[batch]).backward()
            optimizer.step()
            schedule.step()
    net.eval()
    return (time.perf_counter() - start) / 3600


def plain(seed: int) -> tuple[nn.Module, float]:
    """The plain network of a seed, trained on upright digits, now or before, and the hours that it took."""
    torch.manual_seed(seed)
    net = ev.create_model("z2cnn")
    file = Run(PLAIN.name, seed).checkpoints / "weights.pt"
    if file.exists():
        saved = torch.load(file, weights_only=True)
        net.load_state_dict(saved["weights"])
        return net.eval(), saved["hours"]
    hours = fit(net, lambda net, x, y: F.cross_entropy(net(x), y), PLAIN_EPOCHS, seed)
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"weights": net.state_dict(), "hours": hours}, file)
    return net, hours


def canonicalized(predictor: nn.Module, kind: Kind, seed: int) -> tuple[CanonicalizedNetwork, float]:
    """A canonicaliser in front of the predictor, trained as the kind says."""
    torch.manual_seed(seed)
    net = CanonicalizedNetwork(predictor, Canonicalizer(EnergyNetwork(1, group=GROUP)), frozen=True).eval()

    def losses(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        logits, frame = net(x)
        return kind.task * F.cross_entropy(logits, y) + kind.prior * frame.prior_loss()

    return net, fit(net, losses, kind.epochs, seed) if kind.is_trained else 0.0


@torch.no_grad()
def evaluate(net: nn.Module, data: ImageData) -> dict[str, float]:
    """Test error in % on every variant."""
    errors = {}
    for variant in TESTS:
        images, labels = images_of(data, variant)
        found = torch.cat([net(part).argmax(1) for part in images.split(500)])
        errors[variant] = round(100 * float((found != labels).double().mean()), 3)
    return errors


@torch.no_grad()
def identity_fraction(net: CanonicalizedNetwork, data: ImageData) -> float:
    """The part of the upright test digits that are left as they are."""
    images, _ = images_of(data)
    parts = [net.canonicalizer(x)[1].identity_fraction() * len(x) for x in images.split(500)]
    return round(float(sum(parts)) / len(images), 4)


def train(run: Run) -> dict[str, Any]:
    """Train, test, and say what was found."""
    kind, (_, test) = KINDS[run.kind], digits()
    predictor, hours = plain(run.seed)
    whole: nn.Module = predictor
    fraction = None
    if kind is AVERAGE:
        whole, hours = FrameAveragedNetwork(predictor, group=GROUP), 0.0
    elif kind is not PLAIN:
        net, hours = canonicalized(copy.deepcopy(predictor), kind, run.seed)
        fraction = identity_fraction(net, test)
        energy = net.canonicalizer.energy
        whole = FrameAveragedNetwork(net.predictor, energy=energy) if kind is FRAMES else OutputOnly(net)  # pyright: ignore[reportArgumentType]
    errors = evaluate(whole, test)
    images, _ = images_of(test.take(range(min(1000, len(test)))))
    return {
        **asdict(run),
        "title": kind.title,
        "losses": {"task": kind.task, "prior": kind.prior},
        "predictor": "z2cnn",
        "train_images": TRAIN_IMAGES,
        "epochs": PLAIN_EPOCHS if kind is PLAIN else kind.epochs if kind.is_trained else 0,
        "batch_size": BATCH,
        "optimizer": "Adam, lr 1e-3, cosine",
        "test_images": TEST_IMAGES,
        "test_error_percent": errors,
        "identity_fraction": fraction,
        "equivariance_error": _runs.symmetry(whole, images, ev.groups.planar(GROUP)),
        "hours": round(hours, 4),
        **_runs.circumstances(),
    }


def queue(seeds: int) -> list[Run]:
    """All kinds of one seed before the next, the plain network first; the long training last."""
    short = [Run(kind, seed) for seed in range(seeds) for kind in KINDS if kind != LONG.name]
    return short + [Run(LONG.name, seed) for seed in range(seeds)]


if __name__ == "__main__":
    _runs.run_queue(__doc__, queue, train, seeds=3)
