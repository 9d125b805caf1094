"""Networks over any group of the plane: harmonic, E2-style, wide residual and others, ResNet-18 off the grid."""

import pickle

import pytest
import torch
from torch import nn

import equivision as ev
from equivision.errors import ConfigError, GridError, GroupMismatchError
from equivision.groups import OrthogonalGroup, PlanarGroup, cyclic, dihedral, parse_plane
from equivision.models import create_model
from equivision.testing import assert_compiles, assert_equivariant, assert_exports, random_input, randomize_
from tests.convert.test_freeze import check, lively
from tests.models.test_invariance import FAR, worst_error
from tests.models.test_registry import parameters

D4 = dihedral(4)
OFF_GRID = ("C3", "C6", "C8", "C16", "D3", "D8")
GROUPS = ("C1", "C2", "C4", "D1", "D2", "D4", *OFF_GRID)
STEERABLE = ("harmonic_cnn", "e2cnn")
D8D4D1 = ("D8", "D4", "D1")


def exact_part(name: str) -> PlanarGroup:
    """The elements of a group that move the pixel grid onto itself."""
    group = parse_plane(name)
    return group.finite(4) if isinstance(group, OrthogonalGroup) else group.grid_part


def check_invariance(net: nn.Module, x: torch.Tensor, group: PlanarGroup) -> None:
    """Exact under the group, and under no more than that."""
    assert_equivariant(net, x, group=group)
    assert group == D4 or worst_error(net, x, D4) > FAR
    with torch.no_grad():
        y = net(x)
    assert float((y[0] - y[1]).abs().max()) > 1e-3 * float(y.abs().max())  # it depends on its input


@pytest.mark.costly(3)
@pytest.mark.parametrize("group", ["SO2", "O2", *GROUPS])
@pytest.mark.parametrize("name", STEERABLE)
def test_steerable_networks(name: str, group: str) -> None:
    for size in (28, 29, 33):
        x = random_input(1, (size, size))
        check_invariance(lively(create_model(name, group=group, width=2), x), x, exact_part(group))


@pytest.mark.costly(3)
@pytest.mark.parametrize("group", GROUPS)
def test_wide_residual_networks(group: str) -> None:
    for size, stride in ((33, 2), (29, 1)):
        x = random_input(3, (size, size))
        net = lively(create_model("wrn16_8", group=group, width=2, initial_stride=stride), x)
        check_invariance(net, x, exact_part(group))


def test_wide_residual_network_on_97() -> None:
    x = random_input(3, (97, 97))
    check_invariance(lively(create_model("wrn16_8", group="D8", width=1), x), x, D4)


@pytest.mark.parametrize(
    ("groups", "kept"),
    [(D8D4D1, "D1"), (("C8", "C4", "C4"), "C4"), (("D16", "D8", "D4"), "D4"), (("D8", "C8", "C2"), "C2")],
)
def test_symmetry_of_the_last_stage_is_kept(groups: tuple[str, ...], kept: str) -> None:
    x = random_input(3, (33, 33))
    check_invariance(lively(create_model("wrn16_8", groups=groups, width=2), x), x, exact_part(kept))


def test_sizes_off_centre() -> None:
    for size in (32, 96):
        x = random_input(3, (size, size))
        with pytest.raises(GridError, match=rf"GroupConv2d: height {size} .*Exact instead"):
            create_model("wrn16_8", width=1).double()(x)
        loose = lively(create_model("wrn16_8", width=1, strict=False), x)
        assert worst_error(loose, x, cyclic(4)) > FAR


@pytest.mark.costly(2)
@pytest.mark.parametrize("group", OFF_GRID)
def test_residual_networks_off_the_grid(group: str) -> None:
    for name, size in (("resnet18", 32), ("resnet18", 33), ("resnet6", 32)):
        x = random_input(3, (size, size))
        check_invariance(lively(create_model(name, group=group, width=2), x), x, exact_part(group))


