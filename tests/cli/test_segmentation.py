"""Segmentation on the command line: from folders of pictures and masks to masks of new pictures."""

import csv
import json
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from PIL import Image

from equivision.cli import main
from equivision.cli._masks import legend
from equivision.data import read_picture
from equivision.export import OnnxModel
from equivision.segmentation import classes_of, overlay, predict_tiled
from equivision.tasks import ClassificationTask, SegmentationTask

SMALL = ["--model.width", "2", "--model.model_args.depth", "2", "--model.lr", "0.02"]
RUN = ["--data.batch_size", "2", "--data.class_names", "[back,disk]", "--trainer.accelerator", "cpu"]


def write_disks(folder: Path, number: int = 14, size: int = 16) -> Path:
    """Pictures of bright disks in ``images``, their masks of 0 and 255 in ``masks``."""
    random = np.random.default_rng(2)
    y, x = np.mgrid[:size, :size]
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for i in range(number):
        row, column = random.integers(4, size - 4, 2)
        disk = (y - row) ** 2 + (x - column) ** 2 < 14
        noise = random.integers(0, 60, (size, size, 3), dtype=np.uint8)
        Image.fromarray(noise + 150 * disk[..., None].astype(np.uint8)).save(folder / "images" / f"{i}.png")
        Image.fromarray(disk).save(folder / "masks" / f"{i}.png")
    return folder


def data(folder: Path, *further: str) -> list[str]:
    return ["--data", "MaskFolderDataModule", "--data.root", str(folder), *RUN, *further]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_disks(tmp_path_factory.mktemp("disks"))


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of a plain U-Net."""
    folder = tmp_path_factory.mktemp("shared") / "run"
    options = [*data(root), "--model.model", "z2_unet", *SMALL[2:], "--model.width", "4"]
    assert main(["fit", *options, "--trainer.max_epochs", "16", "--run_dir", str(folder)]) == 0
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pictures of several sizes and kinds, one of them in a folder below."""
    folder = tmp_path / "new"
    (folder / "more").mkdir(parents=True)
    random = np.random.default_rng(3)
    for name, size in (("a.png", (20, 20)), ("b.bmp", (17, 24)), ("more/großé, c.tif", (9, 13))):
        values = random.integers(0, 60, (*size, 3), dtype=np.uint8)
        values[:6, :7] += 180
        Image.fromarray(values).save(folder / name)
    Image.fromarray(random.integers(0, 256, (16, 16), dtype=np.uint8)).save(folder / "d.png")
    return folder


NAMES = {"a": "a.png", "b": "b.bmp", "d": "d.png", "more/großé, c": "more/großé, c.tif"}


def predict(run: Path, pictures: Path, output: Path, *further: str) -> int:
    where = ["--run_dir", str(run), "--images", str(pictures), "--output", str(output), "--device", "cpu"]
    return main(["predict", *where, *further])


def task_of(run: Path) -> SegmentationTask:
    return SegmentationTask.load_from_checkpoint(run / "checkpoints" / "best.ckpt")


def mask_in(path: Path) -> torch.Tensor:
    with Image.open(path) as picture:
        assert picture.mode == "P"
        return torch.from_numpy(np.array(picture)).long()


