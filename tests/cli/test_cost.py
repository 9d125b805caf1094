import json
from pathlib import Path

import pytest
import torch

from equivision.cli import main

SIZE = ["--input_size", "1", "28", "28"]


def test_a_model_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "new" / "cost.json"
    assert main(["cost", "p4cnn", "--group", "C4", "--width", "10", *SIZE, "--output", str(output)]) == 0
    shown = capsys.readouterr().out
    assert "24,810 parameters, 11.674 M MACs" in shown
    assert "features.3   GroupConv2d" in shown
    assert shown.endswith(f"written to {output}\n")
    report = json.loads(output.read_text())
    assert (report["parameters"], report["macs"]) == (24_810, 11_673_860)


def test_channels_are_those_of_the_input(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--model_args", '{"num_classes": 3}', "--input_size", "2", "32", "32", "--batch_size", "4"]
    assert main(["cost", "resnet18", "--group", "D4", "--width", "2", *arguments]) == 0
    shown = capsys.readouterr().out
    assert "ResNet on 4 x (2 x 32 x 32)" in shown
    assert "4 x 3" in shown


def test_a_trained_network(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for source in (["--run_dir", str(trained)], ["--ckpt_path", str(trained / "checkpoints" / "last.ckpt")]):
        assert main(["cost", *source]) == 0
        assert "RotatedMNISTNet on 1 x (1 x 28 x 28), float32: 1,066 parameters" in capsys.readouterr().out
        assert main(["cost", *source, "--input_size", "1", "30", "30"]) == 0
        assert "on 1 x (1 x 30 x 30)" in capsys.readouterr().out


def test_a_checkpoint_that_does_not_know_its_images(trained: Path, tmp_path: Path, capsys) -> None:
    checkpoint = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["hyper_parameters"]["image_size"] = None
    torch.save(checkpoint, tmp_path / "bare.ckpt")
    assert main(["cost", "--ckpt_path", str(tmp_path / "bare.ckpt")]) == 2
    assert "does not say how large its images are: give --input_size" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give one of these: the name of a model, or --ckpt_path or --run_dir"),
        (["p4cnn", "--run_dir", "x", *SIZE], "give one of these"),
        (["p4cnn"], "model p4cnn needs --input_size: the shape of one input, such as 1 28 28"),
        (["p5cnn", *SIZE], "model 'p5cnn' is not known: choose one of"),
        (["p4cnn", "--group", "C3", *SIZE], "do not map the pixel grid"),
        (["p4cnn", "--width", "0", *SIZE], "width=0"),
        (["p4cnn", "--width", "x", *SIZE], "argument --width: invalid int value: 'x'"),
        (["p4cnn", "--model_args", "[1]", *SIZE], "--model-args: invalid JSON table value: '[1]'"),
        (["p4cnn", "--model_args", '{"depth": 3}', *SIZE], "model 'p4cnn' has no argument 'depth'"),
        (["p4cnn", "--batch_size", "0", *SIZE], "batch_size=0: give a whole number of at least 1"),
        (["p4cnn", "--input_size", "1", "12", "12"], "model RotatedMNISTNet fails on 1 input(s) of size 1 x 12 x 12"),
        (["p4cnn", "--input_size", "1", "28", "-1"], "input_size=(1, 28, -1): give the shape of one input"),
        (["p4cnn", *SIZE, "--output", "cost.txt"], "--output cost.txt: give a file that ends in .json"),
        (["--run_dir", "nowhere"], "run_dir=nowhere has no checkpoint best.ckpt"),
        (["--ckpt_path", "nowhere.ckpt"], "there is no checkpoint nowhere.ckpt"),
        (["--ckpt_path", "x", "--width", "3"], "--group, --width and --model_args go with the name of a model"),
    ],
)
def test_mistakes(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", *options]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
