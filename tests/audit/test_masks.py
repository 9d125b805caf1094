"""Dense outputs: masks that turn with the image or do not, their overlap with true masks, and how both are shown."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision._colours import MASK_COLOURS
from equivision.audit import AuditReport, MaskResult, audit, write_html
from equivision.audit._masks import rotate_mask
from equivision.audit._overlay import DIFFERENCE_COLOUR, differences, overlay
from equivision.audit._picture import class_picture, marked_picture
from equivision.errors import ConfigError, DataError, ShapeError
from equivision.functional import act

ANGLES = (0.0, 20.0, 90.0, 135.0, 270.0)


def random_net(name: str, num_classes: int, **options: object) -> nn.Module:
    """With norms that are not the trivial ones, and logits of which none always wins."""
    width = 2 if name == "unet" else 6
    net = ev.create_model(name, width=width, depth=1, in_channels=1, num_classes=num_classes, **options).double()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            for value in (module.running_mean, module.bias.data):
                value.normal_(0, 0.2)
            for value in (module.running_var, module.weight.data):
                value.uniform_(0.5, 1.5)
    with torch.no_grad():
        logits = net.eval()(torch.randn(4, 1, 17, 17).double()).transpose(0, 1).flatten(1)
        net.classifier.weight /= logits.std(1).view(-1, 1, 1, 1)
        net.classifier.bias.sub_(logits.mean(1)).div_(logits.std(1))
    return net


def example(size: int = 17, num_classes: int = 3, number: int = 3) -> tuple[Tensor, Tensor]:
    return torch.randn(number, 1, size, size).double(), torch.randint(num_classes, (number, size, size))


class Shown(nn.Module):
    """Logits that are the image: channel c is high where the image is c."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, x: Tensor) -> Tensor:
        if self.num_classes == 1:
            return x - 0.5
        return -(x - torch.arange(self.num_classes).view(1, -1, 1, 1)).abs()


@pytest.mark.parametrize(("group", "size"), [("C4", 17), ("C4", 16), ("D4", 17)])
@pytest.mark.parametrize("num_classes", [1, 3])
def test_masks_of_equivariant_networks_turn_exactly(group: str, size: int, num_classes: int) -> None:
    images, masks = example(size, max(2, num_classes))
    report = audit(random_net("unet", num_classes, group=group), images, group=group, masks=masks, angles=ANGLES)
    assert (report.verdict, report.output_action, report.warnings) == ("exact", "plane", ())
    results = [element.mask for element in report.elements]
    assert results == [MaskResult(0.0, results[0].iou)] * len(results)
    assert all(0.05 < value < 0.95 for value in results[0].iou)
    assert (report.mask_error, report.mean_iou) == (0.0, results[0].mean_iou)
    at = {angle.degrees: angle.mask for angle in report.angles}
    assert at[90.0] == at[270.0] == at[0.0]
    assert at[20.0].error > 0.02
    assert report.rotated_mean_iou == pytest.approx(np.mean([mask.mean_iou for mask in at.values()]))


@pytest.mark.parametrize("num_classes", [1, 3])
def test_masks_of_plain_networks_do_not(num_classes: int) -> None:
    images, masks = example(17, max(2, num_classes))
    report = audit(random_net("z2_unet", num_classes), images, group="D4", masks=masks, angles=ANGLES)
    results = [element.mask for element in report.elements]
    assert results[0].error == 0
    assert all(mask.error > 0.02 and mask.iou != results[0].iou for mask in results[1:])
    assert report.mask_error == max(mask.error for mask in results)
    at = {angle.degrees: angle.mask for angle in report.angles}
    assert at[0.0].error == 0
    assert all(at[degrees].error > 0.02 for degrees in (90.0, 270.0))


