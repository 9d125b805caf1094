"""The examples run as they stand, in a process of their own."""

import importlib.util
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs._pages import ROOT, run_batteries

# make demo runs the demonstration
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.name != "demo.py")

LONG = pytest.mark.costly(math.inf)  # twenty seconds and more: left to make thorough


def run(arguments: list[str], folder: Path) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= {"classify", "own_layer", "audit_any_model", "subgroups", "canonicalize"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_short_and_says_what_it_does(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 60
    assert lines[0].startswith('"""')


def test_classify(tmp_path: Path) -> None:
    words = run([str(ROOT / "examples/classify.py")], tmp_path).split()
    accuracy = {name: float(words[words.index(name) + 2].rstrip("%")) for name in ("upright", "rotated90")}
    assert accuracy["upright"] == accuracy["rotated90"] > 85


@LONG
def test_canonicalize(tmp_path: Path) -> None:
    lines = dict(line.split(": ") for line in run([str(ROOT / "examples/canonicalize.py")], tmp_path).splitlines())
    percent = {name: float(value.rstrip("%")) for name, value in lines.items()}
    assert percent["plain, upright"] > 90 > 50 > percent["plain, rotated90"]
    assert percent["canonicalized, upright"] == percent["canonicalized, rotated90"] > 80
    assert percent["left as they are"] > 70


@LONG
def test_chirality(tmp_path: Path) -> None:
    """A picture and its mirror image get one right answer from an invariant network, and two from a signed one."""
    lines = run([str(ROOT / "examples/chirality.py")], tmp_path).splitlines()
    percent = {name: float(rest.split("%")[0]) for name, rest in (line.split(": ") for line in lines)}
    assert percent["invariant under D4"] == 50.0
    assert percent["signed under D4"] > 85 > 70 > percent["plain"]


@LONG
def test_wallpaper(tmp_path: Path) -> None:
    """Turns change nothing for constrained kernels, which then cannot say which way a texture lies."""
    lines = run([str(ROOT / "examples/wallpaper.py"), "1", "40"], tmp_path).splitlines()
    free, constrained = ([float(n) for n in re.findall(r"([0-9.]+)%", line)] for line in lines)
    assert free[0] > 45 > free[1]
    assert constrained[0] == constrained[1] > 30
    assert free[2] > 75 > constrained[2] == 50.0


@LONG
def test_permutation(tmp_path: Path) -> None:
    """A network on sets answers as before when sensors are exchanged, and then cannot say which one is the first."""
    lines = [line.split(": ") for line in run([str(ROOT / "examples/permutation.py")], tmp_path).splitlines()]
    percent = {name: [float(n) for n in re.findall(r"([0-9.]+)%", rest)] for name, rest in lines}
    assert percent["scene, S5"][0] == percent["scene, S5"][1] > 50
    assert percent["scene, plain"][0] > 30 > percent["scene, plain"][1]
    assert percent["which is odd, S5"][0] > 75 > 65 > percent["which is odd, plain"][0]
    assert percent["which is odd, each alone"][0] < 40
    assert percent["is the first odd, S5"] == [50.0]
    assert min(percent["is the first odd, plain"][0], percent["is the first odd, S1xS4"][0]) > 75


@LONG
def test_discover(tmp_path: Path) -> None:
    """What the data says after sixty steps already: nothing against quarter turns, much against mirrors."""
    printed = run([str(ROOT / "examples/discover.py"), "60", "1", "120"], tmp_path)
    rows = re.findall(r"^(C1|C4|D4|D1 left-right) +[\d.]+ +([\d.]+)", printed, flags=re.MULTILINE)
    drops = {name: float(drop) for name, drop in rows}
    assert drops["C1"] == 0
    assert drops["C4"] < 5 < 15 < min(drops["D4"], drops["D1 left-right"])
    assert "best: " in printed


@LONG
def test_deformable(tmp_path: Path) -> None:
    """Taps that move learn more of bent digits; what they have learned holds in turned ones if their offsets turn."""
    lines = run([str(ROOT / "examples/deformable.py"), "1", "60"], tmp_path).splitlines()
    rigid, free, constrained = ([float(n) for n in re.findall(r"([0-9.]+)%", line)] for line in lines)
    assert rigid[0] == rigid[1]
    assert free[0] > 60 > 30 > free[1]
    assert constrained[0] == constrained[1] > max(45, rigid[0] + 5)


@LONG
def test_gauge(tmp_path: Path) -> None:
    """What a gauge network finds does not depend on the frames; a plain network is lost in others."""
    lines = run([str(ROOT / "examples/gauge.py"), "1", "30"], tmp_path).splitlines()
    plain, gauge = ([float(n) for n in re.findall(r" ([0-9.e-]+)(?:,|;|$)", line.replace("+", ""))] for line in lines)
    assert plain[0] < 15 < 30 < plain[2]
    assert plain[3] > 0.5
    assert gauge[0] == gauge[1] == gauge[2] < 18
    assert gauge[3] < 1e-12


def test_similitude(tmp_path: Path) -> None:
    """Features on turns and scales know more of the moved pictures than those on either, and these than neither."""
    lines = run([str(ROOT / "examples/similitude.py"), "24"], tmp_path).splitlines()
    percent = {line.split(":")[0]: int(line.split("%")[0].split()[-1]) for line in lines}
    assert percent["turns and scales"] > 40 > 30 > max(percent["turns"], percent["scales"])
    assert percent["neither"] < 15


def test_volume(tmp_path: Path) -> None:
    """What is learned in one pose is known in all; only rotations alone tell the two screws apart."""
    lines = run([str(ROOT / "examples/volume.py"), "1", "70"], tmp_path).splitlines()
    plain, chiral, blind = ([float(n) for n in re.findall(r"([0-9.]+)%", line)] for line in lines)
    assert plain[0] > 85 > 45 > plain[2]
    assert chiral[0] == chiral[2] > 80
    assert blind[0] == blind[2]
    assert chiral[1] > 80 > 70 > blind[1]


def test_crystals(tmp_path: Path) -> None:
    """Allowed harmonics say how strong a texture is; orientations as they are named do not, and names matter."""
    lines = run([str(ROOT / "examples/crystals.py"), "1", "50"], tmp_path).splitlines()
    found = [re.search(r"(\d+)% unexplained; changed by other names (\S+), by a turn (\S+)", line) for line in lines]
    (left, names, turn), (plain_left, plain_names, plain_turn) = (map(float, one.groups()) for one in found if one)
    assert left < 50 < plain_left
    assert max(names, turn) < 1e-4 < 0.3 < min(plain_names, plain_turn)


def test_sample_complexity(tmp_path: Path) -> None:
    """From few labels a group network knows bars in four poses, and an ordinary one those that have two views only."""
    lines = run([str(ROOT / "examples/sample_complexity.py"), "1", "40"], tmp_path).splitlines()
    group, plain, group_of_two, plain_of_two = ([int(n) for n in re.findall(r"(\d+)%", line)] for line in lines)
    assert group[1] > 90 > 80 > plain[1]
    assert min(group_of_two[1], plain_of_two[1]) > 90


def test_own_layer(tmp_path: Path) -> None:
    printed = run([str(ROOT / "examples/own_layer.py")], tmp_path)
    assert "SqueezeExcite is equivariant" in printed
    assert "SlotGate is caught: not equivariant under D4" in printed


def test_own_layer_passes_its_battery(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("own_layer", ROOT / "examples/own_layer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "own_layer", module)  # so that its classes can be pickled
    spec.loader.exec_module(module)
    assert run_batteries(module) == 11


def test_audit_any_model(tmp_path: Path) -> None:
    printed = run([str(ROOT / "examples/audit_any_model.py")], tmp_path)
    assert "plain: not equivariant" in printed
    assert "equivariant: exact" in printed
    assert (tmp_path / "audit.html").stat().st_size > 10_000


def test_subgroups(tmp_path: Path) -> None:
    printed = run([str(ROOT / "examples/subgroups.py")], tmp_path)
    assert "D4 has 10 subgroups" in printed
    assert "left cosets of {e, m}:  {e, m} {r, r m} {r^2, r^2 m} {r^3, r^3 m}" in printed


def test_segment_cells(tmp_path: Path) -> None:
    """The plain network loses the turned cells; averaging and the group do not."""
    printed = run([str(ROOT / "examples/segment_cells.py")], tmp_path)
    (up, turned), (mean, mean_turned), (group, group_turned) = re.findall(r"(0\.\d+), (?:turned )?(0\.\d+)", printed)
    assert float(up) > 0.8 > 0.5 > float(turned)
    assert mean == mean_turned
    assert group == group_turned
    assert float(group) > 0.7
    assert "(75, 100) pixels, the mask turns with the picture" in printed
    assert all((tmp_path / name).stat().st_size > 10_000 for name in ("cells.png", "large.png"))


def test_learn_equivariance(tmp_path: Path) -> None:
    """The layers come closer to equivariance with the loss than with turned copies alone."""
    printed = run([str(ROOT / "examples/learn_equivariance.py")], tmp_path)
    losses = [float(number) for number in re.findall(r"'7': '([0-9.e+-]+)'", printed)]
    assert losses[1] < losses[0] / 2
