"""The page: complete, self-contained, and saying what the numbers say."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import equivision as ev
from equivision.audit import AuditReport, audit, write_html
from equivision.audit._figures import Series, curves, polar
from equivision.audit._html import moved
from equivision.audit._picture import MAP_COLOURS, image_picture, picture, png
from equivision.errors import ConfigError, DataError, MissingExtraError

VOID = {"meta", "img", "br", "link"}


class Checker(HTMLParser):
    """Tags close in order; pictures have words; remembers the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs) -> None:
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)


def read(path: Path) -> Checker:
    checker = Checker()
    checker.feed(path.read_text(encoding="utf-8"))
    checker.close()
    assert checker.open == []
    return checker


@pytest.fixture
def reports(plain: nn.Module, equivariant: nn.Module, images: Tensor) -> dict[str, AuditReport]:
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    nets = {"turns <along>": equivariant, "plain & old": plain}
    return {
        n: audit(net, images, group="C4", labels=labels, angles=tuple(range(0, 360, 30))) for n, net in nets.items()
    }


def test_page_of_two(reports: dict[str, AuditReport], tmp_path: Path) -> None:
    path = write_html(reports, tmp_path / "deep" / "page.html", title="Turning & turning")
    assert path == tmp_path / "deep" / "page.html"
    page, raw = read(path), path.read_text(encoding="utf-8")
    text = " ".join(" ".join(page.text).split())
    for words in (
        "Turning & turning", "turns <along>", "plain & old", "✓ exact", "✕ not equivariant", "Accuracy, by angle",
        "Same answer as upright, by angle", "Watch the layers turn", "Move by move", "Layer by layer",
        "The worst inputs",
        "C4 holds 4: quarter turns", "The first layer found to differ is 0 (Conv2d).",
    ):  # fmt: skip
        assert words in text
    assert not re.search(r"https?:|<script|<link|url\(|@import", raw)
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.images)
    assert all("alt" in image for image in page.images)
    assert raw.count("<svg") == raw.count('role="img" aria-label=') == 3
    assert "prefers-color-scheme: dark" in raw
    assert list(path.parent.iterdir()) == [path]


def test_page_is_the_same_every_time_and_from_json(reports: dict[str, AuditReport], tmp_path: Path) -> None:
    again = {name: AuditReport.from_json(report.to_json()) for name, report in reports.items()}
    first, second = write_html(reports, tmp_path / "a.html"), write_html(again, tmp_path / "b.html")
    assert first.read_bytes() == second.read_bytes()


def test_page_of_one(reports: dict[str, AuditReport], tmp_path: Path) -> None:
    report = reports["plain & old"]
    assert report.to_html(tmp_path / "a.html").read_bytes() == write_html(report, tmp_path / "b.html").read_bytes()
    assert "Sequential" in " ".join(read(tmp_path / "a.html").text)


@pytest.mark.parametrize("group", ["C1", "C2", "D1", "D4"])
def test_page_of_any_group_without_classes_angles_or_layers(tmp_path: Path, group: str) -> None:
    images = torch.randn(3, 2, 5, 5)
    model = nn.Sequential(
        ev.nn.LiftConv2d(2, 2, 3, group="D4"), ev.nn.CosetPool("D4", "C4"), nn.ReLU(), ev.nn.GroupPool()
    )
    for options in ({}, {"angles": (), "layers": False, "num_worst": 0, "num_pictures": 0}, {"angles": (30.0, -400.0)}):
        page = read(write_html(audit(model, images, group=group, **options), tmp_path / "page.html"))
        assert "What happens when the input turns?" in " ".join(page.text)


def test_gallery_pictures_show_what_they_claim(equivariant: nn.Module, plain: nn.Module, images: Tensor) -> None:
    D4 = ev.groups.dihedral(4)
    for group, model, exact in (("C4", equivariant, True), ("D4", plain, False)):
        gallery = audit(model, images, group=group, angles=(), picture=2).gallery
        assert gallery.index == 2
        assert gallery.layers
        for layer in gallery.layers:
            differences = [p.array for p in layer.differences]
            assert differences[0].max() == 0
            assert all((d.max() <= 1) == exact for d in differences[1:])
            upright = layer.maps[0].array
            assert upright.max() > upright.min()
            for g, shown in enumerate(layer.maps):
                flips, _ = D4.split(g)
                expected = np.rot90(upright[::-1] if flips else upright, g % 4)
                same = np.abs(expected.astype(int) - shown.array).max() <= 1
                assert same or not exact