def test_counts_by_hand(images: Tensor) -> None:
    """The error is that of the masks, not of the logits, and the IoU that of sets of pixels."""
    net = nn.Conv2d(1, 3, 3, padding=1)
    truth = torch.randint(3, (6, 9, 9))
    report = audit(net, images, group="C4", masks=truth, batch_size=4, angles=())
    with torch.no_grad():
        for g in range(4):
            mask = net(act(images, g, "C4")).argmax(1)
            expected, turned = (act(each[:, None], g, "C4")[:, 0] for each in (net(images).argmax(1), truth))
            found = report.elements[g].mask
            assert found.error == pytest.approx(float((mask != expected).double().mean()))
            for c in range(3):
                both, either = ((mask == c) & (turned == c)).sum(), ((mask == c) | (turned == c)).sum()
                assert found.iou[c] == pytest.approx(float(both / either))
            assert found.mean_iou == pytest.approx((found.iou[1] + found.iou[2]) / 2)


@pytest.mark.parametrize("num_classes", [1, 4])
def test_a_network_that_shows_the_truth_has_it_at_every_angle(num_classes: int) -> None:
    """Turned masks are turned as the image is: on a disk that looks alike at all angles nothing is lost."""
    rows = torch.arange(32) - 15.5
    disk = ((rows[:, None] ** 2 + rows**2).sqrt() < 9).long()
    masks = torch.stack([disk, disk * 0])
    report = audit(Shown(num_classes), masks[:, None].double(), group="C4", masks=masks, angles=range(0, 360, 15))
    assert all(element.mask.mean_iou == 1 for element in report.elements)
    assert all(angle.mask.mean_iou > 0.85 and angle.mask.error < 0.08 for angle in report.angles)
    assert report.elements[0].mask.iou == (1.0, 1.0, None, None)[: max(2, num_classes)]  # of others there is no pixel


def test_turned_masks_hold_no_new_classes() -> None:
    masks = torch.randint(3, (2, 9, 9)) * 5 - 1
    for degrees in (10.0, 45.0, 100.0):
        turned = rotate_mask(masks, degrees, ev.groups.cyclic(4))
        assert set(turned.unique().tolist()) <= {-1, 4, 9}
        assert not torch.equal(turned, masks)
    assert torch.equal(rotate_mask(masks, 90.0, ev.groups.cyclic(4)), torch.rot90(masks, 1, (-2, -1)))
    assert torch.equal(rotate_mask(masks, 180.0, ev.groups.dihedral(1)), torch.rot90(masks, 2, (-2, -1)))


def test_pixels_to_ignore() -> None:
    images, masks = example()
    net = random_net("unet", 3, group="C4")
    with torch.no_grad():
        found = net(images).argmax(1)
    known = torch.rand(masks.shape) < 0.6
    truth = found.where(known, torch.tensor(255)).byte()  # right wherever it is known
    report = audit(net, images, group="C4", masks=truth, ignore_index=255, angles=(0.0, 90.0))
    assert [element.mask.iou for element in report.elements] == [(1.0, 1.0, 1.0)] * 4
    with pytest.raises(DataError, match=r"masks hold values from 0 to 255, but the model has 3 classes, 0 to 2: name"):
        audit(net, images, group="C4", masks=truth)
    unknown = audit(net, images, group="C4", masks=torch.full_like(truth, 255), ignore_index=255, angles=())
    assert unknown.elements[0].mask.iou == (None, None, None)
    assert unknown.mean_iou is None
    assert "–" in unknown.table()


