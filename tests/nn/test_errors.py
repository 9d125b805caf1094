"""What users read when a layer cannot be built or fed: every error of the modules."""

import pytest
import torch
from torch import nn

import equivision.nn as evnn
from equivision.errors import ConfigError, GridError, GroupMismatchError, ShapeError
from equivision.groups import cyclic, dihedral

pytestmark = pytest.mark.usefixtures("unchecked_annotations")
CONVOLUTIONS = [
    evnn.LiftConv2d, evnn.GroupConv2d, evnn.SeparableGroupConv2d, evnn.ProjectConv2d, evnn.GroupConvTranspose2d,
]  # fmt: skip
POOLS = [evnn.MaxPool2d, evnn.AvgPool2d]


@pytest.mark.parametrize("layer", CONVOLUTIONS)
class TestConvolutions:
    @pytest.mark.parametrize("group", ["C8", cyclic(3), dihedral(6)])
    def test_group_off_the_grid(self, layer: type[nn.Module], group) -> None:
        assert layer(1, 1, 3, group=group).equivariance == "approximate"

    def test_no_group(self, layer: type[nn.Module]) -> None:
        with pytest.raises(GroupMismatchError, match="group='SO2' is not a group name"):
            layer(1, 1, 3, group="SO2")
        with pytest.raises(GroupMismatchError, match="group='C2xC2' does not act on images"):
            layer(1, 1, 3, group="C2xC2")

    @pytest.mark.parametrize("name", ["in_channels", "out_channels", "groups"])
    def test_no_channels(self, layer: type[nn.Module], name: str) -> None:
        arguments = {"in_channels": 1, "out_channels": 1, "groups": 1, "kernel_size": 3, "group": "C4"}
        for value in (0, 2.5, "3", True):
            with pytest.raises(ConfigError, match=f"{name}={value!r}: give a whole number of at least 1"):
                layer(**arguments | {name: value})

    def test_channels_that_do_not_divide(self, layer: type[nn.Module]) -> None:
        with pytest.raises(ConfigError, match="in_channels=3 must be divisible by groups=2"):
            layer(3, 2, 3, group="C4", groups=2)
        with pytest.raises(ConfigError, match="out_channels=3 must be divisible by groups=2"):
            layer(2, 3, 3, group="C4", groups=2)

    @pytest.mark.parametrize(("name", "least"), [("kernel_size", 1), ("stride", 1), ("dilation", 1), ("padding", 0)])
    def test_numbers_too_small(self, layer: type[nn.Module], name: str, least: int) -> None:
        with pytest.raises(ConfigError, match=rf"{name}=.*{least - 1}.*: give whole numbers of at least {least}"):
            layer(**{"in_channels": 1, "out_channels": 1, "kernel_size": 3, "group": "C4", name: least - 1})

    @pytest.mark.parametrize("name", ["kernel_size", "stride", "dilation", "padding"])
    def test_rows_and_columns_differ(self, layer: type[nn.Module], name: str) -> None:
        arguments = {"in_channels": 1, "out_channels": 1, "kernel_size": 3, name: (1, 2)}
        layer(**arguments, group="D2")
        with pytest.raises(
            GroupMismatchError, match=rf"{name}=\(1, 2\) differs between rows and columns.*quarter turns of D4"
        ):
            layer(**arguments, group="D4")

    def test_neither_number_nor_pair(self, layer: type[nn.Module]) -> None:
        with pytest.raises(ConfigError, match="kernel_size='3': give a whole number, or a pair of them"):
            layer(1, 1, "3", group="C4")


