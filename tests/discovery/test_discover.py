"""The whole search: what it trains, that it goes on, that others may not disturb it, what it writes."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import TensorDataset

import equivision as ev
from equivision.cli import main
from equivision.data import ImageData, oriented_shapes
from equivision.discovery import PLANE, Discovery, ScaleSymmetry, Trial, _study, candidate
from equivision.discovery._study import Plan, _Worker
from equivision.discovery._train import labelled, split
from equivision.errors import ConfigError, DataError, EquivisionError

DATA = oriented_shapes(60, group="C4", within="D4", kinds=("hook",), shapes=1, size=16, seed=0)
TINY: dict[str, Any] = {"budget": 6, "seeds": 2, "parameters": 300, "train_size": 20, "device": "cpu"}


def search(**options: Any) -> Discovery:
    return ev.discover(DATA, **{"candidates": ["left-right", "C4"], **TINY, **options})


def test_every_candidate_is_trained_with_every_seed() -> None:
    seen: list[Trial] = []
    found = search(on_trial=seen.append)
    assert {(trial.candidate, trial.seed) for trial in seen} == {
        (name, seed) for name in ("C1", "D1 left-right", "C4") for seed in (0, 1)
    }
    assert {row.name for row in found.rows} == {"C1", "D1 left-right", "C4"}
    assert all(trial.finished for trial in seen if trial.candidate == "C1")
    assert all(trial.finished == (trial.steps == 6) for trial in seen)
    moves = {"mirrored, 180°", "90°", "180°", "270°"}
    assert set(found.drops) == moves
    assert all(set(trial.after_moves) == (moves if trial.candidate == "C1" else set()) for trial in seen)
    assert found.contained == {"C1": (), "D1 left-right": ("C1",), "C4": ("C1",)}


def test_the_same_seed_gives_the_same_numbers() -> None:
    first, second = ({(t.candidate, t.seed): t.accuracy for t in search().trials} for _ in range(2))
    assert first == second


def test_a_search_goes_on_where_it_was(tmp_path: Path) -> None:
    """Interrupted in its third training, it keeps two; the second call trains the others, the third one none."""
    storage, seen = tmp_path / "deep" / "study.db", []

    def interrupt(trial: Trial) -> None:
        seen.append(trial)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(storage=storage, on_trial=interrupt)
    rest: list[Trial] = []
    found = search(storage=str(storage), on_trial=rest.append)
    assert len(rest) == 6 - 2
    again: list[Trial] = []
    assert search(storage=storage, on_trial=again.append).to_dict() == found.to_dict()
    assert again == []
    assert len(search(storage=storage, name="another", seeds=1).trials) == 3


def test_a_training_of_a_dead_process_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    optuna = pytest.importorskip("optuna")
    storage = tmp_path / "study.db"
    study: list[Any] = []

    def die(self: _Worker, trial: Any) -> float:
        study.append(trial.study)
        raise SystemExit  # neither an exception nor an interruption to Optuna: the trial stays as it is

    with monkeypatch.context() as patch:
        patch.setattr(_Worker, "__call__", die)
        with pytest.raises(SystemExit):
            search(storage=storage)
    states = [trial.state for trial in study[0].get_trials(deepcopy=False)]
    assert states.count(optuna.trial.TrialState.RUNNING) == 1
    monkeypatch.setattr("equivision.discovery._study._HEARTBEAT", 1)
    monkeypatch.setattr("equivision.discovery._study._GRACE", 2)
    assert len(search(storage=storage).trials) == 6


def test_other_settings_under_the_same_name_are_refused(tmp_path: Path) -> None:
    storage = tmp_path / "study.db"
    search(storage=storage, seeds=1)
    with pytest.raises(ConfigError, match=r"begun with other settings \(seeds, budget\): give another name"):
        search(storage=storage, budget=9)
    with pytest.raises(ConfigError, match=r"begun with other settings \(data\)"):
        ev.discover(
            (DATA.images + 1e-3 * torch.randn_like(DATA.images), DATA.labels), candidates=["left-right", "C4"],
            storage=storage, **{**TINY, "seeds": 1},
        )  # fmt: skip


def test_another_candidate_of_the_same_name_is_refused(tmp_path: Path) -> None:
    storage, optuna = tmp_path / "study.db", pytest.importorskip("optuna")
    found = search(candidates=[ScaleSymmetry((1, 1.4))], storage=storage, seeds=1)
    assert "descriptions" not in found.settings
    with pytest.raises(ConfigError, match=r"candidate of the name 'scale', ScaleSymmetry\(.*\(1.0, 1.4\)\), than"):
        search(candidates=[ScaleSymmetry((1.0, 1.4, 1.96))], storage=storage, seeds=1)
    rest: list[Trial] = []
    search(candidates=[ScaleSymmetry((1.0, 1.4))], storage=storage, seeds=1, on_trial=rest.append)
    study = optuna.load_study(study_name="discovery", storage=f"sqlite:///{storage}")
    study.set_user_attr("descriptions", {})  # as an earlier version leaves it
    search(candidates=[ScaleSymmetry((1.0, 1.4))], storage=storage, seeds=1, on_trial=rest.append)
    assert rest == []


def test_a_storage_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("no database at all, but long enough to be taken for one" * 20)
    with pytest.raises(ConfigError, match="cannot be opened"):
        search(storage=tmp_path / "study.db")


def test_learned_symmetry_stands_beside(tmp_path: Path) -> None:
    found = search(candidates=["learned"], seeds=1, budget=3)
    assert [row.name for row in found.rows] == ["C1"]
    assert found.learned is not None
    assert len(found.learned.coverage) == len(found.learned.reflections) == 4
    assert all(0 <= share <= 1 for share in found.learned.coverage)
    assert "learned: accuracy" in found.table()
    page = found.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "its layers respect" in page


def test_what_is_written(tmp_path: Path) -> None:
    found = search(seeds=1)
    written = json.loads(found.to_json(tmp_path / "found.json").read_text(encoding="utf-8"))
    assert written["best"] == found.best
    assert written["rows"][0]["accuracy"]["half"] is None  # one seed has no interval
    page = found.to_html(tmp_path / "page.html", title="Hooks < flags").read_text(encoding="utf-8")
    assert "Hooks &lt; flags" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count('class="edge"') == 2
    assert all("<text x=" in page and row.name in page for row in found.rows)


def test_a_split_keeps_the_classes() -> None:
    labels = torch.tensor([0] * 40 + [1] * 20 + [2] * 4)
    data = labelled((torch.randn(64, 1, 4, 4), labels))
    parts = split(data, 0.5, 3)
    assert parts.train.labels.bincount().tolist() == [20, 10, 2]
    assert parts.held_out.labels.bincount().tolist() == [20, 10, 2]
    everything = torch.cat([parts.train.images, parts.held_out.images]).flatten(1).sum(1).sort().values
    assert torch.equal(everything, data.images.flatten(1).sum(1).sort().values)
    assert not torch.equal(split(data, 0.5, 4).train.images, parts.train.images)
    assert len(split(data, 40, 0).train.labels) == 40


def test_images_are_scaled_alike() -> None:
    data = labelled((torch.randint(0, 256, (9, 3, 5, 5), dtype=torch.uint8), torch.arange(9) % 2))
    assert data.images.mean().abs() < 1e-6
    assert abs(float(data.images.std()) - 1) < 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": 0}, r"budget=0: give a whole number of at least 1"),
        ({"seeds": True}, r"seeds=True: give a whole number"),
        ({"invariance": -0.1}, r"invariance=-0.1: a weight"),
        ({"complexity": float("nan")}, r"complexity=nan: a weight"),
        ({"complexity": float("inf")}, r"complexity=inf: a weight"),
        ({"invariance": "x"}, r"invariance='x': a weight"),
        ({"train_size": float("nan")}, r"train_size=nan: give a number"),
        ({"train_size": None}, r"train_size=None: give a number"),
        ({"train_size": "a"}, r"train_size='a': give a number"),
        ({"device": "foo"}, r"device='foo' cannot be used"),
        ({"device": "cuda:99"}, r"device='cuda:99' cannot be used"),
        ({"train_size": 1.0}, r"train_size=1.0 of 60 images"),
        ({"train_size": 59}, r"train_size=59 of 60 images"),
        ({"candidates": ["S3"]}, r"candidate S3 exchanges 3 sensors, but images have 1"),
    ],
)
def test_bad_arguments(change: dict[str, Any], message: str, tmp_path: Path, unchecked_annotations: None) -> None:
    with pytest.raises(ConfigError, match=message):
        search(storage=tmp_path / "study.db", **change)
    assert not (tmp_path / "study.db").exists()  # nothing is begun that cannot go on


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ImageData(torch.rand(4, 1, 8, 8), None, (), torch.arange(4)), "the data has no labels"),
        ((torch.rand(4, 8, 8), torch.zeros(4)), r"images have shape \(4, 8, 8\)"),
        ((torch.rand(4, 1, 8, 8), torch.zeros(3)), r"labels \(3,\)"),
        ((torch.rand(4, 1, 8, 8), torch.zeros(4)), r"classes \[0\]"),
        ((torch.ones(4, 1, 8, 8), torch.arange(4)), r"standard deviation 0"),
        ((torch.full((4, 1, 8, 8), float("nan")), torch.arange(4)), "not finite"),
        (None, "the data is a NoneType: give a pair"),
        (torch.rand(2, 1, 8, 8), "the data is a Tensor: give a pair"),
        ([(torch.rand(1, 8, 8), i) for i in range(4)], "the data is a list of 4: give a pair.*stack"),
        ([(torch.rand(1, 8, 8), i) for i in range(2)], "images cannot be read as a tensor"),
        (TensorDataset(torch.rand(4, 1, 8, 8)), "the data is a TensorDataset of 1: give a pair"),
        ((torch.rand(4, 1, 8, 8), ["cat", "dog", "cat", "dog"]), "labels cannot be read.*give class numbers"),
        (
            (torch.rand(4, 1, 8, 8), torch.arange(4) + 0.5),
            r"labels \[0.5, 1.5, .*: give class numbers, which are whole",
        ),
        ((torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, math.inf])), "class numbers, which are whole"),
    ],
)
def test_bad_data(data: Any, message: str, unchecked_annotations: None) -> None:
    with pytest.raises(EquivisionError, match=message) as caught:
        ev.discover(data, **TINY)
    assert isinstance(caught.value, DataError)


def test_missing_class_numbers_are_named() -> None:
    labels = torch.tensor([0, 10, 20]).repeat(10)
    with pytest.raises(ConfigError, match=r"the 21 classes \(no image is of 18 of them: .* without gaps\) in both"):
        ev.discover((torch.rand(30, 1, 8, 8), labels), **TINY)


def test_a_tensor_dataset_is_a_pair() -> None:
    images, labels = torch.rand(6, 1, 8, 8), torch.arange(6) % 2
    pairs = [(images, labels), TensorDataset(images, labels), [images.numpy(), labels.tolist()]]
    assert len({labelled(pair).fingerprint() for pair in pairs}) == 1


def test_plans_compare_at_half() -> None:
    assert Plan((), 1, 150, 0.5, 10, 0.0).rungs == [75, 150]
    assert Plan((), 1, 1, 0.5, 10, 0.0).rungs == [1]


def test_who_is_stopped_depends_on_the_order_of_the_trials() -> None:
    """As the documentation says: the pruner compares a training with those that came as far before it."""
    optuna = pytest.importorskip("optuna")
    orders = {True: [0.1, 0.2, 0.3, 0.4], False: [0.4, 0.3, 0.2, 0.1]}
    stopped = {}
    for rising, values in orders.items():
        study = _study._create(optuna, Plan((), 1, 100, 0.5, 10, 0.0), None, "order")
        stopped[rising] = []
        for value in values:
            trial = study.ask()
            trial.report(value, 50)
            stopped[rising] += [value] if trial.should_prune() else []
            study.tell(trial, value)
    assert stopped == {True: [], False: [0.3, 0.2, 0.1]}


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*")
@pytest.mark.parametrize(
    ("given", "tried"),
    [("C4", ["C4"]), ("C1,C4", ["C1", "C4"]), ("[C1, left-right]", ["C1", "left-right"]), (None, [*PLANE])],
)
def test_candidates_of_the_command(
    given: str | None, tried: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def stop(data: ImageData, *, candidates: list[str], **options: Any) -> None:
        seen.append([candidate(one).name for one in candidates])
        raise ConfigError("seen")

    monkeypatch.setattr("equivision.cli._discover.discover", stop)
    chosen = [] if given is None else ["--candidates", given]
    assert main(["discover", "--data", "DigitsDataModule", *chosen, "--output", str(tmp_path / "out")]) == 2
    assert seen == [[candidate(one).name for one in tried]]


def test_the_command_without_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discover"]) == 2
    said = capsys.readouterr().err
    assert "choose one of DigitsDataModule, " in said
    assert "as in --data DigitsDataModule" in said
    assert all(word not in said for word in ("--run_dir", "--config", "Tracking", "Mask"))


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*")
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["discover", "--data", "DigitsDataModule", "--data.train_variant", "rotated90", "--data.val_size", "60"]
    arguments += ["--data.test_size", "1697"]
    arguments += ["--candidates", "[left-right]", "--budget", "2", "--seeds", "1", "--parameters", "200"]
    arguments += ["--train_size", "30", "--device", "cpu", "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert "best: " in printed.out
    assert "trained: D1 left-right, seed 0" in printed.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"discovery.db", "discovery.json", "discovery.html"}
    assert main([*arguments, "--seeds", "2"]) == 2
    assert "other settings" in capsys.readouterr().err
    assert main(["discover", "--data", "SyntheticTrackingDataModule", "--output", str(tmp_path / "x")]) == 2
    assert "is no ImageDataModule" in capsys.readouterr().err
