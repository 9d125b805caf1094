"""Whole networks for volumes: exact under every element, checked, audited, frozen, counted; a plain one fails."""

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.errors import ConfigError, GridError, GroupMismatchError, ShapeError
from equivision.functional import act
from equivision.groups import PointGroup, full_octahedral, octahedral, parse_point, point_group
from equivision.nn import BatchNorm3d, GroupLinear, GroupPool
from equivision.testing import assert_equivariant, assert_equivariant_gradients, random_input, randomize_
from equivision.volume import AvgPool3d, GroupConv3d, LiftConv3d, MaxPool3d, ProjectConv3d


def features(group: PointGroup, size: int) -> list[nn.Module]:
    """Two convolutions, a norm and a pool that is centred on odd or on even sizes."""
    pool = MaxPool3d(3, group=group, stride=2, padding=1) if size % 2 else MaxPool3d(2, group=group)
    return [
        LiftConv3d(1, 2, 3, group=group, padding=1), BatchNorm3d(2), nn.ReLU(), pool,
        GroupConv3d(2, 2, 2, group=group), nn.GroupNorm(1, 2), nn.SiLU(),
    ]  # fmt: skip


def classifier(group: PointGroup, size: int) -> nn.Module:
    head = [GroupPool("mean"), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(2, 3)]
    return randomize_(nn.Sequential(*features(group, size), *head).double().eval())


def plain() -> nn.Module:
    conv = [nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(4, 4, 2)]
    head = [nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3)]
    return randomize_(nn.Sequential(*conv, *head).double().eval())


@pytest.mark.parametrize("size", [5, 6])
@pytest.mark.parametrize("group", [octahedral(), full_octahedral(), point_group("-43m"), point_group("4/mmm")], ids=str)
class TestNetworks:
    def test_classifiers_are_invariant(self, group: PointGroup, size: int) -> None:
        assert_equivariant(classifier(group, size), random_input(1, (size,) * 3), group=group)

    def test_dense_outputs_move_along(self, group: PointGroup, size: int) -> None:
        net = nn.Sequential(*features(group, size), ProjectConv3d(2, 2, 1, group=group))
        assert_equivariant(randomize_(net.double().eval()), random_input(1, (size,) * 3), group=group)


def test_gradients_move_along_while_it_trains() -> None:
    net = nn.Sequential(*features(octahedral(), 4), ProjectConv3d(2, 1, 1, group="O"))
    x = random_input(1, (4, 4, 4), batch=3)
    assert_equivariant_gradients(randomize_(net.double().train()), x, group="O", elements=(1, 9, 17))


@pytest.mark.parametrize("name", ["O", "Oh", "222"])
def test_a_plain_network_fails(name: str) -> None:
    with pytest.raises(AssertionError, match=r"not equivariant under .*: relative error above 1e-12 for "):
        assert_equivariant(plain(), random_input(1, (6, 6, 6)), group=name)


def test_rotations_alone_tell_mirror_images_apart() -> None:
    x = random_input(1, (5, 5, 5))
    mirrored = act(x, 24, "Oh")
    net, blind = classifier(octahedral(), 5), classifier(full_octahedral(), 5)
    assert ev.functional.relative_error(net(mirrored), net(x)) > 1e-3
    assert ev.functional.relative_error(blind(mirrored), blind(x)) < 1e-12


def test_off_centre_the_error_is_large_and_the_layer_says_so() -> None:
    x = random_input(1, (5, 5, 5))
    for layer in (MaxPool3d, AvgPool3d):
        with pytest.raises(
            GridError, match=r"depth 5 with kernel_size=2, stride=2.* Exact instead: size 2, 4, 6; or k"
        ):
            layer(2, group="O")(x)
        with pytest.raises(AssertionError, match="not equivariant"):
            assert_equivariant(layer(2, group="O", strict=False), x, group="O")
    with pytest.raises(GridError, match=r"LiftConv3d: depth 5 .* is not exact under mmm: 1 pixel"):
        LiftConv3d(1, 1, 2, group="mmm", stride=2).double()(x)
    conv = LiftConv3d(1, 1, (2, 3, 3), group="mm2", stride=2)  # z is not reversed: depth may be off centre
    assert_equivariant(randomize_(conv.double()), x, group="mm2")