def test_padding_words() -> None:
    assert evnn.LiftConv2d(1, 1, 5, group="C4", dilation=2, padding="same").padding == (4, 4)
    assert evnn.LiftConv2d(1, 1, 5, group="C4", padding="valid").padding == (0, 0)
    with pytest.raises(ConfigError, match="padding='full' is not known"):
        evnn.LiftConv2d(1, 1, 5, group="C4", padding="full")
    with pytest.raises(
        GridError, match=r"padding='same' with kernel_size=\(4, 4\), dilation=\(1, 1\) pads one side more"
    ):
        evnn.LiftConv2d(1, 1, 4, group="C4", padding="same")
    with pytest.raises(
        ConfigError, match="padding_mode='mirror' is not known: choose one of zeros, reflect, replicate"
    ):
        evnn.LiftConv2d(1, 1, 3, group="C4", padding_mode="mirror")


def test_sizes_that_are_not_exact() -> None:
    layer = evnn.LiftConv2d(1, 1, 3, group="C4", stride=2, padding=1)
    with pytest.raises(GridError, match=r"LiftConv2d: height 32 .*Exact instead: size 29, 31, 33"):
        layer(torch.zeros(1, 1, 32, 32))
    loose = evnn.LiftConv2d(1, 1, 3, group="C4", stride=2, padding=1, strict=False)
    assert loose(torch.zeros(1, 1, 32, 32)).shape == (1, 1, 4, 16, 16)


def test_separable_options() -> None:
    with pytest.raises(ConfigError, match="variant='c' is not known: choose 'g' or 'gc'"):
        evnn.SeparableGroupConv2d(1, 1, 3, group="C4", variant="c")
    with pytest.raises(ConfigError, match="algorithm='fast' is not known: choose one of auto, factored, expand"):
        evnn.SeparableGroupConv2d(1, 1, 3, group="C4", algorithm="fast")


@pytest.mark.parametrize("variant", ["g", "gc"])
@pytest.mark.parametrize("algorithm", ["factored", "expand"])
def test_separable_layers_refuse_what_dense_ones_refuse(variant: str, algorithm: str) -> None:
    options = {"group": "C4", "variant": variant, "algorithm": algorithm}
    halve = evnn.SeparableGroupConv2d(2, 3, 3, stride=2, padding=1, **options)
    with pytest.raises(GridError, match=r"GroupConv2d: height 32 .*Exact instead: size 29, 31, 33"):
        halve(torch.zeros(1, 2, 4, 32, 32))
    loose = evnn.SeparableGroupConv2d(2, 3, 3, stride=2, padding=1, strict=False, **options)
    assert loose(torch.zeros(1, 2, 4, 32, 32)).shape == (1, 3, 4, 16, 16)
    with pytest.raises(ShapeError, match=r"GroupConv2d: input has shape .*a feature map on C4 is .*LiftConv2d"):
        halve(torch.zeros(1, 2, 9, 9))
    with pytest.raises(ShapeError, match=r"GroupConv2d: input has 5 field\(s\), the filters take 2"):
        halve(torch.zeros(1, 5, 4, 9, 9))
    with pytest.raises(ShapeError, match=r"GroupConv2d: input has dtype torch.float64, the weights torch.float32"):
        halve(torch.zeros(1, 2, 4, 9, 9, dtype=torch.float64))


def test_output_padding() -> None:
    with pytest.raises(GridError, match=r"output_padding=\(1, 1\) adds pixels on one side only"):
        evnn.GroupConvTranspose2d(1, 1, 3, group="C4", stride=2, output_padding=1)
    loose = evnn.GroupConvTranspose2d(1, 1, 3, group="C4", stride=2, padding=1, output_padding=1, strict=False)
    assert loose(torch.zeros(1, 1, 4, 5, 5)).shape == (1, 1, 4, 10, 10)
    assert evnn.GroupConvTranspose2d(1, 1, 3, group="C1", stride=2, output_padding=1).output_padding == (1, 1)


def test_images_and_fields_are_told_apart() -> None:
    with pytest.raises(ShapeError, match=r"a feature map on D4 is \[batch, channel, 8, height, width\].*LiftConv2d"):
        evnn.GroupConv2d(1, 1, 3, group="D4")(torch.zeros(1, 1, 5, 5))
    with pytest.raises(
        ShapeError, match=r"LiftConv2d: input has shape .* an image is \[batch, channel, height, width\]"
    ):
        evnn.LiftConv2d(1, 1, 3, group="D4")(torch.zeros(1, 1, 8, 5, 5))


