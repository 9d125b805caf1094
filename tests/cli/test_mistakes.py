"""Bad configuration: one line that says what is wrong and what to do, exit code 2, nothing written."""

import sys
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from equivision.cli import main

DIGITS = "--data DigitsDataModule"
FOLDERS = "--data ImageFolderDataModule --data.train_split= --data.val_size 2 --data.test_size 2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "no data is given: choose one of DigitsDataModule, MNISTDataModule"),
        ("--data Nope", "--data: Nope is not known: choose one of DigitsDataModule"),
        ("--data torch.nn.Linear", "--data:"),
        ("--config nowhere.yaml", "--config: File does not exist: '"),
        (f"{DIGITS} --bogus 1", "unrecognized arguments: --bogus 1"),
        (f"{DIGITS} --data.bogus 1", "--data: Option 'bogus' is not accepted"),
        (f"{DIGITS} --data.batch_size a", "--data.batch_size: expected int, but got a"),
        (f"{DIGITS} --data.batch_size 0", "batch_size=0"),
        (f"{DIGITS} --data.train_variant upside", "variant 'upside' is not known: choose one of upright"),
        ("--data MNISTDataModule --data.root /nowhere", "there is no folder /nowhere"),
        ("--data DigitsDataModule --data.batchsize 3", "'batchsize' is not accepted; did you mean --data.batch_size"),
        ("--data DigitsDataModule --model.lrr 1", "did you mean --model.lr"),
        ("--data DigitsDataModule --trainer.maxepochs 3", "did you mean --trainer.max_epochs"),
        ("--data ImageFolderDataModule --data.root /nowhere", "there is no folder /nowhere"),
        (f"{DIGITS} --model.model p5cnn", "model 'p5cnn' is not known: choose one of a_p4cnn, alpha_p4cnn"),
        (f"{DIGITS} --model.group C3", "do not map the pixel grid onto itself: choose C1, C2, C4, D1, D2 or D4"),
        (f"{DIGITS} --model.group round", "group='round' is not a group name"),
        (f"{DIGITS} --model.model z2cnn --model.group C4", "z2cnn has no symmetry but C1"),
        (f"{DIGITS} --model.width many", "--model.width: expected int, but got many"),
        (f"{DIGITS} --model.width 0", "width=0: give a whole number of at least 1"),
        (f"{DIGITS} --model.num_classes 5", "--model.num_classes follows the data: leave it out"),
        (f"{DIGITS} --model.model_args.num_classes 5", "but the data has num_classes=10: leave it out"),
        (f"{DIGITS} --model.model_args.depth 5", "model 'p4cnn' has no argument 'depth': it takes group, width"),
        (f"{DIGITS} --model.lr -0.1", "lr=-0.1: the learning rate must be a positive number"),
        (f"{DIGITS} --model.optimizer adamw", "--model.optimizer: expected Literal['adam', 'sgd'], but got adamw"),
        (f"{DIGITS} --model.milestones [3,2]", "milestones=[3, 2]: give epochs from 1 on, in rising order"),
        (f"{DIGITS} --trainer.max_epochs soon", "--trainer.max_epochs: expected int, but got soon"),
        (f"{DIGITS} --trainer.max_epochs -5", "`max_epochs` must be a non-negative integer or -1"),
        (f"{DIGITS} --trainer.accelerator abacus", "abacus"),
        (f"{DIGITS} --trainer.callbacks nowhere.Callback", "No module named 'nowhere'"),
        (f"{DIGITS} --model.group C4 --model.model_args.group C2", "group='C4' contradicts model_args['group']='C2'"),
        (f"{DIGITS} --trainer.strategy foo", "the trainer cannot be set up: "),
        (f"{DIGITS} --trainer.accumulate_grad_batches 0", "--trainer.accumulate_grad_batches 0: must be at least 1"),
        (f"{DIGITS} --data.num_workers -1", "--data.num_workers -1: must be at least 0; 0 prepares the batches in"),
        (f"{DIGITS} --seed_everything -1", "--seed_everything -1: must be at least 0"),
        (f"{DIGITS} --run_dir /proc/nope", "--run_dir /proc/nope: cannot be written (No such file or directory); give"),
        (f"{DIGITS} --ckpt_path nowhere.ckpt", "there is no checkpoint nowhere.ckpt"),
        (f"{DIGITS} --ckpt_path best", "run_dir=run has no checkpoint best.ckpt: train with equivision fit first"),
    ],
)
def test_fit(options: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EQUIVISION_DATA", raising=False)
    assert main(["fit", "--run_dir", "run", *options.split()]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("equivision: error: ")
    assert shown.err.count("\n") == 1
    assert message in shown.err
    assert shown.out == ""
    assert list(tmp_path.iterdir()) == []


def folder_of_pictures(root: Path, size: int, classes: str = "ab", number: int = 6) -> None:
    for i, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for k in range(number):
            Image.new("L", (size, size), 40 * i + k).save(root / name / f"{k}.png")


def test_images_of_a_size_that_the_model_does_not_take(tmp_path: Path, capsys) -> None:
    folder_of_pictures(tmp_path / "pictures", 27)
    data = f"{FOLDERS} --data.root {tmp_path / 'pictures'}"
    assert main(["fit", *data.split(), "--run_dir", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert (
        "model 'p4cnn' does not take images of 27x27 with 1 channel(s): sizes near it that work: 28x28, 30x30" in error
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("default")
def test_pictures_that_cannot_be_read_can_be_left_out(tmp_path: Path, capsys) -> None:
    folder_of_pictures(tmp_path / "pictures", 28)
    (tmp_path / "pictures" / "a" / "bad.png").write_text("no picture")
    run = ["fit", *FOLDERS.split(), "--data.root", str(tmp_path / "pictures"), "--run_dir", str(tmp_path / "run")]
    run += ["--model.width", "2", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
    assert main(run) == 2
    assert "a/bad.png in" in (error := capsys.readouterr().err)
    assert "or pass skip_bad=True (on the command line --skip-bad)" in error
    assert main([*run, "--skip-bad"]) == 0
    shown = capsys.readouterr()
    assert "weights" in shown.out
    assert "skipped 1 of 13 pictures in" in shown.err
    assert "a/bad.png (cannot identify image file)" in shown.err
    options = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert options["data"]["init_args"]["skip_bad"] is True
    assert "skip_bad" not in options, "it says nothing that data does not say"
    assert main([*run, "--resume", "--trainer.max_epochs", "2"]) == 2, "it goes on with the same pictures only"
    assert "skip_bad" in capsys.readouterr().err
    for command in ("validate", "test"):
        assert main([command, *run[1:-6], "--skip-bad"]) == 0
        assert "skipped 1 of 13" in capsys.readouterr().err
        assert main([command, *run[1:-6]]) == 2


def test_only_pictures_can_be_left_out(tmp_path: Path, capsys) -> None:
    module = "lightning.pytorch.demos.boring_classes.BoringDataModule"
    assert main(["fit", "--data", module, "--skip-bad", "--run_dir", str(tmp_path / "run")]) == 2
    assert f"--skip-bad: {module} has no option skip_bad: leave --skip-bad out" in capsys.readouterr().err


def test_the_help_shows_how_to_leave_pictures_out(capsys) -> None:
    for command in ("fit", "validate", "test"):
        with pytest.raises(SystemExit, match="0"):
            main([command, "--help"])
        assert "--skip-bad" in capsys.readouterr().out


def test_data_that_the_checkpoint_was_not_trained_on(trained: Path, tmp_path: Path, capsys) -> None:
    folder_of_pictures(tmp_path / "two", 28)
    data = FOLDERS.split()
    path = str(trained / "checkpoints" / "last.ckpt")
    assert main(["test", *data, "--data.root", str(tmp_path / "two"), "--ckpt_path", path]) == 2
    assert "was trained with num_classes=10, but the data has num_classes=2" in capsys.readouterr().err
    folder_of_pictures(tmp_path / "letters", 28, "abcdefghij")
    assert main(["test", *data, "--data.root", str(tmp_path / "letters"), "--ckpt_path", path]) == 2
    assert "was trained with class_names=['0', '1'," in capsys.readouterr().err


def test_a_class_named_by_a_checkpoint_is_not_imported(trained: Path, tmp_path: Path, capsys) -> None:
    checkpoint = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["hyper_parameters"]["model"] = "antigravity.Network"
    torch.save(checkpoint, tmp_path / "bad.ckpt")
    for command in ("test", "validate"):
        data = ["--data", "DigitsDataModule", "--ckpt_path", str(tmp_path / "bad.ckpt")]
        assert main([command, *data]) == 2
        assert "was trained with the model 'antigravity.Network', which is not known here" in capsys.readouterr().err
    assert "antigravity" not in sys.modules


def test_measuring_needs_a_run(tmp_path: Path, capsys) -> None:
    assert main(["test", "--run_dir", str(tmp_path)]) == 2
    assert f"run_dir={tmp_path} holds no run (it has no config.yaml): check the path" in capsys.readouterr().err
    assert main(["validate", "--data", "DigitsDataModule", "--run_dir", str(tmp_path)]) == 2
    assert f"run_dir={tmp_path} has no checkpoint best.ckpt" in capsys.readouterr().err


def test_a_data_module_without_classes(tmp_path: Path, capsys) -> None:
    assert main(["fit", "--data", "lightning.pytorch.demos.boring_classes.BoringDataModule"]) == 2
    assert (
        "BoringDataModule has no attribute in_channels: a data module for classification says"
        in capsys.readouterr().err
    )


def test_what_a_library_refuses_is_one_line(tiny: list[str], tmp_path: Path, capsys) -> None:
    tiny[tiny.index("--trainer.limit_train_batches") + 1] = "1"
    run = ["fit", *tiny, "--trainer.val_check_interval", "3", "--run_dir", str(tmp_path / "run")]
    assert main(run) == 2
    error = capsys.readouterr().err
    assert "`val_check_interval` (3) must be less than or equal" in error
    assert error.endswith("(use --traceback to see where)\n")
    assert error.count("\n") == 1


def test_the_output_is_tried_first(trained: Path, tmp_path: Path, capsys) -> None:
    path = str(trained / "checkpoints" / "last.ckpt")
    for command in (["predict", "--images", "nowhere"], ["test", "--data", "DigitsDataModule"]):
        for output, why in ((str(tmp_path), "Is a directory"), ("/proc/x/y.csv", "No such file or directory")):
            assert main([*command, "--ckpt_path", path, "--output", output]) == 2
            assert f"--output {output}: cannot be written ({why}); give a file" in capsys.readouterr().err