@pytest.mark.parametrize("group", OFF_GRID)
@pytest.mark.parametrize(("name", "size"), [("ien_cnn", 28), ("ien_vgg", 32)])
def test_baselines_of_implicit_equivariance_off_the_grid(name: str, size: int, group: str) -> None:
    x = random_input(1, (size, size))
    net = lively(create_model(name, group=group, width=2, in_channels=1), x)
    check_invariance(net, x, exact_part(group))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "bspline"])
def test_interpolation_of_residual_networks(interpolation: str) -> None:
    x = random_input(3, (17, 17))
    for name in ("resnet18", "resnet6"):
        net = create_model(name, group="D8", width=1, interpolation=interpolation)
        convolutions = [m for m in net.modules() if isinstance(m, ev.nn.GroupConv2d | ev.nn.LiftConv2d)]
        assert {conv.interpolation for conv in convolutions if conv.kernel_size != (1, 1)} == {interpolation}
        assert_equivariant(lively(net, x), x, group=D4)


def test_on_the_grid_nothing_is_interpolated() -> None:
    for name in ("resnet18", "resnet6", "wrn16_8", "ien_vgg"):
        net = create_model(name, group="D4", width=1)
        assert all(getattr(module, "sampling", None) is None for module in net.modules())


@torch.no_grad()
@pytest.mark.parametrize("name", STEERABLE)
def test_smooth_pictures_at_any_angle(name: str) -> None:
    """Turned by angles off the grid, the networks over SO(2) change far less than plain ones of the same build."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 33), torch.linspace(-1, 1, 33), indexing="ij")
    torch.manual_seed(0)
    centres, signs = 0.6 * torch.rand(8, 3, 2) - 0.3, torch.randn(8, 3)
    blobs = torch.exp(-((x - centres[..., :1, None]) ** 2 + (y - centres[..., 1:, None]) ** 2) / 0.03)
    pictures = (blobs * signs[..., None, None]).sum(1, keepdim=True).double()
    errors = {}
    for group in ("SO2", "C1"):
        net = lively(create_model(name, group=group, width=4), pictures)
        turned = torch.cat([net(ev.functional.rotate(pictures, d, mode="bicubic")) for d in (20.0, 45.0, 70.0)])
        still = net(pictures)
        errors[group] = float((turned - still.repeat(3, 1)).norm() / (turned - turned.mean(0)).norm())
    assert errors["SO2"] < 0.5 * errors["C1"]


def test_parameter_counts() -> None:
    """Of the harmonic network the paper says about 33,000."""
    assert parameters(create_model("harmonic_cnn")) == 33_154
    assert parameters(create_model("e2cnn")) == parameters(create_model("e2cnn", width=16)) == 1_145_722
    assert parameters(create_model("wrn16_8", group="C1")) == 10_961_370


@pytest.mark.parametrize("group", ["SO2", "O2", *GROUPS])
def test_every_group_of_the_e2_network_gets_about_as_many_parameters(group: str) -> None:
    assert parameters(create_model("e2cnn", group=group)) == pytest.approx(1_145_722, rel=0.02)


@pytest.mark.parametrize("groups", [(g, g, g) for g in ("C2", "C4", "D4", "C8", "D8")] + [D8D4D1])
def test_wide_residual_networks_have_the_parameters_of_the_plain_one(groups: tuple[str, ...]) -> None:
    assert parameters(create_model("wrn16_8", groups=groups)) == pytest.approx(10_961_370, rel=0.02)


def test_the_plain_wide_residual_network_is_the_usual_one() -> None:
    """16 layers, widths 128, 256 and 512, 3x3 taps."""
    net = create_model("wrn16_8", group="C1")
    convolutions = [m for m in net.modules() if isinstance(m, ev.nn.GroupConv2d | ev.nn.LiftConv2d)]
    wide = [(m.in_channels, m.out_channels) for m in convolutions if m.kernel_size == (3, 3)]
    assert wide == [
        (3, 16), (16, 128), *[(128, 128)] * 3, (128, 256), *[(256, 256)] * 3, (256, 512), *[(512, 512)] * 3,
    ]  # fmt: skip
    assert [m.out_channels for m in convolutions if m.kernel_size == (1, 1)] == [128, 256, 512]
    assert net.classifier.in_features == 512


MADE = (
    ("harmonic_cnn", {"group": "O2"}), ("e2cnn", {"group": "SO2"}), ("wrn16_8", {"groups": D8D4D1}),
    ("resnet18", {"group": "D8"}),
)  # fmt: skip


@pytest.mark.costly(2)
@pytest.mark.parametrize(("name", "options"), MADE, ids=str)
def test_life_after_training(name: str, options: dict[str, object]) -> None:
    channels = 1 if name in STEERABLE else 3
    x = random_input(channels, (33, 33))
    net = lively(create_model(name, width=1, **options), x)
    with torch.no_grad():
        assert torch.equal(pickle.loads(pickle.dumps(net))(x), net(x))
    assert_exports(net, x)


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(("name", "options"), MADE, ids=str)
def test_freeze(name: str, options: dict[str, object]) -> None:
    x = random_input(1 if name in STEERABLE else 3, (33, 33))
    check(lively(create_model(name, width=1, **options), x), x)


@pytest.mark.costly(4)
@pytest.mark.compile
@pytest.mark.parametrize(("name", "options"), MADE, ids=str)
def test_compile(name: str, options: dict[str, object]) -> None:
    net = randomize_(create_model(name, width=1, **options).double().eval())
    assert_compiles(net, random_input(1 if name in STEERABLE else 3, (33, 33)))


class TestErrors:
    pytestmark = pytest.mark.usefixtures("unchecked_annotations")

    def test_widths(self) -> None:
        with pytest.raises(ConfigError, match=r"widths=\(1, 2\): give three whole numbers, one for each pair"):
            ev.models.HarmonicNet((1, 2))
        with pytest.raises(ConfigError, match=r"widths=\(1, 2\): give six whole numbers, one for each convolution"):
            ev.models.E2Net((1, 2))
        with pytest.raises(ConfigError, match=r"widths=\(1, 2\): give five whole numbers: stem, three stages"):
            ev.models.WideResNet16((1, 2), D8D4D1)
        with pytest.raises(ConfigError, match=r"widths\[1\]=0: give a whole number of at least 1"):
            ev.models.HarmonicNet((1, 0, 2))
        with pytest.raises(ConfigError, match="hidden=0: give a whole number of at least 1"):
            ev.models.E2Net([1] * 6, hidden=0)

    def test_groups_of_the_stages(self) -> None:
        with pytest.raises(ConfigError, match=r"groups=\('D8', 'D4'\): give three groups, one for each stage, such as"):
            create_model("wrn16_8", groups=("D8", "D4"))
        with pytest.raises(ConfigError, match=r"group='C4' and groups=\('D8', 'D4', 'D1'\) say the same: give one"):
            create_model("wrn16_8", group="C4", groups=D8D4D1)
        with pytest.raises(GroupMismatchError, match="D4"):
            create_model("wrn16_8", groups=("C4", "D4", "D4"))
        with pytest.raises(ConfigError, match="initial_stride=0: give a whole number of at least 1"):
            create_model("wrn16_8", initial_stride=0)

    def test_frequency(self) -> None:
        with pytest.raises(ConfigError, match="frequency=-1: give a whole number of at least 0"):
            create_model("e2cnn", group="SO2", frequency=-1)


@pytest.mark.parametrize("kernel", ["g", "gc"])
def test_separable_kernels_off_the_grid(kernel: str) -> None:
    net = randomize_(create_model("resnet18", group="C8", kernel=kernel, width=2).double().eval())
    for size in (16, 17):
        assert_equivariant(net, random_input(3, (size, size)), group="C4")
