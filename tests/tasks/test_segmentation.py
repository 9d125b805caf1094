"""Training of segmentation: the loss, the scores, checkpoints, and logits averaged over a group."""

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from equivision.errors import ConfigError, DataError, GroupMismatchError, ShapeError
from equivision.functional import act
from equivision.groups import dihedral, planar
from equivision.segmentation import classes_of, mask_loss, predict_tiled, thresholded_iou
from equivision.tasks import (
    ClassificationTask,
    MaskScores,
    SegmentationTask,
    SupervisedTask,
    TrackingTask,
    load_task,
    read_checkpoint,
)
from equivision.testing import randomize_
from tests.tasks import _make as make

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`.*"),
]
D4 = dihedral(4)


def disks(number: int = 6, size: int = 16, classes: int = 2) -> tuple[Tensor, Tensor]:
    """Bright disks, a class for each brightness, on noise."""
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    centres = torch.randint(4, size - 4, (number, 2, 1, 1), generator=generator)
    inside = ((y - centres[:, 0]) ** 2 + (x - centres[:, 1]) ** 2) < 14
    kinds = (torch.arange(number) % (classes - 1) + 1)[:, None, None]
    masks = torch.where(inside, kinds, 0)
    pictures = 0.2 * torch.rand(number, 3, size, size, generator=generator) + 0.8 * masks[:, None] / classes
    return pictures, masks


def loader(images: Tensor, masks: Tensor, **options: Any) -> DataLoader:
    return DataLoader(TensorDataset(images, masks), batch_size=4, **options)


def small(**options: Any) -> SegmentationTask:
    return SegmentationTask(**{"model": "unet", "width": 2, "model_args": {"depth": 2}} | options)


def saved(task: lightning.LightningModule, path: Path) -> Path:
    trainer = make.trainer(path.parent)
    trainer.strategy.connect(task)
    trainer.save_checkpoint(path)
    return path


class Variants(lightning.LightningDataModule):
    """Pictures as they are and turned."""

    test_names = ("upright", "turned")

    def test_dataloader(self) -> list[DataLoader]:
        images, masks = disks(classes=3)
        return [loader(images, masks), loader(images.rot90(1, (2, 3)), masks.rot90(1, (1, 2)))]


def scores_by_loops(found: Tensor, masks: Tensor, classes: int, ignore_index: int | None = None) -> dict[str, float]:
    """The definitions, image by image and class by class."""

    def counts(one: Tensor, mask: Tensor, k: int) -> tuple[int, int]:
        known = mask != ignore_index
        a, b = (one == k) & known, (mask == k) & known
        return int((a & b).sum()), int((a | b).sum())

    def ratio(part: float, whole: float) -> float:
        return part / whole if whole else math.nan

    def mean(values: list[float]) -> float:
        known = [value for value in values if not math.isnan(value)]
        return ratio(sum(known), len(known))

    total = [counts(found, masks, k) for k in range(classes)]
    images = [[counts(*pair, k) for k in range(1, classes)] for pair in zip(found, masks, strict=True)]
    ious = [[both / whole if whole else 1.0 for both, whole in image] for image in images]
    scores = [[math.ceil(min(max(20 * (one - 0.5), 0), 10)) / 10 for one in image] for image in ious]
    return {
        "iou": mean([ratio(both, whole) for both, whole in total[1:]]),
        "dice": mean([ratio(2 * both, both + whole) for both, whole in total[1:]]),
        "image_iou": sum(map(mean, ious)) / len(ious),
        "score": sum(map(mean, scores)) / len(scores),
    } | {f"iou_{k}": ratio(*total[k]) for k in range(classes)}


def assert_scores(found: dict[str, Any], wanted: dict[str, float]) -> None:
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-6, nan_ok=True), name


@pytest.mark.parametrize("ignore_index", [None, 255])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_scores_by_their_definitions(classes: int, ignore_index: int | None) -> None:
    masks = torch.randint(0, min(classes, 4), (7, 6, 5))  # of five classes, one is never there
    found = torch.where(torch.rand(7, 6, 5) < 0.8, masks, torch.randint(0, min(classes, 4), (7, 6, 5)))
    masks[0] = found[0] = 0
    if ignore_index is not None:
        masks[:, 2] = ignore_index
    scores = MaskScores(classes, ignore_index)
    for part, truth in zip(found.split(3), masks.split(3), strict=True):
        scores.update(part, truth)
    wanted = scores_by_loops(found, masks, classes, ignore_index)
    assert_scores(scores.compute(), wanted)
    assert 0.05 < wanted["score"] < wanted["image_iou"] < 1
    assert math.isnan(wanted[f"iou_{classes - 1}"]) == (classes == 5)


def test_scores_of_nothing_but_background() -> None:
    scores = MaskScores(3)
    scores.update(torch.zeros(2, 4, 4, dtype=torch.int64), torch.zeros(2, 4, 4, dtype=torch.int64))
    found = {name: float(value) for name, value in scores.compute().items()}
    assert math.isnan(found["iou"])
    assert math.isnan(found["dice"])
    assert (found["image_iou"], found["score"], found["iou_0"]) == (1, 1, 1)


def test_scores_of_turned_masks_are_the_same() -> None:
    found, masks = torch.randint(0, 3, (2, 5, 6, 9))
    upright, turned = MaskScores(3), MaskScores(3)
    upright.update(found, masks)
    turned.update(found.rot90(1, (1, 2)), masks.rot90(1, (1, 2)))
    assert_scores(turned.compute(), {name: float(value) for name, value in upright.compute().items()})


@pytest.mark.parametrize("classes", [2, 3])
def test_training_and_what_it_logs(classes: int, tmp_path: Path) -> None:
    images, masks = disks(classes=classes)
    masks[:, 0] = 255
    task = small(num_classes=classes, image_size=(16, 16), lr=0.02, ignore_index=255)
    assert task.model(images).shape == (6, 1 if classes == 2 else classes, 16, 16)
    trainer = make.trainer(tmp_path, max_epochs=4, log_every_n_steps=1)
    before = mask_loss(task(images), masks, ignore_index=255)
    trainer.fit(task, loader(images, masks), loader(images, masks))
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    with torch.no_grad():
        logits = task.eval()(images)
        loss = mask_loss(logits, masks, ignore_index=255)
        assert mask_loss(task.train()(images), masks, ignore_index=255) < before
    wanted = scores_by_loops(classes_of(logits), masks, classes, ignore_index=255)
    assert_scores(
        {name.removeprefix("val/"): value for name, value in metrics.items() if name.startswith("val/")},
        wanted | {"loss": float(loss)},
    )
    assert {"loss", "train/loss"} == {name for name in metrics if not name.startswith("val/")}


def test_every_variant_of_the_test_images_is_measured(tmp_path: Path) -> None:
    task, module = randomize_(small(num_classes=3, width=4, group="D4")), Variants()
    with torch.no_grad():
        task.get_parameter("model.classifier.weight").neg_()
        mean = task.eval()(disks()[0]).mean((0, 2, 3))
        task.get_parameter("model.classifier.bias").sub_(mean)  # so that all classes are found
    results = make.trainer(tmp_path).test(task, datamodule=module, verbose=False)
    found = {name: value for part in results for name, value in part.items()}
    for name, part in zip(module.test_names, module.test_dataloader(), strict=True):
        images, masks = part.dataset.tensors  # type: ignore[attr-defined]
        with torch.no_grad():
            logits = task.eval()(images)
        assert len(classes_of(logits).unique()) == 3
        wanted = scores_by_loops(classes_of(logits), masks, 3) | {"loss": float(mask_loss(logits, masks))}
        assert_scores({k.split("/")[1]: v for k, v in found.items() if k.endswith(f"/{name}")}, wanted)
    assert found["test/iou/upright"] == found["test/iou/turned"]
    assert 0 < found["test/iou/upright"] < 1
    plain = make.trainer(tmp_path).test(task, dataloaders=loader(*disks()), verbose=False)
    assert {"test/iou/0", "test/loss/0"} < set(plain[0])


def test_prediction() -> None:
    images, masks = disks(3)
    for classes in (2, 3):
        task = small(num_classes=classes).eval()
        with torch.no_grad():
            for batch in (images, (images, masks)):
                found = task.predict_step(batch)
                assert torch.equal(found["class"], classes_of(task(images)))
                assert found["probabilities"].shape == (3, classes, 16, 16)
    nn.init.constant_(task.get_parameter("model.classifier.weight"), math.inf)
    with pytest.raises(DataError, match="the network gives logits that are not finite"):
        task.predict_step(images)


def test_a_checkpoint_gives_the_task_back(tmp_path: Path) -> None:
    task = small(
        num_classes=3, group="D2", image_size=(16, 16), class_names=("back", "a", "b"), ignore_index=9, milestones=[2]
    )
    path = saved(randomize_(task), tmp_path / "a.ckpt")
    images, _ = disks(2)
    for again in (load_task(path), SegmentationTask.load_from_checkpoint(path)):
        assert type(again) is SegmentationTask
        assert dict(again.hparams) == dict(task.hparams)
        assert not again.training
        assert torch.equal(again(images), task.eval()(images))
    assert load_task(path, ignore_index=255).hparams["ignore_index"] == 255
    with pytest.raises(ConfigError, match="unexpected keyword argument 'ignore_index'; give a checkpoint of this task"):
        ClassificationTask.load_from_checkpoint(path)


@pytest.mark.parametrize("task", [ClassificationTask("p4cnn", width=2), TrackingTask("siamfc", width=2)])
def test_every_task_comes_back_as_itself(task: lightning.LightningModule, tmp_path: Path) -> None:
    path = saved(task, tmp_path / "a.ckpt")
    assert type(load_task(path)) is type(task)


def test_checkpoints_that_do_not_say_their_task(tmp_path: Path) -> None:
    path = saved(ClassificationTask("p4cnn", width=2), tmp_path / "a.ckpt")
    checkpoint = read_checkpoint(path)
    torch.save({**checkpoint, "equivision_task": "MyTask"}, path)
    with pytest.raises(DataError, match=r"written by the task 'MyTask': .* MyTask.load_from_checkpoint; here only Cl"):
        load_task(path)
    del checkpoint["equivision_task"]
    torch.save(checkpoint, path)
    assert type(load_task(path)) is ClassificationTask


@pytest.mark.parametrize("maps", [1, 2])
def test_a_network_of_ones_own(maps: int, tmp_path: Path) -> None:
    """For two classes with one map of logits, or with two."""
    net = nn.Conv2d(3, maps, 3, padding=1)
    task = SegmentationTask(net, image_size=(16, 17), lr=0.1)
    images, masks = disks()
    make.trainer(tmp_path, max_epochs=1, log_every_n_steps=1).fit(task, loader(images, masks))
    path = saved(task, tmp_path / "a.ckpt")
    with pytest.raises(ConfigError, match="has no name in the registry"):
        load_task(path)
    again = load_task(path, model=nn.Conv2d(3, maps, 3, padding=1))
    assert torch.equal(again(images), task.eval()(images))
    assert again.predict_step(images)["probabilities"].shape == (6, 2, 16, 16)


def worst(task: SegmentationTask, images: Tensor) -> float:
    with torch.no_grad():
        logits = task(images)
        errors = [float((task(act(images, g, D4)) - act(logits, g, D4)).norm()) for g in range(1, D4.order)]
    assert (logits.flatten(2).std(2) > 0).all()
    return max(errors) / float(logits.norm())


@pytest.mark.parametrize(("size", "breadth"), [(12, 12), (13, 13), (12, 17)])
def test_a_plain_network_averaged_over_a_group_is_exact(size: int, breadth: int) -> None:
    task = randomize_(small(model="z2_unet", width=8, num_classes=3).double()).eval().requires_grad_(False)
    images = torch.rand(2, 3, size, breadth, dtype=torch.float64)
    keys, plain = list(task.state_dict()), task(images)
    assert worst(task, images) > 1e-4
    task.symmetrize = "D4"
    assert task.symmetrize == D4
    assert worst(task, images) <= 1e-12
    copies = [act(task.model(act(images, D4.inverse(g), D4)), g, D4) for g in range(D4.order)]
    torch.testing.assert_close(task(images), torch.stack(copies).mean(0))
    assert list(task.state_dict()) == keys
    assert len(list(task.parameters())) == len(list(task.model.parameters()))
    tiled = predict_tiled(task, torch.rand(3, 20, 31).double(), tile=size, overlap=3, dtype=torch.float64)
    assert tiled.shape == (3, 20, 31)
    task.symmetrize = None
    assert task.symmetrize is None
    assert torch.equal(task(images), plain)
    task.symmetrize = "D4"
    task.train()
    torch.testing.assert_close(task(images), task.model(images))  # training is as it was


def test_averaging_survives_copies_and_devices() -> None:
    task = randomize_(small(model="z2_unet", width=8)).eval()
    task.symmetrize = planar("C4")
    images, _ = disks(2)
    wanted = task(images)
    for again in (copy.deepcopy(task), pickle.loads(pickle.dumps(task))):
        assert again.symmetrize == planar("C4")
        assert torch.equal(again(images), wanted)
        nn.init.zeros_(again.get_parameter("model.classifier.weight"))
        assert not torch.equal(again(images), wanted), "it averages its own network"
    assert torch.equal(task(images), wanted)
    assert task.double()(images.double()).dtype == torch.float64


def test_averaging_that_cannot_be() -> None:
    task = small().eval()
    with pytest.raises(GroupMismatchError, match="group='X4' is not a group name"):
        task.symmetrize = "X4"
    assert task.symmetrize is None
    task.symmetrize = "C8"
    with pytest.raises(ShapeError, match="C8 mixes rows and columns: give square images"):
        task(torch.zeros(1, 3, 16, 20))


def test_training_that_diverges(tmp_path: Path) -> None:
    images, masks = disks()
    images[0, 0, 0, 0] = math.nan
    with pytest.raises(ConfigError, match=r"training has diverged: the loss is nan in epoch 1.*lower --model.lr"):
        make.trainer(tmp_path, max_epochs=1, log_every_n_steps=1).fit(small(), loader(images, masks))
    with pytest.raises(DataError, match="the loss is nan: the network gives outputs that are not finite"):
        make.trainer(tmp_path).test(small(), loader(images, masks), verbose=False)


def test_the_recipe_of_the_study_is_the_default() -> None:
    task = SegmentationTask(width=1)
    assert isinstance(task, SupervisedTask)
    assert task.hparams["model"] == "unet"
    optimizer = task.configure_optimizers()["optimizer"]
    assert isinstance(optimizer, torch.optim.Adam)
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"]) == (1e-4, 0)
    assert task.hparams["milestones"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ignore_index": 1}, "ignore_index=1 is one of the 2 classes: give another number"),
        ({"ignore_index": 0, "num_classes": 3}, "ignore_index=0 is one of the 3 classes"),
        ({"num_classes": 1}, "num_classes=1: .* needs at least 2 classes"),
        ({"lr": -1.0}, "lr=-1.0: the learning rate must be a positive number"),
        (
            {"model": "segnet", "model_args": {}, "image_size": (40, 40)},
            "'segnet' does not take images of 40x40 .*: sizes near it that work: 32x32, 48x48",
        ),
        (
            {"model": "p4cnn", "model_args": {}, "num_classes": 3, "image_size": (28, 28)},
            r"'p4cnn' gives \[2, 3\] .*need \[2, 3, 28, 28\]: one logit a class of every pixel; choose 'unet' or",
        ),
        (
            {"model": nn.Conv2d(3, 3, 1), "width": None, "model_args": {}, "image_size": (8, 8)},
            r"gives \[2, 3, 8, 8\] for 2 images, but 2 classes need \[2, 1, 8, 8\] or \[2, 2, 8, 8\]",
        ),
    ],
)
def test_mistakes(options: dict[str, Any], message: str, unchecked_annotations: None) -> None:
    with pytest.raises(ConfigError, match=message):
        small(**options)


def test_the_score_of_an_image_is_thresholded_before_the_mean() -> None:
    scores = MaskScores(2)
    masks = torch.ones(2, 1, 10, dtype=torch.int64)
    found = masks.clone()
    found[0, 0, :7] = 0  # 0.3 of the first image, all of the second
    scores.update(found, masks)
    computed = scores.compute()
    assert float(computed["image_iou"]) == pytest.approx(0.65)
    assert float(computed["score"]) == pytest.approx(0.5)
    assert float(thresholded_iou(computed["image_iou"])) == pytest.approx(0.3)
    with pytest.raises(DataError, match="prediction holds values from 2 to 2"):
        scores.update(2 * masks, masks)


def test_a_group_that_a_model_does_not_take() -> None:
    with pytest.raises((ConfigError, GroupMismatchError), match="z2_unet has no symmetry"):
        small(model="z2_unet", group="C4")


def test_images_of_ignored_pixels_only_do_not_count() -> None:
    prediction, masks = torch.randint(0, 3, (2, 3, 8, 8)).unbind(0)
    alone, among = MaskScores(3, 255), MaskScores(3, 255)
    alone.update(prediction, masks)
    unknown = torch.full((1, 8, 8), 255)
    among.update(torch.cat([prediction, prediction[:1]]), torch.cat([masks, unknown]))
    assert float(alone.compute()["image_iou"]) < 0.9
    torch.testing.assert_close(among.compute(), alone.compute(), rtol=0, atol=0)
