"""The classification study: its networks, its test sets, and tables that come from the JSON files."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from equivision.data import Variant
from equivision.filters import sampling_matrices
from equivision.groups import cyclic
from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "pn-study-2023"
RESULTS = sorted((FOLDER / "results").glob("*.json"))


script = partial(_script, FOLDER)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result = json.loads(path.read_text())
    run, networks = load("run"), load("_networks")
    job = run.Run(result["network"], result["digits"], result["epochs"], result["seed"])
    assert job.result == path
    network = networks.NETWORKS[result["network"]]
    assert result["parameters"] == sum(p.numel() for p in network.build().parameters())
    assert (result["train_images"], result["test_images"], result["batch_size"]) == (12_000, 10_000, 64)
    assert set(result["test_error_percent"]) == {"upright", "rotated", "turned", "transformed"}
    assert all(0 < error < 100 for error in result["test_error_percent"].values())
    error = result["equivariance_error"]
    if network.group is None:
        assert error["float64"] > 1e-3
    elif network.exact_group.order == 1:
        assert error is None
    elif network.group in ("C4", "C8", "D4") or network.filters != "torchvision":
        assert error["float64"] <= 1e-12


def test_queue_lists_every_run_once_and_short_ones_first(load: Load) -> None:
    run = load("run")
    names = [job.name for job in run.queue(2)]
    assert len(names) == len(set(names)) == 2 * 2 * len(list(run.kinds()))
    budgets = [(job.seed, job.epochs) for job in run.queue(2)]
    assert budgets == sorted(budgets)
    finished = script("run.py", "--list", "--seeds", "2")
    assert [line.split(":")[0] for line in finished.stdout.splitlines()] == names, finished.stderr


def test_a_longer_training_goes_on_from_a_shorter_one(load: Load) -> None:
    run = load("run")
    short, long, other = (run.Run("P6CNN, bilinear", "rotated", e, seed) for e, seed in ((10, 0), (30, 0), (10, 1)))
    assert short.checkpoints == long.checkpoints != other.checkpoints
    assert short.result != long.result


def test_networks_have_the_parameters_that_the_study_has(load: Load) -> None:
    networks = load("_networks")
    for network in (*networks.STUDY, *networks.MORE):
        assert f"{sum(p.numel() for p in network.build().parameters()):,}" == network.parameters


def test_equal_widths_are_equal(load: Load) -> None:
    networks = load("_networks")
    for network, other in ((networks.D4_WIDE, "P4CNN"), (networks.P4_NARROW, "D4CNN")):
        ours, theirs = network.build(), networks.NETWORKS[other].build()
        assert ours.classifier.weight.shape == theirs.classifier.weight.shape
        assert network.group != networks.NETWORKS[other].group


@pytest.mark.parametrize("n", [4, 8])
def test_torchvision_turns_kernels_by_eighths_exactly(n: int, load: Load) -> None:
    found = load("_networks").torchvision_matrices(n)
    np.testing.assert_array_equal(found, sampling_matrices(cyclic(n), 3, mode="nearest"))
    assert all(torch.equal(torch.linalg.matrix_power(found[1], r), found[r]) for r in range(n))


@pytest.mark.parametrize("n", [5, 6, 7, 12, 16])
def test_torchvision_does_not_turn_kernels_by_other_angles(n: int, load: Load) -> None:
    """The matrices are no representation: two steps are not twice one step."""
    found = load("_networks").torchvision_matrices(n)
    assert torch.equal(found[0], torch.eye(9, dtype=torch.float64))
    assert any(not torch.equal(torch.linalg.matrix_power(found[1], r), found[r]) for r in range(n))


def test_sixty_degrees_are_taken_for_forty_five(load: Load) -> None:
    matrices = load("_networks").torchvision_matrices
    assert torch.equal(matrices(6)[1], matrices(8)[1])


def test_kernels_are_turned_as_the_network_says(load: Load) -> None:
    networks = load("_networks")
    for name, mode in (("P6CNN", None), ("P6CNN, bilinear", "bilinear"), ("P6CNN, nearest, ties shared", "nearest")):
        conv = networks.NETWORKS[name].build().features[0]
        expected = networks.torchvision_matrices(6) if mode is None else sampling_matrices(cyclic(6), 3, mode=mode)
        np.testing.assert_array_equal(conv.sampling, expected)


def test_transformed_digits_are_turned_digits_of_which_half_are_reflected(load: Load) -> None:
    nearest = load("run").Nearest
    turned, transformed = nearest("uniform"), nearest("uniform", "random")
    assert (turned.name, transformed.name) == ("turned", "transformed")
    images = torch.rand(200, 1, 9, 9)
    same = (turned.apply(images) == transformed.apply(images)).flatten(1).all(1)
    flips = transformed.flips(torch.arange(200))
    assert torch.equal(same, ~flips)
    assert 60 < int(flips.sum()) < 140
    assert torch.isin(turned.apply(images), torch.cat([images.flatten(), torch.zeros(1)])).all()
    assert not torch.equal(turned.apply(images), Variant("uniform").apply(images))


def test_a_table_shows_what_was_run_and_says_what_is_missing(load: Load) -> None:
    table = load("table")
    run = {
        "network": "D4CNN", "digits": "upright", "epochs": 30, "parameters": 392_858, "hours": 0.25, "torch": "2",
        "test_error_percent": {"upright": 6.0, "rotated": 20.0, "turned": 21.0, "transformed": 22.0},
        "equivariance_error": {"float32": 2e-7, "float64": 3e-16},
    }  # fmt: skip
    rows = table.table_1([run, {**run, "test_error_percent": {**run["test_error_percent"], "upright": 8.0}}], 30)
    assert (
        "| D4CNN | 392,858 | 94.2 | 93.00 ± 1.41 | 79.6 | 78.00 ± 0.00 | 79.00 ± 0.00 | 2e-07 / 3e-16 | 2 | 0.50 |"
        in rows
    )
    assert sum("not run yet" in row for row in rows) == 4
    assert sum("not run yet" in row for row in table.table_2([run], 30)) == 9
    assert table.controls([run], 10) == ["Not run yet."]
    assert len(table.controls([run], 30)) == 3


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*", "ignore:.*exists and is not empty.*")
@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
def test_a_run_from_end_to_end(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, digits = load("run"), load("equivision.data").read_digits()
    parts = [digits.take(range(first, first + 70)) for first in (0, 70)]
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # Lightning notes its seed in the environment
        monkeypatch.setenv(name, "0")
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path)
    monkeypatch.setattr(run.StudyDigits, "load", lambda self: load("equivision.data").Splits(parts[0], None, parts[1]))
    for epochs in (1, 2):
        result = run.train(run.Run("P6CNN", "rotated", epochs, 0))
        assert result["equivariance_error"]["float64"] <= 1e-12
        assert set(result["test_error_percent"]) == {"upright", "rotated", "turned", "transformed"}
        checkpoint = torch.load(tmp_path / "pn-study-2023" / "P6CNN-rotated-s0" / "last.ckpt", weights_only=True)
        assert checkpoint["epoch"] == epochs - 1
        json.dumps(result)
