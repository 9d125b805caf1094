"""Training with a loss for the equivariance of layers."""

from pathlib import Path

import lightning
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from equivision.errors import ConfigError
from equivision.tasks import ClassificationTask, ImplicitTraining, RunRecorder
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
        with pytest.raises(ConfigError, match="ImplicitTraining is for ClassificationTask, not for LightningModule"):
            callback.on_fit_start(lightning.Trainer(logger=False, accelerator="cpu"), lightning.LightningModule())
