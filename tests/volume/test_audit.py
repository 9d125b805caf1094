"""The audit of networks for volumes: a row for every element, layers by their shapes, a page without pictures."""

from pathlib import Path

import pytest
import torch
from torch import nn

import equivision as ev
from equivision.audit import AuditReport
from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.groups import full_octahedral
from equivision.testing import random_input, randomize_
from tests.volume.test_networks import classifier, plain

VOLUMES = random_input(1, (6, 6, 6), batch=4)


@pytest.fixture(scope="module")
def exact() -> AuditReport:
    return ev.audit(classifier(ev.groups.octahedral(), 6), VOLUMES, group="O", labels=torch.tensor([0, 1, 2, 0]))


@pytest.fixture(scope="module")
def broken() -> AuditReport:
    return ev.audit(plain(), VOLUMES, group="Oh", layers=False)


def test_exact_networks_are_exact(exact: AuditReport) -> None:
    assert (exact.verdict, exact.group, len(exact.elements), exact.angles) == ("exact", "432", 24, ())
    assert exact.max_error < 1e-12
    assert [layer.action for layer in exact.layers[:8]] == ["regular"] * 7 + ["plane"]
    assert all(layer.max_error is not None and layer.max_error < 1e-12 for layer in exact.layers)
    assert exact.acting_group == ev.groups.octahedral()
    assert AuditReport.from_json(exact.to_json()) == exact


def test_the_table_has_a_row_for_every_element(exact: AuditReport, broken: AuditReport) -> None:
    table = exact.table()
    assert "exact: under the rotations of a cube (432) the output stays the same" in table
    assert "4 images of 1 x 6 x 6 x 6" in table
    for words in ("as it is", "turned 90° about z", "turned 120° about (-1, 1, 1)", "turned 180° about (1, -1, 0)"):
        assert words in table
    assert "angle" not in table
    assert broken.verdict == "not equivariant"
    words = broken.table()
    for moves in (
        "inverted",
        "reflected along x",
        "reflected along (0, 1, 1)",
        "turned 120° about (1, 1, 1), inverted",
    ):
        assert moves in words
    assert sum(line.startswith(element.name + " ") for line in words.splitlines() for element in broken.elements) >= 48


def test_the_part_that_is_exact_is_named() -> None:
    """A network that knows the rotations of a cube alone, audited with the reflections; and one of a part of them."""
    report = ev.audit(classifier(ev.groups.octahedral(), 6), VOLUMES, group="Oh", layers=False, num_worst=0)
    assert report.summary.endswith("Exact under the rotations of a cube (432) alone")
    report = ev.audit(classifier(ev.groups.point_group("222"), 6), VOLUMES, group="O", layers=False, num_worst=0)
    assert report.summary.endswith("Exact under the rotations of the point group 222 (222) alone")


def test_features_on_a_larger_group_and_dense_outputs() -> None:
    net = nn.Sequential(ev.volume.LiftConv3d(1, 2, 3, group="Oh", padding=1), nn.ReLU(), nn.Flatten(3)).double()
    report = ev.audit(randomize_(net[:2].eval()), VOLUMES[:2], group="222")
    assert report.verdict == "exact"
    assert report.output_note == "a feature on m-3m, of which 222 is a part: should move and permute"
    with pytest.raises(
        ShapeError, match=r"audit knows \[batch, classes\], \[batch, channel, depth, height, width\] and"
    ):
        ev.audit(net, VOLUMES[:2], group="O")
    net = nn.Sequential(nn.Conv3d(1, 2, (1, 2, 2), bias=False)).double()
    report = ev.audit(net, random_input(1, (3, 5, 5)), group="1", layers=False)
    assert report.verdict == "inconclusive"


def test_the_page(exact: AuditReport, broken: AuditReport, tmp_path: Path) -> None:
    page = exact.to_html(tmp_path / "page.html").read_text()
    assert "turned 120° about (1, 1, 1)" in page
    assert "Watch the layers turn" not in page
    assert 'src=""' not in page
    assert "the rotations and reflections of a cube (m-3m)" in broken.to_html(tmp_path / "b.html").read_text()


def test_mistakes() -> None:
    net = plain()
    with pytest.raises(
        ShapeError, match=r"audit needs \[batch, channel, depth, height, width\] under 432, which acts on"
    ):
        ev.audit(net, torch.rand(2, 1, 5, 5), group="O")
    with pytest.raises(
        ShapeError, match=r"images of 5 x 6 x 6 voxels have axes of different lengths that 432 exchanges"
    ):
        ev.audit(net, torch.rand(2, 1, 5, 6, 6), group="O")
    with pytest.raises(
        ConfigError, match=r"angles=\(45.0,\): the sweep turns images about their centre, but 432 acts on"
    ):
        ev.audit(net, VOLUMES, group="O", angles=(45.0,))
    with pytest.raises(GroupMismatchError, match="group=622 holds rotations by 120 degrees about z"):
        ev.audit(net, VOLUMES, group="622")


def test_words_for_every_element_are_different() -> None:
    from equivision.audit._words import describe_element, short_element

    group = full_octahedral()
    for words in (describe_element, short_element):
        assert len({words(group, g) for g in range(group.order)}) == 48
