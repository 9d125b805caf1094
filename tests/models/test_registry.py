"""Models by name: sizes, arguments, errors."""

import math

import pytest
import torch
from torch import nn

import equivision as ev
from equivision.errors import ConfigError, GridError, GroupMismatchError, ShapeError
from equivision.groups import cyclic, dihedral
from equivision.models import _registry as registry
from equivision.models import create_model, list_models, register
from equivision.testing import (
    assert_compiles,
    assert_copies,
    assert_exports,
    assert_state_dict,
    random_input,
    randomize_,
)


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


PLAIN = ("z2cnn", "c_z2cnn", "resnet44", "pn_z2cnn", "small_z2cnn", "ien_resnet18")
CLASS_MAPS = ("alpha_p4cnn", "f_p4cnn", "a_p4cnn", "dren")
PN_STUDY = ("pn_z2cnn", "pn_cnn")
STEERABLE = ("harmonic_cnn", "e2cnn")
BARE = ("small_z2cnn", "small_p4cnn", "p4cnn_98k")
#: Weights are generated: the size of the images is fixed, and the group holds the quarter turns.
HYPER = ("he_small", "he_small_dynamic", "he_cnn", "he_resnet6", "he_cnn13", "he_wrn16_8")
SMALLER = {"he_wrn16_8": {"size": 32, "light": 2}}
LARGE = pytest.param("he_wrn16_8", marks=pytest.mark.costly(math.inf))  # left to make thorough
#: On scales instead of a group.
SCALE = ("sesn_vector", "sesn_scalar", "dss", "ss_cnn", "scale_z2cnn", "ien_scale_cnn")
#: Two images go in, a response comes out: tests/models/test_siamese.py.
TRACKERS = ("siamfc", "re_siamfc", "ien_siamfc", "het_siamfc")
#: One answer a pixel: tests/models/test_segmentation.py.
DENSE = ("z2_segnet", "segnet", "z2_unet", "unet")
CLASSIFIERS = sorted(set(list_models()) - set(TRACKERS) - set(DENSE))
LARGE_LAST = [*(name for name in CLASSIFIERS if name != "he_wrn16_8"), LARGE]
ORDINARY = sorted(set(CLASSIFIERS) - set(HYPER) - set(SCALE))
DIGIT_MODELS = (
    "z2cnn",
    "c_z2cnn",
    "p4cnn",
    "g_p4cnn",
    "gc_p4cnn",
    "p4mcnn",
    *CLASS_MAPS,
    *PN_STUDY,
    *STEERABLE,
    *BARE,
    "ien_cnn",
    *HYPER[:3],
    *SCALE,
)
ANY_ORDER = ("pn_cnn", *STEERABLE, "resnet18", "resnet6", "wrn16_8", "ien_cnn", "ien_vgg")
RESNET44 = ("p4m_resnet44", "g_p4m_resnet44", "gc_p4m_resnet44")


def channels_of(name: str) -> int:
    """Channels of the images that a model is made for."""
    return 1 if name in DIGIT_MODELS else 3


def size_of(name: str) -> tuple[int, int]:
    """A size of images on which a model is exact."""
    sizes = {"wrn16_8": 33, "ien_vgg": 32, "he_resnet6": 32, "he_cnn13": 32, "he_wrn16_8": 96}
    return (sizes.get(name, 28), sizes.get(name, 28))


@pytest.mark.parametrize(
    ("name", "width", "count"),
    [
        ("z2cnn", 20, 25_210), ("c_z2cnn", 57, 25_603), ("p4cnn", 10, 24_810), ("g_p4cnn", 17, 25_255),
        ("gc_p4cnn", 30, 24_640), ("p4mcnn", 7, 24_202), ("alpha_p4cnn", 10, 73_130), ("f_p4cnn", 10, 29_462),
        ("a_p4cnn", 9, 20_746), ("dren", 10, 24_560), ("small_z2cnn", 16, 3_370), ("small_p4cnn", 16, 12_522),
        ("p4cnn_98k", 20, 97_990), ("he_cnn", 20, 9_681_006), ("ien_cnn", 32, 10_882_186),
    ],
)  # fmt: skip
def test_parameter_counts(name: str, width: int, count: int) -> None:
    assert parameters(create_model(name)) == parameters(create_model(name, width=width)) == count


@pytest.mark.parametrize(("name", "count"), [("g_p4cnn", 8_910), ("gc_p4cnn", 3_420)])
def test_parameter_counts_at_the_width_of_the_dense_network(name: str, count: int) -> None:
    assert parameters(create_model(name, width=10)) == count


