"""How the output of each layer is taken to move, and that foreign layers are not guessed about."""

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.audit import AuditReport, LayerResult, audit
from equivision.errors import GroupMismatchError
from equivision.reps import irreps, quotient, regular


def layers_of(model: nn.Module, images: Tensor, group: str) -> dict[str, LayerResult]:
    report = audit(model, images, group=group, angles=(), num_pictures=0)
    return {layer.name: layer for layer in report.layers}


def test_actions_by_shape(plain: nn.Module, equivariant: nn.Module, images: Tensor) -> None:
    actions = [layer.action for layer in layers_of(plain, images, "C4").values()]
    assert actions == ["plane", "plane", "plane", "plane", "invariant"]
    actions = [layer.action for layer in layers_of(equivariant, images, "C4").values()]
    assert actions == ["regular"] * 4 + ["plane"] * 2 + ["invariant"] * 2


def test_a_layer_is_seen_before_a_later_one_writes_into_its_output(images: Tensor) -> None:
    """Batch norm, then ReLU in place: the batch norm must not be reported as the ReLU."""
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 4, 3)
    apart = layers_of(nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1)), images, "C4")
    in_place = layers_of(nn.Sequential(conv, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1)), images, "C4")
    assert [a.max_errors for a in apart.values()] == [b.max_errors for b in in_place.values()]
    assert apart["0"].max_errors != apart["1"].max_errors


def test_flattened_maps_are_compared_as_maps(images: Tensor) -> None:
    keeps = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(81, 3))
    layers = layers_of(keeps, images, "D4")
    assert layers["1"].max_error == 0
    assert "a flattened map of 1 x 9 x 9" in layers["1"].note
    assert layers["2"].max_error > 0.1
    on_group = nn.Sequential(ev.nn.LiftConv2d(1, 2, 9, group="D4"), nn.Flatten(), nn.Linear(16, 3))
    layers = layers_of(on_group, images, "D4")
    assert (layers["1"].action, layers["1"].max_error < 1e-6) == ("regular", True)
    one_pixel = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert layers_of(one_pixel, images, "D4")["1"].action == "invariant"


def test_flattened_map_that_cannot_be_known(images: Tensor) -> None:
    model = nn.Sequential(nn.Unflatten(2, (3, 3)), nn.Flatten(), nn.Linear(81, 2))
    layer = layers_of(model, images, "C2")["1"]
    assert (layer.action, layer.max_errors) == ("unknown", None)
    assert layer.note.startswith("a flattened map of 1 x 3 x 3 x 9; axis 2 has 3 entries")


def test_shared_module(images: Tensor) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.conv(x)).mean((2, 3))

    layers = layers_of(Twice(), images, "C4")
    assert list(layers) == ["conv", "conv (call 2)"]
    assert layers["conv"].max_errors != layers["conv (call 2)"].max_errors


def test_containers_and_idle_modules_are_not_listed_twice(images: Tensor) -> None:
    inner = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Identity(), nn.Dropout())
    assert list(layers_of(nn.Sequential(inner, nn.Flatten()), images, "C4")) == ["0.0", "0.1", "1"]


def test_a_container_that_computes_itself_is_listed(images: Tensor) -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.conv(x)

    assert list(layers_of(nn.Sequential(Residual(), nn.Flatten()), images, "C4")) == ["0.conv", "0", "1"]


def test_quotients_are_known_only_where_a_layer_says_so(images: Tensor) -> None:
    pool = ev.nn.CosetPool("D4", "C4")
    model = nn.Sequential(ev.nn.LiftConv2d(1, 2, 3, group="D4"), pool, nn.ReLU(), ev.nn.GroupPool())
    layers = layers_of(model, images, "D4")
    assert (layers["1"].action, layers["1"].max_error < 1e-6) == ("representation", True)
    assert (layers["2"].action, layers["2"].max_errors) == ("unknown", None)
    assert "axis 2 has 2 entries and D4 has 8 elements" in layers["2"].note
    assert layers["3"].max_error < 1e-6


class Declared(nn.Module):
    """A layer that says how its output moves."""

    def __init__(self, out_rep, function) -> None:
        super().__init__()
        self.out_rep, self.function = out_rep, function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def test_a_declared_representation_is_believed(images: Tensor) -> None:
    C4 = ev.groups.cyclic(4)
    rotating = irreps(C4)[-1]
    assert rotating.size == 2

    def centroid(x: Tensor) -> Tensor:
        ramp = torch.linspace(-1, 1, 9)
        right, up = (x * ramp).sum((1, 2, 3)), (x * -ramp[:, None]).sum((1, 2, 3))
        return torch.stack([right, up], 1)

    model = Declared(rotating, centroid)
    report = audit(model, images, group=C4, angles=())
    assert (report.verdict, report.output_action) == ("exact", "representation")
    assert audit(Declared(None, centroid), images, group=C4, angles=()).verdict == "not equivariant"
    inner = nn.Sequential(model, nn.Linear(2, 3))
    assert layers_of(inner, images, "C4")["0"].max_error < 1e-5

    D4 = ev.groups.dihedral(4)
    mirrors = D4.subgroup([4])
    lift = ev.nn.LiftConv2d(1, 2, 3, group=D4)
    pooled = Declared(quotient(mirrors), lambda x: ev.functional.coset_pool(lift(x), mirrors))
    assert audit(pooled, images, group=D4, angles=()).verdict == "exact"
    flat = Declared(regular(D4), lambda x: ev.functional.group_pool(lift(x).transpose(1, 2), "mean"))
    assert flat(images).shape == (6, 8, 7, 7)
    assert audit(flat, images, group=D4, angles=(90, 30)).verdict == "exact"


