import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from equivision.errors import ConfigError, DataError, GroupMismatchError
from equivision.functional._layout import is_image_channels_last
from equivision.groups import cyclic
from equivision.tasks import ClassificationTask
from tests.tasks import _make as make

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*"),
]


def small(**options: Any) -> ClassificationTask:
    return ClassificationTask(**({"model": "p4cnn", "width": 2} | options))


def saved(task: ClassificationTask, path: Path) -> Path:
    trainer = make.trainer(path.parent)
    trainer.strategy.connect(task)
    trainer.save_checkpoint(path)
    return path


def test_a_checkpoint_gives_the_task_back(tmp_path: Path) -> None:
    task = ClassificationTask(
        "resnet18",
        group="D2",
        width=1,
        model_args={"stem": "large"},
        in_channels=3,
        num_classes=4,
        image_size=(33, 33),
        class_names=("a", "b", "c", "d"),
        optimizer="sgd",
        milestones=(3, 5),
    )
    path = saved(task, tmp_path / "a.ckpt")
    assert torch.load(path, weights_only=True)["hyper_parameters"]["model_args"] == {"stem": "large"}
    again = ClassificationTask.load_from_checkpoint(path, weights_only=True)
    assert dict(again.hparams) == dict(task.hparams)
    assert not again.training
    x = torch.rand(2, 3, 33, 33)
    assert torch.equal(again(x), task.eval()(x))
    assert ClassificationTask.load_from_checkpoint(path, lr=0.5).hparams["lr"] == 0.5


def test_channels_last_is_what_the_network_gets() -> None:
    task = small(channels_last=True).eval()
    seen: list[bool] = []
    task.model.register_forward_pre_hook(lambda _, inputs: seen.append(is_image_channels_last(inputs[0])))
    images = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(task(images), task.model(images))
    assert seen == [True, False]


def test_a_network_without_a_name_is_passed_again(tmp_path: Path) -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    task = ClassificationTask(network(), image_size=(28, 28))
    path = saved(task, tmp_path / "a.ckpt")
    with pytest.raises(ConfigError, match="has no name in the registry; build that network and pass it as model="):
        ClassificationTask.load_from_checkpoint(path)
    again = ClassificationTask.load_from_checkpoint(path, model=network())
    x, _ = make.images(2)
    assert torch.equal(again(x), task(x))
    with pytest.raises(DataError, match="do not fit the model"):
        ClassificationTask.load_from_checkpoint(path, model=nn.Sequential(nn.Flatten(), nn.Linear(784, 10, bias=False)))
    with pytest.raises(ConfigError, match="group given together with a network"):
        ClassificationTask(network(), group="C4")


def test_loading_is_safe_or_refused(tmp_path: Path) -> None:
    path = saved(small(), tmp_path / "a.ckpt")
    with pytest.raises(ConfigError, match="reads with weights_only=True"):
        ClassificationTask.load_from_checkpoint(path, weights_only=False)
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["hyper_parameters"]["_instantiator"] = "os.system"
    torch.save(checkpoint, path)
    with pytest.raises(
        ConfigError, match="unexpected keyword argument '_instantiator'; give a checkpoint of this task"
    ):
        ClassificationTask.load_from_checkpoint(path)


def test_metrics_are_what_they_say(tmp_path: Path) -> None:
    task = small(image_size=(28, 28))
    trainer = make.trainer(tmp_path, max_epochs=1, log_every_n_steps=1)
    trainer.fit(task, make.loader(), make.loader(20, 8))
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert set(metrics) == {"loss", "train/loss", "train/accuracy", "val/loss", "val/accuracy"}
    pictures, labels = make.images(20)
    with torch.no_grad():
        logits = task.eval()(pictures)
    assert metrics["val/accuracy"] == pytest.approx(float((logits.argmax(1) == labels).float().mean()))
    assert metrics["val/loss"] == pytest.approx(float(nn.functional.cross_entropy(logits, labels)), rel=1e-5)


def test_every_variant_of_the_test_images_is_measured(tmp_path: Path) -> None:
    task, module = small(), make.Variants()
    results = make.trainer(tmp_path).test(task, datamodule=module, verbose=False)
    found = {name: value for part in results for name, value in part.items()}
    assert set(found) == {f"test/{kind}/{name}" for kind in ("loss", "accuracy") for name in ("upright", "turned")}
    for name, data in zip(module.test_names, module.test_dataloader(), strict=True):
        pictures, labels = data.dataset.tensors  # type: ignore[attr-defined]
        with torch.no_grad():
            logits = task.eval()(pictures)
        assert found[f"test/accuracy/{name}"] == pytest.approx(float((logits.argmax(1) == labels).float().mean()))
        assert found[f"test/loss/{name}"] == pytest.approx(float(nn.functional.cross_entropy(logits, labels)), rel=1e-5)
    plain = make.trainer(tmp_path).test(task, dataloaders=make.loader(), verbose=False)
    assert set(plain[0]) == {"test/loss/0", "test/accuracy/0"}


