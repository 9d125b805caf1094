"""Checkpoints are complete or not there, and reading one runs nothing."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import equivision
from equivision._files import atomic_write
from equivision.errors import DataError
from equivision.tasks import ClassificationTask, SafeCheckpointIO, read_checkpoint
from tests.tasks import _make as make


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.ckpt"
    trainer = make.trainer(tmp_path)
    trainer.strategy.connect(ClassificationTask(width=2))
    trainer.save_checkpoint(path)
    return path


ENTRIES = {"state_dict": {}, "hyper_parameters": {}, "epoch": 0, "global_step": 1, "pytorch-lightning_version": "2"}


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("kind", ["pickle", "torch", "in a checkpoint"])
def test_code_in_a_checkpoint_does_not_run(kind: str, good: Path, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "bad.ckpt"
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"state_dict": Payload(marker)}, protocol=2))
    elif kind == "torch":
        torch.save({"state_dict": Payload(marker)}, path)
    else:
        torch.save(read_checkpoint(good) | {"callbacks": {"x": Payload(marker)}}, path)
    message = r"is refused: besides tensors and plain values it holds \w+\.system, .* Nothing of it was run"
    for read in (read_checkpoint, ClassificationTask.load_from_checkpoint, SafeCheckpointIO().load_checkpoint):
        with pytest.raises(DataError, match=message):
            read(path)
    with pytest.raises(DataError, match=message):
        SafeCheckpointIO().load_checkpoint(path, weights_only=False)
    assert not marker.exists()
    if kind != "pickle":
        torch.load(path, weights_only=False)
        assert marker.exists(), "the payload works, so it was the reader that stopped it"


def test_classes_are_refused_too(tmp_path: Path) -> None:
    torch.save({"state_dict": torch.nn.Linear(2, 2)}, tmp_path / "bad.ckpt")
    with pytest.raises(DataError, match=r"it holds torch\.nn\.modules\.linear\.Linear"):
        read_checkpoint(tmp_path / "bad.ckpt")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short(share: float, good: Path, tmp_path: Path) -> None:
    content = good.read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"cut\.ckpt cannot be read, it is damaged or cut short \([\d,]+ bytes\)"):
        read_checkpoint(tmp_path / "cut.ckpt")


def test_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.ckpt"
    for content in (b"hello", bytes(range(256)) * 10, b"\x80\x02.", pickle.dumps([1], protocol=5)):
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read, it is damaged or cut short"):
            read_checkpoint(path)
    for value, message in (
        (torch.nn.Linear(2, 2).state_dict(), "no checkpoint of equivision fit .it has no 'state_dict'."),
        ([1, 2], "no checkpoint of equivision fit"),
        (ENTRIES | {"hyper_parameters": 3}, "is no table"),
        (
            ENTRIES | {"hyper_parameters": {"model": {"class_path": "os.system"}}},
            "is refused: .* name a class to build",
        ),
        (ENTRIES | {"hyper_parameters": {"model_args": {"a": [{"class_path": "os.system"}]}}}, "name a class to build"),
        ({name: value for name, value in ENTRIES.items() if name != "epoch"}, "it has no 'epoch'"),
    ):
        torch.save(value, path)
        with pytest.raises(DataError, match=message):
            read_checkpoint(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.ckpt", tmp_path):
        with pytest.raises(DataError, match="there is no checkpoint"):
            read_checkpoint(path)


def test_writing_leaves_only_the_file(good: Path, tmp_path: Path) -> None:
    writer, path = SafeCheckpointIO(), tmp_path / "new" / "folder" / "a.ckpt"
    checkpoint = read_checkpoint(good)
    writer.save_checkpoint(checkpoint, path)
    assert [p.name for p in path.parent.iterdir()] == ["a.ckpt"]
    assert writer.load_checkpoint(path)["state_dict"].keys() == checkpoint["state_dict"].keys()


def test_a_failure_leaves_the_old_file(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = good.read_bytes()

    def fails(value: Any, file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", fails)
    with pytest.raises(OSError, match="No space left"):
        SafeCheckpointIO().save_checkpoint({}, good)
    assert good.read_bytes() == before
    assert [p.name for p in good.parent.iterdir()] == [good.name]


def test_a_process_that_dies_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    source = Path(equivision.__file__).with_name("_files.py")
    code = (
        f"import os, runpy, signal\n"
        f"with runpy.run_path({str(source)!r})['atomic_write']({str(path)!r}, 'w') as file:\n"
        f"    file.write('new'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    with atomic_write(path, "w") as file:
        file.write("newer")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "newer")]
