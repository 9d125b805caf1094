"""The reproduction's tables come from its JSON files, and its queues know what is left."""

import dataclasses
import json
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch

import equivision as ev
from tests.papers._folder import PAPERS
from tests.papers._folder import script as _script

FOLDER = PAPERS / "separable-2021"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
PLAIN = ("z2cnn", "c_z2cnn")


script = partial(_script, FOLDER)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path) -> None:
    result = json.loads(path.read_text())
    kind = (result["net"], f"w{result['width']}", result["train_variant"], f"n{result['train_images']}")
    assert path.stem == "-".join((*kind, f"s{result['seed']}"))
    assert set(result["test_error_percent"]) == {"upright", "rotated", "rotated90"}
    assert all(0 < error < 100 for error in result["test_error_percent"].values())
    model = ev.create_model(result["net"], width=result["width"])
    assert result["parameters"] == sum(p.numel() for p in model.parameters())
    assert result["epochs"] == 50
    assert result["torch"]
    if result["net"] in PLAIN:
        assert result["equivariance_error"]["float64"] > 1e-3
    else:
        assert result["equivariance_error"]["float64"] <= 1e-12
        errors = result["test_error_percent"]
        assert errors["upright"] == pytest.approx(errors["rotated90"], abs=0.01)


def test_queue_lists_every_run_once() -> None:
    finished = script("run.py", "--list")
    assert finished.returncode == 0, finished.stderr
    names = [line.split(":")[0] for line in finished.stdout.splitlines()]
    assert len(names) == len(set(names)) == 3 * (7 + 2 + 5 + 3 * 3)
    done = {line.split(":")[0] for line in finished.stdout.splitlines() if line.endswith(": done")}
    assert {path.stem for path in RESULTS} <= done <= set(names)


def test_a_result_that_is_missing_is_said_to_be_missing(load, monkeypatch: pytest.MonkeyPatch) -> None:
    table = load("table")
    monkeypatch.setattr(table, "sizes", list)
    published = table.read(json.loads((FOLDER / "published.json").read_text()))
    dense = [run for run in published if run["net"] == "p4cnn"]
    rows = table.tables(dense).splitlines()
    assert sum("not run yet" in row for row in rows) == 6 + 1  # all but P4CNN, and Z2CNN on upright digits
    assert [row for row in rows if row.startswith("| P4CNN | 10 | 2.23 ± 0.061 | 2.3")]


def test_table_2_holds_what_was_run(load) -> None:
    table = load("table")
    assert table.cifar_rows([]) == ["Not run yet."]
    run = {
        "net": "gc_p4m_resnet44", "form": "exact", "images": 1_000, "epochs": 8, "test_images": 500,
        "parameters": 1_876_430, "test_error_percent": {"upright": 60.0, "rotated90": 60.0}, "hours": 0.25,
        "equivariance_error": {"float32": 2e-7, "float64": 3e-16},
    }  # fmt: skip
    rows = table.cifar_rows([run, {**run, "test_error_percent": {"upright": 62.0, "rotated90": 62.0}}])
    assert rows[2:] == [
        "| gc-p4m-ResNet44 | exact | 1,876,430 | 1,000 x 8 | 500 | - | 61.00 ± 1.41 | 61.00 ± 1.41 | 2e-07 / 3e-16 | "
        "2 | 0.50 |"
    ]
    printed = {**run, "form": "printed"}
    assert " | 6.72 | 60.00 | 60.00 | " in table.cifar_rows([printed])[-1]


def test_two_processes_do_not_take_the_same_run(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = load("_runs")
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path)
    run = load("run").Run("p4cnn", 10, "rotated", 12_000, 0)
    with runs.claimed(run) as first, runs.claimed(run) as second:
        assert (first, second) == (True, False)
    with runs.claimed(run) as again:
        assert again


def test_work_trains_what_is_missing_and_saves_it_whole(load, tmp_path: Path, monkeypatch, capsys) -> None:
    runs, run = load("_runs"), load("run")
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path / "checkpoints")
    monkeypatch.setattr(run.Run, "folder", tmp_path)
    jobs = [run.Run("p4cnn", 10, "rotated", 12_000, seed) for seed in range(2)]
    runs.save(jobs[0], {"test_error_percent": 1, "hours": 0})
    trained = []

    def train(job) -> dict[str, float]:
        trained.append(job)
        return {"test_error_percent": 2.0, "hours": 0.1}

    runs.work(jobs, train, only_list=True)
    assert trained == []
    runs.work(jobs, train, only_list=False)
    assert trained == jobs[1:]
    assert json.loads(jobs[1].result.read_text())["test_error_percent"] == 2.0
    assert sorted(path.suffix for path in (tmp_path / "results").iterdir()) == [".json", ".json"]
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"{jobs[0].name}: done", f"{jobs[1].name}: to do", f"{jobs[0].name}: done", f"{jobs[1].name}: training",
        f"{jobs[1].name}: test error 2.0 % in 0.1 h",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("net", "width", "at_output", "at_input"),
    [
        ("z2cnn", 20, 2_979_280, 2_979_280),
        ("c_z2cnn", 57, 3_330_453, 4_119_960),
        ("p4cnn", 10, 11_673_760, 11_673_760),
        ("g_p4cnn", 10, 4_369_760, 4_758_560),
        ("gc_p4cnn", 10, 1_797_920, 2_186_720),
        ("g_p4cnn", 17, 12_339_008, 13_462_640),
        ("gc_p4cnn", 30, 13_006_560, 16_505_760),
    ],
)
def test_macs_of_table_1(load, net: str, width: int, at_output: int, at_input: int) -> None:
    macs, model = load("macs").macs, ev.create_model(net, width=width)
    assert macs(model, (1, 28, 28)) == at_output
    assert macs(model, (1, 28, 28), pointwise="input") == at_input
    assert model.training