def test_gallery_of_maps_as_output(images: Tensor) -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 3))
    layers = audit(model, images, group="C4", angles=(), num_pictures=2).gallery.layers
    assert [layer.layer for layer in layers] == ["0", "the output"]
    assert [layer.layer for layer in audit(model, images, group="C4", angles=(), num_pictures=1).gallery.layers] == [
        "the output"
    ]
    deep = nn.Sequential(*(nn.Conv2d(1, 1, 1) for _ in range(9)), nn.Flatten())
    chosen = audit(deep, images, group="C4", angles=(), num_pictures=3).gallery.layers
    assert [layer.layer for layer in chosen] == ["0", "4", "8"]
    assert [layer.layer for layer in audit(deep, images, group="C4", angles=(), num_pictures=1).gallery.layers] == ["0"]


def test_png_is_read_back(tmp_path: Path) -> None:
    import base64
    import io

    grey = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    colour = MAP_COLOURS[grey[..., 0] * 20]
    for pixels, mode in ((grey, "L"), (colour, "RGB")):
        data = base64.b64decode(png(pixels).removeprefix("data:image/png;base64,"))
        image = Image.open(io.BytesIO(data))
        assert (image.mode, image.size) == (mode, (4, 3))
        assert (np.asarray(image).reshape(pixels.shape) == pixels).all()


def test_pictures() -> None:
    values = torch.tensor([[[0.0, 0.5], [1.0, 2.0]]])
    assert picture(values, 0.0, 1.0).array[..., 0].tolist() == [[0, 128], [255, 255]]
    assert picture(values, 1.0, 1.0).array.max() == 0
    large = picture(torch.rand(1, 200, 100), 0.0, 1.0)
    assert (large.height, large.width, large.channels) == (64, 64, 1)
    assert image_picture(torch.rand(3, 5, 6)).channels == 3
    assert image_picture(torch.rand(7, 5, 6)).channels == 1
    x = torch.rand(1, 1, 150, 150)
    small, turned = (image_picture(each[0]).array for each in (x, torch.rot90(x, 1, (-2, -1))))
    assert (np.rot90(small) == turned).all()  # averaging down commutes with turning


def test_pictures_move_as_the_reference_action_does() -> None:
    D4, image = ev.groups.dihedral(4), torch.arange(12, dtype=torch.uint8).reshape(1, 1, 3, 4)
    for g in range(8):
        expected = ev.functional.act(image, g, D4)[0].permute(1, 2, 0).numpy()
        assert (moved(image[0].permute(1, 2, 0).numpy(), g, D4) == expected).all()


def test_polar_puts_zero_on_top_and_turns_counter_clockwise() -> None:
    line = Series("net", 0, ((0.0, 1.0), (90.0, 0.0), (180.0, 1e-8)), frozenset({0.0, 90.0}))
    svg = polar([line], tolerance=1e-5, spread=None, thumbnail="data:,", label="a <plot>")
    dots = re.findall(r'<circle cx="([-.\d]+)" cy="([-.\d]+)" r="4"', svg)
    (x0, y0), (x90, y90) = [tuple(map(float, dot)) for dot in dots]
    assert abs(x0) < 0.1
    assert y0 < -100
    assert -20 < x90 < -10  # the smallest radius, to the left
    assert abs(y90) < 0.1
    assert 'aria-label="a &lt;plot&gt;"' in svg
    assert "net at 90°: 0" in svg
    assert '<g transform="rotate(-90)">' in svg
    precise = Series("float64", 0, ((0.0, 1.0), (90.0, 1e-16)), frozenset({90.0}))
    assert "10⁻¹²" in polar([precise], tolerance=1e-12, spread=0.5, thumbnail="data:,", label="")


def test_curves_show_one_hundred_percent_above_zero() -> None:
    line = Series("net", 1, ((0.0, 1.0), (180.0, 0.0), (360.0, 1.0)), frozenset({0.0}))
    path = re.search(r'd="M([-.\d]+),([-.\d]+)L([-.\d]+),([-.\d]+)L', curves([line], label="x"))
    assert path
    x0, y0, x180, y180 = map(float, path.groups())
    assert (x0 < x180, y0 < y180) == (True, True)


def test_numbers_of_reports(reports: dict[str, AuditReport], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reports holds 0 reports: a page shows 1 to 4"):
        write_html({}, tmp_path / "page.html")
    report = reports["plain & old"]
    with pytest.raises(ConfigError, match="reports holds 5 reports"):
        write_html({str(i): report for i in range(5)}, tmp_path / "page.html")
    write_html({str(i): report for i in range(4)}, tmp_path / "page.html")
    with pytest.raises(DataError, match="cannot be written"):
        write_html(report, tmp_path)


def test_without_jinja2(reports: dict[str, AuditReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"page of an audit needs .* pip install 'equivision\[report\]'"):
        write_html(reports, tmp_path / "page.html")


def test_auditing_needs_only_torch_and_numpy() -> None:
    code = (
        "import sys, torch, equivision as ev\n"
        "r = ev.audit(torch.nn.Conv2d(1, 2, 3), torch.randn(2, 1, 7, 7), group='C4')\n"
        "r.table(), r.to_json()\n"
        "print(sorted({'jinja2', 'matplotlib', 'PIL', 'lightning', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
