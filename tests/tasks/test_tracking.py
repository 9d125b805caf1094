"""Training of trackers: the loss, the pairs that are turned, checkpoints."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from equivision.errors import ConfigError, DataError
from equivision.implicit import FeatureGroupPool, Motion, rotations
from equivision.models import SiameseNetwork
from equivision.tasks import ClassificationTask, TrackingTask
from equivision.tracking import balanced_logistic_loss, response_labels
from tests.tasks import _make as make

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`.*"),
]


def pairs(number: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Templates and search images of noise."""
    generator = torch.Generator().manual_seed(2)
    z, x = (torch.rand(number, 3, size, size, generator=generator) for size in (127, 255))
    return z, x, 40 * torch.rand(number, 2, generator=generator) - 20


def turned_by(*turns: int) -> Motion:
    """Images of a batch turned by so many quarter turns."""
    return Motion(rotations([90, 180, 270]), torch.tensor(turns) - 1)


def turn_offsets(offset: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Points (x, y) turned counter-clockwise as one sees it, where y points down: written out."""
    rows = zip(offset.tolist(), turns.tolist(), strict=True)
    return torch.tensor([[(x, y), (y, -x), (-x, -y), (-y, x)][k] for (x, y), k in rows])


def loader(number: int = 2) -> DataLoader:
    return DataLoader(TensorDataset(*pairs(number)), batch_size=2)


def test_the_loss_is_that_of_the_labels(tmp_path: Path) -> None:
    task = TrackingTask("siamfc", width=2, radius=20.0)
    trainer = make.trainer(tmp_path, max_epochs=1, log_every_n_steps=1)
    trainer.validate(task, loader(), verbose=False)
    z, x, offset = pairs()
    with torch.no_grad():
        response = task.eval()(z, x)
    expected = balanced_logistic_loss(response, response_labels(offset, 17, radius=20.0))
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(float(expected), rel=1e-5)
    assert float(expected) != pytest.approx(
        float(balanced_logistic_loss(response, response_labels(offset, 17))), rel=1e-5
    )


def test_turned_offsets_belong_to_turned_images() -> None:
    """A bright pixel, and where it is from the centre."""
    images = torch.zeros(4, 1, 9, 9)
    images[:, 0, 1, 6] = 1.0
    turns = torch.arange(4)
    turned = Motion(rotations(4), turns).apply(images)
    rows, columns = turned[:, 0].flatten(1).argmax(1) // 9, turned[:, 0].flatten(1).argmax(1) % 9
    found = torch.stack([columns - 4, rows - 4], 1).float()
    assert torch.equal(turn_offsets(torch.tensor([[2.0, -3.0]]).repeat(4, 1), turns), found)
    assert len({tuple(point) for point in found.tolist()}) == 4


@torch.no_grad()
def test_the_equivariance_loss_written_out() -> None:
    task, (z, x, offset) = TrackingTask("het_siamfc", width=2, equivariance=0.1).eval(), pairs()
    turns, motion = torch.tensor([1, 3]), turned_by(1, 3)
    difference, loss = task._turned_loss((z, x, offset), motion)
    expected = 0.0
    for images in (z, x):
        one, other = images, torch.stack([images[0].rot90(1, (1, 2)), images[1].rot90(3, (1, 2))])
        for name, stage in task.model.backbone.named_children():
            if name == "invariant":
                break
            one, other = stage(one), stage(other)
            pool = FeatureGroupPool(task.model.feature_groups[f"backbone.{name}"])
            back = torch.stack([pool(other)[0].rot90(-1, (1, 2)), pool(other)[1].rot90(-3, (1, 2))])
            expected += float((pool(one) - back).square().mean()) / 2
    assert float(difference) == pytest.approx(expected, rel=1e-4)
    assert expected > 1e-3
    both = task._loss((torch.cat([z, motion.apply(z)]), torch.cat([x, motion.apply(x)]),
                       torch.cat([offset, turn_offsets(offset, turns)])))  # fmt: skip
    assert float(loss) == pytest.approx(float(both), rel=1e-5)
    assert not any(module._forward_hooks for module in task.model.modules())


def test_gradients_flow_through_both_halves() -> None:
    task, batch = TrackingTask("ien_siamfc", width=2, equivariance=1.0), pairs()
    images = [image.requires_grad_() for image in batch[:2]]
    difference, _ = task._turned_loss((*images, batch[2]), turned_by(1, 2))
    difference.backward()
    gradients = [p.grad for p in task.model.backbone.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert float(difference.detach()) > 0


def test_a_network_that_turns_exactly_loses_nothing() -> None:
    """Means over patches turn with the image."""
    backbone = nn.Sequential()
    backbone.add_module("stage1", nn.AvgPool2d(15, stride=8))
    net = SiameseNetwork(backbone, feature_groups={"backbone.stage1": ((3, 1),)})
    task, batch = TrackingTask(net.double(), equivariance=1.0), [part.double() for part in pairs()]
    difference, _ = task._turned_loss(batch, turned_by(1, 2))
    assert float(difference.detach()) < 1e-24


@pytest.mark.parametrize("name", ["siamfc", "re_siamfc", "ien_siamfc", "het_siamfc"])
def test_training_lowers_the_loss(name: str, tmp_path: Path) -> None:
    weight = 0.1 if name in ("ien_siamfc", "het_siamfc") else None
    task = TrackingTask(name, width=2, equivariance=weight)
    before = copy.deepcopy(task)
    trainer = make.trainer(tmp_path, max_epochs=4, log_every_n_steps=1)
    trainer.fit(task, loader(4))
    logged = {"loss", "train/loss"} | ({"train/equivariance"} if weight else set())
    assert set(trainer.callback_metrics) == logged
    with torch.no_grad():
        assert float(task.train()._loss(pairs(4))) < float(before.train()._loss(pairs(4)))


def test_the_learning_rate_falls_a_thousandfold(tmp_path: Path) -> None:
    task = TrackingTask("siamfc", width=2)
    task.trainer = make.trainer(tmp_path, max_epochs=50)
    configured = task.configure_optimizers()
    optimizer, scheduler = configured["optimizer"], configured["lr_scheduler"]
    rates = []
    for _ in range(50):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert (rates[0], rates[-1]) == pytest.approx((1e-2, 1e-5))
    assert rates[1] / rates[0] == pytest.approx(rates[-1] / rates[-2])
    assert [optimizer.param_groups[0][key] for key in ("momentum", "weight_decay")] == [0.9, 5e-4]


@pytest.mark.parametrize("options", [{"max_epochs": 3}, {"max_steps": 6}, {"max_epochs": -1, "max_steps": 5}], ids=str)
def test_it_falls_as_far_where_steps_are_counted(options: dict[str, int], tmp_path: Path) -> None:
    task = TrackingTask("siamfc", width=1)
    trainer = make.trainer(tmp_path, **options)
    trainer.fit(task, loader(4))  # two steps an epoch
    (scheduler,) = (config.scheduler for config in trainer.lr_scheduler_configs)
    assert scheduler.gamma == pytest.approx(1e-3**0.5)


@pytest.mark.usefixtures("unchecked_annotations")
def test_training_without_an_end(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its length must be known: give the trainer max_epochs or max_steps"):
        make.trainer(tmp_path, max_epochs=-1).fit(TrackingTask("siamfc", width=1), loader())


def saved(task: TrackingTask, path: Path) -> Path:
    trainer = make.trainer(path.parent)
    trainer.strategy.connect(task)
    trainer.save_checkpoint(path)
    return path


def test_a_checkpoint_gives_the_task_back(tmp_path: Path) -> None:
    task = TrackingTask(
        "het_siamfc", group="C2", width=2, model_args={"feature_groups": "4-1"}, equivariance=0.1, radius=8.0
    )
    again = TrackingTask.load_from_checkpoint(saved(task, tmp_path / "a.ckpt"))
    assert dict(again.hparams) == dict(task.hparams)
    z, x, _ = pairs()
    assert not again.training
    assert torch.equal(again(z, x), task.eval()(z, x))
    with pytest.raises(ConfigError, match=r"does not fit ClassificationTask: .*; give a checkpoint of this task"):
        ClassificationTask.load_from_checkpoint(tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "p4cnn"}, "model='p4cnn' is no tracker: choose siamfc"),
        ({"model": "siam"}, "model 'siam' is not known"),
        ({"model": "siamfc", "model_args": {"depth": 3}}, "has no argument 'depth'"),
        ({"model_args": {"width": "wide"}}, "width='wide': give a whole number"),
        ({"model_args": {"scale": "large"}}, "model 're_siamfc' cannot be built with .*scale='large'"),
        (
            {"model_args": {"in_channels": 1}},
            r"model_args\['in_channels'\]=1, but the data has in_channels=3: leave it",
        ),
        (
            {"width": 2, "model_args": {"width": 4}},
            r"width=2 contradicts model_args\['width'\]=4: give width only once",
        ),
        ({"model_args": {"scale": torch.ones(1)}}, r"model_args\['scale'\]=.* is a Tensor: give plain values"),
        ({"model": "re_siamfc", "equivariance": 0.1}, "equivariance=0.1: the network has no feature_groups"),
        ({"model": "ien_siamfc", "equivariance": -1.0}, "equivariance=-1.0: give a weight of 0 or more"),
        ({"radius": 0.0}, "radius=0.0: give a positive number of pixels"),
        ({"lr": math.nan}, "lr=nan: the learning rate must be a positive number"),
        ({"momentum": 1.0}, "momentum=1.0: must be at least 0 and below 1"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0: must be 0 or more"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrackingTask(**options)


def test_arguments_beside_a_network() -> None:
    with pytest.raises(ConfigError, match="width given together with a network"):
        TrackingTask(SiameseNetwork(nn.Identity()), width=2)


def test_divergence_is_told(tmp_path: Path) -> None:
    task = TrackingTask("siamfc", width=2)
    nn.init.constant_(task.model.gain, math.nan)
    with pytest.raises(ConfigError, match="training has diverged: the loss is nan in epoch 1, after step 0"):
        make.trainer(tmp_path, max_epochs=1, log_every_n_steps=1).fit(task, loader())
    with pytest.raises(
        DataError, match="the loss is nan: the network gives outputs that are not finite; use another checkpoint"
    ):
        make.trainer(tmp_path).validate(task, loader(), verbose=False)