def test_the_screen_of_a_newcomer(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fit", *data(root), *SMALL, "--trainer.max_epochs", "1"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines()
    assert lines[0].startswith("model  unet (width 2), ")
    assert lines[1].startswith("data   MaskFolderDataModule: 10 train, 2 val, 2 test images of 16x16 pixels, 3 ch")
    assert lines[2] == "run    runs/maskfolder-unet"
    assert lines[4].split()[1:-2] == [
        "train/loss", *(f"val/{name}" for name in ("dice", "image_iou", "iou", "iou_0", "iou_1", "loss", "score")),
    ]  # fmt: skip
    assert lines[-1] == "next     equivision test --run_dir runs/maskfolder-unet"
    assert main(["test", "--run_dir", "runs/maskfolder-unet", "--output", "scores.json"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    table = [line.split() for line in shown.out.splitlines()[2:5]]
    assert table[0] == ["images", "iou", "dice", "image_iou", "score", "loss"]
    assert [row[0] for row in table[1:]] == ["upright", "quarters"]
    scores = json.loads(Path("scores.json").read_text())["metrics"]
    assert {"test/iou_1/upright", "test/dice/quarters"} < set(scores)
    assert scores["test/loss/upright"] == pytest.approx(scores["test/loss/quarters"], rel=1e-5)  # D4 by default
    assert main(["validate", "--run_dir", "runs/maskfolder-unet"]) == 0
    assert "validation" in capsys.readouterr().out


def test_the_best_epoch_has_the_largest_iou(run: Path) -> None:
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        ious = [float(row["val/iou"]) for row in csv.DictReader(file)]
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == max(range(16), key=ious.__getitem__)
    assert best["hyper_parameters"]["class_names"] == ["back", "disk"]


def test_a_mask_and_an_overlay_for_every_picture(run: Path, pictures: Path, tmp_path: Path, capsys) -> None:
    output = tmp_path / "out" / "masks"
    assert predict(run, pictures, output) == 0
    shown = capsys.readouterr()
    assert shown.out == f"4 masks and overlays written to {output} (values: 0 back, 1 disk)\n"
    assert shown.err == ""
    files = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert files == {f"{name}{end}.png" for name in NAMES for end in ("", "_overlay")}
    task, found = task_of(run), set()
    for name, file in NAMES.items():
        picture, mask = read_picture(pictures / file), mask_in(output / f"{name}.png")
        with torch.no_grad():
            assert torch.equal(mask, classes_of(task(picture[None].float() / 255))[0])
        assert torch.equal(read_picture(output / f"{name}_overlay.png"), overlay(picture, mask))
        found |= set(mask.unique().tolist())
    assert found == {0, 1}
    with Image.open(output / "a.png") as picture:
        assert len({picture.convert("RGB").getpixel((x, y)) for x in range(20) for y in range(20)}) == 2


def test_tiles(run: Path, pictures: Path, tmp_path: Path) -> None:
    assert predict(run, pictures / "more", tmp_path / "bad", "--tile", "12") == 2
    assert predict(run, pictures, tmp_path / "out", "--tile", "9", "--overlap", "4", "--batch_size", "2") == 0
    task = task_of(run)
    for name, file in NAMES.items():
        picture = read_picture(pictures / file)
        logits = predict_tiled(task, picture, tile=9, overlap=4)
        assert torch.equal(mask_in(tmp_path / "out" / f"{name}.png"), classes_of(logits[None])[0])


def test_masks_of_a_plain_network_can_be_made_to_turn(run: Path, tmp_path: Path) -> None:
    for name in ("upright", "turned"):
        (tmp_path / name).mkdir()
    for i in range(3):
        picture = Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 20 + i), dtype=np.uint8))
        picture.save(tmp_path / "upright" / f"{i}.png")
        picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned" / f"{i}.png")
    same = {}
    for name, further in {"plain": "", "D4": "--symmetrize D4", "tiles": "--symmetrize D4 --tile 8"}.items():
        out = tmp_path / name
        assert predict(run, tmp_path / "upright", out / "upright", *further.split()) == 0
        assert predict(run, tmp_path / "turned", out / "turned", *further.split()) == 0
        pairs = [(mask_in(out / "upright" / f"{i}.png"), mask_in(out / "turned" / f"{i}.png")) for i in range(3)]
        same[name] = all(torch.equal(one.rot90(), other) for one, other in pairs)
    assert same == {"plain": False, "D4": True, "tiles": True}


def test_test_with_logits_averaged(run: Path, tmp_path: Path) -> None:
    losses = {}
    for name, further in {"plain": [], "C4": ["--symmetrize", "C4"]}.items():
        output = tmp_path / f"{name}.json"
        assert main(["test", "--run_dir", str(run), "--output", str(output), *further]) == 0
        metrics = json.loads(output.read_text())["metrics"]
        losses[name] = metrics["test/loss/upright"], metrics["test/loss/quarters"]
    assert losses["plain"][0] != pytest.approx(losses["plain"][1], rel=1e-4)
    assert losses["C4"][0] == pytest.approx(losses["C4"][1], rel=1e-5)
    assert main(["test", "--run_dir", str(run), "--symmetrize", "X4"]) == 2