@pytest.mark.parametrize(
    ("name", "widths", "printed", "exact"),
    [
        ("p4m_resnet44", (11, 23, 45), 2_621_829, 2_618_679),
        ("g_p4m_resnet44", (19, 38, 76), 1_782_381, 1_777_061),
        ("gc_p4m_resnet44", (28, 56, 112), 1_884_270, 1_876_430),
    ],
)
def test_parameter_counts_of_resnet44(name: str, widths: tuple[int, int, int], printed: int, exact: int) -> None:
    """The exact form saves the columns of the linear layer for seven slots of eight."""
    net = create_model(name, form="printed")
    assert (parameters(net), parameters(create_model(name))) == (printed, exact)
    assert printed - exact == 7 * widths[-1] * 10
    assert tuple(stage[-1].conv2.out_channels for stage in net.stages) == widths


def test_resnet44_over_the_trivial_group_is_the_plain_one() -> None:
    assert parameters(create_model("resnet44")) == 2_636_458
    plain = randomize_(create_model("resnet44", width=2).double().eval())
    ours = create_model("p4m_resnet44", group="C1", width=2, form="printed").double().eval()
    weights = zip(ours.state_dict().items(), plain.state_dict().values(), strict=True)
    ours.load_state_dict({name: weight.reshape(value.shape) for (name, value), weight in weights})
    x = random_input(3, (32, 32))
    torch.testing.assert_close(ours(x), plain(x), rtol=0, atol=1e-12)


def test_parameter_count_of_the_residual_network() -> None:
    """The plain ResNet-18 for small images has 11,173,962; the default widths stay near it."""
    assert parameters(create_model("resnet18", group="C1")) == 11_173_962
    for group in ("C2", "C4", "D1", "D2", "D4", "C3", "C6", "C8", "C16", "D8", "D16"):
        assert parameters(create_model("resnet18", group=group)) / 11_173_962 == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("name", "plain"), [("cnn13", 3_121_802), ("resnet6", 38_378)])
def test_group_versions_have_about_the_parameters_of_the_plain_network(name: str, plain: int) -> None:
    assert parameters(create_model(name, group="C1")) == plain
    for group in ("C2", "C4", "D1", "D2", "D4"):
        assert parameters(create_model(name, group=group)) / plain == pytest.approx(1, abs=0.1)


def test_parameters_of_the_parts_of_attention() -> None:
    """What the study counts: convolutions, channel and spatial attention, batch norm."""
    counts = {"weight": 0, "squeeze": 0, "excite": 0, "spatial": 0}
    net = create_model("alpha_p4cnn")
    for layer in net.modules():
        if isinstance(layer, ev.nn.AttentiveLiftConv2d | ev.nn.AttentiveGroupConv2d):
            for name, parameter in layer.named_parameters():
                counts[name] += parameter.numel()
    assert (counts["weight"], counts["squeeze"] + counts["excite"]) == (24_490, 6 * 4_000 + 20)
    assert counts["spatial"] == 980 + 6 * 3_920
    assert parameters(net) - sum(counts.values()) == 120


def test_dren_with_a_decycle_layer_has_a_kernel_for_all_slots_of_the_last() -> None:
    assert parameters(create_model("dren", head="decycle")) == 19_760


def ordinary_cnn13() -> nn.Sequential:
    """The network over C1, written with torch's layers."""

    def conv(i: int, o: int, taps: int = 3, padding: int = 1) -> tuple[nn.Module, ...]:
        return nn.Conv2d(i, o, taps, padding=padding, bias=False), nn.BatchNorm2d(o), nn.LeakyReLU(0.1)

    return nn.Sequential(
        *conv(3, 2), *conv(2, 2), *conv(2, 2), nn.MaxPool2d(2), *conv(2, 4), *conv(4, 4), *conv(4, 4), nn.MaxPool2d(2),
        *conv(4, 8, padding=0), *conv(8, 4, 1, 0), *conv(4, 2, 1, 0), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(2, 10),
    )  # fmt: skip


