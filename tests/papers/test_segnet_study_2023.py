"""papers/segnet-study-2023: tables that come from the JSON files, a queue without doubles, a run from end to end."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "segnet-study-2023"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
script = partial(_script, FOLDER)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result = json.loads(path.read_text())
    run, network = load("run"), load("_networks").NETWORKS[result["network"]]
    job = run.Run(result["mask"], result["network"], result["images"], result["seed"])
    assert job.result == path
    assert (result["epochs"], result["batch_size"]) == (job.epochs, job.batch_size)
    assert result["train_images"] == (job.images or run.TRAIN_IMAGES)
    assert result["parameters"] == sum(p.numel() for p in network.build().parameters())
    assert (result["equivariance_error"]["C4"]["float64"] <= 1e-12) == network.exact
    assert (result["equivariance_error"]["D4"]["float64"] <= 1e-12) == (network.arguments.get("group") == "D4")
    if network.exact:  # masks of turned images are the turned masks, up to ties
        upright, turned = (result["scores"][name]["iou"] for name in ("upright", "quarters"))
        assert turned == pytest.approx(upright, abs=2e-4)


def test_queue_lists_every_run_once(load: Load) -> None:
    run, networks = load("run"), load("_networks")
    names = [job.name for job in run.queue(2)]
    tables = 2 * (len(networks.STUDY) + len(networks.UNETS))
    assert len(names) == len(set(names)) == 2 * (tables + len(run.SIZES) * len(networks.FEW))
    finished = script("run.py", "--list", "--seeds", "2")
    assert [line.split(":")[0] for line in finished.stdout.splitlines()] == names


def test_networks_of_the_study(load: Load) -> None:
    counts = [network.full for network in load("_networks").STUDY]
    assert counts == [2_347_011, 2_344_371, 2_325_939, 2_347_011, 2_344_371, 2_347_011, 2_344_371, 2_325_939]
    for network in load("_networks").NETWORKS.values():
        size = network.size
        assert network.build()(torch.zeros(1, 3, size, size)).shape == (1, 1, size, size)


def test_steps_do_not_depend_on_the_number_of_images(load: Load) -> None:
    run = load("run")
    for size in run.SIZES:
        job = run.Run("cell", "U-Net", size, 0)
        steps = job.epochs * -(-size // job.batch_size)
        assert run.STEPS <= steps < run.STEPS + -(-size // job.batch_size)


def test_tables(load: Load) -> None:
    scores = {"image_iou": 0.9, "score": 0.8, "iou": 0.9, "dice": 0.95}
    run = {
        "mask": "cell", "network": "SegNet", "images": None, "parameters": 147_843, "hours": 0.25, "torch": "2",
        "scores": dict.fromkeys(("upright", "quarters", "rotated"), scores), "train_scores": scores,
        "equivariance_error": {"C4": {"float64": 0.5}, "D4": {"float64": 0.5}}, "seconds_per_epoch": 1.5,
    }  # fmt: skip
    text = load("table").text([run])
    row = "| SegNet | 147,843 | .718 / .646 | 80.00 | 80.00 | 90.00 | 90.00 | 90.00 | 90.00 | 5e-01 | 1.50 | 1 | 0.25 |"
    assert row in text
    assert text.count("not run yet") > 100


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*", "ignore:.*does not have many workers.*")
def test_a_run_from_end_to_end(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, data = load("run"), load("equivision.data")
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # Lightning notes its seed in the environment
        monkeypatch.setenv(name, "0")

    def made(number: int) -> object:
        masks = (torch.rand(number, 64, 64) > 0.5).byte()
        images = (200 * masks[:, None]).expand(-1, 3, -1, -1).contiguous()
        return data.ImageData(images, None, ("background", "nucleus"), torch.arange(number), masks=masks)

    monkeypatch.setattr(run.MaskParquetDataModule, "load", lambda self: data.Splits(made(20), None, made(61)))
    monkeypatch.setattr(run, "STEPS", 2)
    monkeypatch.setattr(run.runs, "RUNS", tmp_path)
    job = run.Run("nucleus", "U-Net+", 10, 0)
    result = run.train(job)
    assert set(result["scores"]) == set(run.VARIANTS)
    assert (result["epochs"], result["train_images"], result["test_images"]) == (2, 20, 61)
    assert (job.checkpoints / "masks.png").stat().st_size > 5_000
    json.dumps(result)