def test_prediction() -> None:
    task, (pictures, positions) = small().eval(), make.images(3)
    with torch.no_grad():
        wanted = task(pictures).softmax(1)
        for batch in (pictures, (pictures, positions)):
            found = task.predict_step(batch)
            assert torch.equal(found["probabilities"], wanted)
            assert torch.equal(found["class"], wanted.argmax(1))
            assert torch.equal(found["probability"], wanted.amax(1))


def test_the_recipe_of_the_study_is_the_default() -> None:
    task = small()
    configured = task.configure_optimizers()
    optimizer, scheduler = configured["optimizer"], configured["lr_scheduler"]
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.param_groups[0]["weight_decay"] == 1e-5
    rates = []
    for _ in range(50):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([0.01] * 40 + [0.001] * 10)
    other = small(optimizer="sgd", lr=0.5, momentum=0.8, weight_decay=0.0).configure_optimizers()["optimizer"]
    assert isinstance(other, torch.optim.SGD)
    assert [other.param_groups[0][key] for key in ("lr", "momentum", "weight_decay")] == [0.5, 0.8, 0.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "p5cnn"}, "model 'p5cnn' is not known: choose one of"),
        ({"model_args": {"depth": 3}}, "has no argument 'depth'"),
        ({"model_args": {"num_classes": 3}}, r"model_args\['num_classes'\]=3, but the data has num_classes=10"),
        ({"model_args": {"in_channels": 3}}, r"model_args\['in_channels'\]=3, but the data has in_channels=1"),
        ({"model_args": {"group": cyclic(4)}}, r"model_args\['group'\]=.* is a .*Group: give plain values only"),
        (
            {"width": None, "model_args": {"width": [torch.tensor(3)]}},
            r"model_args\['width'\]\[0\]=tensor\(3\) is a Tensor",
        ),
        ({"width": None, "model_args": {"width": "wide"}}, "width='wide': give a whole number"),
        ({"num_classes": 1}, "num_classes=1: classification needs at least 2 classes"),
        ({"class_names": ["a", "b"]}, "num_classes=10, but class_names holds 2"),
        ({"lr": 0.0}, "lr=0.0: the learning rate must be a positive number"),
        ({"lr": math.nan}, "lr=nan"),
        ({"weight_decay": -1e-5}, "weight_decay=-1e-05: must be 0 or more"),
        ({"momentum": 1.0}, "momentum=1.0: must be at least 0 and below 1"),
        ({"milestones": [4, 4]}, r"milestones=\[4, 4\]: give epochs from 1 on, in rising order"),
        ({"milestones": [0]}, r"milestones=\[0\]: give epochs from 1 on"),
        ({"channels_last": "no"}, "channels_last='no': give True or False"),
        ({"gamma": 0.0}, "gamma=0.0: .* must be positive"),
        ({"optimizer": "adamw"}, "optimizer='adamw' is not known: choose 'adam' or 'sgd'"),
        ({"image_size": (27, 27)}, "does not take images of 27x27 .*: sizes near it that work: 28x28, 30x30, 32x32"),
        ({"image_size": 28}, "image_size=28: give height and width"),
        ({"image_size": (5, 5)}, "does not take images of 5x5 .* The layer that failed says"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str, unchecked_annotations: None) -> None:
    with pytest.raises(ConfigError, match=message):
        small(**options)


def test_a_group_off_the_grid() -> None:
    with pytest.raises(GroupMismatchError, match="do not map the pixel grid onto itself"):
        small(group="C3")


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 7)), r"gives \[2, 7\] for 2 images, but 10 classes need \[2, 10\]"),
        (nn.Conv2d(1, 10, 3), r"'Conv2d' gives \[2, 10, 26, 26\] for 2 images"),
        (nn.Conv2d(3, 10, 3), "'Conv2d' does not take images of 28x28 with 1 channel.*: no size near it works"),
    ],
)
def test_a_network_that_does_not_fit_the_data(network: nn.Module, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ClassificationTask(network, image_size=(28, 28))


def test_trying_the_network_leaves_no_trace() -> None:
    network = nn.Sequential(nn.Conv2d(1, 10, 3), nn.BatchNorm2d(10).eval(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    ClassificationTask(network, image_size=(9, 9))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert [module.training for module in network] == [True, False, True, True]


def test_unknown_metrics_are_not_part_of_the_weights() -> None:
    assert all(name.startswith("model.") for name in small().state_dict())
