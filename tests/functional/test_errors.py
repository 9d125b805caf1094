"""What users read when a call cannot work: every error of the functions, as seen without checked annotations."""

import math

import pytest
import torch

from equivision import functional
from equivision.errors import ConfigError, GridError, GroupMismatchError, ShapeError
from equivision.groups import cyclic, dihedral
from equivision.reps import regular

pytestmark = pytest.mark.usefixtures("unchecked_annotations")
C4, D4 = cyclic(4), dihedral(4)
IMAGE, FIELD, VALUES = torch.zeros(2, 3, 7, 7), torch.zeros(2, 3, 4, 7, 7), torch.zeros(2, 3, 4)


class TestAction:
    def test_unknown_number_of_axes(self) -> None:
        with pytest.raises(ShapeError, match=r"x has 1 axes, shape \(4,\): act knows tensors of 2, 3, 4 or 5 axes"):
            functional.act(torch.zeros(4), 1, C4)

    def test_group_axis_of_another_length(self) -> None:
        with pytest.raises(ShapeError, match=r"axis 2 must be the group axis of size 8 for regular\(dihedral\(4\)\)"):
            functional.act(FIELD, 1, D4)

    def test_representation_of_another_group(self) -> None:
        with pytest.raises(
            GroupMismatchError, match=r"rep=regular\(dihedral\(4\)\) is a representation of D4, not of C4"
        ):
            functional.act(FIELD, 1, C4, regular(D4))

    def test_not_an_element(self) -> None:
        with pytest.raises(GroupMismatchError, match="element g=4 is not in C4: elements are the whole numbers 0 to 3"):
            functional.act(IMAGE, 4, C4)

    def test_off_the_grid(self) -> None:
        with pytest.raises(GroupMismatchError, match="rotates by 45 degrees, which does not map the pixel grid"):
            functional.act(IMAGE, 1, cyclic(8))

    def test_rotation_of_something_else_than_images(self) -> None:
        with pytest.raises(ShapeError, match=r"x has shape \(2, 3, 4, 7, 7\): rotate needs \[batch, channel, height"):
            functional.rotate(FIELD, 30.0)

    def test_rotation_by_too_many_angles(self) -> None:
        with pytest.raises(ShapeError, match="degrees has 3 entries for 2 images: give one angle, or one an image"):
            functional.rotate(IMAGE, torch.tensor([1.0, 2.0, 3.0]))

    def test_rotation_of_whole_numbers(self) -> None:
        with pytest.raises(ShapeError, match=r"rotate: input has dtype torch.uint8; needs a floating.*/ 255"):
            functional.rotate(IMAGE.byte(), 30.0)

    @pytest.mark.parametrize("name", ["mode", "padding_mode"])
    def test_unknown_interpolation(self, name: str) -> None:
        with pytest.raises(ConfigError, match=rf"{name}='best' is not known: choose one of '"):
            functional.rotate(IMAGE, 30.0, **{name: "best"})

    @pytest.mark.parametrize("degrees", [math.nan, math.inf, torch.tensor([0.0, math.nan])])
    def test_angles_that_are_not_finite(self, degrees) -> None:
        with pytest.raises(ConfigError, match=r"degrees=.*: give finite angles"):
            functional.rotate(IMAGE, degrees)