def test_the_13_layer_network_over_the_trivial_group_is_the_ordinary_one() -> None:
    plain = randomize_(ordinary_cnn13().double().eval())
    ours = create_model("cnn13", group="C1", width=2).double().eval()
    weights = zip(ours.state_dict().items(), plain.state_dict().values(), strict=True)
    ours.load_state_dict({name: weight.reshape(value.shape) for (name, value), weight in weights})
    x = random_input(3, (32, 32))
    torch.testing.assert_close(ours(x), plain(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("group", "count"),
    [
        ("C4", 393_786), ("C5", 393_344), ("C6", 395_362), ("C7", 392_473), ("C8", 392_858), ("C12", 395_114),
        ("C16", 392_738), ("D4", 392_858),
    ],
)  # fmt: skip
def test_parameter_counts_of_the_pn_study(group: str, count: int) -> None:
    assert parameters(create_model("pn_cnn", group=group)) == count


def test_parameter_count_of_the_plain_network_of_the_pn_study() -> None:
    """Over C1 the network with a group is the same one."""
    assert parameters(create_model("pn_z2cnn")) == parameters(create_model("pn_cnn", group="C1")) == 395_882


@pytest.mark.parametrize("group", ["C2", "C3", "C10", "D1", "D3", "D8"])
def test_groups_that_the_pn_study_has_not_get_about_as_many_parameters(group: str) -> None:
    assert parameters(create_model("pn_cnn", group=group)) == pytest.approx(395_882, rel=0.1)


def test_widths_of_the_pn_study() -> None:
    def widths(**options: object) -> list[int]:
        net = create_model("pn_cnn", group="C4", **options)
        return [m.out_channels for m in net.modules() if isinstance(m, ev.nn.LiftConv2d | ev.nn.GroupConv2d)]

    assert widths() == widths(width=8) == [8, 16, 32, 64, 128]
    assert widths(widths=[3, 1, 4, 1, 5]) == [3, 1, 4, 1, 5]


@pytest.mark.parametrize("name", ORDINARY)
def test_common_arguments(name: str) -> None:
    group = "C1" if name in PLAIN else "D1"
    net = create_model(name, group=group, width=2, in_channels=2, num_classes=7)
    assert net(torch.randn(2, 2, *size_of(name))).shape == (2, 7)


@pytest.mark.parametrize("name", sorted(set(ORDINARY) - set(PLAIN)))
def test_groups_and_their_names(name: str) -> None:
    for group in (cyclic(2), "C2"):
        net = create_model(name, group=group, width=1)
        assert {module.group for module in net.modules() if hasattr(module, "group")} == {cyclic(2)}


@pytest.mark.costly(3)
@pytest.mark.parametrize("name", [*HYPER[:-1], LARGE])
def test_common_arguments_of_generated_networks(name: str) -> None:
    net = create_model(name, width=2, in_channels=2, num_classes=7).eval()
    assert net(torch.randn(2, 2, *size_of(name))).shape == (2, 7)
    if name != "he_small_dynamic":
        assert create_model(name, group="D4", width=2).group == dihedral(4)
        with pytest.raises(GroupMismatchError, match="group=C2 does not contain the quarter turns"):
            create_model(name, group="C2", width=2)


@pytest.mark.parametrize("size", [28, 56])
@pytest.mark.parametrize("name", SCALE)
def test_common_arguments_of_networks_on_scales(name: str, size: int) -> None:
    net = create_model(name, width=2, in_channels=2, num_classes=7, size=size).eval()
    assert net(torch.randn(2, 2, size, size)).shape == (2, 7)


@pytest.mark.parametrize("name", ["sesn_vector", "sesn_scalar", "dss", "scale_z2cnn"])
def test_networks_on_scales_have_the_parameters_of_the_plain_one(name: str) -> None:
    """49 functions stand in the place of 49 taps; of the log-polar ones there are 48."""
    assert parameters(create_model(name)) == 494_549
    assert parameters(create_model("ss_cnn")) == 494_549 - (32 + 32 * 63 + 63 * 95)


def test_factories_are_public_and_the_same() -> None:
    for name in list_models():
        assert getattr(ev.models, name) is registry._MODELS[name]
    assert ev.create_model is create_model
    assert ev.list_models is list_models


def test_register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_MODELS", dict(registry._MODELS))

    @register
    def my_net(width: int = 3) -> nn.Module:
        return nn.Conv2d(1, width, 1)

    assert "my_net" in list_models()
    assert list_models() == sorted(list_models())
    assert create_model("my_net", width=5)(torch.zeros(1, 1, 2, 2)).shape == (1, 5, 2, 2)
    with pytest.raises(ConfigError, match="a model named 'my_net' is registered already: choose another name"):
        register(my_net)


@pytest.mark.costly(7)
@pytest.mark.parametrize("name", LARGE_LAST)
def test_life_after_training(name: str) -> None:
    channels = channels_of(name)
    options = {"width": 1, **SMALLER.get(name, {})}
    net = randomize_(create_model(name, **options).double().eval())
    x = random_input(channels, (32, 32) if name in SMALLER else size_of(name))
    assert_copies(net, x)
    if name != "he_small_dynamic":  # a group convolution with as many groups as images takes no symbol for them
        assert_exports(net, x)
    assert_state_dict(lambda: create_model(name, **options), x)


@pytest.mark.costly(5)
@pytest.mark.compile
@pytest.mark.parametrize(
    "name",
    ["p4cnn", "g_p4cnn", "gc_p4cnn", "resnet18", "resnet6", "cnn13", "pn_cnn", "wrn16_8", *STEERABLE, *CLASS_MAPS],
)
def test_compile(name: str) -> None:
    channels = channels_of(name)
    net = randomize_(create_model(name, width=1).double().eval())
    assert_compiles(net, random_input(channels, size_of(name)))


@pytest.mark.costly(3)
@pytest.mark.parametrize("name", LARGE_LAST)
def test_untrained_logits_are_of_order_one(name: str) -> None:
    torch.manual_seed(1)
    width = {"width": 2} if name in HYPER[3:] else {} if name in DIGIT_MODELS else {"width": 8}
    net = create_model(name, **width).train()
    x = random_input(channels_of(name), size_of(name), batch=8, dtype=torch.float32)
    logits = net(torch.rand_like(x) if name in HYPER else x)  # generated weights grow with the contrast of images
    assert 0.05 < float(logits.std().detach()) < 5


@pytest.mark.parametrize("name", ["p4cnn", "p4mcnn", "z2cnn"])
def test_weights_are_drawn_as_in_the_study(name: str) -> None:
    """Uniform within ``1 / sqrt(in_channels k k)``, the group axis not counted."""
    net = create_model(name)
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d | ev.nn.LiftConv2d | ev.nn.GroupConv2d)]
    assert [m.kernel_size for m in convolutions] == [(3, 3)] * 6 + [(4, 4)]
    for conv in convolutions:
        bound = 1 / (conv.in_channels * conv.kernel_size[0] ** 2) ** 0.5
        assert 0.8 * bound < float(conv.weight.detach().abs().max()) <= bound
        assert 0 < float(conv.bias.detach().abs().max()) <= bound