@pytest.mark.parametrize(
    ("net", "billions"), [("resnet44", 0.389), ("p4m_resnet44", 3.070), ("g_p4m_resnet44", 2.089),
                          ("gc_p4m_resnet44", 2.215)],
)  # fmt: skip
def test_macs_of_table_2(load, net: str, billions: float) -> None:
    model = ev.create_model(net, **({} if net == "resnet44" else {"form": "printed"}))
    assert load("macs").macs(model, (3, 32, 32)) / 1e9 == pytest.approx(billions, abs=5e-4)


@pytest.mark.parametrize("group", ["C4", "D4"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_macs_are_those_of_the_formulas(load, kernel: int, group: str) -> None:
    """C C' |G|^2 k^2, C C' |G| (|G| + k^2) and C' |G| (C |G| + k^2) for each position of the output."""
    macs, order, taps, positions = load("macs").macs, ev.groups.parse(group).order, kernel**2, (9 - kernel + 1) ** 2

    def layer(kind, **options) -> torch.nn.Module:
        lift = ev.nn.LiftConv2d(1, 3, 1, group=group)
        return torch.nn.Sequential(lift, kind(3, 5, kernel, group=group, **options))

    lifting = 3 * order * 81
    expected = {
        "dense": (layer(ev.nn.GroupConv2d), 3 * 5 * order**2 * taps),
        "g": (layer(ev.nn.SeparableGroupConv2d, variant="g"), 3 * 5 * order * (order + taps)),
        "gc": (layer(ev.nn.SeparableGroupConv2d, variant="gc"), 5 * order * (3 * order + taps)),
    }
    for model, each in expected.values():
        assert macs(model, (1, 9, 9)) == lifting + each * positions


class TestCIFAR10:
    @pytest.fixture
    def cifar(self, load) -> ModuleType:
        return load("cifar")

    def test_schedule_is_that_of_the_paper_in_proportion(self, cifar: ModuleType) -> None:
        assert cifar.milestones(300) == [50, 100, 150]
        assert cifar.milestones(30) == [5, 10, 15]
        assert cifar.milestones(1) == [1]

    def test_budget_is_the_same_for_every_network(self, cifar: ModuleType) -> None:
        jobs = cifar.queue(100, 3, 50, 2)
        assert len({job.name for job in jobs}) == len(jobs) == 14
        budgets = {(job.images, job.epochs, job.test_images) for job in jobs}
        assert budgets == {(100, 3, 50)}
        assert all(dataclasses.replace(job, seed=0) in jobs for job in jobs)
        assert {job.result.parent for job in jobs} == {FOLDER / "results" / "cifar10"}

    def test_networks_are_those_of_the_paper_or_exact(self, cifar: ModuleType) -> None:
        assert sum(p.numel() for p in cifar.network(cifar.queue(1, 1, 1, 1)[0]).parameters()) == 2_636_458
        x = torch.randn(1, 3, 32, 32)
        net = cifar.Standardised(cifar.network(cifar.Run("gc_p4m_resnet44", "exact", 1, 1, 1, 0)), x)
        ev.testing.assert_equivariant(ev.testing.randomize_(net.eval()), x, group=ev.groups.dihedral(4))

    def test_images_are_standardised(self, cifar: ModuleType) -> None:
        images = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8)
        z = cifar.Standardised(torch.nn.Identity(), images)(images / 255)
        torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
        torch.testing.assert_close(z.std((0, 2, 3)), torch.ones(3), rtol=0, atol=1e-5)

    @pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*")
    def test_a_run_from_end_to_end(self, cifar: ModuleType, load, tmp_path: Path, monkeypatch) -> None:
        pytest.importorskip("pyarrow")
        write_cifar(tmp_path / "cifar10", {"train": 40, "test": 30})
        monkeypatch.setenv("EQUIVISION_DATA", str(tmp_path))
        for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # Lightning notes its seed in the environment
            monkeypatch.setenv(name, "0")
        monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path / "checkpoints")
        monkeypatch.setattr(cifar, "network", lambda run: ev.create_model(run.net, width=1))
        job = cifar.Run("resnet44", "printed", 20, 1, 10, 0)
        result = cifar.train(job, "cpu")
        assert set(result["test_error_percent"]) == {"upright", "rotated90"}
        assert result["equivariance_error"]["float64"] > 1e-6
        assert "JPEG" in result["data"]
        json.dumps(result)


def write_cifar(folder: Path, sizes: dict[str, int]) -> None:
    """Parquet files in the hub's layout with random images."""
    import io

    import pyarrow
    import pyarrow.parquet
    from PIL import Image

    folder.mkdir()
    for split, size in sizes.items():
        rows = []
        for i in range(size):
            file = io.BytesIO()
            Image.fromarray(torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8).numpy()).save(file, "JPEG")
            rows.append({"img": {"bytes": file.getvalue(), "path": None}, "label": i % 10})
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet")
