"""papers/sample-complexity: orbits, labels for an accuracy, tables that come from JSON, a run from end to end."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "sample-complexity"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
script = partial(_script, FOLDER)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result, run, networks = json.loads(path.read_text()), load("run"), load("_networks")
    assert run.Run(result["group"], result["bars"], result["seed"]).result == path
    trainings = run.TRAININGS if result["group"] != "C1" else run.TRAININGS[:1]
    assert tuple(result["accuracy"]) == trainings
    assert all(len(found) == len(run.LABELS) for found in result["accuracy"].values())
    assert (tuple(result["labels"]), result["steps"], result["test_images"]) == (run.LABELS, run.STEPS, 1000)
    assert result["orbit"] == run.orbit(result["group"], result["bars"])
    assert result["parameters"]["G-CNN"] == networks.parameters_of(networks.matched(result["group"]))


def test_queue_lists_every_run_once(load: Load) -> None:
    names = [job.name for job in load("run").queue(2)]
    assert len(names) == len(set(names)) == 2 * 2 * 5
    assert [line.split(":")[0] for line in script("run.py", "--list", "--seeds", "2").stdout.splitlines()] == names


def test_networks_have_as_many_parameters(load: Load) -> None:
    networks, groups = load("_networks"), load("run").GROUPS
    for group in groups:
        own = networks.parameters_of(networks.matched(group))
        assert abs(own / networks.PARAMETERS - 1) < 0.15
        assert abs(networks.parameters_of(networks.matched("C1", own)) / own - 1) < 0.12


@pytest.mark.parametrize("group", ["C1", "C2", "C4", "C8", "D4"])
@pytest.mark.parametrize("bars", ["single", "double"])
def test_orbit_is_the_number_of_different_views(group: str, bars: str, load: Load) -> None:
    """Counted on the outline of a bar, moved by every element of the group."""
    planar, outline = load("equivision.groups").planar(group), load("equivision.data._bars").bar
    kind = {"single": "arrow", "double": "double arrow"}[bars]
    points = torch.as_tensor(outline(kind, 0.5), dtype=torch.float64)
    views = []
    for g in range(planar.order):
        moved = points @ torch.as_tensor(planar.matrix(g), dtype=torch.float64).T
        if not any(float(torch.cdist(moved, view).amin(1).max()) < 1e-6 for view in views):
            views.append(moved)
    assert len(views) == load("run").orbit(group, bars)


def test_augmentation_moves_by_elements_of_the_group(load: Load) -> None:
    run = load("run")
    images, _ = run.bars_in_poses(run.Run("C4", "single", 0), 40, 0)
    torch.manual_seed(0)
    poses = [images.rot90(k, (-2, -1)) for k in range(4)]
    for old, new in zip(torch.stack(poses, 1), run.moved(images, "C4"), strict=True):
        assert min(float((new - pose).abs().max()) for pose in old) < 1e-5
    assert torch.allclose(run.moved(images, "C1"), images, atol=1e-6)


def test_labels_needed(load: Load) -> None:
    """Geometric between two numbers of labels; sides where the target lies outside."""
    found = load("_factors")
    assert found.needed((10, 100, 1000), (0.5, 0.9, 1.0)).number == pytest.approx(100 * 10**0.5)
    assert str(found.needed((10, 100), (0.96, 0.99))) == "<10"
    assert str(found.needed((10, 100), (0.5, 0.6))) == ">100"
    assert found.needed((10, 100, 1000), (0.5, 0.97, 0.8)).number == pytest.approx(10 * 10 ** (0.45 / 0.47))


def test_factors_say_what_is_only_a_bound(load: Load) -> None:
    found = load("_factors")
    exact, few, many = found.Labels(50), found.Labels(10, "<"), found.Labels(100, ">")
    assert str(found.factor(exact, found.Labels(20))) == "2.5"
    assert str(found.factor(exact, few)) == ">5.0"
    assert str(found.factor(many, exact)) == ">2.0"
    assert str(found.factor(many, few)) == ">10.0"
    assert str(found.factor(few, exact)) == "<0.2"
    assert str(found.factor(exact, many)) == "<0.5"
    assert found.factor(few, few) is found.factor(many, many) is None


def test_tables(load: Load) -> None:
    plain, own = (0.5, 0.9, 0.95, 0.96, 0.97, 0.98), (0.95, 0.96, 0.97, 0.98, 0.99, 0.99)
    run = {
        "group": "C4", "bars": "single", "seed": 0, "orbit": 4, "hours": 0.1, "torch": "2",
        "accuracy": {"G-CNN": own, "CNN": plain, "CNN, augmented": own},
    }  # fmt: skip
    text = load("table").text([run, {**run, "seed": 1}])
    assert "| C4 | 4 | single | 4 | <12 | 72 | <12 | >6.0 | - | 12 |" in text
    assert "| C4, single bars, CNN | 50.00 ± 0.00 | 90.00 ± 0.00 |" in text
    assert text.count("not run yet") == 9


def test_a_run_from_end_to_end(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    run = load("run")
    for name, value in {"LABELS": (3, 6), "TEST_IMAGES": 12, "STEPS": 2}.items():
        monkeypatch.setattr(run, name, value)
    result = run.train(run.Run("C4", "double", 0))
    assert result["orbit"] == 2
    assert {name: len(found) for name, found in result["accuracy"].items()} == dict.fromkeys(run.TRAININGS, 2)
    json.dumps(result)