class TestConvolutions:
    @pytest.mark.parametrize("name", ["stride", "dilation"])
    def test_no_step(self, name: str) -> None:
        with pytest.raises(ConfigError, match=f"{name}=0: give whole numbers of at least 1"):
            functional.lift_conv2d(IMAGE, torch.zeros(2, 3, 3, 3), group=C4, **{name: 0})
        with pytest.raises(ConfigError, match=f"{name}=0: give whole numbers of at least 1"):
            functional.group_conv_transpose2d(FIELD, torch.zeros(3, 2, 4, 3, 3), group=C4, **{name: 0})

    def test_other_dtypes(self) -> None:
        weight, transposed = torch.zeros(2, 3, 3, 3), torch.zeros(3, 2, 4, 3, 3)
        message = r"input has dtype torch.float64, the weights torch.float32: .* x.to\(torch.float32\) or layer.to"
        with pytest.raises(ShapeError, match=f"LiftConv2d: {message}"):
            functional.lift_conv2d(IMAGE.double(), weight, group=C4)
        with pytest.raises(ShapeError, match=f"GroupConvTranspose2d: {message}"):
            functional.group_conv_transpose2d(FIELD.double(), transposed, group=C4)
        with pytest.raises(ShapeError, match=f"GroupLinear: {message}"):
            functional.group_linear(VALUES.double(), torch.zeros(2, 3, 4), group=C4)
        with pytest.raises(ShapeError, match=r"LiftConv2d: input has dtype torch.uint8; needs a floating.*/ 255"):
            functional.lift_conv2d(IMAGE.byte(), weight, group=C4)

    def test_autocast_takes_both_dtypes(self) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            y = functional.lift_conv2d(IMAGE.bfloat16(), torch.zeros(2, 3, 3, 3), group=C4)
        assert y.dtype == torch.bfloat16

    @pytest.mark.parametrize(("stride", "strict"), [(1, True), (2, True), (2, False)])
    def test_kernel_larger_than_the_image(self, stride: int, strict: bool) -> None:
        with pytest.raises(
            ShapeError,
            match=r"LiftConv2d: height 7 with padding=1 is smaller than the window of 31 .*at least 29 pixels",
        ):
            functional.lift_conv2d(IMAGE, torch.zeros(2, 3, 31, 31), group=C4, padding=1, stride=stride, strict=strict)

    @pytest.mark.parametrize(("mode", "most"), [("reflect", 6), ("circular", 7)])
    def test_padding_by_more_than_the_image(self, mode: str, most: int) -> None:
        weight = torch.zeros(2, 3, 3, 3)
        functional.lift_conv2d(IMAGE, weight, group=C4, padding=most, padding_mode=mode)
        with pytest.raises(
            ShapeError, match=rf"padding_mode='{mode}' needs at least 8 x 8 pixels, the input has 7 x 7"
        ):
            functional.lift_conv2d(IMAGE, weight, group=C4, padding=most + 1, padding_mode=mode)

    def test_lift_of_a_field(self) -> None:
        with pytest.raises(
            ShapeError, match=r"LiftConv2d: input has shape \(2, 3, 4, 7, 7\); an image is .*GroupConv2d"
        ):
            functional.lift_conv2d(FIELD, torch.zeros(2, 3, 3, 3), group=C4)

    def test_other_number_of_channels(self) -> None:
        with pytest.raises(
            ShapeError, match=r"LiftConv2d: input has 3 channel\(s\), the filters take 2: build.*in_channels=3"
        ):
            functional.lift_conv2d(IMAGE, torch.zeros(2, 2, 3, 3), group=C4)

    @pytest.mark.parametrize(
        ("function", "weight", "name"),
        [
            (functional.group_conv2d, torch.zeros(2, 3, 4, 3, 3), "GroupConv2d"),
            (functional.project_conv2d, torch.zeros(2, 3, 3, 3), "ProjectConv2d"),
            (functional.group_conv_transpose2d, torch.zeros(3, 2, 4, 3, 3), "GroupConvTranspose2d"),
        ],
    )
    def test_image_where_a_field_belongs(self, function, weight: torch.Tensor, name: str) -> None:
        with pytest.raises(
            ShapeError, match=rf"{name}: input has shape \(2, 3, 7, 7\); a feature map on C4 is .*LiftConv2d"
        ):
            function(IMAGE, weight, group=C4)

    def test_other_number_of_fields(self) -> None:
        with pytest.raises(ShapeError, match=r"GroupConv2d: input has 3 field\(s\), the filters take 2: build"):
            functional.group_conv2d(FIELD, torch.zeros(2, 2, 4, 3, 3), group=C4)
        with pytest.raises(ShapeError, match="GroupConvTranspose2d: input has 3 fields, the filters take 2"):
            functional.group_conv_transpose2d(FIELD, torch.zeros(2, 2, 4, 3, 3), group=C4)

    def test_kernel_of_another_group(self) -> None:
        with pytest.raises(
            ShapeError, match=r"weight has shape \(2, 3, 8, 3, 3\); a kernel on C4 needs .*, 4, kh, kw\]"
        ):
            functional.group_conv2d(FIELD, torch.zeros(2, 3, 8, 3, 3), group=C4)

    def test_kernel_that_is_not_square(self) -> None:
        with pytest.raises(GroupMismatchError, match=r"kernel_size=\(3, 2\) is not square, but C4 holds quarter turns"):
            functional.lift_conv2d(IMAGE, torch.zeros(2, 3, 3, 2), group=C4)

    def test_kernel_that_is_not_square_off_the_grid(self) -> None:
        with pytest.raises(
            ConfigError, match=r"kernel_size=\(3, 2\): a kernel with a mask, or off the grid, must be square"
        ):
            functional.lift_conv2d(IMAGE, torch.zeros(2, 3, 3, 2), group=cyclic(8))

    def test_unknown_padding(self) -> None:
        with pytest.raises(ConfigError, match="padding='full' is not known: give a number, a pair, 'same' or 'valid'"):
            functional.lift_conv2d(IMAGE, torch.zeros(2, 3, 3, 3), group=C4, padding="full")

    def test_same_padding_of_an_even_kernel(self) -> None:
        with pytest.raises(
            GridError, match=r"padding='same' with kernel_size=\(2, 2\).* pads one side more than the other"
        ):
            functional.lift_conv2d(IMAGE, torch.zeros(2, 3, 2, 2), group=C4, padding="same")

    @pytest.mark.parametrize("value", [1.5, (1, 2, 3), "1"])
    def test_neither_number_nor_pair(self, value: object) -> None:
        with pytest.raises(ConfigError, match=r"stride=.*: give a whole number, or a pair of them"):
            functional.lift_conv2d(IMAGE, torch.zeros(2, 3, 3, 3), group=C4, stride=value)

    def test_output_padding(self) -> None:
        weight = torch.zeros(3, 2, 4, 3, 3)
        with pytest.raises(
            GridError, match=r"output_padding=\(1, 1\) adds pixels on one side only.* kernel_size=4, stride=2"
        ):
            functional.group_conv_transpose2d(FIELD, weight, group=C4, stride=2, output_padding=1)


