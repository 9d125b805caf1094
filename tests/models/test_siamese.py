"""Trackers' networks: sizes, parameters, and what happens when the template, the target or both turn."""

import pickle

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.errors import ConfigError, GridError, GroupMismatchError, ShapeError
from equivision.groups import cyclic
from equivision.implicit import FeatureGroupPool
from equivision.models import SiameseNetwork, create_model
from equivision.models._siamese import turned_templates
from equivision.testing import randomize_

TRACKERS = ("siamfc", "re_siamfc", "ien_siamfc", "het_siamfc")
FAR = 1e-3


def lively(name: str, **options: object) -> SiameseNetwork:
    """Small, in float64, with random weights and statistics."""
    net = create_model(name, **{"width": 2, **options})
    assert isinstance(net, SiameseNetwork)
    return randomize_(net.double().eval())


def pictures(size: int = 255) -> tuple[Tensor, Tensor]:
    """A template and a search image."""
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.rand(1, 3, n, n, generator=generator, dtype=torch.float64) for n in (size - 128, size))  # type: ignore[return-value]


def turned(x: Tensor, turns: int = 1) -> Tensor:
    return torch.rot90(x, turns, (-2, -1))


def far(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / (expected - expected.mean()).abs().max())


@torch.no_grad()
@pytest.mark.parametrize("name", TRACKERS)
def test_sizes_of_the_published_network(name: str) -> None:
    net, (z, x) = lively(name), pictures()
    assert net.backbone(z).shape[-2:] == (6, 6)
    assert net.backbone(x).shape[-2:] == (22, 22)
    assert net(z, x).shape == (1, 17, 17)
    assert net(z, x).std() > 0


@torch.no_grad()
@pytest.mark.parametrize("size", [255, 271])
@pytest.mark.parametrize("group", ["C2", "C4", "C8"])
def test_quarter_turns_are_exact(group: str, size: int) -> None:
    net, (z, x) = lively("re_siamfc", group=group), pictures(size)
    response, every = net(z, x), net.responses(net.templates(z), x)
    step = 2 if group == "C2" else 1  # quarter turns
    shift = net.group.order * step // 4  # orientations
    assert far(net(turned(z, step), turned(x, step)), turned(response, step)) < 1e-10
    assert far(net(z, turned(x, step)), turned(response, step)) < 1e-10  # the target turns
    assert far(net(turned(z, step), x), response) < 1e-10
    target = net.responses(net.templates(z), turned(x, step))
    assert far(target, turned(every.roll(shift, 1), step)) < 1e-10  # another orientation sees it
    assert far(target, turned(every, step)) > 1e-6


@torch.no_grad()
@pytest.mark.parametrize("name", ["siamfc", "ien_siamfc", "het_siamfc"])
def test_plain_networks_are_far_from_it(name: str) -> None:
    net, (z, x) = lively(name), pictures()
    response = net(z, x)
    assert far(net(turned(z), turned(x)), turned(response)) > FAR
    assert far(net(z, turned(x)), turned(response)) > FAR


@torch.no_grad()
def test_sizes_off_centre_are_refused() -> None:
    net, (z, x) = lively("re_siamfc"), pictures(256)
    with pytest.raises(GridError, match="LiftConv2d: height 128"):
        net(z, x)
    assert lively("siamfc")(z, x).isfinite().all()  # a plain one does not care


@torch.no_grad()
def test_the_winning_orientation_is_the_turn_of_the_target() -> None:
    """The template lies in the middle of the search image, turned."""
    net, (z, x) = lively("re_siamfc"), pictures()
    for turns in range(4):
        scene = 0.1 * x.clone()
        scene[..., 64:191, 64:191] = turned(z, turns)
        net.gain.fill_(1.0)
        middle = net.responses(net.templates(z), scene)[0, :, 8, 8]
        assert int(middle.argmax()) == turns


@torch.no_grad()
def test_turned_templates_are_those_of_turned_images() -> None:
    net, (z, _) = lively("re_siamfc"), pictures()
    copies = net.templates(z)
    assert copies.shape[1] == 4
    for turns in range(4):
        assert far(copies[:, turns], net.templates(turned(z, turns))[:, 0]) < 1e-10


def test_turns_off_the_grid_are_interpolated() -> None:
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, 33, dtype=torch.float64)] * 2, indexing="ij")
    blob = torch.exp(-8 * (x - 0.4) ** 2 - 8 * y**2)[None, None]
    copies = turned_templates(blob, cyclic(8))
    assert torch.equal(copies[:, 2], turned(blob))
    torch.testing.assert_close(copies[:, 1], ev.functional.rotate(blob, 45.0))
    c, s = 2**-0.5, 2**-0.5  # counter-clockwise: from the right to the upper right
    expected = torch.exp(-8 * (x - 0.4 * c) ** 2 - 8 * (y + 0.4 * s) ** 2)[None, None]
    assert float((copies[:, 1] - expected).abs().max()) < 0.04