def test_weights_of_the_pn_study_are_drawn_as_there() -> None:
    """Normal with variance 1 / (fields in x fields out); biases 0.01."""
    torch.manual_seed(0)
    for conv in create_model("pn_cnn", group="C8").modules():
        if isinstance(conv, ev.nn.LiftConv2d | ev.nn.GroupConv2d):
            expected = (conv.in_channels * conv.out_channels) ** -0.5
            assert float(conv.weight.detach().std()) == pytest.approx(expected, rel=0.3)
            assert conv.bias is not None
            assert torch.equal(conv.bias.detach(), torch.full((conv.out_channels,), 0.01))


@pytest.mark.parametrize("name", ["g_p4cnn", "gc_p4cnn"])
def test_both_parts_of_separable_weights_are_drawn_as_in_the_study(name: str) -> None:
    convolutions = [m for m in create_model(name).modules() if isinstance(m, ev.nn.SeparableGroupConv2d)]
    assert [m.kernel_size for m in convolutions] == [(3, 3)] * 5 + [(4, 4)]
    for conv in convolutions:
        bound = 1 / (conv.in_channels * conv.kernel_size[0] ** 2) ** 0.5
        for part in (conv.spatial, conv.pointwise):
            assert 0.8 * bound < float(part.detach().abs().max()) <= bound


def test_depthwise_network_is_drawn_by_torchs_own_rule() -> None:
    """Uniform within ``1 / sqrt(fan-in)``, where a depthwise kernel sees one channel."""
    convolutions = [m for m in create_model("c_z2cnn").modules() if isinstance(m, nn.Conv2d)]
    assert [m.kernel_size[0] for m in convolutions] == [3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 4]
    for conv in convolutions:
        bound = 1 / (conv.weight.shape[1] * conv.kernel_size[0] ** 2) ** 0.5
        assert 0.8 * bound < float(conv.weight.detach().abs().max()) <= bound


