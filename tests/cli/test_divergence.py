"""Numbers that are not finite end a command with one line, and are never kept as the best of a run."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from equivision.cli import main


def test_training_that_diverges_is_an_error(tiny: list[str], tmp_path: Path, capsys) -> None:
    diverging = ["--model.optimizer", "sgd", "--model.lr", "1e38", "--run_dir", str(tmp_path)]
    assert main(["fit", *tiny, *diverging, "--trainer.max_epochs", "2"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("equivision: error: training has diverged: the loss is ")
    assert "in epoch 1, after step " in error
    assert "Start again with a lower --model.lr than 1e+38" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "checkpoints" / "best.ckpt").exists()


def test_validation_that_diverges_is_an_error(tiny: list[str], tmp_path: Path, capsys) -> None:
    tiny[tiny.index("--trainer.limit_train_batches") + 1] = "1"  # the only step is the one that goes wrong
    diverging = ["--model.optimizer", "sgd", "--model.lr", "1e38", "--run_dir", str(tmp_path)]
    assert main(["fit", *tiny, *diverging, "--trainer.max_epochs", "1"]) == 2
    assert "in epoch 1, after step 1" in capsys.readouterr().err
    assert not (tmp_path / "checkpoints" / "best.ckpt").exists()


@pytest.mark.parametrize("factor", [float("nan"), 1e38], ids=["weights", "outputs"])
def test_a_network_that_is_not_finite_is_refused(factor: float, trained: Path, tmp_path: Path, capsys) -> None:
    checkpoint = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    weights = checkpoint["state_dict"]
    for name in [name for name in weights if name.startswith("model") and name.endswith("weight")]:
        weights[name] = weights[name] * factor
    path = tmp_path / "bad.ckpt"
    torch.save(checkpoint, path)
    (tmp_path / "pictures").mkdir()
    Image.new("L", (28, 28), 100).save(tmp_path / "pictures" / "a.png")
    output = tmp_path / "p.csv"
    pictures = ["--images", str(tmp_path / "pictures"), "--output", str(output), "--device", "cpu"]
    assert main(["predict", "--ckpt_path", str(path), *pictures]) == 2
    assert "not finite" in capsys.readouterr().err
    assert not output.exists()
    assert main(["test", "--data", "DigitsDataModule", "--ckpt_path", str(path)]) == 2
    assert "not finite" in capsys.readouterr().err
