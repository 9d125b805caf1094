"""Table 5 on rotated MNIST, the others on pictures: a queue of trainings that can be stopped and started at any time.

    EQUIVISION_DATA=... python papers/ien-2021/run.py            # trains what is missing, one run after another
    EQUIVISION_DATA=... python papers/ien-2021/run.py --list     # says what is done and what is not
    python papers/ien-2021/table.py                              # the tables of README.md, from results/*.json

Start it twice for two processes. Every run ends in one file, results/<network>-s<seed>.json.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from _networks import BY_NAME, DIGITS, MOTIONS, RESNET, VGG, Network
from _runs import runs
from torch import Tensor, nn

import equivision as ev
from equivision.audit._run import watch
from equivision.data import ImageDataModule, MNISTDataModule, ParquetDataModule
from equivision.groups import cyclic, dihedral
from equivision.implicit import ImplicitEquivariance, Motion
from equivision.tasks import ClassificationTask, ImplicitTraining


@dataclass(frozen=True)
class Budget:
    """Images, epochs and the recipe of a table; ``size`` is the side of the images in pixels."""

    train_images: int
    test_images: int
    size: int
    epochs: int
    milestones: tuple[int, ...]
    batch: int
    rate: float


#: Pictures have half the side of those of the study.
BUDGETS = {
    "digits": Budget(12_000, 50_000, 28, epochs=12, milestones=(7, 10), batch=64, rate=0.005),
    "resnet": Budget(2_500, 500, 33, epochs=6, milestones=(4, 5), batch=32, rate=0.002),
    "vgg": Budget(2_500, 500, 32, epochs=12, milestones=(8, 10), batch=32, rate=0.002),
}


@dataclass(frozen=True)
class Run(runs.QueuedRun):
    """One training."""

    folder = Path(__file__).parent
    network: str
    seed: int

    @property
    def name(self) -> str:
        return "-".join((*re.findall(r"[\w.]+", self.network), f"s{self.seed}"))


def data_of(run: Run) -> ImageDataModule:
    """Digits or pictures, turned by any angle, and reflected where reflections are learned."""
    network = BY_NAME[run.network]
    budget, variant = BUDGETS[network.table], network.variant
    tests = ("rotated", "upright") if variant == "rotated" else ("rotated_reflected", "upright", "reflected")
    options: dict[str, Any] = {"batch_size": budget.batch, "shuffle_seed": run.seed}
    options |= {"train_variant": variant, "test_variants": tests}
    if network.table == "digits":
        sizes = {"train_size": budget.train_images, "val_size": 0, "test_size": budget.test_images}
        return MNISTDataModule(**sizes, **options)
    return ParquetDataModule("tiny-imagenet10", test_split="valid", image_size=budget.size, **options)


def comparison(network: Network, net: nn.Module) -> ImplicitEquivariance:
    """What compares the layers of a network under the motions that it is to learn."""
    motions = ImplicitTraining(**MOTIONS[network.motions]).transforms
    if isinstance(net, ev.models.ResNet):
        stages = [f"stages.{i}" for i in range(len(net.stages))]
        return ImplicitEquivariance(net, stages, motions, feature_groups=net.group.order)
    return ImplicitEquivariance(net, transforms=motions)


def layer_differences(network: Network, net: nn.Module, images: Tensor) -> dict[str, float]:
    """The loss of each layer on these images, in evaluation mode, over all motions of every image but the first."""
    implicit = comparison(network, net.double().eval())
    ((motions, _),) = implicit.transforms
    moved = range(1, len(motions.members))
    with torch.no_grad():
        each = [implicit(images.double(), [Motion(motions, torch.full((len(images),), i))]) for i in moved]
    return {name: float(sum(e.differences[name] for e in each)) / len(each) for name in implicit.layers}


def layer_variances(network: Network, net: nn.Module, images: Tensor) -> dict[str, float]:
    """The variance of what is compared in each layer: where it vanished, a small difference would say nothing."""
    implicit, found = comparison(network, net.double().eval()), dict[str, float]()

    def look(key: str, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        name, _, kind = key.partition(", ")
        if kind == "pooled" and isinstance(output, Tensor):
            found[name] = float(output.var())

    with watch(net, look, implicit.pooled_outputs), torch.no_grad():
        net(images.double())
    return found


def train(run: Run) -> dict[str, Any]:
    """Train, test on images that lie as in training and on others, and say what was found."""
    network, budget = BY_NAME[run.network], BUDGETS[BY_NAME[run.network].table]
    lightning.seed_everything(run.seed, verbose=False)
    data, milestones = data_of(run), list(budget.milestones)
    recipe: dict[str, Any] = {"lr": budget.rate, "weight_decay": 1e-7, "milestones": milestones, "gamma": 0.1}
    task = ClassificationTask(network.build(), in_channels=data.in_channels, **recipe)
    extra = [] if network.beta is None else [ImplicitTraining(beta=network.beta, **MOTIONS[network.motions])]
    errors, hours = runs.fit_and_test(run, task, data, budget.epochs, callbacks=extra)
    images, _ = next(iter(data.test_dataloader()[0]))
    return {
        **asdict(run),
        "model": network.model,
        "arguments": network.arguments,
        "beta": network.beta,
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "macs": ev.cost(task.model, images.shape[1:]).macs,
        "train_images": budget.train_images,
        "epochs": budget.epochs,
        "batch_size": budget.batch,
        "optimizer": f"Adam, lr {budget.rate}, a tenth after {milestones}, weight decay 1e-7",
        "test_images": budget.test_images,
        "test_error_percent": errors,
        "layer_differences": layer_differences(network, task.model, images),
        "layer_variances": layer_variances(network, task.model, images),
        "equivariance_error": runs.symmetry(task.model, images, dihedral(4) if network.motions == "R4R" else cyclic(4)),
        "hours": hours,
        **runs.circumstances(),
    }


def queue(seeds: int) -> list[Run]:
    """Table 5 and the pictures once, those under eighth turns, which cost most, after a second seed of table 5."""
    pictures = [*RESNET, *VGG]
    early = [Run(network.name, 0) for network in (*DIGITS, *(net for net in pictures if net.motions != "R8"))]
    late = [Run(network.name, 0) for network in pictures if network.motions == "R8"]
    again = [Run(network.name, seed) for seed in range(1, seeds) for network in DIGITS]
    return [*early, *again[: len(DIGITS)], *late, *again[len(DIGITS) :]]


if __name__ == "__main__":
    runs.run_queue(__doc__, queue, train, seeds=3)
