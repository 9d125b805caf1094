"""Every registered model, from end to end: exact where it promises so, and a plain network far from it."""

import pytest
import torch
from torch import nn

from equivision.errors import GridError
from equivision.functional import rescale
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.models import create_model, list_models
from equivision.nn import SeparableGroupConv2d
from equivision.scale import scale_error
from equivision.testing import (
    assert_equivariant,
    equivariance_error,
    random_input,
    randomize_,
    relative_error,
    sample_elements,
)
from tests.convert.test_freeze import lively

C1, C2, C4, D1, D2, D4 = GROUPS = (cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4))
FAR = 1e-4  # nine orders of magnitude above what the exact networks reach
PLAIN = {
    "z2cnn": 1, "c_z2cnn": 1, "resnet44": 3, "pn_z2cnn": 1, "small_z2cnn": 1, "ien_cnn": 1, "ien_vgg": 3,
    "ien_resnet18": 3,
}  # fmt: skip
BARE = ("small_p4cnn", "p4cnn_98k")
#: Networks with generated weights, with options that make them small; and one whose weights take its symmetry away.
HYPER = {
    "he_small": {}, "he_cnn": {"light": 2, "pooled": True}, "he_resnet6": {"width": 4, "light": 2},
    "he_cnn13": {"width": 4, "light": 2}, "he_wrn16_8": {"width": 1, "light": 2, "size": 48},
}  # fmt: skip
NO_LONGER = ("he_small_dynamic",)
#: Networks on scales, and the plain one among them: their maps are tested, since logits see places.
SCALE = ("sesn_vector", "sesn_scalar", "dss", "ss_cnn", "scale_z2cnn", "ien_scale_cnn")
#: Two images go in: tests/models/test_siamese.py.
TRACKERS = ("siamfc", "re_siamfc", "ien_siamfc", "het_siamfc")
#: One answer a pixel: tests/models/test_segmentation.py.
DENSE = ("z2_segnet", "segnet", "z2_unet", "unet")
SMALL = ("p4cnn", "g_p4cnn", "gc_p4cnn", "p4mcnn")
CLASS_MAPS = ("alpha_p4cnn", "f_p4cnn", "a_p4cnn", "dren")
RESNET44 = ("p4m_resnet44", "g_p4m_resnet44", "gc_p4m_resnet44")
#: Models with a symmetry, with their default groups, or what of them is on the grid, and the channels of their images.
SYMMETRIC = {
    "p4cnn": (C4, 1), "g_p4cnn": (C4, 1), "gc_p4cnn": (C4, 1), "p4mcnn": (D4, 1), "resnet18": (C4, 3),
    "resnet6": (C4, 3), "cnn13": (C4, 3), **dict.fromkeys(CLASS_MAPS, (C4, 1)),
    "pn_cnn": (C4, 1), **dict.fromkeys(RESNET44, (D4, 3)), "harmonic_cnn": (C4, 1), "e2cnn": (C4, 1),
    "wrn16_8": (C4, 3), **dict.fromkeys(BARE, (C4, 1)),
}  # fmt: skip


def test_no_model_is_forgotten() -> None:
    known = {*PLAIN, *SYMMETRIC, *HYPER, *NO_LONGER, *SCALE, *TRACKERS, *DENSE}
    assert set(list_models()) == known, "test the new model here"


def worst_error(net: nn.Module, x: torch.Tensor, group: PlanarGroup) -> float:
    with torch.no_grad():
        return max(map(float, equivariance_error(net, x, group=group).values()))


@pytest.mark.parametrize("size", [28, 30, 32])
@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("name", SMALL)
def test_small_networks(name: str, group: PlanarGroup, size: int) -> None:
    net = randomize_(create_model(name, group=group, width=8).double().eval())
    assert_equivariant(net, random_input(1, (size, size)), group=group)


@pytest.mark.costly(3)
@pytest.mark.parametrize("size", [28, 30])
@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("name", CLASS_MAPS)
def test_networks_with_class_maps(name: str, group: PlanarGroup, size: int) -> None:
    x = random_input(1, (size, size))
    net = lively(create_model(name, group=group, width=4 if name == "alpha_p4cnn" else 8), x)
    assert_equivariant(net, x, group=group)
    with torch.no_grad():  # it depends on its input
        assert float((net(x)[0] - net(x)[1]).abs().max()) > FAR * float(net(x).abs().max())


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("name", BARE)
def test_bare_networks(name: str, group: PlanarGroup) -> None:
    net = randomize_(create_model(name, group=group, width=4).double().eval())
    for size in (20, 21):
        assert_equivariant(net, random_input(1, (size, size)), group=group)


