"""Curves of equivariance by epoch: read from the log of a run, drawn on the page, absent where nothing was logged."""

import dataclasses
import itertools
import re
from pathlib import Path

import pytest
from torch import Tensor, nn

from equivision.audit import AuditReport, TrainingCurve, audit, write_html
from equivision.audit._figures import Series, _apart, _round_numbers, by_epoch
from equivision.audit._training import training_curves
from equivision.errors import DataError
from tests.audit.test_html import read

LOG = """epoch,step,train/equivariance/conv<1>,train/equivariance/b.conv2,train/loss,val/equivariance/conv<1>,val/loss
1,10,0.5,0.25,2.1,,2.0
2,20,0.05,nan,1.1,0.3,1.9
3,30,0.0005,0.125,0.9,0.2,1.8
"""
CURVES = (
    TrainingCurve("conv<1>", "train", (1, 2, 3), (0.5, 0.05, 0.0005)),
    TrainingCurve("b.conv2", "train", (1, 3), (0.25, 0.125)),
    TrainingCurve("conv<1>", "val", (2, 3), (0.3, 0.2)),
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "metrics.csv"
    path.write_text(LOG)
    return path


@pytest.fixture
def report(plain: nn.Module, images: Tensor, log: Path) -> AuditReport:
    return audit(plain, images, group="C4", angles=(), num_pictures=0, metrics=log)


def test_curves_of_a_log(log: Path, tmp_path: Path) -> None:
    assert training_curves(log) == CURVES
    for text in ("epoch,step,train/loss\n1,10,2.5\n", "epoch,train/equivariance/a\n1,\n2\n", ""):
        (tmp_path / "other.csv").write_text(text)
        assert training_curves(tmp_path / "other.csv") == ()


def test_curves_of_what_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metrics='.*none.csv' cannot be read: .*give the metrics.csv of a run"):
        training_curves(tmp_path / "none.csv")
    for text in ("train/equivariance/a\n0.5\n", "epoch,train/equivariance/a\n1,much\n"):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(DataError, match=r"is no table of a run .*that equivision fit wrote"):
            training_curves(tmp_path / "bad.csv")


def test_report_holds_them_and_survives_json(report: AuditReport) -> None:
    assert report.training == CURVES
    assert AuditReport.from_json(report.to_json()) == report
    assert re.search(r"conv<1> +train +5.0e-01  5.0e-04  1 to 3\n", report.table())
    assert "logged" not in dataclasses.replace(report, training=()).table()


def test_page_has_a_chart_for_each_kind_of_images(report: AuditReport, tmp_path: Path) -> None:
    page = read(report.to_html(tmp_path / "page.html"))
    text = " ".join(" ".join(page.text).split())
    for words in ("While it was trained", "On the training images", "On the validation images", "conv<1>", "b.conv2"):
        assert words in text
    without = dataclasses.replace(report, training=())
    both = write_html({"learned": report, "built": without}, tmp_path / "both.html").read_text(encoding="utf-8")
    assert both.count('class="chart epochs"') == 2
    assert "Difference of the layers of learned by epoch, on validation images. conv&lt;1&gt;: 3.0e-01 at first" in both
    assert "While it was trained" not in without.to_html(tmp_path / "none.html").read_text(encoding="utf-8")


def places(svg: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([-.\d]+)" cy="([-.\d]+)" r="3"', svg)]


def test_chart_by_epoch_is_logarithmic() -> None:
    falls = Series("falls", 0, ((1.0, 1.0), (2.0, 0.1), (3.0, 0.01)), frozenset())
    svg = by_epoch([falls], label="a <chart>")
    (x1, y1), (x2, y2), (x3, y3) = places(svg)
    assert x3 - x2 == pytest.approx(x2 - x1, abs=0.2)
    assert y3 - y2 == pytest.approx(y2 - y1, abs=0.2)
    assert y2 > y1  # smaller is lower
    assert 'aria-label="a &lt;chart&gt;"' in svg
    assert "10⁻²" in svg
    assert "falls, epoch 2: 1.0e-01" in svg


@pytest.mark.parametrize(
    "points", [((1.0, 0.0),), ((4.0, 0.3),), ((1.0, 0.0), (2.0, 0.5)), ((0.0, 1e-300), (500.0, 1e5))]
)
def test_chart_of_odd_values_stays_inside(points: tuple[tuple[float, float], ...]) -> None:
    """One epoch, zeros, many decades."""
    svg = by_epoch([Series("a.very." + "deep." * 9 + "layer", 0, points, frozenset())], label="")
    _, _, width, height = map(float, re.search(r'viewBox="([^"]+)"', svg)[1].split())  # pyright: ignore[reportOptionalSubscript]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in places(svg))
    assert 2 <= svg.count('class="tick end"') <= 10
    assert re.search(r">…[^<]*deep\.layer</text>", svg)


def test_names_of_many_layers_do_not_overlap() -> None:
    same = [Series(f"layer{i}", 0, ((1.0, 1.0), (2.0, 0.5)), frozenset()) for i in range(30)]
    rows = sorted(float(y) for y in re.findall(r'y="([-.\d]+)" class="tick start"', by_epoch(same, label="")))
    assert len(rows) == 30
    assert min(b - a for a, b in itertools.pairwise(rows)) > 14
    assert _apart([5.0, 1.0, 5.0], 2.0, 0.0, 6.0) == [4.0, 1.0, 6.0]


def test_epochs_are_round_numbers() -> None:
    assert _round_numbers(1, 1) == [1]
    assert _round_numbers(1, 4) == [1, 2, 3, 4]
    assert _round_numbers(1, 50) == [1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50]
    assert _round_numbers(0, 1000)[:3] == [0, 100, 200]
