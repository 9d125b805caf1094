"""What an audit measures: exact networks are exact, plain ones are not, and nothing is left behind."""

import math

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.audit import audit
from equivision.errors import ConfigError, DataError, EquivisionError, GroupMismatchError, ShapeError
from equivision.functional import act, equivariance_error, rotate

ANGLES = (0.0, 45.0, 90.0, 180.0, 200.0, 270.0)


class Function(nn.Module):
    """A module from a function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def scramble(model: nn.Module) -> nn.Module:
    """Running statistics and affine weights that are not the trivial ones."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            for value in (module.running_mean, module.bias.data):
                value.normal_(0, 0.2)
            for value in (module.running_var, module.weight.data):
                value.uniform_(0.5, 1.5)
    return model


@pytest.mark.parametrize(("name", "group"), [("p4cnn", "C4"), ("p4mcnn", "D4"), ("p4cnn", "C2")])
def test_exact_networks_are_exact(name: str, group: str) -> None:
    model = scramble(ev.create_model(name, width=6))
    report = audit(model, torch.randn(4, 1, 28, 28), group=group, angles=(90, 180))
    assert report.verdict == "exact"
    assert 0 < report.max_error < 2e-6
    assert all(layer.max_errors is not None and layer.max_error < 2e-6 for layer in report.layers)
    on_group = [angle for angle in report.angles if angle.on_group]
    assert on_group
    assert all(angle.max_error < 2e-6 for angle in on_group)
    assert report.stable == 1.0
    assert report.first_broken_layer is None


def test_float64_is_exact_to_float64() -> None:
    model = scramble(ev.create_model("resnet18", group="D4", width=2)).double()
    report = audit(model, torch.randn(2, 3, 9, 9), group="D4", angles=(), num_pictures=0)
    assert (report.verdict, report.dtype, report.tolerance) == ("exact", "float64", 1e-12)
    assert 0 < report.max_error <= 1e-12
    assert any(layer.name.endswith("relu (call 2)") for layer in report.layers)


@pytest.mark.parametrize("group", ["C2", "C4", "D1", "D2", "D4"])
def test_plain_networks_are_not(plain: nn.Module, images: Tensor, group: str) -> None:
    report = audit(plain, images, group=group, angles=ANGLES)
    assert report.verdict == "not equivariant"
    assert report.max_error > 0.1
    assert all(layer.max_error > 0.05 for layer in report.layers)
    assert all(element.max_error > 0.1 for element in report.elements[1:])
    assert report.elements[0].max_error == 0
    assert report.first_broken_layer == report.layers[0]


def test_untrained_plain_network_is_told_from_an_equivariant_one_although_its_error_is_small() -> None:
    """Biases make all outputs alike; the difference between images is the scale that counts."""
    model = ev.create_model("z2cnn", width=4)
    report = audit(model, torch.randn(6, 1, 28, 28), group="C4", angles=(), num_pictures=0)
    assert report.max_error < 0.2
    assert report.verdict == "not equivariant"


def test_errors_agree_with_the_one_definition(plain: nn.Module, images: Tensor) -> None:
    report = audit(plain.double(), images, group="D4", angles=(), batch_size=4)
    plain.requires_grad_(False)
    expected = equivariance_error(plain, images.double(), group=ev.groups.dihedral(4))
    for element in report.elements[1:]:
        pooled = float(expected[element.element])
        assert element.mean_error <= pooled <= element.max_error
    single = audit(plain, images[:1], group="D4", angles=(), batch_size=4)
    for g, error in equivariance_error(plain, images[:1].double(), group=ev.groups.dihedral(4)).items():
        assert single.elements[g].max_error == pytest.approx(float(error), rel=1e-9)


def test_batch_size_does_not_matter(plain: nn.Module, images: Tensor) -> None:
    plain.double()
    one, all_at_once = (audit(plain, images, group="C4", angles=ANGLES, batch_size=b) for b in (1, 100))
    for few, many in zip(one.elements + one.angles, all_at_once.elements + all_at_once.angles, strict=True):
        assert few.max_error == pytest.approx(many.max_error, rel=1e-9)
        assert few.consistency == many.consistency
    assert one.spread == pytest.approx(all_at_once.spread, rel=1e-9)
    assert [w.index for w in one.worst] == [w.index for w in all_at_once.worst]