def test_without_true_masks() -> None:
    images, _ = example()
    report = audit(random_net("z2_unet", 3), images, group="C4", angles=(0.0, 90.0))
    assert report.elements[1].mask.error > 0.02
    assert report.elements[1].mask.iou is None
    assert (report.mean_iou, report.rotated_mean_iou, report.gallery.masks.truth) == (None, None, None)
    assert "mask error" in report.table()
    assert "IoU" not in report.table()


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(81, 4)),
        nn.Conv2d(1, 3, 3),
        nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.Flatten()),
        ev.nn.LiftConv2d(1, 2, 3, group="C4", padding=1),
    ],
    ids=["scores", "another size", "flattened", "on the group"],
)
def test_outputs_that_are_no_masks(net: nn.Module, images: Tensor, tmp_path: Path) -> None:
    report = audit(net, images, group="C4", angles=(0.0, 90.0))
    assert {each.mask for each in (*report.elements, *report.angles)} == {None}
    assert (report.gallery.masks, report.mask_error, report.mean_iou) == (None, None, None)
    page = report.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "mask error" not in page + report.table()
    assert "Watch the masks turn" not in page
    with pytest.raises(
        ShapeError, match=r"masks are given, but the output of shape .* \[batch, classes, 9, 9\] of the"
    ):
        audit(net, images, group="C4", masks=torch.zeros(6, 9, 9).long())


def test_masks_of_one_class_prove_little(images: Tensor) -> None:
    net = nn.Conv2d(1, 1, 3, padding=1)
    nn.init.constant_(net.bias, -100)
    report = audit(net, images, group="C4", masks=torch.ones(6, 9, 9).long(), angles=())
    assert (report.mask_error, report.mean_iou) == (0.0, 0.0)
    assert any("of one class: that they move along proves little" in note for note in report.warnings)