def test_pictures_that_cannot_be_read(run: Path, pictures: Path, tmp_path: Path, capsys) -> None:
    (pictures / "bad.png").write_bytes(b"no picture")
    assert predict(run, pictures, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "bad.png cannot be read (cannot identify image file)" in error
    assert "or leave such pictures out with --skip-bad" in error
    assert predict(run, pictures, tmp_path / "out", "--skip-bad") == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("4 masks and overlays written")
    assert shown.err.startswith("equivision: warning: ")
    assert shown.err.endswith("; it is left out\n")
    assert not (tmp_path / "out" / "bad.png").exists()
    for path in (pictures / file for file in NAMES.values()):
        path.unlink()
    assert predict(run, pictures, tmp_path / "none", "--skip-bad") == 2
    assert "new holds no readable picture" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_no_picture_is_overwritten(run: Path, pictures: Path, tmp_path: Path, capsys) -> None:
    before = {path: path.read_bytes() for path in pictures.rglob("*") if path.is_file()}
    for output in (pictures, pictures / "more" / "masks", pictures / "more" / ".."):
        assert predict(run, pictures, output) == 2
        assert f"--output {output}: lies in the folder of the pictures, {pictures}" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in pictures.rglob("*") if path.is_file()} == before
    for name in ("a.gif", "a_overlay.png"):
        with Image.open(pictures / "a.png") as picture:
            picture.save(pictures / name)
        assert predict(run, pictures, tmp_path / "out") == 2
        assert f"would be written for {pictures / 'a.gif'} and for" in capsys.readouterr().err or name != "a.gif"
        assert not (tmp_path / "out").exists()
        (pictures / name).unlink()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--overlap 3", "--overlap 3: goes with --tile"),
        ("--tile 9 --overlap 9", "tile=9, overlap=9: a tile may be as large as the picture, and the overlap must be"),
        ("--tile 0", "tile=0: give at least 1"),
        ("--tile 32", "b.bmp (24x17): tile=32: height 17 is smaller and cannot be continued by as much on both sides"),
        ("--symmetrize X4", "group='X4' is not a group name"),
        ("--symmetrize C8", "b.bmp (24x17): FrameAveragedNetwork: 17 x 24 pixels; C8 mixes rows and columns"),
        ("--symmetrize C8", "or run on tiles of a size that it takes, as in --tile 16"),
        ("--batch_size 0", "--batch_size 0: a batch needs at least one picture"),
        ("--images nowhere", "nowhere is not a folder"),
        ("--output {file}", "is a file; give a folder"),
        ("--output /proc/nope", "--output /proc/nope: cannot be written"),
    ],
)
def test_mistakes(options: str, message: str, run: Path, pictures: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("mine")
    further = options.format(file=tmp_path / "file").split()
    assert predict(run, pictures, tmp_path / "out", *further) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


def saved(task: lightning.LightningModule, folder: Path) -> Path:
    trainer = lightning.Trainer(logger=False, enable_progress_bar=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(task)
    (folder / "checkpoints").mkdir(parents=True)
    trainer.save_checkpoint(folder / "checkpoints" / "best.ckpt")
    return folder


def test_a_size_that_the_network_does_not_take(pictures: Path, tmp_path: Path, capsys) -> None:
    task = SegmentationTask("segnet", width=1, image_size=(48, 32))
    run = saved(task, tmp_path / "run")
    assert predict(run, pictures, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "a.png (20x20): SegNet: height 20 is not 16 times a number plus 0: use 16 or 32" in error
    assert "or run on tiles of a size that it takes, as in --tile 32" in error
    assert predict(run, pictures / "more", tmp_path / "out", "--tile", "15") == 2
    assert "SegNet: height 15 is not 16 times" in capsys.readouterr().err.splitlines()[-1]
    segnet = ["--model.model", "segnet", "--model.width", "1", "--run_dir", str(tmp_path / "no")]
    assert main(["fit", *data(write_disks(tmp_path / "disks", 14, 20)), *segnet]) == 2
    assert "'segnet' does not take images of 20x20 with 3 channel(s): sizes near it that work: 16x16, 32x32" in (
        capsys.readouterr().err
    )


def test_networks_that_cannot_be_asked(pictures: Path, tmp_path: Path, capsys) -> None:
    five = saved(SegmentationTask("unet", width=1, model_args={"depth": 1}, in_channels=5), tmp_path / "five")
    assert predict(five, pictures, tmp_path / "out") == 2
    assert "was trained on images with 5 channels, but pictures have 1 or 3" in capsys.readouterr().err
    task = SegmentationTask("unet", width=1, model_args={"depth": 1}, in_channels=1)
    with torch.no_grad():
        for parameter in task.parameters():
            parameter.fill_(1e30)  # finite weights, but what comes out is not
    assert predict(saved(task, tmp_path / "large"), pictures, tmp_path / "out") == 2
    assert "a.png: the network gives logits that are not finite: use another checkpoint" in capsys.readouterr().err
    digits = saved(ClassificationTask("p4cnn", width=2, image_size=(28, 28)), tmp_path / "digits")
    for option in ("--tile 16", "--overlap 3", "--symmetrize D4"):
        assert predict(digits, pictures, tmp_path / "out.csv", *option.split()) == 2
        assert f"{option}: is for networks with one answer a pixel: leave it out" in capsys.readouterr().err


def test_classification_and_segmentation_are_told_apart(run: Path, root: Path, tmp_path: Path, capsys) -> None:
    """By the data that is named; a checkpoint of the other kind does not fit."""
    digits = saved(ClassificationTask("p4cnn", width=2, image_size=(28, 28)), tmp_path / "digits")
    path = str(digits / "checkpoints" / "best.ckpt")
    for command in ("fit", "test"):
        assert main([command, *data(root), "--ckpt_path", path, "--run_dir", str(tmp_path / "no")]) == 2
        assert "was written by ClassificationTask, but this data is for SegmentationTask" in capsys.readouterr().err
    path = str(run / "checkpoints" / "best.ckpt")
    assert main(["test", "--data", "DigitsDataModule", "--ckpt_path", path]) == 2
    assert "was written by SegmentationTask, but this data is for ClassificationTask" in capsys.readouterr().err
    large = write_disks(tmp_path / "large", 14, 28)
    assert main(["fit", *data(large), "--model.model", "p4cnn", "--run_dir", str(tmp_path / "no")]) == 2
    assert "choose 'unet' or 'segnet'" in capsys.readouterr().err


def test_a_run_goes_on_where_it_stopped(root: Path, tmp_path: Path) -> None:
    """And ends bit for bit where the unbroken one ends."""
    options = [*data(root, "--data.augment", "quarters_reflected"), *SMALL]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(["fit", *options, "--trainer.max_epochs", "2", "--run_dir", str(whole)]) == 0
    assert main(["fit", *options, "--trainer.max_epochs", "1", "--run_dir", str(parts)]) == 0
    assert main(["fit", "--run_dir", str(parts), "--resume", "--trainer.max_epochs", "2"]) == 0
    one, other = (torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True) for folder in (whole, parts))
    assert one["state_dict"].keys() == other["state_dict"].keys()
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())
    rows = [[line.rsplit(",", 1)[0] for line in (f / "metrics.csv").read_text().splitlines()] for f in (whole, parts)]
    assert rows[0] == rows[1]


def test_pixels_that_do_not_count(root: Path, tmp_path: Path, capsys) -> None:
    """The unknown class of the data reaches loss and scores."""
    folder = write_disks(tmp_path / "disks")
    for path in (folder / "masks").iterdir():
        with Image.open(path) as mask:
            values = np.array(mask).astype(np.uint8)
        values[:3] = 9
        Image.fromarray(values).save(path)
    options = [*data(folder, "--data.ignore_index", "9"), *SMALL, "--run_dir", str(tmp_path / "run")]
    assert main(["fit", *options, "--trainer.max_epochs", "1"]) == 0
    best = torch.load(tmp_path / "run" / "checkpoints" / "best.ckpt", weights_only=True)["hyper_parameters"]
    assert (best["ignore_index"], best["num_classes"]) == (9, 2)
    assert main(["fit", *options, "--model.ignore_index", "9", "--overwrite"]) == 2
    assert "--model.ignore_index follows the data: leave it out" in capsys.readouterr().err


def test_export_of_a_run(run: Path, tmp_path: Path, capsys, unchecked_annotations: None) -> None:
    output = tmp_path / "net.onnx"
    assert main(["export", "--run_dir", str(run), "--output", str(output), "--num_images", "2"]) == 0
    shown = capsys.readouterr().out
    assert f"{output}: ONNX, opset 18, takes any number of images of 3 x 16 x 16" in shown
    assert "on 2 images: largest relative error" in shown
    images = torch.rand(3, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(OnnxModel(output)(images), task_of(run)(images), atol=1e-4, rtol=1e-4)


def test_what_a_run_costs(run: Path, capsys) -> None:
    assert main(["cost", "--run_dir", str(run)]) == 0
    assert "3 x 16 x 16" in capsys.readouterr().out


def test_names_of_classes_are_listed_unless_they_are_numbers() -> None:
    assert legend(["back", "disk"]) == " (values: 0 back, 1 disk)"
    assert legend(["0", "1", "2"]) == legend([]) == ""