@pytest.mark.parametrize("pool", POOLS)
class TestPools:
    def test_group_off_the_grid(self, pool: type[nn.Module]) -> None:
        assert pool(2, group="C8").equivariance == "approximate"
        with pytest.raises(GroupMismatchError, match="group='C2xC2' does not act on images"):
            pool(2, group="C2xC2")

    @pytest.mark.parametrize("name", ["kernel_size", "stride"])
    def test_numbers_too_small(self, pool: type[nn.Module], name: str) -> None:
        with pytest.raises(ConfigError, match=f"{name}=0: give whole numbers of at least 1"):
            pool(**{"kernel_size": 2, "group": "C4", name: 0})

    @pytest.mark.parametrize("name", ["kernel_size", "stride", "padding"])
    def test_rows_and_columns_differ(self, pool: type[nn.Module], name: str) -> None:
        with pytest.raises(GroupMismatchError, match=rf"{name}=\(1, 2\) differs between rows and columns"):
            pool(**{"kernel_size": 4, "group": "C4", name: (1, 2)})

    def test_off_centre(self, pool: type[nn.Module]) -> None:
        with pytest.raises(
            GridError, match=f"{pool.__name__}: height 7 with kernel_size=2, stride=2.*Exact instead: size"
        ):
            pool(2, group="C4")(torch.zeros(1, 1, 7, 7))
        assert pool(2, group="C4", strict=False)(torch.zeros(1, 1, 7, 7)).shape == (1, 1, 3, 3)


@pytest.mark.parametrize("build", [evnn.GroupPool, lambda mode: evnn.CosetPool("D4", "C4", mode)])
def test_unknown_pool_mode(build) -> None:
    with pytest.raises(ConfigError, match="mode='sum' is not a way to pool"):
        build("sum")


def test_representations_that_are_no_characters() -> None:
    with pytest.raises(GroupMismatchError, match=r"group=cyclic\(4\) has no reflections, so it has no sign"):
        evnn.CharacterPool("sign", group="C4")
    with pytest.raises(ConfigError, match="rep='regular' has size 8"):
        evnn.CharacterPool("regular", group="D4")
    with pytest.raises(ConfigError, match="rep='sign' is a name: give group too"):
        evnn.CharacterPool()


def test_subgroup_of_another_group() -> None:
    with pytest.raises(GroupMismatchError, match=r"subgroup=Subgroup.* is one of D4, not of C4"):
        evnn.CosetPool("C4", dihedral(4).subgroup([4]))
    with pytest.raises(GroupMismatchError, match="subgroup=D1 is not contained in C4"):
        evnn.CosetPool("C4", "D1")
    with pytest.raises(GroupMismatchError, match="subgroup=C4 is not contained in D2"):
        evnn.Restrict("D2", "C4")


@pytest.mark.parametrize("features", [(0, 1), (1, 0)])
def test_no_features(features: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match=r"(in|out)_features=0: give a whole number of at least 1"):
        evnn.GroupLinear(*features, group="C4")


@pytest.mark.parametrize(
    "options",
    [{"stride": 0}, {"stride": "2"}, {"stride": (2, 2)}, {"stride": 1.5}, {"sigma": -1.0}, {"padding_mode": "same"}],
)
def test_blur_options(options: dict) -> None:
    with pytest.raises(
        ConfigError, match="stride must be a whole number of at least 1, sigma positive, padding_mode one of"
    ):
        evnn.BlurPool2d(**options)


def test_upsampling_options() -> None:
    with pytest.raises(ConfigError, match="scale_factor=0: give a whole number of at least 1"):
        evnn.Upsample2d(0)
    with pytest.raises(ConfigError, match="mode='bicubic' is not known"):
        evnn.Upsample2d(2, "bicubic")
