"""A run that was killed and resumed ends where the unbroken run ends, bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from equivision.cli import main
from equivision.tasks import read_checkpoint

ROOT, HELPERS = Path(__file__).parents[2], Path(__file__).parent / "helpers"
EPOCHS = 4
#: Milestones, so that the scheduler matters; a network with dropout, so that the random generators do.
NETWORKS = {
    "batch norm": ["--model.width", "2"],
    "dropout": ["--model.model", "kill_switch.DropoutNet"],
}


def options(network: str, folder: Path) -> list[str]:
    text = (
        f"fit --data DigitsDataModule --data.batch_size 32 --data.val_size 32 --run_dir {folder} "
        f"--model.milestones [2,3] --trainer.max_epochs {EPOCHS} "
        "--trainer.limit_train_batches 4 --trainer.log_every_n_steps 1 "
        "--trainer.accelerator cpu"
    )
    return [*text.split(), *NETWORKS[network]]


def killed(network: str, folder: Path, callback: list[str]) -> None:
    """Run in another process, which ends by SIGKILL."""
    environment = os.environ | {"PYTHONPATH": f"{HELPERS}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "equivision.cli", *options(network, folder), *callback]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    # TensorBoard reads the files of a folder in the order of their names, which hold whole seconds: without this
    # pause a run resumed within the same second is read before the one that it continues.
    time.sleep(1)


def columns_without_seconds(folder: Path) -> list[str]:
    return [line.rsplit(",", 1)[0] for line in (folder / "metrics.csv").read_text().splitlines()]


def logged_losses(folder: Path) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars("loss")]


def assert_same(found: object, wanted: object, where: str = "") -> None:
    """Nested tables of tensors are equal, bit for bit."""
    if isinstance(wanted, torch.Tensor):
        assert isinstance(found, torch.Tensor), where
        assert torch.equal(found, wanted), where
    elif isinstance(wanted, dict):
        assert isinstance(found, dict), where
        assert found.keys() == wanted.keys(), where
        for key in wanted:
            assert_same(found[key], wanted[key], f"{where}[{key!r}]")
    elif isinstance(wanted, list | tuple):
        assert isinstance(found, list | tuple), where
        assert len(found) == len(wanted), where
        for i, (one, other) in enumerate(zip(found, wanted, strict=True)):
            assert_same(one, other, f"{where}[{i}]")
    else:
        assert found == wanted, where


@pytest.mark.costly(2)
@pytest.mark.parametrize(
    ("network", "callback", "complete"),
    [
        ("batch norm", ["--trainer.callbacks", "kill_switch.KillInEpoch", "--trainer.callbacks.epoch", "2",
                        "--trainer.callbacks.batch", "2"], 2),
        ("dropout", ["--trainer.callbacks", "kill_switch.KillWhileSaving", "--trainer.callbacks.epoch", "2"], 2),
    ],
    ids=["killed in the middle of an epoch", "killed while writing a checkpoint"],
)  # fmt: skip
def test_killed_and_resumed_equals_unbroken(
    network: str, callback: list[str], complete: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.syspath_prepend(HELPERS)
    broken, unbroken = tmp_path / "broken", tmp_path / "unbroken"
    killed(network, broken, callback)
    kept = read_checkpoint(broken / "checkpoints" / "last.ckpt")
    assert kept["epoch"] == complete - 1, "the last complete epoch is there, and readable"
    assert main([*options(network, broken), "--resume"]) == 0
    assert "continued from" in capsys.readouterr().out
    assert main(options(network, unbroken)) == 0

    for name in ("last.ckpt", "best.ckpt"):
        found, wanted = (read_checkpoint(folder / "checkpoints" / name) for folder in (broken, unbroken))
        for part in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step"):
            assert_same(found[part], wanted[part], part)
    assert columns_without_seconds(broken) == columns_without_seconds(unbroken)
    assert len(columns_without_seconds(broken)) == EPOCHS + 1
    assert logged_losses(broken) == logged_losses(unbroken)
    before = kept["state_dict"]
    assert any(not torch.equal(before[name], found["state_dict"][name]) for name in before), "it went on training"


def test_resume_starts_a_run_that_is_not_there_and_leaves_a_finished_one_alone(
    tiny: list[str], tmp_path: Path, capsys
) -> None:
    resume = ["fit", *tiny, "--trainer.max_epochs", "1", "--run_dir", str(tmp_path / "run"), "--resume"]
    assert main(resume) == 0
    assert f"nothing to resume in {tmp_path / 'run'}: starting from the beginning" in capsys.readouterr().out
    table, weights = (tmp_path / "run" / "metrics.csv").read_text(), tmp_path / "run" / "checkpoints" / "last.ckpt"
    before = weights.read_bytes()
    assert main(resume) == 0
    assert "best of 1 epochs" in capsys.readouterr().out
    assert (tmp_path / "run" / "metrics.csv").read_text() == table
    assert weights.read_bytes() == before
    assert main([*resume, "--trainer.max_epochs", "2"]) == 0
    assert len((tmp_path / "run" / "metrics.csv").read_text().splitlines()) == 3
    assert main([*resume, "--trainer.max_epochs", "1"]) == 2, "two epochs are done already"
    assert "max_epochs=1, but" in capsys.readouterr().err


def test_another_run_can_start_from_a_checkpoint(trained: Path, tiny: list[str], tmp_path: Path) -> None:
    last = trained / "checkpoints" / "last.ckpt"
    start = ["fit", *tiny, "--trainer.max_epochs", "3", "--ckpt_path", str(last)]
    assert main([*start, "--run_dir", str(tmp_path)]) == 0
    assert read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["epoch"] == 2
    assert (trained / "metrics.csv").read_text().splitlines() == (tmp_path / "metrics.csv").read_text().splitlines()[:3]


def test_a_resumed_run_keeps_its_seed(tiny: list[str], tmp_path: Path) -> None:
    seeds = []
    for epochs, seed in (("1", "7"), ("2", "8")):
        run = ["fit", *tiny, "--trainer.max_epochs", epochs, "--run_dir", str(tmp_path), "--resume"]
        assert main([*run, "--seed_everything", seed]) == 0
        seeds.append(read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["callbacks"]["SeedEachEpoch"]["seed"])
        assert yaml.safe_load((tmp_path / "config.yaml").read_text())["seed_everything"] == 7
    assert seeds == [7, 7]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--model.width", "3"], "--model.width 3: the run in {} was trained with model.width=2, and goes on"),
        (["--model.group", "D4"], "--model.group D4: the run in {} was trained with model.group=None"),
        (["--model.optimizer", "sgd"], "--model.optimizer sgd: the run in {} was trained with model.optimizer=adam"),
        (["--model.lr", "0.5"], "--model.lr 0.5: the run in {} was trained with model.lr=0.01"),
        (["--model.model", "z2cnn"], "--model.model z2cnn: the run in {} was trained with model.model=p4cnn"),
        (["--data.seed", "5"], "--data.seed 5: the run in {} was trained with data.seed=0"),
    ],
)
def test_only_the_same_network_goes_on(change: list[str], message: str, trained: Path, tiny: list[str], capsys) -> None:
    before = (trained / "config.yaml").read_text()
    assert main(["fit", *tiny, "--run_dir", str(trained), "--resume", *change]) == 2
    assert message.format(trained) in capsys.readouterr().err
    assert (trained / "config.yaml").read_text() == before


def test_a_run_goes_on_with_its_own_options(tiny: list[str], tmp_path: Path, capsys) -> None:
    run = ["--run_dir", str(tmp_path)]
    assert main(["fit", *tiny, *run, "--trainer.max_epochs", "1", "--model.lr", "0.02", "--data.seed", "3"]) == 0
    assert main(["fit", *run, "--resume", "--trainer.max_epochs", "2", "--data.num_workers", "1"]) == 0
    options = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert options["model"]["lr"] == 0.02
    assert options["data"]["init_args"]["seed"] == 3
    assert [line.split(",")[:3] for line in (tmp_path / "metrics.csv").read_text().splitlines()[1:]] == [
        ["1", "3", "0.02"],
        ["2", "6", "0.02"],
    ]
    (tmp_path / "config.yaml").write_text("[")
    assert main(["fit", *tiny, *run, "--resume"]) == 2
    assert "config.yaml cannot be read" in capsys.readouterr().err
    (tmp_path / "config.yaml").write_text("text")
    assert main(["fit", *tiny, *run, "--resume"]) == 2
    assert "config.yaml is no configuration of equivision fit" in capsys.readouterr().err


def test_a_network_without_a_name_is_compared_by_its_options(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.syspath_prepend(HELPERS)
    width = tiny.index("--model.width")
    run = [
        "fit",
        *tiny[:width],
        *tiny[width + 2 :],
        "--run_dir",
        str(tmp_path),
        "--model.model",
        "kill_switch.DropoutNet",
    ]
    assert main([*run, "--trainer.max_epochs", "1"]) == 0
    assert main(["test", "--run_dir", str(tmp_path)]) == 0
    assert "rotated90" in capsys.readouterr().out
    assert main([*run, "--trainer.max_epochs", "2", "--resume", "--model.model.width", "5"]) == 2
    assert "--model.model.init_args.width 5: the run in" in capsys.readouterr().err


def test_contradictions(trained: Path, tiny: list[str], capsys) -> None:
    run = ["fit", *tiny, "--run_dir", str(trained)]
    assert main([*run, "--resume", "--overwrite"]) == 2
    assert "--resume contradicts --overwrite" in capsys.readouterr().err
    assert main([*run, "--resume", "--ckpt_path", "best"]) == 2
    assert "--resume contradicts --ckpt_path" in capsys.readouterr().err
    assert main([*run, "--overwrite", "--ckpt_path", "last"]) == 2
    assert "the checkpoint to start from: choose another run_dir" in capsys.readouterr().err
    assert (trained / "checkpoints" / "last.ckpt").is_file()


def test_a_damaged_checkpoint_is_named(trained: Path, tiny: list[str], tmp_path: Path, capsys) -> None:
    content = (trained / "checkpoints" / "last.ckpt").read_bytes()
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(content[: len(content) // 2])
    assert main(["fit", *tiny, "--run_dir", str(tmp_path), "--resume"]) == 2
    assert "last.ckpt cannot be read, it is damaged or cut short" in capsys.readouterr().err
