"""equivision export: a run becomes a file that gives the same answers."""

import json
from pathlib import Path

import onnx
import pytest
import torch
from PIL import Image

from equivision.cli import main
from equivision.cli._sources import images_of
from equivision.data import DigitsDataModule
from equivision.export import OnnxModel
from equivision.tasks import ClassificationTask


@pytest.fixture(autouse=True)
def _annotations_are_not_checked(unchecked_annotations: None) -> None:
    """Tracing calls forwards with what is no tensor."""


def test_a_run_and_an_audit_of_its_file(trained: Path, tmp_path: Path, capsys) -> None:
    output, report = tmp_path / "net.onnx", tmp_path / "report.json"
    assert main(["export", "--run_dir", str(trained), "--output", str(output), "--num_images", "50"]) == 0
    shown = capsys.readouterr().out
    assert f"{output}: ONNX, opset 18, takes any number of images of 1 x 28 x 28" in shown
    assert "on 50 images: largest relative error" in shown
    assert "(at most 1e-05), all predicted classes equal" in shown
    task = ClassificationTask.load_from_checkpoint(trained / "checkpoints" / "best.ckpt").eval()
    images, _ = images_of(DigitsDataModule(val_size=32, test_size=64), "rotated", 20)
    with torch.no_grad():
        assert torch.allclose(OnnxModel(output)(images), task(images), atol=1e-5)
    assert main(["audit", "--onnx", str(output), "--run_dir", str(trained), "--output", str(report)]) == 0
    assert "net.onnx under C4: exact" in capsys.readouterr().out
    assert main(["audit", "--run_dir", str(trained), "--output", str(tmp_path / "eager.json")]) == 0
    of_file, eager = (json.loads((tmp_path / name).read_text()) for name in ("report.json", "eager.json"))
    for one, other in zip(of_file["elements"], eager["elements"], strict=True):
        assert max(one["max_error"], other["max_error"]) <= 1e-5
        assert (one["consistency"], one["accuracy"]) == (other["consistency"], other["accuracy"])


def test_torch_with_one_batch_size_and_pictures(trained: Path, tmp_path: Path, capsys) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(3):
        Image.effect_noise((40, 30), 20 + i).save(folder / f"{i}.png")
    run = ["export", "--ckpt_path", str(trained / "checkpoints" / "last.ckpt"), "--images", str(folder)]
    output = tmp_path / "net.pt2"
    assert main([*run, "--output", str(output), "--batch_size", "2"]) == 0
    shown = capsys.readouterr().out
    assert f"{output}: torch.export, takes 2 images of 1 x 28 x 28" in shown
    assert "on 3 images" in shown
    assert torch.export.load(output).module()(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    assert main([*run, "--output", str(tmp_path / "net"), "--format", "onnx", "--opset", "20"]) == 0
    assert onnx.load(tmp_path / "net").opset_import[0].version == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--data DigitsDataModule", "give --run_dir, for the best checkpoint of a run, or --ckpt_path"),
        ("", "no data is given"),
        ("--run_dir nowhere", "run_dir=nowhere holds no run"),
        ("--run_dir RUN --output net.bin", "format=None: give a path that ends in .onnx or .pt2"),
        ("--run_dir RUN --output /proc/nope/net.onnx", "--output /proc/nope/net.onnx: cannot be written"),
        ("--run_dir RUN --batch_size 0", "--batch_size 0: must be at least 1"),
        ("--run_dir RUN --num_images 0", "--num_images 0: at least one image is needed"),
        ("--run_dir RUN --variant wild", "--variant wild is not one of the test images"),
        ("--run_dir RUN --format tf", "--format: expected Literal['onnx', 'torch']"),
        ("--run_dir RUN --opset 3", "opset=3"),
        ("--data DigitsDataModule --ckpt_path nowhere.ckpt", "there is no checkpoint nowhere.ckpt"),
    ],
)
def test_mistakes(
    options: str, message: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", *options.replace("RUN", str(trained)).split()]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