def test_declarations_that_do_not_fit(images: Tensor) -> None:
    model = nn.Sequential(Declared(regular(ev.groups.cyclic(8)), lambda x: x), nn.Flatten())
    assert "on which D4 does not act" in layers_of(model, images, "D4")["0"].note
    model = nn.Sequential(Declared(regular(ev.groups.cyclic(4)), lambda x: x), nn.Flatten())
    assert "of size 4, which does not fit the shape (6, 1, 9, 9)" in layers_of(model, images, "C4")["0"].note


def test_a_feature_on_a_larger_group_moves_by_its_part(images: Tensor) -> None:
    model = nn.Sequential(ev.nn.LiftConv2d(1, 2, 3, group="D4"), nn.ReLU(), ev.nn.GroupPool())
    for group in ("C2", "C4", "D1", "D2"):
        layers = layers_of(model, images, group)
        assert [layer.action for layer in layers.values()] == ["regular", "regular", "plane"]
        assert all(layer.max_error < 1e-6 for layer in layers.values())
        assert f"a feature on D4, of which {group} is a part" in layers["1"].note


def test_a_feature_on_another_group_of_the_same_size_is_not_taken_for_it(images: Tensor) -> None:
    model = nn.Sequential(ev.nn.LiftConv2d(1, 2, 3, group="C4"), nn.ReLU(), ev.nn.GroupPool())
    layers = layers_of(model, images, "D2")
    assert (layers["1"].action, layers["1"].note) == ("unknown", "a feature on C4: how D2 acts on it is not known")
    assert layers["2"].max_error > 0.01


def test_restriction(images: Tensor) -> None:
    model = nn.Sequential(ev.nn.LiftConv2d(1, 2, 3, group="D4"), ev.nn.Restrict("D4", "C4"), ev.nn.GroupPool("mean"))
    layers = layers_of(model, images, "C4")
    assert all(layer.max_error < 1e-6 for layer in layers.values())
    assert layers_of(model, images, "D4")["1"].action == "unknown"


def test_foreign_third_axis_of_the_size_of_the_group_is_assumed_and_stated(images: Tensor) -> None:
    model = nn.Sequential(nn.Unflatten(1, (1, 1)), nn.ConstantPad3d((0, 0, 0, 0, 0, 3), 0.0), nn.Flatten())
    layer = layers_of(model, images, "C4")["1"]
    assert layer.action == "regular"
    assert "axis 2 has 4 entries like C4: taken as a feature on C4" in layer.note
    assert layer.max_error > 0.5


def test_layers_that_cannot_be_compared(images: Tensor) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair = Declared(None, lambda x: (x, x))
            self.index = Declared(None, lambda x: x.argmax(-1))
            self.strip = Declared(None, lambda x: x[..., :4])
            self.row = Declared(None, lambda x: x.reshape(len(x), -1)[:, : 3 if x[0, 0, 0, 0] > 0 else 2])
            self.sometimes = nn.Identity()
            self.infinite = Declared(None, lambda x: x.mean((2, 3)) / 0)
            self.second = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            first, _ = self.pair(x)
            self.index(first)
            self.strip(first)
            self.row(first)
            self.infinite(first)
            if x[0, 0, 0, 0] > 0:
                self.second(first)
            return first.mean((2, 3))

    images[:, 0, 0, 0], images[:, 0, 0, 8] = 5.0, -5.0
    layers = layers_of(Odd(), images, "C4")
    reasons = {name: layer.note for name, layer in layers.items()}
    assert reasons["pair"] == "its output is a tuple"
    assert reasons["index"] == "its output is of torch.int64"
    assert reasons["strip"].startswith("a map of 9 x 4 is not square")
    assert reasons["row"].startswith("its shape changes to (2,)")
    assert reasons["infinite"] == "its output is not finite"
    assert reasons["second"] == "it does not run the same number of times when the input moves"
    assert all(layer.max_errors is None and layer.action == "unknown" for layer in layers.values())


def test_orientations_hidden_in_channels_are_pointed_out(images: Tensor) -> None:
    """An exact network whose inner layers pack the group into the channels, as some libraries do."""
    lift = ev.nn.LiftConv2d(1, 3, 3, group="C4")
    packed = Declared(None, lambda x: lift(x).flatten(1, 2))
    pool = Declared(None, lambda x: x.unflatten(1, (3, 4)).amax(2))
    report: AuditReport = audit(nn.Sequential(packed, pool), images, group="C4", angles=(), num_pictures=0)
    assert report.verdict == "exact"
    assert report.layers[0].max_error > 0.1
    assert "its channels probably hold orientations" in report.warnings[0]


def test_layers_may_be_left_out(plain: nn.Module, images: Tensor) -> None:
    assert audit(plain, images, group="C4", layers=False, angles=()).layers == ()


def test_moving_what_cannot_be_moved() -> None:
    from equivision.audit._moves import Move, rotate_feature

    with pytest.raises(GroupMismatchError, match="this tensor cannot be moved: tokens"):
        rotate_feature(torch.zeros(1, 2), 30.0, ev.groups.cyclic(4), Move("unknown", "tokens"))