@pytest.mark.parametrize("group", [C4, D4], ids=str)
@pytest.mark.parametrize("name", HYPER)
def test_networks_with_generated_weights(name: str, group: PlanarGroup) -> None:
    net = randomize_(create_model(name, group=group, **HYPER[name]).double().eval())
    channels, size, _ = net.input_shape
    x = random_input(channels, (size, size))
    assert_equivariant(net, x, group=group)
    if group == C4:
        assert worst_error(net, x, D4) > FAR


@torch.no_grad()
def test_the_first_maps_of_networks_on_scales() -> None:
    line = torch.linspace(-4, 4, 56, dtype=torch.float64)
    bump = torch.exp(-((line[:, None] - 0.4) ** 2) - 2 * (line + 0.3) ** 2)[None, None]
    for name, factor, steps, before in (("sesn_vector", 2 ** (2 / 3), 2, 1), ("dss", 0.5, -1, 2)):
        net = randomize_(create_model(name, width=8, size=56).double().eval())
        error = scale_error(net.features[:before], bump, factor=factor, steps=steps, margin=20)
        assert 3 * error.shared < error.unshifted
    plain = create_model("scale_z2cnn", width=8, size=56).double().features[:1].append(nn.Unflatten(1, (4, 2)))
    error = scale_error(randomize_(plain), bump, factor=0.5, steps=-1, margin=20)
    assert error.shared > 0.5
    for name in ("sesn_scalar", "ss_cnn"):  # the largest over scales: not far from the enlarged map
        first = randomize_(create_model(name, width=8, size=56).double()).features[0]
        inner = (..., slice(20, -20), slice(20, -20))
        moved, still = first(rescale(bump, 1.2))[inner], first(bump)
        assert 1.5 * relative_error(moved, rescale(still, 1.2)[inner]) < relative_error(moved, still[inner])


@pytest.mark.parametrize("name", NO_LONGER)
def test_generated_weights_take_the_symmetry_away(name: str) -> None:
    net = randomize_(create_model(name).double().eval())
    assert worst_error(net, random_input(1, (28, 28)), C4) > FAR


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_dren_with_a_decycle_layer(group: PlanarGroup) -> None:
    net = randomize_(create_model("dren", group=group, width=8, head="decycle").double().eval())
    for size in (28, 30):
        assert_equivariant(net, random_input(1, (size, size)), group=group)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_cnn13(group: PlanarGroup) -> None:
    net = lively(create_model("cnn13", group=group, width=4), random_input(3, (32, 32), batch=4))
    for size in (12, 28, 32):
        assert_equivariant(net, random_input(3, (size, size)), group=group)
    if group.order > 2:
        with pytest.raises(GridError, match="MaxPool2d: height 15"):
            net(random_input(3, (30, 30)))


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize(("name", "size"), [("ien_cnn", 28), ("ien_cnn", 32), ("ien_vgg", 32)])
def test_baselines_of_implicit_equivariance(name: str, size: int, group: PlanarGroup) -> None:
    x = random_input(1, (size, size))
    net = lively(create_model(name, group=group, width=2, in_channels=1), x)
    if group.order > 1:
        assert_equivariant(net, x, group=group)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_resnet6(group: PlanarGroup) -> None:
    net = randomize_(create_model("resnet6", group=group, width=2).double().eval())
    for size in (31, 32):
        assert_equivariant(net, random_input(3, (size, size)), group=group)


PN_GROUPS = (*GROUPS, cyclic(3), *(cyclic(n) for n in (5, 6, 7, 8, 12, 16)), dihedral(3), dihedral(8))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("group", PN_GROUPS, ids=str)
def test_networks_of_the_pn_study(group: PlanarGroup, interpolation: str) -> None:
    net = create_model("pn_cnn", group=group, width=2, interpolation=interpolation)
    randomize_(net.double().eval())
    for size in (28, 44):
        x = random_input(1, (size, size))
        assert_equivariant(net, x, group=group.grid_part)
        assert worst_error(net, x, D4) > FAR or group.grid_part == D4


@pytest.mark.parametrize("group", [C4, cyclic(8), D4], ids=str)
def test_the_padding_of_the_pn_study_shifts_the_image(group: PlanarGroup) -> None:
    """Two pixels before and three after: exact only for what comes after it."""
    net = randomize_(create_model("pn_cnn", group=group, width=2, padding="printed").double().eval())
    x = random_input(1, (28, 28))
    assert worst_error(net, x, group.grid_part) > FAR
    padded = net.pad(x)
    assert padded.shape == (2, 1, 33, 33)
    net.pad = nn.Identity()
    assert_equivariant(net, padded, group=group.grid_part)


@pytest.mark.parametrize("size", [32, 33, 64, 65])
@pytest.mark.parametrize("stem", ["small", "large"])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_resnet(group: PlanarGroup, stem: str, size: int) -> None:
    net = randomize_(create_model("resnet18", group=group, width=2, stem=stem).double().eval())
    elements = sample_elements(group, None if size < 64 else 2, seed=size)
    assert_equivariant(net, random_input(3, (size, size)), group=group, elements=elements)