class TestErrors:
    pytestmark = pytest.mark.usefixtures("unchecked_annotations")

    def test_unknown_name(self) -> None:
        with pytest.raises(
            ConfigError, match="model 'resnet50' is not known: choose one of a_p4cnn, alpha_p4cnn, c_z2cnn, cnn13, dren"
        ):
            create_model("resnet50")

    def test_unknown_argument(self) -> None:
        with pytest.raises(
            ConfigError, match="model 'z2cnn' has no argument 'stem': it takes group, width, in_channels,"
        ):
            create_model("z2cnn", stem="small")

    @pytest.mark.parametrize(
        ("name", "other"),
        [
            ("z2cnn", "p4cnn"),
            ("c_z2cnn", "p4cnn"),
            ("resnet44", "p4m_resnet44"),
            ("pn_z2cnn", "pn_cnn"),
            ("small_z2cnn", "small_p4cnn"),
        ],
    )
    def test_plain_network_with_a_symmetry(self, name: str, other: str) -> None:
        with pytest.raises(ConfigError, match=f"group='C4': {name} has no symmetry but C1; choose the model '{other}'"):
            create_model(name, group="C4")

    @pytest.mark.parametrize("name", ["p4cnn", "p4mcnn", "resnet18"])
    def test_unknown_kernel(self, name: str) -> None:
        with pytest.raises(ConfigError, match="kernel='depthwise' is not known: choose one of dense, g, gc"):
            create_model(name, kernel="depthwise")

    @pytest.mark.parametrize("name", RESNET44)
    def test_unknown_form(self, name: str) -> None:
        with pytest.raises(ConfigError, match="form='paper' is not known: choose 'exact' or 'printed'"):
            create_model(name, form="paper")

    def test_image_that_is_too_small(self) -> None:
        with pytest.raises(ShapeError, match="GroupConv2d: height 2 with padding=0 is smaller than the window of 3"):
            create_model("p4cnn")(torch.zeros(1, 1, 20, 20))

    @pytest.mark.parametrize("name", list_models())
    def test_no_width(self, name: str) -> None:
        for width in (0, 2.5):
            with pytest.raises(ConfigError, match=f"width={width}: give a whole number of at least 1"):
                create_model(name, width=width)

    @pytest.mark.parametrize("argument", ["in_channels", "num_classes"])
    @pytest.mark.parametrize("name", CLASSIFIERS)
    def test_no_channels_or_classes(self, name: str, argument: str) -> None:
        with pytest.raises(ConfigError, match=f"{argument}=0: give a whole number of at least 1"):
            create_model(name, **{argument: 0})

    def test_unknown_head_and_attention(self) -> None:
        with pytest.raises(ConfigError, match="head='sum' is not known: choose 'max' or 'decycle'"):
            create_model("dren", head="sum")
        with pytest.raises(ConfigError, match="attention='soft' is not known: choose one of none, products, input, co"):
            ev.models.ClassMapNet(2, cyclic(4), 1, 10, attention="soft")  # pyright: ignore[reportArgumentType]

    def test_growth(self) -> None:
        with pytest.raises(ConfigError, match="growth=0: give a whole number of at least 1"):
            ev.models.ResNet((1, 1), group="C4", width=2, growth=0)

    @pytest.mark.parametrize("name", SCALE)
    def test_unknown_size(self, name: str) -> None:
        with pytest.raises(ConfigError, match="size=32: choose 28 or 56, the sizes of Scale-MNIST"):
            create_model(name, size=32)

    def test_number_of_scales(self) -> None:
        with pytest.raises(ConfigError, match="num_scales=0: give a whole number of at least 1"):
            create_model("dss", num_scales=0)

    def test_unknown_stem(self) -> None:
        with pytest.raises(ConfigError, match="stem='tiny' is not known: choose 'small' or 'large'"):
            create_model("resnet18", stem="tiny")

    def test_widths(self) -> None:
        with pytest.raises(ConfigError, match=r"widths=\(1, 2\): give five whole numbers, one for each convolution"):
            create_model("pn_cnn", widths=[1, 2])
        with pytest.raises(ConfigError, match=r"widths\[2\]=0: give a whole number of at least 1"):
            create_model("pn_cnn", widths=[1, 1, 0, 1, 1])
        with pytest.raises(ConfigError, match=r"width=2 and widths=\(1, 1, 1, 1, 1\) say the same: give one of them"):
            create_model("pn_z2cnn", width=2, widths=[1] * 5)

    def test_unknown_padding(self) -> None:
        with pytest.raises(ConfigError, match="padding='reflect' is not known: choose 'exact' or 'printed'"):
            create_model("pn_cnn", padding="reflect")

    def test_size_off_centre_in_the_pn_study(self) -> None:
        with pytest.raises(GridError, match=r"MaxPool2d: height 18 .*is not exact under C8"):
            create_model("pn_cnn")(torch.zeros(1, 1, 30, 30))

    @pytest.mark.parametrize("name", sorted(set(ORDINARY) - {*ANY_ORDER, "pn_z2cnn"}))
    def test_group_off_the_grid(self, name: str) -> None:
        with pytest.raises(GroupMismatchError, match="group=C8 holds rotations by 45 degrees"):
            create_model(name, group="C8")

    def test_size_that_is_not_exact(self) -> None:
        with pytest.raises(GridError, match=r"MaxPool2d: height 25 .*Exact instead: size"):
            create_model("p4cnn")(torch.zeros(1, 1, 29, 29))
