"""papers/crystal-textures: results that are complete, a queue without doubles, a training from end to end."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "crystal-textures"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
script = partial(_script, FOLDER)


def test_results_are_complete(load: Load) -> None:
    run, contestants = load("run"), load("_networks").CONTESTANTS
    parameters = {
        (crystal, name): sum(p.numel() for p in contestant.network(crystal).parameters())
        for crystal in load("_networks").DEGREES
        for name, contestant in contestants.items()
    }
    for path in RESULTS:
        result = json.loads(path.read_text())
        job = run.Run(*(result[name] for name in ("crystal", "contestant", "samples", "seed")))
        assert job.result == path
        assert result["parameters"] == parameters[job.crystal, job.contestant]
        assert (
            len(result["unexplained_percent"])
            == len(result["targets"])
            == len(load("_networks").DEGREES[job.crystal]) + 1
        )
        assert result["epochs"] == run.EPOCHS


def test_queue_lists_every_run_once(load: Load) -> None:
    names = [job.name for job in load("run").queue(2)]
    assert len(names) == len(set(names)) == 2 * 2 * (7 + 4)
    assert [line.split(":")[0] for line in script("run.py", "--list", "--seeds", "2").stdout.splitlines()] == names


def test_what_is_shown(load: Load) -> None:
    """Names change what is shown but for allowed harmonics and the fundamental zone; what is forbidden is zero."""
    networks, polycrystals = load("_networks"), load("equivision.data").polycrystals
    samples = polycrystals(2, size=3, grains=5)
    renamed = samples.renamed(1)
    for name, contestant in networks.CONTESTANTS.items():
        shown = contestant.shown(samples)
        apart = float((contestant.shown(renamed) - shown).abs().max())
        assert (apart < 1e-9) == (contestant.shown in (networks.symmetrised, networks.zone, networks.forbidden)), name
        assert (float(shown.abs().max()) < 1e-12) == (name == "forbidden")
        assert (
            shown.shape[1] == next(contestant.network("432").parameters()).shape[1]
            if not contestant.spherical
            else True
        )
    quaternions = networks._quaternions(samples.orientations)
    assert torch.allclose(quaternions.norm(dim=-1), torch.ones((), dtype=torch.float64))
    w, v = quaternions[..., 0], quaternions[..., 1:]
    trace = samples.orientations.diagonal(dim1=-2, dim2=-1).sum(-1)
    assert torch.allclose(4 * w**2 - 1, trace)
    assert torch.allclose((samples.orientations @ v[..., None])[..., 0], v)  # the axis stays


@pytest.mark.parametrize(("crystal", "name"), [("622", "spherical"), ("432", "renamed")])
def test_a_training_from_end_to_end(crystal: str, name: str, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    run = load("run")
    for key, value in {"TEST": 6, "SIZE": 3, "GRAINS": 4, "EPOCHS": 1, "BATCH": 5, "TURNED": 3, "TURNS": (8,)}.items():
        monkeypatch.setattr(run, key, value)
    result = run.train(run.Run(crystal, name, 10, 0))
    assert (result["change_by_names"] < 1e-12) == (result["change_by_turns"] < 1e-12) == (name == "spherical")
    assert Path(result.pop("machine") or "x")
    json.dumps(result)


def test_tables(load: Load) -> None:
    run = {
        "crystal": "432", "contestant": "spherical", "samples": 200, "seed": 0, "parameters": 3825, "hours": 0.01,
        "unexplained_percent": [1.0, 2.0, 6.0], "change_by_names": 1e-15, "change_by_turns": 2e-15, "torch": "2",
    }  # fmt: skip
    text = load("table").text([run, {**run, "seed": 1, "unexplained_percent": [2.0, 2.0, 7.0]}])
    assert (
        "| spherical layers, allowed harmonics | 200 | 1.5 ± 0.7 | 2.0 ± 0.0 | 6.5 ± 0.7 | 1e-15 | 2e-15 | 3,825 | 2 |"
        in text
    )
    assert text.count("not run yet") == 21