class TestSeparable:
    def test_unknown_algorithm(self) -> None:
        with pytest.raises(ConfigError, match="algorithm='fast' is not known: choose one of auto, factored, expand"):
            functional.separable_group_conv2d(
                FIELD, torch.zeros(2, 3, 3, 3), torch.zeros(2, 3, 4), group=C4, algorithm="fast"
            )

    @pytest.mark.parametrize(
        ("spatial", "pointwise"),
        [
            ((2, 3, 3, 3), (2, 3, 8)),  # another group
            ((2, 3, 3, 3), (1, 3, 4)),  # other numbers of outputs
            ((2, 2, 3, 3), (2, 3, 4)),  # neither one kernel nor one for every input
            ((2, 3, 4, 3, 3), (2, 3, 4)),
            ((2, 3, 3, 3), (2, 3, 4, 1)),
        ],
    )
    @pytest.mark.parametrize("algorithm", ["factored", "expand"])
    def test_parts_that_do_not_fit(self, spatial: tuple[int, ...], pointwise: tuple[int, ...], algorithm: str) -> None:
        with pytest.raises(
            ShapeError,
            match=r"spatial has shape \(2.* and pointwise \(.*a separable kernel on C4 needs "
            r"\[out_channels, 1 or in_channels, kh, kw\] and \[out_channels, in_channels, 4\]",
        ):
            functional.separable_group_conv2d(
                FIELD, torch.zeros(spatial), torch.zeros(pointwise), group=C4, algorithm=algorithm
            )


