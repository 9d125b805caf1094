"""The report as a value: JSON, console table, sentences."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.audit import AuditReport, audit
from equivision.audit._text import number, percent, typeset
from equivision.audit._words import describe_element, describe_group, short_element
from equivision.errors import DataError


@pytest.fixture
def report(plain: nn.Module, images: Tensor) -> AuditReport:
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    return audit(plain, images, group="C4", labels=labels, angles=(0, 37.5, 90), name="plain", num_pictures=2)


def changed(report: AuditReport, **errors: float) -> AuditReport:
    """The report as if the errors under some elements, by name, were others."""
    elements = tuple(
        dataclasses.replace(e, max_error=errors.get(e.name.replace("^", ""), 0.0), mean_error=0.0)
        for e in report.elements
    )
    return dataclasses.replace(report, elements=elements)


def test_json_there_and_back(report: AuditReport, tmp_path: Path) -> None:
    text = report.to_json()
    assert AuditReport.from_json(text) == report
    assert report.to_json(tmp_path / "new" / "report.json") == text
    assert AuditReport.from_json(tmp_path / "new" / "report.json") == report
    assert AuditReport.from_json(str(tmp_path / "new" / "report.json")) == report
    assert json.loads(text)["group"] == "C4"
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "report.json"]


def test_reports_of_exact_and_unknown_layers_survive_json(images: Tensor) -> None:
    model = nn.Sequential(
        ev.nn.LiftConv2d(1, 2, 3, group="D4"), ev.nn.CosetPool("D4", "C4"), nn.ReLU(), ev.nn.GroupPool()
    )
    report = audit(model, images[:1], group="D4", angles=())
    assert report.spread is None
    assert AuditReport.from_json(report.to_json()) == report


def test_report_is_frozen(report: AuditReport) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.group = "D4"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("spread"), "does not hold a AuditReport of this version: the fields of AuditReport should be"),
        (lambda d: d.update(extra=1), "the fields of AuditReport should be model, group"),
        (lambda d: d.update(num_images="six"), "'six' is not of type int"),
        (lambda d: d.update(num_images=True), "True is not of type int"),
        (lambda d: d.update(elements=3), "not iterable"),
        (lambda d: d["elements"].insert(0, []), "the fields of ElementResult should be"),
        (lambda d: d.update(output_action="dances"), "'dances' is none of 'invariant'"),
    ],
)
def test_json_that_is_no_report(report: AuditReport, change, message: str) -> None:
    data = json.loads(report.to_json())
    change(data)
    with pytest.raises(DataError, match=message):
        AuditReport.from_json(json.dumps(data))


def test_json_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the text is not JSON: .*; give a report written by to_json"):
        AuditReport.from_json("{")
    with pytest.raises(DataError, match=r"source='.*none.json' cannot be read"):
        AuditReport.from_json(tmp_path / "none.json")
    (tmp_path / "picture.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        AuditReport.from_json(tmp_path / "picture.json")


def test_files_are_written_whole_or_not_at_all(report: AuditReport, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"path='.*folder' cannot be written: .*; give the path of a file"):
        report.to_json(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_not_a_number_is_never_written(report: AuditReport) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dataclasses.replace(report, tolerance=math.nan).to_json()


def test_verdicts(report: AuditReport) -> None:
    assert changed(report).verdict == "exact"
    assert changed(report, r=report.tolerance).verdict == "exact"
    assert report.spread is not None
    assert changed(report, r2=0.04 * min(1.0, report.spread)).verdict == "approximate"
    assert changed(report, r2=0.06 * report.spread).verdict == "not equivariant"
    assert dataclasses.replace(changed(report, r=1e-6), spread=5e-6).verdict == "inconclusive"
    assert dataclasses.replace(changed(report, r=1e-6), spread=None).verdict == "exact"
    assert dataclasses.replace(changed(report, r=0.04), spread=None).verdict == "approximate"
    assert dataclasses.replace(changed(report, r=0.04), spread=0.0).verdict == "not equivariant"


def test_summaries(report: AuditReport) -> None:
    assert changed(report, r=3e-7).summary == (
        "exact: under quarter turns (C4) the output stays the same, to rounding "
        "(largest relative error 3.0e-07, at most 1e-05 for float32)"
    )
    assert changed(report, r3=0.004).summary == (
        "approximate: under quarter turns (C4) the output stays the same up to 0.4 % of its size (turned 270°); "
        "exact would be 1e-05 for float32"
    )
    assert changed(report, r=0.84, r3=0.5).summary == (
        "not equivariant: when the input is turned 90°, the output is off by up to 84.0 % of its size; "
        "exact would be 1e-05 for float32. Exact under half turns (C2) alone"
    )
    assert "alone" not in changed(report, r=0.5, r2=0.5, r3=0.5).summary
    vacuous = dataclasses.replace(changed(report), spread=0.0, warnings=("The output is the same.",))
    assert vacuous.summary == (
        "inconclusive: the test passes, but proves nothing about quarter turns (C4). The output is the same"
    )


def test_the_exact_part_of_the_group_is_named(images: Tensor) -> None:
    """C4 inside D4, and a diagonal mirror, which is no planar group of its own name."""
    net = nn.Sequential(ev.nn.LiftConv2d(1, 4, 3, group="C4"), ev.nn.GroupPool(), nn.AdaptiveMaxPool2d(1), nn.Flatten())
    assert audit(net, images, group="D4", angles=()).summary.endswith("Exact under quarter turns (C4) alone")

    class Diagonal(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([(x + x.mT)[:, 0, 0, 2], x[:, 0, 0, 0]], 1)

    assert audit(Diagonal(), images, group="D4", angles=()).summary.endswith("Exact under the elements e, r^3 m alone")


def test_table(report: AuditReport) -> None:
    text = report.table()
    lines = text.splitlines()
    assert lines[0].startswith("plain under C4: not equivariant")
    assert lines[1] == f"6 images of 1 x 9 x 9, {report.num_parameters:,} parameters, float32"
    assert lines[2].startswith("for scale: the outputs of two different images differ by")
    assert "r^2      turned 180°" in text
    assert "same class under every element:" in text
    assert "37.5°" not in text  # every 15 degrees is enough for a console
    assert "90° *" in text
    assert "Linear" in text
    assert "stays the same" in text
    assert "classes under every element" in text
    assert max(map(len, lines[3:])) <= 120


def test_table_of_a_small_report(images: Tensor) -> None:
    model = nn.Sequential(ev.nn.LiftConv2d(1, 2, 3, group="C4"), nn.ReLU(), ev.nn.GroupPool())
    text = audit(model, images[:1], group="D2", angles=(10.0, 20.0)).table()
    assert "note: Only one image" in text
    assert "0, 1: a feature on C4: how D2 acts on it is not known" in text
    assert "10°" in text
    bare = audit(model, images, group="D2", angles=(), layers=False, num_worst=0).table()
    assert "angle" not in bare
    assert "worst" not in bare
    deep = nn.Sequential(*model[:1], *(nn.Tanh() for _ in range(5)), model[2])
    assert "0 to 5 (6 layers): a feature on C4" in audit(deep, images, group="D2", angles=()).table()


def test_words() -> None:
    D4 = ev.groups.dihedral(4)
    assert [describe_element(D4, g) for g in (0, 3, 4, 5)] == [
        "as it is",
        "turned 270°",
        "flipped",
        "flipped, turned 90°",
    ]
    assert [short_element(D4, g) for g in (0, 3, 4, 5)] == ["as is", "270°", "flip", "flip 90°"]
    names = ("C1", "C2", "C4", "D1", "D2", "D4")
    assert [describe_group(ev.groups.planar(name)) for name in names] == [
        "the identity alone",
        "half turns",
        "quarter turns",
        "a reflection",
        "half turns and reflections",
        "quarter turns and reflections",
    ]
    assert [number(v) for v in (0.0, 3.14e-7, 0.0421, 1.5)] == ["0", "3.1e-07", "4.2 %", "150.0 %"]
    assert [typeset(v, 0) for v in (0.0, 1e-5, 3.14e-7, 0.5)] == ["0", "10⁻⁵", "3·10⁻⁷", "50.0 %"]
    assert percent(None) == "–"
