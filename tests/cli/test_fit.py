import csv
import json
from pathlib import Path

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from equivision.cli import main
from equivision.tasks import ClassificationTask
from tests.data._make import picture, write_classes


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_its_files(trained: Path) -> None:
    rows = table(trained)
    assert [(row["epoch"], row["step"], row["lr"]) for row in rows] == [("1", "3", "0.01"), ("2", "6", "0.01")]
    assert list(rows[0])[3:] == ["train/accuracy", "train/loss", "val/accuracy", "val/loss", "seconds"]
    assert {path.name for path in (trained / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}
    events = EventAccumulator(str(trained / "tensorboard"))
    events.Reload()
    assert [event.value for event in events.Scalars("val/loss")] == pytest.approx(
        [float(row["val/loss"]) for row in rows]
    )
    config = yaml.safe_load((trained / "config.yaml").read_text())
    assert config["data"]["class_path"].endswith("DigitsDataModule")
    assert config["run_dir"] == str(trained)
    assert "resume" not in config


def test_the_best_epoch_is_kept(trained: Path) -> None:
    rows = table(trained)
    best = max(range(2), key=lambda i: float(rows[i]["val/accuracy"]))  # the first of equals
    assert torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] == best
    assert torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 1


def test_the_screen_of_a_newcomer(tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fit", *tiny, "--trainer.max_epochs", "1"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines()
    assert lines[0] == "model  p4cnn (width 2), 1,066 parameters"
    assert lines[1].startswith(
        "data   DigitsDataModule: 1,701 train, 32 val, 64 test images of 28x28 pixels, 1 channel(s)"
    )
    assert lines[2] == "run    runs/digits-p4cnn"
    assert lines[4].split() == ["epoch", "train/accuracy", "train/loss", "val/accuracy", "val/loss", "lr", "seconds"]
    assert lines[5].split()[0] == "1/1"
    assert lines[-1] == "next     equivision test --run_dir runs/digits-p4cnn"
    assert main(["test", "--run_dir", "runs/digits-p4cnn"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert [line.split()[0] for line in shown.out.splitlines()[2:]] == ["images", "upright", "rotated", "rotated90"]


def test_test_measures_the_checkpoint_on_every_variant(trained: Path, tmp_path: Path, capsys) -> None:
    output = tmp_path / "results.json"
    last = trained / "checkpoints" / "last.ckpt"
    assert main(["test", "--ckpt_path", str(last), "--output", str(output)]) == 0
    metrics = json.loads(output.read_text())["metrics"]
    assert set(metrics) == {
        f"test/{kind}/{name}" for kind in ("accuracy", "loss") for name in ("upright", "rotated", "rotated90")
    }
    assert metrics["test/loss/upright"] == pytest.approx(metrics["test/loss/rotated90"], abs=1e-6)  # C4-invariant
    assert abs(metrics["test/loss/upright"] - metrics["test/loss/rotated"]) > 1e-6
    from equivision.data import DigitsDataModule

    module = DigitsDataModule(val_size=32, test_size=64, test_variants=["rotated"])
    images, labels = next(iter(module.test_dataloader()[0]))
    with torch.no_grad():
        logits = ClassificationTask.load_from_checkpoint(last)(images)
    assert metrics["test/accuracy/rotated"] == pytest.approx(float((logits.argmax(1) == labels).float().mean()))


def test_validate_gives_the_numbers_of_the_run(trained: Path, tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    assert main(["validate", "--run_dir", str(trained), "--ckpt_path", "last", "--output", str(output)]) == 0
    metrics, row = json.loads(output.read_text())["metrics"], table(trained)[-1]
    assert metrics["val/loss"] == pytest.approx(float(row["val/loss"]), rel=1e-5)
    assert metrics["val/accuracy"] == pytest.approx(float(row["val/accuracy"]))


def test_to_measure_the_model_is_that_of_the_checkpoint(trained: Path, tiny: list[str], capsys) -> None:
    other = [argument if argument != "2" else "3" for argument in tiny]  # --model.width
    assert main(["test", *tiny, "--run_dir", str(trained)]) == 0
    assert "rotated90" in capsys.readouterr().out
    assert main(["test", *other, "--run_dir", str(trained)]) == 2
    assert "was trained with width=2, and is measured as it was trained: leave" in capsys.readouterr().err
    assert main(["test", "--run_dir", str(trained), "--model.group=D4"]) == 2
    assert "--model.group D4: checkpoint" in capsys.readouterr().err


def test_a_run_that_trains_nothing_says_so(tiny: list[str], tmp_path: Path, capsys) -> None:
    assert main(["fit", *tiny, "--trainer.max_epochs", "0", "--run_dir", str(tmp_path / "run")]) == 0
    assert "nothing was trained: give --trainer.max_epochs of at least 1" in capsys.readouterr().out


def test_without_validation_images_the_last_epoch_is_the_best(tiny: list[str], tmp_path: Path, capsys) -> None:
    tiny[tiny.index("--data.val_size") + 1] = "0"
    assert main(["fit", *tiny, "--trainer.max_epochs", "2", "--run_dir", str(tmp_path / "run")]) == 0
    assert list(table(tmp_path / "run")[0]) == ["epoch", "step", "lr", "train/accuracy", "train/loss", "seconds"]
    assert torch.load(tmp_path / "run" / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] == 1
    assert capsys.readouterr().err == ""
    assert main(["validate", "--run_dir", str(tmp_path / "run")]) == 2
    assert "DigitsDataModule has no images for equivision validate: give it some" in capsys.readouterr().err


def test_a_run_is_not_overwritten_by_accident(trained: Path, tiny: list[str], tmp_path: Path, capsys) -> None:
    before = (trained / "checkpoints" / "last.ckpt").read_bytes()
    assert main(["fit", *tiny, "--run_dir", str(trained)]) == 2
    assert (
        "holds a run already (checkpoints, metrics.csv, tensorboard, config.yaml): continue it with --resume"
        in capsys.readouterr().err
    )
    assert (trained / "checkpoints" / "last.ckpt").read_bytes() == before

    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("checkpoints/mine.ckpt", "checkpoints/best.ckpt", "notes.txt"):
        (folder / name).write_text("mine")
    overwrite = ["fit", *tiny, "--run_dir", str(folder), "--overwrite"]
    assert main([*overwrite, "--model.lr", "-1"]) == 2
    assert (folder / "checkpoints" / "best.ckpt").read_text() == "mine", (
        "nothing is removed before everything is checked"
    )
    assert main([*overwrite, "--trainer.max_epochs", "1"]) == 0
    assert torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] == 0
    for name in ("checkpoints/mine.ckpt", "notes.txt"):
        assert (folder / name).read_text() == "mine"


def test_pictures_that_cannot_be_moved_as_asked_remove_nothing(tmp_path: Path, capsys) -> None:
    write_classes(tmp_path / "data", each=8, size=(28, 32))
    given = [
        "--data",
        "ImageFolderDataModule",
        "--data.root",
        str(tmp_path / "data"),
        "--run_dir",
        str(tmp_path / "run"),
    ]
    given += ["--data.test_variants", "[upright]", "--model.width", "2", "--trainer.accelerator", "cpu"]
    command = ["fit", *given, "--model.model", "z2cnn", "--trainer.max_epochs", "1"]
    assert main([*command, "--data.augment", "quarters"]) == 2
    assert "square" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main(command) == 0
    best = (tmp_path / "run" / "checkpoints" / "best.ckpt").read_bytes()
    assert main([*command, "--data.augment", "quarters", "--overwrite"]) == 2
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").read_bytes() == best


def test_pictures_that_were_added_since(tmp_path: Path, capsys) -> None:
    """What is tested is drawn by lot from what there is, so it may be what was trained on."""
    write_classes(tmp_path / "data", each=12, size=(28, 28))
    run = ["--run_dir", str(tmp_path / "run"), "--trainer.accelerator", "cpu"]
    data = ["--data", "ImageFolderDataModule", "--data.root", str(tmp_path / "data")]
    assert main(["fit", *data, *run, "--model.width", "2", "--trainer.max_epochs", "1"]) == 0
    assert main(["test", *run]) == 0
    assert "some of those may have been trained on" not in capsys.readouterr().err
    picture(7, (28, 28)).save(tmp_path / "data" / "ant" / "new.png")
    assert main(["test", *run]) == 0
    assert "some of those may have been trained on. Keep pictures for testing in a folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["config.yaml", "metrics.csv", "tensorboard/notes.txt", "checkpoints/old.ckpt"])
def test_files_of_the_user_are_not_removed(name: str, tiny: list[str], tmp_path: Path, capsys) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("seed_everything: 3")
    config = ["--config", str(path)] if name == "config.yaml" else []
    assert main(["fit", *config, *tiny, "--run_dir", str(tmp_path)]) == 2
    assert f"holds a run already ({name.split('/')[0]})" in capsys.readouterr().err
    assert path.read_text() == "seed_everything: 3"
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [path]


def test_fast_dev_run_writes_nothing(tiny: list[str], tmp_path: Path, capsys) -> None:
    assert main(["fit", *tiny, "--trainer.fast_dev_run", "true", "--run_dir", str(tmp_path / "run")]) == 0
    assert "fast_dev_run: everything works" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


def test_interruption_says_how_to_go_on(
    tiny: list[str], tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)  # Lightning would switch off Ctrl-C for the tests that follow
    steps = ClassificationTask.training_step

    def interrupted(self: ClassificationTask, batch: object, batch_idx: int) -> object:
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return steps(self, batch, batch_idx)  # type: ignore[arg-type]

    monkeypatch.setattr(ClassificationTask, "training_step", interrupted)
    with pytest.raises(SystemExit, match="130"):
        main(["fit", *tiny, "--trainer.max_epochs", "3", "--run_dir", str(tmp_path)])
    assert f"interrupted; 1 epoch(s) are safe in {tmp_path}: go on with --resume" in capsys.readouterr().out