def test_spread_is_the_difference_between_two_images(plain: nn.Module, images: Tensor) -> None:
    with torch.no_grad():
        outputs = plain.double()(images.double())
    pairs = [float((a - b).square().sum()) for i, a in enumerate(outputs) for b in outputs[:i]]
    expected = math.sqrt(sum(pairs) / len(pairs) / float(outputs.square().sum(1).mean()))
    assert audit(plain, images, group="C2", angles=(), batch_size=4).spread == pytest.approx(expected)


def test_dense_and_group_outputs(images: Tensor) -> None:
    dense = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1))
    report = audit(dense, images, group="C4", angles=ANGLES)
    assert (report.output_action, report.verdict) == ("plane", "not equivariant")
    assert report.stable is None
    lift = ev.nn.LiftConv2d(1, 3, 3, group="D4")
    report = audit(lift, images, group="D4", angles=ANGLES)
    assert (report.output_action, report.verdict, report.layers) == ("regular", "exact", ())
    vector = nn.Sequential(lift, Function(lambda x: x.mean((-2, -1))))
    report = audit(vector, images, group="D4", angles=ANGLES)
    assert (report.output_action, report.verdict) == ("regular", "exact")
    numbers = Function(lambda x: x.mean((1, 2, 3)) + x.amax((1, 2, 3)))
    report = audit(numbers, images, group="C4", angles=())
    assert (report.output_shape, report.verdict, report.stable) == ((1,), "exact", None)


def test_dense_output_is_turned_before_it_is_compared() -> None:
    """A pointwise network moves with its input at every angle; only the bilinear rotation keeps it from being exact."""
    smooth = torch.nn.functional.interpolate(torch.randn(3, 1, 5, 5), 33, mode="bicubic")
    report = audit(Function(lambda x: 2 * x), smooth, group="C4", angles=tuple(range(0, 360, 15)))
    assert all(angle.max_error < 1e-5 for angle in report.angles)
    wrong_way = audit(Function(lambda x: torch.rot90(x, 1, (-2, -1)) * 1.0), smooth, group="C4", angles=(30,))
    assert wrong_way.angles[0].max_error < 1e-5  # rotations commute with each other
    flipped = audit(Function(lambda x: x.flip(-1)), smooth, group="C4", angles=(30,))
    assert flipped.angles[0].max_error > 0.3


def test_angles_do_not_see_the_corners(equivariant: nn.Module) -> None:
    x = torch.randn(3, 1, 15, 15)
    corners = x.clone()
    corners[..., 0, 0] = 100.0
    first, second = (audit(equivariant, each, group="C4", angles=ANGLES).angles for each in (x, corners))
    assert first == second


def test_sweep_by_hand(plain: nn.Module, images: Tensor) -> None:
    report = audit(plain, images, group="C4", angles=(30.0,))
    rows = torch.arange(9) - 4.0
    window = (rows[:, None] ** 2 + rows[None, :] ** 2 <= 4.5**2).float()
    with torch.no_grad():
        upright, turned = plain(images * window), plain(rotate(images * window, 30.0) * window)
    errors = (turned - upright).norm(dim=1) / upright.norm(dim=1).square().mean().sqrt()
    assert report.angles[0].max_error == pytest.approx(float(errors.max()), rel=1e-4)
    assert report.angles[0].mean_error == pytest.approx(float(errors.mean()), rel=1e-4)
    assert report.angles[0].consistency == pytest.approx(float((turned.argmax(1) == upright.argmax(1)).float().mean()))