class TestPools:
    @pytest.mark.parametrize(
        "pool", [functional.group_pool, lambda x, mode: functional.coset_pool(x, C4.subgroup([2]), mode)]
    )
    def test_unknown_mode(self, pool) -> None:
        with pytest.raises(ConfigError, match="mode='sum' is not a way to pool: choose one of 'max', 'mean', 'norm'"):
            pool(FIELD, "sum")

    def test_no_group_axis(self) -> None:
        with pytest.raises(
            ShapeError, match=r"GroupPool: input has shape \(2, 3, 7, 7\); needs \[batch, channel, group,"
        ):
            functional.group_pool(IMAGE)
        with pytest.raises(
            ShapeError, match=r"CosetPool: input has shape \(2, 3, 7, 7\); needs a group axis of 4 \(C4\)"
        ):
            functional.coset_pool(IMAGE, C4.subgroup([2]))

    @pytest.mark.parametrize("pool", [functional.max_pool2d, functional.avg_pool2d])
    def test_no_spatial_axes(self, pool) -> None:
        with pytest.raises(
            ShapeError, match=r"Pool2d: input has shape \(2, 3, 4\); needs 4 axes \(plane\) or 5 \(group\)"
        ):
            pool(VALUES, 2, group=C4, strict=False)
        with pytest.raises(ShapeError, match=r"Pool2d: input has shape \(4,\); needs 4 axes"):
            pool(torch.zeros(4), 2, group=C4)

    @pytest.mark.parametrize("pool", [functional.max_pool2d, functional.avg_pool2d])
    def test_windows(self, pool) -> None:
        with pytest.raises(ShapeError, match=r"Pool2d: height 7 with padding=0 is smaller than the window of 8 pixels"):
            pool(IMAGE, 8, group=C4)
        with pytest.raises(ConfigError, match=r"padding=\(2, 2\) is more than half of kernel_size=\(3, 3\)"):
            pool(IMAGE, 3, group=C4, padding=2)
        with pytest.raises(ConfigError, match="stride=0: give whole numbers of at least 1"):
            pool(IMAGE, 3, group=C4, stride=0)


class TestOthers:
    def test_linear_on_other_features(self) -> None:
        with pytest.raises(
            ShapeError, match=r"GroupLinear: input has 3 field\(s\), the weights take 2: .*in_features=3"
        ):
            functional.group_linear(VALUES, torch.zeros(2, 2, 4), group=C4)

    def test_linear_on_another_shape(self) -> None:
        with pytest.raises(
            ShapeError, match=r"GroupLinear: input has shape \(2, 3, 4\); values on D4 are \[batch, feature, 8\]"
        ):
            functional.group_linear(VALUES, torch.zeros(2, 3, 8), group=D4)

    def test_restriction_of_another_shape(self) -> None:
        with pytest.raises(ShapeError, match=r"Restrict: input has shape \(2, 3, 4\); needs a group axis of 8 \(D4\)"):
            functional.restrict(VALUES, D4, C4)

    def test_restriction_to_what_is_no_subgroup(self) -> None:
        with pytest.raises(GroupMismatchError, match="subgroup=D2 is not contained in C4"):
            functional.restrict(VALUES, C4, dihedral(2))

    @pytest.mark.parametrize(
        "options",
        [
            {"stride": 0},
            {"stride": "2"},
            {"stride": (2, 2)},
            {"stride": 1.5},
            {"sigma": 0.0},
            {"sigma": "1"},
            {"sigma": math.nan},
            {"padding_mode": "same"},
        ],
    )
    def test_blur_options(self, options: dict) -> None:
        with pytest.raises(
            ConfigError,
            match="stride must be a whole number of at least 1, sigma positive, padding_mode one of zeros, reflect",
        ):
            functional.blur_pool2d(IMAGE, **options)

    @pytest.mark.parametrize("function", [functional.blur_pool2d, functional.upsample2d])
    def test_no_spatial_axes(self, function) -> None:
        with pytest.raises(ShapeError, match=r"2d: input has shape \(2, 3, 4\); needs 4 axes \(plane\) or 5 \(group\)"):
            function(VALUES)

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
    @pytest.mark.parametrize("function", [functional.blur_pool2d, functional.upsample2d])
    def test_whole_numbers(self, function, dtype: torch.dtype) -> None:
        with pytest.raises(ShapeError, match=rf"2d: input has dtype {dtype}; needs a floating.*x.float\(\) / 255"):
            function(IMAGE.to(dtype))

    @pytest.mark.parametrize("factor", [0, 1.5, True])
    def test_upsampling_by_something_else_than_a_whole_number(self, factor: object) -> None:
        with pytest.raises(ConfigError, match=f"scale_factor={factor}: give a whole number of at least 1"):
            functional.upsample2d(IMAGE, factor)

    def test_unknown_upsampling(self) -> None:
        with pytest.raises(ConfigError, match="mode='bicubic' is not known: choose 'nearest' or 'bilinear'"):
            functional.upsample2d(IMAGE, 2, "bicubic")
