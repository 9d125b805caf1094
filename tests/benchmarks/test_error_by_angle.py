"""The study of the error by angle: its measures are right; what the documentation says of it holds in its results."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch

from benchmarks import error_by_angle
from benchmarks._angles import NETWORKS, Network, band_limited, blurred_noise, disk, errors_of, on_canvas
from benchmarks._measure import RESULTS, answer
from equivision.functional import relative_error, rotate

FOUND: dict[str, Any] = json.loads((RESULTS / "error_by_angle.json").read_text())["results"]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_quick(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EQUIVISION_DATA", raising=False)
    before = (RESULTS / "error_by_angle.json").stat().st_mtime_ns
    answer("error_by_angle", None, error_by_angle.parts, ["--quick"])
    out = capsys.readouterr().out
    assert all(title in out.splitlines() for title in FOUND)
    assert (RESULTS / "error_by_angle.json").stat().st_mtime_ns == before


def test_pictures() -> None:
    upright, turned = band_limited(2, 41), band_limited(2, 41, degrees=90.0)
    torch.testing.assert_close(turned, upright.rot90(1, (-2, -1)))
    inside = disk(41, 14)
    eighth = band_limited(2, 41, degrees=45.0)
    assert float(relative_error(rotate(upright, 45.0, mode="bicubic") * inside, eighth * inside)) < 0.05
    assert float(blurred_noise(1, 64, 2.0).std()) == pytest.approx(1)
    assert on_canvas(torch.ones(1, 1, 5, 5), 11).sum() == 25
    assert on_canvas(torch.ones(1, 1, 5, 5), 11, down=5, right=5).sum() == 9
    assert not on_canvas(torch.ones(1, 1, 5, 5), 11)[..., 0, :].any()


@pytest.mark.parametrize("down", ["max pool", "stride", "blur"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_exact_at_quarter_turns_unless_they_are_plain(name: str, down: Any) -> None:
    if (name, down) == ("SO(2) irreps", "max pool"):
        pytest.skip("a maximum of each channel is wrong for vectors")
    x = blurred_noise(3, 49, 1.0).float()
    network = Network(name, down=down).settle(blurred_noise(4, 49, 1.0, seed=1).float())
    maps, logits = errors_of(network, x, (0.0, 90.0, 180.0))
    assert maps[0] < 1e-5
    if name == "plain":
        assert min(maps[1:] + logits[1:]) > 0.2
    else:
        assert max(maps + logits) < 1e-4


def test_more_orientations_are_better_down_to_a_floor_in_the_results() -> None:
    """In every mode: between the orientations, and, from C8 on, at their own angles; exact at quarter turns."""
    found = FOUND["orientations"]
    assert found["n"] == [4, 8, 16, 32, 64]
    for mode, errors in found["errors"]["between"].items():
        assert all(coarse > fine > 0.5 * min(found["picture"]) for coarse, fine in pairwise(errors)), mode
    for mode, (quarter, *errors) in found["errors"]["own"].items():
        assert quarter < 1e-12
        assert all(coarse > fine > 0.5 * min(found["picture"]) for coarse, fine in pairwise(errors)), mode


def test_the_law_holds_in_the_results() -> None:
    errors = FOUND["law"]["errors"]
    for predicted, measured in zip(errors["predicted"], errors["measured"], strict=True):
        assert measured == pytest.approx(predicted, rel=0.05)


def test_what_the_guide_advises_holds_in_the_results() -> None:
    """Blur before strides; eight orientations rather than four, sixteen rather than eight; masks."""
    between = [i for i, degrees in enumerate(FOUND["networks, blur"]["degrees"]) if degrees % 90]

    def mean(down: str, name: str, what: str = "maps") -> float:
        errors = FOUND[f"networks, {down}"]["errors"][name][what]
        return sum(errors[i] for i in between) / len(between)

    for down in ("max pool", "stride", "blur"):
        assert mean(down, "C16") < mean(down, "C8") < mean(down, "C4")
    for name in ("C8", "C16", "C8, steerable"):
        assert mean("blur", name) < min(mean("stride", name), mean("max pool", name))
    assert mean("blur", "SO(2) irreps") < 1.1 * mean("blur", "C16") < mean("blur", "C8")
    assert mean("stride", "SO(2) irreps") > mean("stride", "C8")
    stride = FOUND["stride"]["errors"]
    assert all(soft < none for soft, none in zip(stride["blur 1"], stride["nothing"], strict=True))
    for where in ("between", "own"):
        for mode in ("bilinear", "bspline"):
            raw, masked = (FOUND["orientations"]["errors"][where][f"{mode}, {kind}"] for kind in ("raw", "masked"))
            assert all(a > b for a, b in zip(raw[1:], masked[1:], strict=True))


def test_what_leaves_the_picture_is_lost_in_the_results() -> None:
    """Logits of equivariant networks: worse near the border and in clutter, which a disk cures."""
    scenes = FOUND["scenes"]["errors"]
    for name in NETWORKS:
        if name != "plain":
            centre, corner, clutter, cut = (
                scenes[scene][name]["logits"] for scene in ("centre", "corner", "clutter", "clutter in a disk")
            )
            assert corner > 1.5 * centre
            assert clutter > 1.2 * centre
            assert cut < 0.6 * clutter