@pytest.mark.usefixtures("unchecked_annotations")
def test_mistakes() -> None:
    with pytest.raises(GroupMismatchError, match=r"group=622 is hexagonal: it holds rotations by 120 degrees about z"):
        LiftConv3d(1, 1, 3, group="622")
    with pytest.raises(GroupMismatchError, match="group='D4' is not the name of a point group of space: write O or Oh"):
        GroupConv3d(1, 1, 3, group="D4")
    with pytest.raises(GroupMismatchError, match="'432' is not a group name: write C or D"):
        ev.nn.LiftConv2d(1, 1, 3, group="432")
    with pytest.raises(GroupMismatchError, match=r"kernel_size=\(1, 3, 3\) differs between depth and height and width"):
        LiftConv3d(1, 1, (1, 3, 3), group="O")
    with pytest.raises(
        GroupMismatchError, match=r"stride=\(1, 1, 2\) differs between height and width, which 422 exch"
    ):
        LiftConv3d(1, 1, 3, group="422", stride=(1, 1, 2))
    with pytest.raises(
        ConfigError, match=r"kernel_size=\(3, 3\): give a whole number, or three of them \(depth, height"
    ):
        LiftConv3d(1, 1, (3, 3), group="O")
    with pytest.raises(ShapeError, match=r"LiftConv3d: input has shape .* a volume is \[batch, channel, depth, height"):
        LiftConv3d(1, 1, 3, group="O")(torch.zeros(1, 1, 5, 5))
    with pytest.raises(
        ShapeError, match=r"a feature map on 432 is \[batch, channel, 24, depth, height, width\]\. Volumes"
    ):
        GroupConv3d(1, 1, 3, group="O")(torch.zeros(1, 1, 5, 5, 5))
    with pytest.raises(ShapeError, match=r"MaxPool3d: input has shape .* needs 5 axes \(space\) or 6 \(group\)"):
        MaxPool3d(2, group="O")(torch.zeros(1, 4, 4, 4))
    with pytest.raises(
        ShapeError, match=r"weight has shape .*; a kernel on 222 needs \[out_channels, in_channels, 4, kd"
    ):
        ev.volume.group_conv3d(torch.zeros(1, 1, 4, 3, 3, 3), torch.zeros(1, 1, 3, 1, 1, 1), group=point_group("222"))
    with pytest.raises(ShapeError, match="for 432, which acts on space, act knows tensors of 2, 3, 5 or 6 axes"):
        act(torch.zeros(1, 1, 5, 5), 1, "O")
    with pytest.raises(GroupMismatchError, match="element x-y,x,z of 6 does not map the grid onto itself"):
        act(torch.zeros(1, 1, 5, 5, 5), 1, "6")
    with pytest.raises(ShapeError, match=r"padding=\(3, 3, 3\) with padding_mode='reflect' needs at least 4 x 4 x 4"):
        LiftConv3d(1, 1, 3, group="O", padding=3, padding_mode="reflect")(torch.zeros(1, 1, 3, 3, 3))


@pytest.mark.parametrize("name", ["O", "mm2"])
def test_act_is_an_action_and_moves_voxels_as_the_matrices_say(name: str) -> None:
    group = parse_point(name)
    x, f = random_input(1, (3, 3, 3)), random_input(1, (2, 2, 2), group)
    point = torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64)
    bright = torch.zeros(1, 1, 3, 3, 3, dtype=torch.float64)
    bright[0, 0, 1 - -1, 1 - 0, 1 + 1] = 1  # z, y, x
    for g in range(group.order):
        i, j, k = (torch.from_numpy(group.matrix(g)) @ point).round().long().tolist()
        assert act(bright, g, group)[0, 0, 1 - k, 1 - j, 1 + i] == 1
        for h in range(0, group.order, 5):
            for tensor in (x, f):
                both = act(tensor, group.product(g, h), name)
                assert torch.equal(act(act(tensor, h, group), g, group), both)


class Headed(nn.Module):
    """A network whose vectors on the group are mixed by a linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*features(octahedral(), 6), ev.nn.Restrict("O", "222"), BatchNorm3d(12))
        self.more, self.mix, self.pool = GroupConv3d(12, 2, 1, group="222"), GroupLinear(2, 3, group="222"), GroupPool()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.mix(self.more(self.features(x)).mean((3, 4, 5))))


@pytest.mark.parametrize("make", [lambda: classifier(octahedral(), 6), Headed, lambda: nn.Sequential(
    nn.Conv3d(1, 2, 3, padding=1), AvgPool3d(2, group="mmm"), LiftConv3d(2, 2, 2, group="mmm"),
    ev.nn.Induce(2, 3, "mmm", "4/mmm"), ProjectConv3d(3, 1, 1, group="4/mmm"),
)])  # fmt: skip
def test_frozen_networks_give_the_same(make) -> None:
    net, x = randomize_(make().double().eval()), random_input(1, (6, 6, 6), batch=3)
    frozen = ev.freeze(net)
    assert ev.functional.relative_error(frozen(x), net(x)) <= 1e-12
    assert net(x).std(0).max() > 1e-3
    assert all(type(module).__module__.startswith("torch") for name, module in frozen.named_modules() if name)


def test_a_frozen_network_refuses_the_same_sizes() -> None:
    frozen = ev.freeze(nn.Sequential(LiftConv3d(1, 1, 3, group="O", stride=2)))
    with pytest.raises(AssertionError, match="0: depth modulo 2 must be 1, or the layer is not exact under 432"):
        frozen(torch.zeros(1, 1, 6, 6, 6))


def test_the_cost_is_that_of_the_ordinary_convolution() -> None:
    ours = ev.cost(GroupConv3d(2, 3, 3, group="222", bias=False), (2, 4, 5, 5, 5))
    theirs = ev.cost(nn.Conv3d(8, 12, 3, bias=False), (8, 5, 5, 5))
    assert ours.macs == theirs.macs
    assert 4 * ours.parameters == theirs.parameters


def test_state_moves_between_the_plane_and_back() -> None:
    """Batch norm has the numbers of torch's own."""
    x = random_input(3, (4, 5, 6), point_group("222"))
    ours, theirs = randomize_(BatchNorm3d(3).double()), nn.BatchNorm3d(3).double()
    theirs.load_state_dict(ours.state_dict())
    for training in (True, False):
        y = theirs.train(training)(x.flatten(2, 3)).view_as(x)
        torch.testing.assert_close(ours.train(training)(x), y, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize("options", [{"interpolation": "bicubic"}, {"mask": "smooth"}, {"renormalize": True}])
def test_nothing_is_interpolated(options: dict[str, object]) -> None:
    for layer in (LiftConv3d, GroupConv3d, ProjectConv3d):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            layer(1, 1, 3, group="O", **options)  # pyright: ignore[reportArgumentType, reportCallIssue]
