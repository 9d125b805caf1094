"""Training with a loss for the equivariance of layers."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn
from torch.nn import functional as F

from equivision.errors import ConfigError
from equivision.implicit import Transform, TransformSet
from equivision.implicit import rotations as turns
from equivision.tasks import ClassificationTask, ImplicitTraining, RunRecorder, SegmentationTask
from tests.tasks import _make as make

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`.*"),
]


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 5),
        nn.ELU(),
        nn.Conv2d(4, 4, 3),
        nn.ELU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 10),
    )


def task_of(callback: ImplicitTraining, **options: object) -> ClassificationTask:
    task = ClassificationTask(network(), milestones=[], lr=0.01, **options)  # type: ignore[arg-type]
    task.objective = callback.objective(task)
    return task


def test_a_step_is_cross_entropy_of_both_copies_and_the_weighted_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of(ImplicitTraining(beta=0.5, layers=["0", "2"], feature_groups=2))
    monkeypatch.setattr(task, "log", lambda *_, **__: None)
    x, labels = torch.rand(6, 1, 12, 12), torch.arange(6)
    torch.manual_seed(3)
    loss = task.training_step([x, labels], 0)
    torch.manual_seed(3)
    implicit = task.objective.implicit  # type: ignore[union-attr]
    output, penalty, differences = implicit(x)
    assert torch.allclose(loss, F.cross_entropy(output, labels.repeat(2)) + penalty)
    assert torch.allclose(penalty, 0.5 * (differences["0"] + differences["2"]))
    assert penalty > 0


@pytest.mark.parametrize("channels_last", [False, True])
def test_the_loss_falls_is_logged_and_leaves_no_trace(tmp_path: Path, channels_last: bool) -> None:
    callback = ImplicitTraining(beta=10.0, layers=["0", "2"], feature_groups=2, rotations=8, reflections=True)
    task = ClassificationTask(network(), milestones=[], lr=0.02, channels_last=channels_last)
    recorder = RunRecorder(tmp_path / "run")
    make.trainer(tmp_path, max_epochs=6, callbacks=[callback, recorder], enable_checkpointing=True).fit(
        task, make.loader(48, 8)
    )
    curve = [row["train/equivariance/2"] for row in recorder.rows]
    assert curve[-1] < 0.5 * curve[0]
    assert task.objective is None
    assert not any(module._forward_hooks for module in task.modules())


@pytest.mark.parametrize("rotations", [4, [45]])
def test_masks_of_moved_copies_are_those_of_the_images(
    rotations: int | list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The logits are moved back; what a turn has brought out of the picture does not count."""
    callback = ImplicitTraining(beta=0.5, layers=["0"], rotations=rotations, mode="bilinear")
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ELU(), nn.Conv2d(4, 3, 1))
    task = SegmentationTask(net, num_classes=3, ignore_index=9)
    task.objective = callback.objective(task)
    monkeypatch.setattr(task, "log", lambda *_, **__: None)
    x, masks = torch.rand(4, 3, 12, 12), torch.randint(0, 3, (4, 12, 12))
    torch.manual_seed(1)
    loss = task.training_step([x, masks], 0)
    torch.manual_seed(1)
    implicit = task.objective.implicit  # type: ignore[union-attr]
    (motion,) = implicit.draw(4)
    turned = motion.undo(net(motion.apply(x)))
    inside = motion.support(x, "support")
    again = masks if inside is None else masks.where(inside[:, 0], 9)
    assert (inside is None) == (rotations == 4)
    expected = F.cross_entropy(torch.cat([net(x), turned]), torch.cat([masks, again]), ignore_index=9)
    assert torch.allclose(loss, expected + implicit(x, [motion]).loss, atol=1e-6)


def test_segmentation_learns_equivariance(tmp_path: Path) -> None:
    """Where no class number is free for pixels that do not count, as in any other place."""
    callback = ImplicitTraining(beta=1.0, layers=["0"], rotations=8, feature_groups=2)
    net = nn.Sequential(nn.Conv2d(1, 4, 5, padding=2), nn.ELU(), nn.Conv2d(4, 1, 1))
    task, recorder = SegmentationTask(net, in_channels=1, lr=0.02), RunRecorder(tmp_path / "run")
    x = torch.rand(16, 1, 12, 12)
    batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, (x[:, 0] > 0.5).long()), 8)
    make.trainer(tmp_path, max_epochs=5, callbacks=[callback, recorder], enable_checkpointing=True).fit(task, batches)
    curves = {name: [row[name] for row in recorder.rows] for name in ("train/equivariance/0", "train/loss")}
    assert all(curve[-1] < curve[0] for curve in curves.values())
    assert task.objective is None