MASKS = torch.zeros(6, 9, 9, dtype=torch.int64)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"masks": [0]}, ShapeError, r"masks has type list: audit needs a tensor \(6, 9, 9\) with one class for each"),
        ({"masks": MASKS[:5]}, ShapeError, r"masks has shape \(5, 9, 9\): audit needs a tensor \(6, 9, 9\)"),
        ({"masks": MASKS[:, None]}, ShapeError, r"masks has shape \(6, 1, 9, 9\)"),
        ({"masks": MASKS.float()}, DataError, "masks are of torch.float32: audit needs whole numbers"),
        ({"masks": MASKS.bool()}, DataError, "masks are of torch.bool"),
        ({"masks": MASKS + 2}, DataError, "masks hold values from 2 to 2, but the model has 2 classes, 0 to 1"),
        ({"masks": MASKS - 1}, DataError, "masks hold values from -1 to -1"),
        ({"masks": MASKS, "labels": MASKS[:, 0, 0]}, ConfigError, "labels and masks are both given"),
        ({"ignore_index": 255}, ConfigError, "ignore_index=255 is a value in masks, which are not given"),
        ({"masks": MASKS, "ignore_index": True}, ConfigError, "ignore_index=True: give the whole number that marks"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_wrong_masks(images: Tensor, options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        audit(nn.Conv2d(1, 1, 3, padding=1), images, group="C4", angles=(), **options)


@pytest.fixture(scope="module")
def reports() -> dict[str, AuditReport]:
    torch.manual_seed(0)
    images, masks = example()
    masks[0, :3] = 255
    nets = {"turns": random_net("unet", 3, group="C4"), "plain": random_net("z2_unet", 3)}
    return {
        name: audit(net, images, group="C4", masks=masks, ignore_index=255, angles=range(0, 360, 30), layers=False)
        for name, net in nets.items()
    }


def test_json_there_and_back(reports: dict[str, AuditReport]) -> None:
    for report in reports.values():
        assert AuditReport.from_json(report.to_json()) == report
    data = json.loads(reports["plain"].to_json())
    assert data["elements"][1]["mask"]["error"] == reports["plain"].elements[1].mask.error
    data["elements"][1]["mask"]["iou"][0] = "much"
    with pytest.raises(DataError, match="'much' is not of type float"):
        AuditReport.from_json(json.dumps(data))


def test_table(reports: dict[str, AuditReport]) -> None:
    text = reports["plain"].table()
    assert text.count("mask error  mean IoU   IoU 0   IoU 1   IoU 2") == 2
    assert "same class" not in text
    many = audit(nn.Conv2d(1, 9, 1), torch.randn(2, 1, 9, 9), group="C4", masks=torch.ones(2, 9, 9).long()).table()
    assert "mean IoU" in many
    assert "IoU 0" not in many


def test_page(reports: dict[str, AuditReport], tmp_path: Path) -> None:
    page = write_html(reports, tmp_path / "page.html").read_text(encoding="utf-8")
    for words in (
        "Watch the masks turn", "Mean IoU, by angle", "Mask error, by angle", "mean IoU, whole image",
        "mean IoU at all angles, within the disk",
        "class 1", "class 2", "does not move along", "true mask over the input, turned 90°",
        "predicted mask over the input, turned 270°", ">mask error</th>", ">mean IoU<br>class 0 · 1 · …</th>",
    ):  # fmt: skip
        assert words in page
    assert "class 3" not in page
    alone = audit(random_net("unet", 1), torch.randn(2, 1, 9, 9).double(), group="D1", angles=())
    page = alone.to_html(tmp_path / "alone.html").read_text(encoding="utf-8")
    assert "predicted mask over the input, flipped" in page
    assert "true mask" not in page
    assert "IoU" not in page


def test_pictures_show_what_they_claim(reports: dict[str, AuditReport]) -> None:
    for name, report in reports.items():
        masks = report.gallery.masks
        assert (masks.num_classes, masks.image.height) == (3, 17)
        predicted = [torch.from_numpy(p.array[..., 0].copy()) for p in masks.predicted]
        for g in range(4):
            wrong = predicted[g] != torch.rot90(predicted[0], g)
            assert (masks.differences[g].array[..., 0] == 255 * wrong.numpy()).all()
            assert bool(wrong.any()) == (name == "plain" and g > 0)
        assert (masks.truth.array[:3] == 255).all()
        assert masks.truth.array[3:].max() == 2


def test_too_many_classes_to_draw() -> None:
    images = torch.randn(2, 1, 5, 5)
    assert audit(nn.Conv2d(1, 255, 1), images, group="C4", angles=()).gallery.masks is not None
    assert audit(nn.Conv2d(1, 256, 1), images, group="C4", angles=()).gallery.masks is None


def test_large_masks_are_reduced_by_majority_and_turn_along() -> None:
    mask = torch.randint(-1, 4, (150, 150))
    small, turned = class_picture(mask).array, class_picture(torch.rot90(mask)).array
    assert small.shape == (128, 128, 1)
    assert set(np.unique(small)) == {0, 1, 2, 3, 255}
    assert (np.rot90(small) == turned).all()
    mostly = torch.ones(256, 256).long()
    mostly[::2, ::2] = 3
    assert (class_picture(mostly).array == 1).all()
    single = torch.zeros(256, 256, dtype=torch.bool)
    single[100, 30] = True
    assert marked_picture(single).array[50, 15] == 255
    assert int((marked_picture(single).array > 0).sum()) == 1


def colour(text: str) -> list[int]:
    return [int(text[i : i + 2], 16) for i in (1, 3, 5)]


def test_overlay() -> None:
    image = np.full((8, 8, 1), 100, np.uint8)
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 2:6], mask[0, 0] = 1, 255
    shown = overlay(image, mask)
    assert shown.shape == (128, 128, 3)
    assert (shown[:31] == 100).all()  # background, and what is not known
    assert shown[32, 50].tolist() == colour(MASK_COLOURS[0])  # a thin line
    assert shown[33, 50].tolist() == [math.floor(70 + 0.3 * c + 0.5) for c in colour(MASK_COLOURS[0])]
    many = overlay(np.zeros((200, 200, 3), np.uint8), np.full((200, 200), len(MASK_COLOURS) + 1, np.uint8))
    assert many.shape == (200, 200, 3)
    assert many[0, 0].tolist() == [math.floor(0.3 * c + 0.5) for c in colour(MASK_COLOURS[0])]
    wrong = differences(image, mask == 1)
    assert wrong[40, 40].tolist() == colour(DIFFERENCE_COLOUR)
    assert wrong[0, 0].tolist() == [45, 45, 45]
