import csv
from pathlib import Path

import pytest
import torch
from PIL import Image

from equivision.cli import main
from equivision.data import read_digits
from equivision.tasks import ClassificationTask
from tests.data._make import picture


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    digits = (read_digits().images[:5, 0] * 255).round().byte()
    for i, digit in enumerate(digits):
        Image.fromarray(digit.numpy()).save(folder / f"{i}.png")
    Image.fromarray(digits[0].numpy()).convert("RGB").resize((56, 56)).save(folder / "more" / "großé, 5.png")
    return folder


def options(trained: Path, pictures: Path, output: Path) -> list[str]:
    path = trained / "checkpoints" / "best.ckpt"
    return ["predict", "--ckpt_path", str(path), "--images", str(pictures), "--output", str(output), "--device", "cpu"]


def test_a_row_for_every_picture(trained: Path, pictures: Path, tmp_path: Path, capsys) -> None:
    output = tmp_path / "new" / "predictions.csv"
    assert main([*options(trained, pictures, output), "--batch_size", "4"]) == 0
    assert capsys.readouterr().out == f"6 pictures classified: {output}\n"
    with output.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "class", "probability", *(f"p_{i}" for i in range(10))]
    assert [row["file"] for row in rows] == ["0.png", "1.png", "2.png", "3.png", "4.png", "more/großé, 5.png"]
    task = ClassificationTask.load_from_checkpoint(trained / "checkpoints" / "best.ckpt")
    images = (read_digits().images[:5] * 255).round() / 255
    with torch.no_grad():
        wanted = task(images).softmax(1)
    found = torch.tensor([[float(row[f"p_{i}"]) for i in range(10)] for row in rows[:5]])
    torch.testing.assert_close(found, wanted, atol=2e-6, rtol=0)
    assert [row["class"] for row in rows[:5]] == [str(i) for i in wanted.argmax(1).tolist()]
    assert [float(row["probability"]) for row in rows[:5]] == pytest.approx(found.max(1).values.tolist())


def test_a_run_stands_for_its_best_checkpoint(trained: Path, pictures: Path, tmp_path: Path, capsys) -> None:
    one, other = tmp_path / "1.csv", tmp_path / "2.csv"
    assert main(options(trained, pictures, one)) == 0
    rest = options(trained, pictures, other)[3:]
    assert main(["predict", "--run_dir", str(trained), *rest]) == 0
    assert one.read_text(encoding="utf-8") == other.read_text(encoding="utf-8")
    assert main(["predict", "--run_dir", str(tmp_path), *rest]) == 2
    assert f"run_dir={tmp_path} has no checkpoint best.ckpt" in capsys.readouterr().err


def test_unreadable_pictures_are_named(trained: Path, pictures: Path, tmp_path: Path, capsys) -> None:
    (pictures / "bad.png").write_text("no picture")
    (pictures / "cut.png").write_bytes((pictures / "0.png").read_bytes()[:90])
    output = tmp_path / "predictions.csv"
    output.write_text("from before")
    assert main(options(trained, pictures, output)) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        f"equivision: error: 2 of 8 pictures in {pictures} cannot be read: bad.png (cannot identify"
    )
    assert "cut.png (" in error
    assert error.endswith("Replace or remove them, or leave them out with --skip-bad\n")
    assert output.read_text() == "from before"
    assert main([*options(trained, pictures, output), "--skip-bad"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"6 pictures classified: {output}\n"
    assert shown.err.startswith(f"equivision: warning: 2 of 8 pictures in {pictures} cannot be read: bad.png")
    assert len(output.read_text(encoding="utf-8").splitlines()) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--images", "nowhere"], "nowhere is not a folder"),
        (["--ckpt_path", "nowhere.ckpt"], "there is no checkpoint nowhere.ckpt"),
        (["--batch_size", "0"], "--batch_size 0: a batch needs at least one picture"),
        (
            ["--batch_size", "x"],
            "argument --batch_size/--batch-size: invalid int value: 'x' (see equivision predict --help)",
        ),
        (["--device", "abacus"], "--device abacus is not available here"),
    ],
)
def test_mistakes(change: list[str], message: str, trained: Path, pictures: Path, tmp_path: Path, capsys) -> None:
    assert main([*options(trained, pictures, tmp_path / "p.csv"), *change]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "p.csv").exists()


def test_oblong_pictures_are_taken_as_they_are(pictures: Path, tmp_path: Path, capsys) -> None:
    """Only square ones are scaled: to the network the others must come in its size."""
    import lightning

    task = ClassificationTask("z2cnn", width=2, image_size=(28, 32))
    trainer = lightning.Trainer(logger=False, enable_progress_bar=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(task)
    (tmp_path / "checkpoints").mkdir()
    trainer.save_checkpoint(tmp_path / "checkpoints" / "best.ckpt")
    oblong = tmp_path / "oblong"
    oblong.mkdir()
    picture(9, (32, 28)).save(oblong / "a.png")
    assert main(options(tmp_path, oblong, tmp_path / "p.csv")) == 0
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 2
    picture(9, (30, 28)).save(oblong / "a.png")
    assert main(options(tmp_path, oblong, tmp_path / "q.csv")) == 2
    assert "are 28x30 pixels, the network was trained on 28x32: only square pictures are" in capsys.readouterr().err
