import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from equivision.cli import main
from equivision.cli._sources import images_of
from equivision.data import DigitsDataModule

UNTRAINED = ["--data", "DigitsDataModule", "--num_images", "2"]


def test_a_trained_network_on_the_data_of_its_run(trained: Path, tmp_path: Path, capsys) -> None:
    path, output = trained / "checkpoints" / "last.ckpt", tmp_path / "report.json"
    command = ["audit", "--ckpt_path", str(path), "--num_images", "2", "--dtype", "float64", "--output", str(output)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "2 images of 1 x 28 x 28, 1,066 parameters, float64" in shown
    assert shown.endswith(f"written to {output}\n")
    report = json.loads(output.read_text())
    assert max(element["max_error"] for element in report["elements"]) <= 1e-12


def test_curves_of_the_run_that_trained_the_network(trained: Path, tmp_path: Path) -> None:
    run, command = tmp_path / "run", ["audit", "--num_images", "2"]
    shutil.copytree(trained, run)
    assert main([*command, "--run_dir", str(run), "--output", str(tmp_path / "without.html")]) == 0
    (run / "metrics.csv").write_text("epoch,train/equivariance/conv\n1,0.5\n2,0.25\n")
    assert main([*command, "--run_dir", str(run), "--output", str(tmp_path / "with.html")]) == 0
    pages = [(tmp_path / f"{name}.html").read_text(encoding="utf-8") for name in ("without", "with")]
    assert ["While it was trained" in page for page in pages] == [False, True]
    shutil.copy(run / "checkpoints" / "best.ckpt", tmp_path / "alone.ckpt")  # of a run that is not there
    alone = [*command, "--run_dir", str(run), "--ckpt_path", str(tmp_path / "alone.ckpt")]
    assert main([*alone, "--output", str(tmp_path / "alone.json")]) == 0
    assert json.loads((tmp_path / "alone.json").read_text())["training"] == []


def test_a_plain_network_fails_and_the_page_is_written(tmp_path: Path, capsys) -> None:
    output = tmp_path / "report.html"
    model = ["--model", "z2cnn", "--model_args.width", "2"]
    assert main(["audit", *model, *UNTRAINED, "--group", "D4", "--output", str(output)]) == 0
    assert "z2cnn under D4" in capsys.readouterr().out
    assert "<html" in output.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "group"), [("p4mcnn", "D4"), ("p4cnn", "C4"), ("z2cnn", "C4")], ids=lambda value: str(value)
)
def test_by_default_a_network_is_audited_under_the_group_of_its_layers(model: str, group: str, capsys) -> None:
    assert main(["audit", "--model", model, "--model_args.width", "2", *UNTRAINED]) == 0
    assert f"{model} under {group}" in capsys.readouterr().out


def test_the_images_are_those_of_the_variant() -> None:
    module = DigitsDataModule(val_size=32, test_size=64, batch_size=8)
    upright, labels = images_of(module, None, 20)
    assert (upright.shape, labels.shape) == ((20, 1, 28, 28), (20,))
    turned, same = images_of(module, "rotated90", 20)
    assert torch.equal(turned, upright.rot90(1, (2, 3)))
    assert torch.equal(labels, same)


def test_pictures_in_a_folder(trained: Path, tmp_path: Path, capsys) -> None:
    for i in range(3):
        Image.new("RGB", (40, 30), (50 * i, 90, 0)).save(tmp_path / f"{i}.png")
    command = ["audit", "--ckpt_path", str(trained / "checkpoints" / "last.ckpt"), "--images", str(tmp_path)]
    assert main([*command, "--num_images", "2"]) == 0
    assert "2 images of 1 x 28 x 28" in capsys.readouterr().out
    (tmp_path / "bad.png").touch()
    assert main(command) == 2
    assert "1 of 4 pictures" in capsys.readouterr().err
    assert main([*command, "--skip-bad"]) == 0
    assert "3 images of 1 x 28 x 28" in capsys.readouterr().out


@pytest.mark.filterwarnings("default")
def test_pictures_in_folders_of_classes(tmp_path: Path, capsys) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(6):
            Image.new("L", (28, 28), 20 * i).save(tmp_path / name / f"{i}.png")
    (tmp_path / "a" / "bad.png").touch()
    command = ["audit", "--model", "small_p4cnn", "--data", "ImageFolderDataModule", "--data.root", str(tmp_path)]
    command += ["--num_images", "1"]
    assert main(command) == 2
    assert "bad.png" in capsys.readouterr().err
    assert main([*command, "--skip-bad"]) == 0
    assert "skipped 1 of 13 pictures" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "p4cnn"], "no data is given"),
        (["--model", "p4cnn", "--images", "."], "--images goes with --ckpt_path or --run_dir alone"),
        (["--images", "."], "or --run_dir alone, for the best checkpoint of a run"),
        ([*UNTRAINED, "--onnx", "nowhere.onnx"], "nowhere.onnx cannot be read by onnxruntime"),
        ([*UNTRAINED, "--onnx", "x.onnx", "--model", "p4cnn"], "or --onnx, for an exported one"),
        ([*UNTRAINED, "--onnx", "x.onnx", "--dtype", "float64"], "--dtype float64: an ONNX file has the precision"),
        (["--run_dir", "nowhere"], "run_dir=nowhere holds no run"),
        (["--ckpt_path", "x", "--images", ".", "--variant", "rotated"], "without --variant"),
        (UNTRAINED, "give either --ckpt_path, for a trained network, or --model, for an untrained one"),
        ([*UNTRAINED, "--model", "p4cnn", "--ckpt_path", "x"], "give either --ckpt_path"),
        ([*UNTRAINED, "--model", "p5cnn"], "model 'p5cnn' is not known"),
        ([*UNTRAINED, "--ckpt_path", "nowhere.ckpt"], "there is no checkpoint nowhere.ckpt"),
        ([*UNTRAINED, "--model", "p4cnn", "--group", "C3"], "do not map the pixel grid onto itself"),
        (
            [*UNTRAINED, "--model", "p4cnn", "--output", "x.pdf"],
            "--output x.pdf: give a file that ends in .html or .json",
        ),
        ([*UNTRAINED, "--model", "p4cnn", "--variant", "wild"], "--variant wild is not one of the test images"),
        (
            ["--data", "DigitsDataModule", "--num_images", "0", "--model", "p4cnn"],
            "--num_images 0: at least one image is needed",
        ),
    ],
)
def test_mistakes(options: list[str], message: str, capsys) -> None:
    assert main(["audit", *options]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1


def test_the_data_must_be_that_of_the_checkpoint(trained: Path, tmp_path: Path, capsys) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        for k in range(6):
            Image.new("L", (28, 28), k).save(tmp_path / name / f"{k}.png")
    data = f"--data ImageFolderDataModule --data.root {tmp_path} --data.train_split= --data.test_size 4".split()
    assert main(["audit", "--ckpt_path", str(trained / "checkpoints" / "last.ckpt"), *data]) == 2
    assert "was trained with num_classes=10, but the data has num_classes=2" in capsys.readouterr().err