def test_parameters() -> None:
    counts = {name: sum(p.numel() for p in create_model(name).parameters()) for name in TRACKERS}
    assert counts["siamfc"] == 2_335_202
    assert counts["re_siamfc"] == pytest.approx(counts["siamfc"], rel=0.02)
    assert counts["het_siamfc"] / counts["ien_siamfc"] == pytest.approx(0.6875**2, rel=0.02)


def test_channels() -> None:
    """The published widths; the same real width for groups by design and learned; 68.75 % of it in mixed groups."""

    def channels(name: str, **options: object) -> list[int]:
        net = create_model(name, **options)
        kinds = (nn.Conv2d, ev.nn.LiftConv2d, ev.nn.GroupConv2d)
        return [m.out_channels * getattr(m, "group", cyclic(1)).order for m in net.modules() if isinstance(m, kinds)]

    assert channels("siamfc") == [96, 256, 384, 384, 256]
    assert channels("re_siamfc") == channels("ien_siamfc") == [192, 512, 768, 768, 512]
    assert channels("het_siamfc") == [int(0.6875 * n) for n in channels("ien_siamfc")]
    assert channels("het_siamfc", width=6, feature_groups="8-4-2-1") == [43 * n // 8 for n in (16, 16, 32, 32, 16)]


def test_feature_groups_are_those_of_the_layers() -> None:
    for name in ("ien_siamfc", "het_siamfc"):
        net = create_model(name, width=8)
        modules, x = dict(net.named_modules()), pictures()[0].float()
        for i in range(1, 6):
            x = modules[f"backbone.stage{i}"](x)
            groups = net.feature_groups[f"backbone.stage{i}"]
            assert FeatureGroupPool(groups).channels == x.shape[1]
        assert net.backbone.invariant.groups == groups
    assert create_model("siamfc", width=2).feature_groups == {}


@torch.no_grad()
@pytest.mark.parametrize("name", TRACKERS)
def test_copies_and_weights(name: str) -> None:
    net, (z, x) = lively(name), pictures()
    expected = net(z, x)
    assert torch.equal(pickle.loads(pickle.dumps(net))(z, x), expected)
    other = create_model(name, width=2).double().eval()
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(z, x), expected)


def test_everything_learns() -> None:
    z, x = (picture.float() for picture in pictures())
    for name in TRACKERS:
        net = create_model(name, width=2)
        net(z.repeat(2, 1, 1, 1), x.repeat(2, 1, 1, 1)).square().sum().backward()
        gradients = {key: p.grad for key, p in net.named_parameters()}
        assert all(g is not None and g.isfinite().all() for g in gradients.values())
        assert all(float(g.abs().max()) > 0 for key, g in gradients.items() if key.endswith("weight"))


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    def test_groups(self) -> None:
        with pytest.raises(GroupMismatchError, match="group=D4: templates are turned, not reflected"):
            create_model("re_siamfc", group="D4")
        with pytest.raises(ConfigError, match="siamfc has no symmetry but C1; choose the model 're_siamfc'"):
            create_model("siamfc", group="C4")
        net = SiameseNetwork(create_model("re_siamfc", width=2).backbone, group="C2")
        with pytest.raises(GroupMismatchError, match="features on 4 slots, but group=C2 has 2 elements"):
            net(*(picture.float() for picture in pictures()))

    def test_templates_that_are_not_square(self) -> None:
        for name, width in (("re_siamfc", 2), ("ien_siamfc", 2)):
            with pytest.raises(ShapeError, match="of the template are 6 x 7, and group=C4 turns them by 90 degrees"):
                create_model(name, width=width).templates(torch.zeros(1, 3, 127, 135))

    @pytest.mark.parametrize("options", [{"scale": 0.0}, {"scale": float("inf")}, {"stride": 0}], ids=str)
    def test_numbers(self, options: dict[str, float]) -> None:
        with pytest.raises(ConfigError, match=r"scale=.*, stride=.*: give positive numbers"):
            SiameseNetwork(nn.Identity(), **options)  # type: ignore[arg-type]

    def test_widths(self) -> None:
        with pytest.raises(ConfigError, match="width=0: give a whole number of at least 1"):
            create_model("ien_siamfc", width=0)
        with pytest.raises(ConfigError, match="orientations=0: give a whole number of at least 1"):
            create_model("ien_siamfc", orientations=0)
        for kind, message in (("4", "give two to four sizes"), ("1-2-4", "falling sizes"), ("4-4", "falling sizes")):
            with pytest.raises(ConfigError, match=f"feature_groups='{kind}': .*{message}"):
                create_model("het_siamfc", feature_groups=kind)
        with pytest.raises(ConfigError, match="in_channels=0: give a whole number"):
            create_model("siamfc", in_channels=0)