def test_weights_and_groups_by_layer_and_motions_of_ones_own() -> None:
    flip = partial(torch.flip, dims=(-1,))
    sets = [(TransformSet([Transform("flip", flip, flip, exact=True)]), 2.0), (turns(4), 0.5)]
    callback = ImplicitTraining(
        beta={"0": 1.0, "2": 0.1}, layers=["0", "2"], feature_groups={"0": 4, "2": None}, transforms=sets
    )
    implicit = task_of(callback).objective.implicit  # type: ignore[union-attr]
    assert implicit.beta == {"0": 1.0, "2": 0.1}
    assert implicit.feature_groups == {"0": 4, "2": None}
    assert [weight for _, weight in implicit.transforms] == [2.0, 0.5]
    assert implicit.copies == 3


def test_a_penalty_that_is_not_finite_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that is compared need not be one that the logits see."""
    task = task_of(ImplicitTraining(beta=1e38, layers=["0"]))
    monkeypatch.setattr(task, "log", lambda *_, **__: None)
    task.trainer = lightning.Trainer(logger=False, accelerator="cpu")
    task.trainer.state.fn = TrainerFn.FITTING
    with pytest.raises(ConfigError, match="training has diverged: the loss is inf"):
        task.training_step([1e3 * torch.rand(4, 1, 9, 9), torch.arange(4)], 0)


def test_beta_0_is_augmentation() -> None:
    """The same steps with or without the layers in the graph."""
    task = task_of(ImplicitTraining(beta=0.0, layers=["0"]))
    _, _, penalty, parts = task.objective(torch.rand(4, 1, 9, 9), torch.arange(4))  # type: ignore[misc]
    assert penalty == 0
    assert parts["train/equivariance/0"] > 0


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    def test_nothing_to_learn(self) -> None:
        with pytest.raises(ConfigError, match="leave nothing to learn"):
            ImplicitTraining(rotations=None)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"beta": -1.0}, "beta is -1.0: give a number of at least 0"),
            ({"beta": {"0": -1.0}}, "beta of layer '0' is -1.0"),
            ({"mask": "circle"}, "mask='circle' is not known"),
            ({"feature_groups": "2-4"}, "feature_groups='2-4'"),
            ({"transforms": 4}, "transforms=4: give a TransformSet"),
        ],
        ids=str,
    )
    def test_options(self, options: dict[str, Any], message: str) -> None:
        """Before any data are loaded."""
        with pytest.raises(ConfigError, match=re.escape(message)):
            ImplicitTraining(**options)

    def test_a_layer_that_is_not_there(self, tmp_path: Path) -> None:
        task = ClassificationTask(network())
        trainer = make.trainer(tmp_path, max_epochs=1, callbacks=[ImplicitTraining(layers=["conv"])])
        with pytest.raises(ConfigError, match="'conv' is not in Sequential"):
            trainer.fit(task, make.loader(8, 4))

    def test_two_callbacks(self, tmp_path: Path) -> None:
        callbacks = [ImplicitTraining(layers=["0"]), ImplicitTraining(layers=["2"])]
        task = ClassificationTask(network())
        with pytest.raises(ConfigError, match="the task has an objective already"):
            make.trainer(tmp_path, max_epochs=1, callbacks=callbacks).fit(task, make.loader(8, 4))
        assert task.objective is None

    def test_training_that_is_broken_off_leaves_no_trace(self, tmp_path: Path) -> None:
        class Stop(lightning.Callback):
            def on_train_batch_end(self, *_: object) -> None:
                raise RuntimeError("power cut")

        task = ClassificationTask(network())
        with pytest.raises(RuntimeError, match="power cut"):
            make.trainer(tmp_path, max_epochs=1, callbacks=[ImplicitTraining(layers=["0"]), Stop()]).fit(
                task, make.loader(8, 4)
            )
        assert task.objective is None

    def test_another_task(self, tmp_path: Path) -> None:
        callback = ImplicitTraining(layers=["0"])
        with pytest.raises(ConfigError, match="ClassificationTask and SegmentationTask, not for LightningModule"):
            callback.on_fit_start(lightning.Trainer(logger=False, accelerator="cpu"), lightning.LightningModule())