def test_group_angles_are_marked(equivariant: nn.Module, images: Tensor) -> None:
    for group, marked in (("C4", {0, 90, 180, 270, 360, -90}), ("C2", {0, 180, 360}), ("D1", {0, 360})):
        report = audit(equivariant, images, group=group, angles=(0, 45, 90, 180, 270, 360, -90, 89.9), layers=False)
        assert {angle.degrees for angle in report.angles if angle.on_group} == marked
    assert len(audit(equivariant, images, group="C4", layers=False).angles) == 48


def test_accuracy_and_consistency(images: Tensor) -> None:
    model = Function(
        lambda x: torch.stack([x[:, 0, :4].mean((1, 2)), x[:, 0, 5:].mean((1, 2))], 1)
    )  # top or bottom half
    with torch.no_grad():
        labels = model(images).argmax(1)
        half_turned = model(torch.rot90(images, 2, (-2, -1))).argmax(1)
    assert (half_turned == 1 - labels).all()
    report = audit(model, images, group="D4", labels=labels, angles=())
    by_name = {element.name: element for element in report.elements}
    assert (report.accuracy, by_name["e"].consistency) == (1.0, 1.0)
    for name in ("r^2", "m"):  # both exchange the halves
        assert (by_name[name].accuracy, by_name[name].consistency) == (0.0, 0.0)
    assert (by_name["r^2 m"].accuracy, by_name["r^2 m"].max_error) == (1.0, pytest.approx(0, abs=1e-6))
    assert report.stable == 0.0
    assert report.rotated_accuracy is None
    assert report.exact_elements == (0, 6)


def test_worst_inputs(plain: nn.Module, images: Tensor) -> None:
    images[4] *= 50
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    report = audit(plain, images, group="C4", labels=labels, num_worst=2, angles=())
    assert report.worst[0].index == 4
    assert report.worst[0].label == 4
    assert report.worst[0].error == report.max_error >= report.worst[1].error
    with torch.no_grad():
        turned = [int(plain(act(images[4:5], g, ev.groups.cyclic(4))).argmax()) for g in range(4)]
    assert report.worst[0].predictions == tuple(turned)
    assert report.elements[report.worst[0].element].max_error == report.max_error
    assert audit(plain, images, group="C4", num_worst=0, angles=()).worst == ()


def test_state_is_restored(plain: nn.Module, images: Tensor) -> None:
    model = nn.Sequential(nn.BatchNorm2d(1), plain)
    model[0].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    audit(model, images, group="C4", angles=(45,))
    assert [module.training for module in (model, model[0], model[1], plain[0])] == [True, False, True, True]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in model.parameters())
    model.eval()
    audit(model, images, group="C4", angles=())
    assert not any(module.training for module in model.modules())


def test_state_is_restored_after_a_failure(images: Tensor) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Dropout(), nn.Conv2d(3, 2, 3))
    with pytest.raises(EquivisionError, match=r"Sequential failed on images of shape \(6, 1, 9, 9\), float32: Runtime"):
        audit(model, images, group="C4")
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    assert torch.is_grad_enabled()


def test_network_that_does_more_in_train_than_set_a_flag_is_restored(images: Tensor) -> None:
    class Merging(nn.Module):
        merged = False

        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3)) * (1.0 if self.merged else math.nan)

        def train(self, mode: bool = True) -> "Merging":
            self.merged = not mode
            return super().train(mode)

    model = Merging()
    assert audit(model, images, group="C4", angles=()).verdict == "exact"
    assert model.training
    assert not model.merged


def test_network_that_writes_into_its_input(images: Tensor) -> None:
    before = images.clone()
    model = nn.Sequential(nn.ReLU(inplace=True), ev.nn.LiftConv2d(1, 2, 3, group="C4"), ev.nn.GroupPool())
    assert audit(model, images, group="C4", angles=ANGLES).verdict == "exact"
    assert torch.equal(images, before)


def test_images_are_taken_to_the_dtype_of_the_network(equivariant: nn.Module, images: Tensor) -> None:
    assert audit(equivariant.double(), images, group="C4", angles=()).dtype == "float64"
    report = audit(equivariant.bfloat16(), images, group="C4", angles=(45, 90))
    assert (report.dtype, report.tolerance) == ("bfloat16", 5e-2)