@pytest.mark.parametrize("kernel", ["g", "gc"])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_resnet_with_separable_kernels(group: PlanarGroup, kernel: str) -> None:
    net = randomize_(create_model("resnet18", group=group, width=2, kernel=kernel).double().eval())
    separable = [module for module in net.modules() if isinstance(module, SeparableGroupConv2d)]
    assert [module.variant for module in separable] == [kernel] * 16
    for size in (32, 33):
        assert_equivariant(net, random_input(3, (size, size)), group=group)


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("name", RESNET44)
def test_resnet44(name: str, group: PlanarGroup) -> None:
    net = randomize_(create_model(name, group=group, width=2).double().eval())
    for size in (32, 33):
        assert_equivariant(net, random_input(3, (size, size)), group=group)


@pytest.mark.parametrize("name", RESNET44)
def test_resnet44_as_printed_is_not_invariant(name: str) -> None:
    """Its linear layer weighs the slots one by one, so that every element but the neutral one changes the logits."""
    net = randomize_(create_model(name, width=2, form="printed").double().eval())
    for size in (32, 33):
        x = random_input(3, (size, size))
        with torch.no_grad():
            errors = equivariance_error(net, x, group=D4)
        assert len(errors) == D4.order - 1
        assert min(map(float, errors.values())) > FAR
        with pytest.raises(AssertionError, match="not equivariant under D4"):
            assert_equivariant(net, x, group=D4)


@pytest.mark.parametrize("name", RESNET44)
def test_features_of_resnet44_as_printed_are_exact_on_odd_sizes_only(name: str) -> None:
    net = randomize_(create_model(name, width=2, form="printed").double().eval())
    features = nn.Sequential(net.lift, net.stages, net.norm)
    assert_equivariant(features, random_input(3, (33, 33)), group=D4)
    with torch.no_grad():
        off_centre = equivariance_error(features, random_input(3, (32, 32)), group=D4)
    # of the even rows and columns only the transposition of the image makes even ones again
    kept = [g for g, error in off_centre.items() if float(error) <= 1e-12]
    assert len(kept) == 1
    assert min(float(error) for g, error in off_centre.items() if g not in kept) > FAR


@pytest.mark.parametrize("size", [96, 224])
@pytest.mark.parametrize("group", [C4, D1, D4], ids=str)
def test_resnet_on_large_images(group: PlanarGroup, size: int) -> None:
    net = randomize_(create_model("resnet18", group=group, width=2, stem="large").double().eval())
    elements = sample_elements(group, 1, seed=size)
    assert_equivariant(net, random_input(3, (size, size)), group=group, elements=elements)


def test_resnet_with_the_small_stem_on_96() -> None:
    net = randomize_(create_model("resnet18", group=D4, width=2).double().eval())
    assert_equivariant(net, random_input(3, (96, 96)), group=D4, elements=[3, 5])


@pytest.mark.parametrize("name", sorted(SYMMETRIC))
def test_default_group_in_float32(name: str) -> None:
    group, channels = SYMMETRIC[name]
    net = randomize_(create_model(name, width=8 if name in (*SMALL, *CLASS_MAPS) else 4, in_channels=channels).eval())
    size = 33 if name == "wrn16_8" else 28
    assert_equivariant(net, random_input(channels, (size, size), dtype=torch.float32), group=group)


def test_a_network_is_exact_for_its_own_group_only() -> None:
    x = random_input(1, (28, 28))
    net = randomize_(create_model("p4cnn", group=C4, width=8).double().eval())
    assert worst_error(net, x, C4) <= 1e-12
    assert worst_error(net, x, D4) > FAR


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_plain_networks_are_far_from_it(name: str) -> None:
    size = 32 if name == "ien_vgg" else 28
    net, x = randomize_(create_model(name, width=8).double().eval()), random_input(PLAIN[name], (size, size))
    for group in (C2, C4, D1, D4):
        assert worst_error(net, x, group) > FAR
    with pytest.raises(AssertionError, match="not equivariant under C4"):
        assert_equivariant(net, x, group=C4)


def test_a_plain_residual_network_is_far_from_it() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10),
    )  # fmt: skip
    assert worst_error(randomize_(net.double().eval()), random_input(3, (33, 33)), C4) > FAR


def test_resnet_at_every_small_size() -> None:
    net = randomize_(create_model("resnet18", group=C4, width=1).double().eval())
    for size in range(8, 24):
        assert_equivariant(net, random_input(3, (size, size)), group=C4, elements=[1])


def test_oblong_images() -> None:
    net = randomize_(create_model("resnet18", group=D4, width=2).double().eval())
    assert_equivariant(net, random_input(3, (16, 25)), group=D4)
