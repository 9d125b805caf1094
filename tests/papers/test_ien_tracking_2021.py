"""Trackers at a small budget: the queue, what is measured, and tables that come from the JSON files."""

import json
import math
from functools import partial
from pathlib import Path

import pytest
import torch

from equivision.models import SiameseNetwork
from equivision.tracking import Track
from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script
from tests.tracking._made import film, see_through, target, walk

FOLDER = PAPERS / "ien-tracking-2021"
RESULTS = sorted((FOLDER / "results").glob("*.json"))

script = partial(_script, FOLDER)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result = json.loads(path.read_text())
    run, networks = load("run"), load("_networks")
    assert run.Run(result["tracker"], result["epochs"], result["seed"]).result == path
    tracker = networks.TRACKERS[result["tracker"]]
    assert result["parameters"] == sum(p.numel() for p in tracker.build().model.parameters())
    assert (result["model"], result["width"], result["equivariance"]) == (
        tracker.model, tracker.width, tracker.equivariance,
    )  # fmt: skip
    for rows in result["scores"].values():
        assert len(rows) == 2
        assert all(0 <= row["success"] <= 20 / 21 and 0 <= row["precision"] <= 1 for row in rows.values())


def test_queue_lists_every_run_once(load: Load) -> None:
    run = load("run")
    names = [job.name for job in run.queue(2)]
    assert len(names) == len(set(names)) == 2 * len(load("_networks").TRACKERS)
    finished = script("run.py", "--list", "--seeds", "2")
    assert [line.split(":")[0] for line in finished.stdout.splitlines()] == names, finished.stderr


def test_widths_are_what_the_page_says(load: Load) -> None:
    nets = {name: tracker.build().model for name, tracker in load("_networks").TRACKERS.items()}
    assert all(isinstance(net, SiameseNetwork) for net in nets.values())
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}
    assert counts["RE-SiamFC"] == pytest.approx(counts["SiamFC"], rel=0.1)
    assert counts["IEN-SiamFC"] == counts["CNN4-SiamFC"]
    table = load("table")
    assert [table.channels(name) for name in nets] == ["-", "100", "100", "69", "100"]


def test_right_orientations(load: Load) -> None:
    """Half a degree a frame: a quarter turn from frame 91 on, rounded."""
    frames = torch.arange(180)
    orientations = (frames > 90).long()
    track = Track(torch.zeros(180, 4, dtype=torch.float64), orientations, torch.zeros(180, dtype=torch.float64), 1.0)
    assert load("run").right_orientations(track, 4) == 1.0
    wrong = Track(track.boxes, 1 - orientations, track.scores, 1.0)
    assert load("run").right_orientations(wrong, 4) == 0.0


def test_what_is_measured(load: Load, tmp_path: Path) -> None:
    run, sequence = load("run"), film(walk(3), [target()] * 3)
    for net, keys in ((see_through(), {"success", "precision"}), (see_through("C4"), None)):
        found = run.measure(net, [sequence], tmp_path)
        assert set(found) == {"upright", "turning"}
        assert set(found["upright"]["made"]) == {"success", "precision"}
        assert set(found["turning"]["made turning"]) == (keys or {"success", "precision", "right_orientation"})
    assert {path.name for path in tmp_path.iterdir()} == {"made.png", "made turning.png"}
    assert math.isfinite(run.frames_per_processor_second(run.SiameseTracker(see_through()), sequence))


def test_a_table_shows_what_was_run_and_says_what_is_missing(load: Load) -> None:
    table = load("table")
    row = {"success": 0.5, "precision": 0.25}
    result = {
        "tracker": "RE-SiamFC", "seed": 0, "parameters": 1234, "processor_minutes": 9.0, "torch": "2",
        "frames_per_processor_second": 30.0,
        "scores": {"upright": {"a": row, "b": row}, "turning": {"a turning": {**row, "right_orientation": 0.75}}},
    }  # fmt: skip
    rows = table.scores([result])
    assert "| RE-SiamFC | 100 | 0.35 / 0.62 | 0.500 / 0.250 | 0.500 / 0.250 | 1,234 | 1 | 9.0 |" in rows
    assert sum("not run yet" in line for line in rows) == 4
    assert "0.500 / 0.250, 75 % right" in table.tables([result])


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*", "ignore:.*exists and is not empty.*")
@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
def test_a_run_from_end_to_end(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = load("run")
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # Lightning notes its seed in the environment
        monkeypatch.setenv(name, "0")
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path)
    for name, value in {"count": 2, "backgrounds": "noise", "frames": 3, "pairs_per_epoch": 2, "batch_size": 2}.items():
        monkeypatch.setitem(run.DATA, name, value)
    monkeypatch.setattr(run, "find_sequences", lambda root: [film(walk(2), [target()] * 2)])
    result = run.train(run.Run("Het-SiamFC", 1, 0))
    assert result["logged"]["train/equivariance"] > 0
    assert "right_orientation" in result["scores"]["turning"]["made turning"]
    json.dumps(result)
    assert run.summary(result).startswith("success ")