def test_non_square_images_under_groups_without_quarter_turns() -> None:
    model = nn.Sequential(
        ev.nn.LiftConv2d(1, 2, 3, group="D2"), ev.nn.GroupPool(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    report = audit(model, torch.randn(2, 1, 9, 13), group="D2", angles=(0, 90, 180))
    assert report.verdict == "exact"


def warnings_of(function, images: Tensor, group: str = "C4") -> tuple[str, str]:
    report = audit(Function(function), images, group=group, angles=())
    return report.verdict, " ".join(report.warnings)


def test_tests_that_prove_nothing_say_so(images: Tensor) -> None:
    verdict, notes = warnings_of(lambda x: torch.ones(len(x), 3), images)
    assert verdict == "inconclusive"
    assert "the same for every image" in notes
    verdict, notes = warnings_of(lambda x: torch.zeros(len(x), 3), images)
    assert verdict == "inconclusive"
    verdict, notes = warnings_of(lambda x: x.mean((2, 3)), images, "C1")
    assert verdict == "inconclusive"
    assert "only the identity" in notes
    _, notes = warnings_of(lambda x: x.amax((2, 3)), torch.linspace(0, 1, 4).reshape(4, 1, 1, 1).expand(4, 1, 9, 9))
    assert "symmetric themselves" in notes
    _, notes = warnings_of(lambda x: x.mean((2, 3)), images[:1])
    assert "Only one image" in notes
    verdict, notes = warnings_of(lambda x: x.mean((2, 3)) + torch.rand(1), images)
    assert verdict == "not equivariant"
    assert "random even in evaluation mode" in notes
    assert warnings_of(lambda x: x.mean((2, 3)), images) == ("exact", "")


def test_something_out_of_nothing_is_an_error_of_one() -> None:
    """The output is zero for the input and not for the turned input: no division by zero."""
    images = torch.zeros(2, 1, 4, 4)
    images[:, :, 0, 3] = torch.tensor([1.0, 2.0])[:, None]
    report = audit(Function(lambda x: x[:, :, 0, 0]), images, group="C4", angles=())
    assert report.elements[1].max_error == pytest.approx(math.sqrt(8 / 5))
    assert report.elements[2].max_error == 0


def test_approximate(images: Tensor) -> None:
    model = Function(lambda x: x.mean((2, 3)) + 1e-3 * x[:, :, 0, 0])
    report = audit(model, images, group="C4", angles=())
    assert report.verdict == "approximate"
    assert report.tolerance < report.max_error < 0.05


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": torch.randn(1, 9, 9)}, ShapeError, r"images has shape \(1, 9, 9\): audit needs \[batch"),
        ({"images": torch.randn(0, 1, 9, 9)}, ShapeError, r"images has shape \(0, 1, 9, 9\): it is empty"),
        ({"images": torch.randn(2, 1, 9, 8)}, ShapeError, "images of 9 x 8 are not square, and C4 holds quarter turns"),
        ({"images": torch.zeros(2, 1, 9, 9, dtype=torch.uint8)}, DataError, "images are of torch.uint8: audit needs"),
        ({"images": torch.full((2, 1, 9, 9), math.nan)}, DataError, "images hold NaN or infinity"),
        ({"group": "C8"}, GroupMismatchError, "group=C8 holds rotations by 45 degrees"),
        ({"group": "hexagon"}, GroupMismatchError, "group='hexagon' is not a group name"),
        ({"labels": torch.zeros(5, dtype=torch.long)}, ShapeError, r"labels has shape \(5,\): .* each of the 6 images"),
        ({"labels": torch.zeros(6)}, DataError, "labels are of torch.float32: audit needs whole numbers"),
        ({"labels": torch.arange(6)}, DataError, "labels run from 0 to 5, but the model has 5 classes, 0 to 4"),
        ({"labels": -torch.ones(6, dtype=torch.long)}, DataError, "labels run from -1 to -1"),
        ({"angles": (0.0, math.inf)}, ConfigError, r"angles=\(0.0, inf\): all must be finite"),
        ({"batch_size": 0}, ConfigError, "batch_size=0: give a whole number of at least 1"),
        ({"num_worst": -1}, ConfigError, "num_worst=-1: give a whole number of at least 0"),
        ({"num_pictures": -2}, ConfigError, "num_pictures=-2"),
        ({"picture": 6}, ConfigError, "picture=6: the images are numbered 0 to 5"),
    ],
)
def test_wrong_arguments(plain: nn.Module, images: Tensor, change: dict, error: type, message: str) -> None:
    arguments = {"images": images, "group": "C4"} | change
    with pytest.raises(error, match=message):
        audit(plain, arguments.pop("images"), **arguments)


@pytest.mark.usefixtures("unchecked_annotations")
def test_arguments_of_the_wrong_type(plain: nn.Module, images: Tensor) -> None:
    with pytest.raises(ConfigError, match=r"model is a function: audit needs a torch.nn.Module"):
        audit(lambda x: x, images, group="C4")
    with pytest.raises(ShapeError, match="images is a ndarray: audit needs a tensor"):
        audit(plain, images.numpy(), group="C4")
    with pytest.raises(ShapeError, match="labels has type list: audit needs a tensor"):
        audit(plain, images, group="C4", labels=[0] * 6)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: {"out": x}, "Function returned a dict: audit needs one tensor"),
        (lambda x: x.argmax(-1), "Function returned a tensor of torch.int64: audit needs one tensor"),
        (
            lambda x: x[:2].mean((1, 2, 3)),
            r"returned shape \(2,\) for images of shape \(6, 1, 9, 9\), float32: the first",
        ),
        (lambda x: x.sum(), r"returned shape \(\) for images"),
        (lambda x: x.flatten(2), r"has shape \(6, 1, 81\): axis 2 has 81 entries and C4 has 4 elements"),
        (lambda x: x[:, None, None], r"has shape \(6, 1, 1, 1, 9, 9\): output has 6 axes"),
        (lambda x: x[..., :4], "a map of 9 x 4 is not square: quarter turns do not fit it"),
        (lambda x: x[:, :, : 3 + int(x[0, 0, 0, 0] > 1.5)].mean(3), "axis 2 has 3 entries"),
    ],
)
def test_outputs_that_cannot_be_audited(images: Tensor, function, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        audit(Function(function), images, group="C4")


def test_output_that_changes_its_shape(images: Tensor) -> None:
    images[:, 0, 0, 0], images[:, 0, 8, 0] = 5.0, -5.0
    model = Function(lambda x: x[:, 0, :, : 3 if x[0, 0, 0, 0] > 0 else 2].mean(1))
    with pytest.raises(ShapeError, match=r"changes its shape from \(6, 3\) to \(6, 2\) when the input moves by r"):
        audit(model, images, group="C4")


def test_labels_for_an_output_without_classes(images: Tensor) -> None:
    with pytest.raises(ShapeError, match=r"output of shape \(6, 2, 7, 7\) is no class scores"):
        audit(nn.Conv2d(1, 2, 3), images, group="C4", labels=torch.zeros(6, dtype=torch.long))


def test_not_finite_names_the_first_layer(images: Tensor) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3), nn.Flatten())
    model[1].bias.data[1] = math.nan
    with pytest.raises(
        EquivisionError, match=r"not finite on images of shape .* first appears in layer '1' \(Conv2d\)"
    ):
        audit(model, images, group="C4")
    with pytest.raises(EquivisionError, match=r"no inner layer shows it, so it arises in the model's own forward"):
        audit(Function(lambda x: x / 0), images, group="C4")


def test_models_that_view_their_input(images: Tensor) -> None:
    """``view`` needs contiguous memory, as moved images and features have it."""
    report = audit(Function(lambda x: x.view(x.size(0), -1).sum(1, keepdim=True).expand(-1, 2)), images, group="C4")
    assert report.max_error < 1e-5
