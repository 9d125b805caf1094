"""The loss is zero for what is equivariant, large for what is not, and differentiable."""

import copy
import itertools
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import equivision as ev
from equivision.errors import ConfigError, ShapeError
from equivision.implicit import ImplicitEquivariance, Motion, Transform, TransformSet, reflections, rotations, scalings


def randomized(net: nn.Sequential) -> nn.Sequential:
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.normal_(module.running_mean)  # pyright: ignore[reportArgumentType]
            nn.init.uniform_(module.running_var, 0.5, 2)  # pyright: ignore[reportArgumentType]
    return net.double().eval()


def group_net(group: str = "C4") -> nn.Sequential:
    return nn.Sequential(
        ev.nn.LiftConv2d(1, 3, 3, group=group, padding=1), nn.BatchNorm3d(3), nn.ELU(),
        ev.nn.GroupConv2d(3, 2, 3, group=group), nn.BatchNorm3d(2), nn.ReLU(), ev.nn.GroupPool(),
    )  # fmt: skip


def plain_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ELU(), nn.Conv2d(12, 8, 3), nn.BatchNorm2d(8), nn.ReLU(),
    )  # fmt: skip


class Permuted(nn.Module):
    """Channels change places inside feature groups."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        order = torch.cat([torch.randperm(size) + start for start in range(0, channels, size)])
        self.order: Tensor
        self.register_buffer("order", order)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1, 2)[:, self.order]


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize(("group", "transforms"), [("C4", rotations(4)), ("D4", rotations(4).then(reflections()))])
def test_zero_for_an_equivariant_network_with_permuted_channels(
    group: str, transforms: TransformSet, size: int
) -> None:
    order = 4 if group == "C4" else 8
    net = randomized(group_net(group))
    x = torch.randn(len(transforms.members), 1, size, size, dtype=torch.float64)
    every = [Motion(transforms, torch.arange(len(x)))]
    loss = ImplicitEquivariance(net, ["0", "2", "5"], transforms, feature_groups=order)(x, every)
    assert loss.loss < 1e-12
    scrambled = nn.Sequential(net[:5], Permuted(2 * order, order))
    assert ImplicitEquivariance(scrambled, ["1"], transforms, feature_groups=order)(x, every).loss < 1e-12
    # without pooling, with groups of another size, or for a plain network, it is not
    assert ImplicitEquivariance(scrambled, ["1"], transforms, feature_groups=None)(x, every).loss > 1e-3
    assert ImplicitEquivariance(scrambled, ["1"], transforms, feature_groups=2)(x, every).loss > 1e-3
    assert ImplicitEquivariance(randomized(plain_net()), ["0", "2"], transforms, feature_groups=4)(x, every).loss > 1e-3


def test_what_is_compared_is_the_mean_over_batch_groups_and_pixels() -> None:
    net, x = randomized(plain_net()), torch.randn(3, 1, 7, 7, dtype=torch.float64)
    motion = Motion(rotations(4), torch.tensor([1, 3, 2]))
    result = ImplicitEquivariance(net, ["0", "5"], feature_groups={"0": 4, "5": 2}, beta={"0": 0.5, "5": 3.0})(
        x, [motion]
    )
    for name, stop, groups in (("0", 1, 4), ("5", 6, 2)):
        total, count = 0.0, 0
        for image, turns in zip(x, motion.index.tolist(), strict=True):
            first = net[:stop](image[None])[0]
            second = net[:stop](torch.rot90(image[None], turns, (-2, -1)))[0]
            second = torch.rot90(second, -turns, (-2, -1))
            for start in range(0, len(first), groups):
                gap = first[start : start + groups].max(0).values - second[start : start + groups].max(0).values
                total, count = total + float((gap.detach() ** 2).sum()), count + gap.numel()
        assert result.differences[name].item() == pytest.approx(total / count, rel=1e-10)
    expected = 0.5 * result.differences["0"] + 3 * result.differences["5"]
    assert torch.allclose(result.loss, expected)
    assert torch.allclose(result.output, net(torch.cat([x, motion.apply(x)])))


def test_several_sets_of_motions_have_their_weights() -> None:
    net, x = randomized(plain_net()), torch.randn(2, 1, 8, 8, dtype=torch.float64)
    sets = [(rotations(4), 2.0), (scalings([0.7]), 0.25)]
    implicit = ImplicitEquivariance(net, ["2"], sets, feature_groups=4)
    motions = [transforms.sample(2) for transforms, _ in sets]
    result = implicit(x, motions)
    alone = [
        ImplicitEquivariance(net, ["2"], transforms, feature_groups=4)(x, [motion]).loss
        for (transforms, _), motion in zip(sets, motions, strict=True)
    ]
    assert implicit.copies == 3
    assert len(result.output) == 6
    assert torch.allclose(result.loss, 2 * alone[0] + 0.25 * alone[1])
    assert torch.allclose(result.differences["2"], (alone[0] + alone[1]) / 2)  # a mean, without the weights


def test_pixels_that_are_lost_are_left_out() -> None:
    """A constant image stays constant inside; the corners do not."""
    x = torch.ones(4, 1, 16, 16, dtype=torch.float64)
    motion = Motion(rotations([45, 135], mode="bilinear"), torch.tensor([0, 1, 0, 1]))
    net = nn.Sequential(nn.Identity())
    by_mask = {
        mask: ImplicitEquivariance(net, ["0"], motion.transforms, mask=mask)(x, [motion]).loss  # type: ignore[arg-type]
        for mask in ("disk", "support", "none")
    }
    assert by_mask["disk"] < 1e-5
    assert by_mask["support"] < 1e-5
    assert by_mask["none"] > 0.01


def test_what_interpolation_loses_is_in_the_loss() -> None:
    """As the documentation says: the identity is equivariant, and white noise is not what it was after two turns."""
    x, net = torch.randn(16, 1, 32, 32, dtype=torch.float64), nn.Sequential(nn.Identity())
    assert ImplicitEquivariance(net, ["0"], rotations(4))(x).loss < 1e-12
    assert 0.2 < ImplicitEquivariance(net, ["0"], rotations([45]))(x).loss < 0.5


@pytest.mark.parametrize("transforms", [rotations([45], mode="bilinear"), scalings([1, 0.7])], ids=repr)
def test_maps_of_which_a_motion_leaves_nothing_are_no_success(transforms: TransformSet) -> None:
    net, x = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(5)), torch.randn(4, 1, 12, 12)
    for index in range(len(transforms.members)):  # whichever is drawn
        motion = [Motion(transforms, torch.full((4,), index))]
        with pytest.raises(ShapeError, match=r"layer '1': '.*' and back leaves no pixel of maps of 2 x 2 pixels"):
            ImplicitEquivariance(net, ["0", "1"], transforms)(x, motion)
    assert ImplicitEquivariance(net, ["0"], transforms)(x).loss > 0
    assert ImplicitEquivariance(net, ["1"], transforms, mask="none")(x).loss > 0


def test_images_that_motions_change_in_size_are_refused_whatever_is_drawn() -> None:
    still = [Motion(rotations(4), torch.zeros(2, dtype=torch.long))]
    for mask in ("disk", "none"):
        with pytest.raises(ShapeError, match="quarter turns need square maps"):
            ImplicitEquivariance(plain_net(), ["0"], mask=mask)(torch.zeros(2, 1, 8, 10), still)  # type: ignore[arg-type]


def test_a_motion_with_numbers_in_single_precision() -> None:
    """As a grid of one's own has; also where autocast makes maps of half precision."""
    matrix = torch.tensor([[[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0]]])
    there, back = (
        lambda x, m=m: F.grid_sample(
            x, F.affine_grid(m.expand(len(x), 2, 3), list(x.shape), False), align_corners=False
        )
        for m in (matrix, torch.cat([matrix[..., :2].mT, matrix[..., 2:]], -1))
    )
    turn = TransformSet([Transform("a turn", there, back)])
    net, x = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1)), torch.rand(3, 1, 16, 16)
    loss = ImplicitEquivariance(net, ["0"], turn)(x).loss
    assert loss > 0
    with torch.autocast("cpu", torch.bfloat16):
        low = ImplicitEquivariance(net, ["0"], turn)(x)
    assert low.output.dtype == torch.bfloat16
    assert low.loss.item() == pytest.approx(loss.item(), rel=0.1)


def test_gradients_flow_through_both_terms() -> None:
    net = randomized(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ELU(), nn.Conv2d(4, 4, 2), nn.ELU()))
    x = torch.randn(2, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    motion = [Motion(rotations(4), torch.tensor([1, 2]))]
    implicit = ImplicitEquivariance(net, ["1", "3"], feature_groups=2)
    assert torch.autograd.gradcheck(lambda x: implicit(x, motion).loss, x)
    parameters = list(net.parameters())

    def of_parameters(*values: Tensor) -> Tensor:
        names = [name for name, _ in net.named_parameters()]
        swapped = copy.deepcopy(net)
        for name, value in zip(names, values, strict=True):
            module, _, leaf = name.rpartition(".")
            delattr(swapped.get_submodule(module), leaf)
            setattr(swapped.get_submodule(module), leaf, value)
        return ImplicitEquivariance(swapped, ["1", "3"], feature_groups=2)(x.detach(), motion).loss

    assert torch.autograd.gradcheck(of_parameters, [p.detach().requires_grad_() for p in parameters])


def test_one_term_without_gradient_would_be_noticed() -> None:
    net = randomized(nn.Sequential(nn.Conv2d(1, 4, 3)))
    weight = next(net.parameters())
    x = torch.randn(3, 1, 6, 6, dtype=torch.float64)
    motion = Motion(rotations(4), torch.tensor([1, 2, 3]))
    (full,) = torch.autograd.grad(ImplicitEquivariance(net, ["0"])(x, [motion]).loss, [weight])
    own, moved = net(x), motion.undo(net(motion.apply(x)))
    (half,) = torch.autograd.grad((own - moved.detach()).square().mean(), [weight])
    (whole,) = torch.autograd.grad((net(x) - motion.undo(net(motion.apply(x)))).square().mean(), [weight])
    assert torch.allclose(full, whole)
    assert not torch.allclose(full, half)


def test_training_brings_it_down() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.BatchNorm2d(8), nn.ELU())
    implicit, x = ImplicitEquivariance(net, ["2"], feature_groups=4), torch.randn(16, 1, 12, 12)
    optimizer, losses = torch.optim.Adam(net[0].parameters(), 0.02), []
    for _ in range(30):
        losses.append(implicit(x).loss)
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]


def test_the_network_is_left_as_it_was() -> None:
    net = plain_net()
    implicit = ImplicitEquivariance(net, ["0"])
    implicit(torch.randn(2, 1, 8, 8))
    assert not any(module._forward_hooks for module in net.modules())
    again = pickle.loads(pickle.dumps(implicit))
    assert again.layers == ("0",)
    assert copy.deepcopy(implicit).model is not net


def test_vectors_are_compared_as_invariants() -> None:
    net = nn.Sequential(*itertools.chain(group_net(), [nn.AdaptiveAvgPool2d(1), nn.Flatten()]))
    net = randomized(net)
    x = torch.randn(4, 1, 9, 9, dtype=torch.float64)
    turned = [Motion(rotations(4), torch.arange(4))]
    assert ImplicitEquivariance(net, ["8"])(x, turned).loss < 1e-12
    plain = randomized(nn.Sequential(*plain_net(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    assert ImplicitEquivariance(plain, ["7"])(x, turned).loss > 1e-6


class Several(nn.Module):
    """Gives logits, and other things beside them."""

    def __init__(self, wrap: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 5, 3)
        self.wrap = wrap

    def forward(self, x: Tensor) -> object:
        return self.wrap(self.conv(x).mean((2, 3)))


def test_outputs_in_containers_come_in_the_order_of_the_images() -> None:
    net = Several(lambda y: {"logits": y, "more": [y[:, 0], (y.mean(), y[0], None, "word")]})
    x, motion = torch.randn(4, 1, 6, 6), Motion(rotations(4), torch.tensor([3, 1, 2, 0]))
    output = ImplicitEquivariance(net, ["conv"])(x, [motion]).output
    expected = Several(lambda y: y)
    expected.conv = net.conv
    logits = expected(torch.cat([x, motion.apply(x)]))
    assert isinstance(logits, Tensor)
    assert torch.allclose(output["logits"], logits, atol=1e-6)
    assert torch.allclose(output["more"][0], logits[:, 0], atol=1e-6)
    mean, first, nothing, word = output["more"][1]
    assert torch.allclose(mean, logits.mean(), atol=1e-6)
    assert (tuple(first.shape), nothing, word) == ((5,), None, "word")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("transforms", [rotations(4), rotations([45])], ids=["exact", "masked"])
def test_half_precision_does_not_overflow(dtype: torch.dtype, transforms: TransformSet) -> None:
    x = 500 * torch.randn(8, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    net, motion = nn.Sequential(nn.Identity()), [Motion(transforms, torch.full((8,), len(transforms.members) - 1))]
    loss = ImplicitEquivariance(net, ["0"], transforms)(x.to(dtype), motion).loss
    assert loss.item() == pytest.approx(ImplicitEquivariance(net, ["0"], transforms)(x, motion).loss.item(), rel=0.02)


def test_compiled_as_one_graph() -> None:
    net, x, motion = plain_net().eval(), torch.randn(2, 1, 8, 8), [Motion(rotations(4), torch.tensor([1, 3]))]
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    implicit = ImplicitEquivariance(net, ["0", "3"], feature_groups=4)
    for _ in range(2):
        assert torch.allclose(implicit(x, motion, run=compiled).loss, implicit(x, motion).loss)


def test_a_later_layer_in_place_does_not_change_what_is_compared() -> None:
    """Where it cannot be noticed, when torch.compile traces and in inference mode, the output is copied."""
    x, motion = torch.randn(2, 1, 8, 8), [Motion(rotations(4), torch.tensor([1, 3]))]
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True)).eval()
    expected = ImplicitEquivariance(net[:1], ["0"])(x, motion).loss
    implicit, compiled = ImplicitEquivariance(net, ["0"]), torch.compile(net, backend="eager", fullgraph=True)
    assert torch.allclose(implicit(x, motion, run=compiled).loss, expected)
    with torch.inference_mode():
        assert torch.allclose(implicit(x, motion).loss, expected)


def test_a_network_that_is_wrapped() -> None:
    net, x = plain_net().eval(), torch.rand(2, 1, 8, 8)
    net.implicit_layers = ("0", "2")  # pyright: ignore[reportArgumentType]
    motion = [Motion(rotations(4), torch.tensor([1, 3]))]
    expected = ImplicitEquivariance(net)(x, motion)
    for wrapped in (torch.compile(net, backend="eager"), nn.DataParallel(net)):
        found = ImplicitEquivariance(wrapped)(x, motion)
        assert list(found.differences) == list(expected.differences)
        assert torch.allclose(found.loss, expected.loss)


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    def test_layers(self) -> None:
        net = plain_net()
        with pytest.raises(ConfigError, match=r"layers=.*: give the names of one or more layers"):
            ImplicitEquivariance(net)
        with pytest.raises(ConfigError, match="'conv' is not in Sequential: did you mean one of"):
            ImplicitEquivariance(net, ["conv"])
        with pytest.raises(ConfigError, match="names a layer twice"):
            ImplicitEquivariance(net, ["0", "0"])
        for layers in (net[0], 0, [net[0]], "0"):
            with pytest.raises(ConfigError, match=r"layers=.*: give the names of one or more layers"):
                ImplicitEquivariance(net, layers)  # type: ignore[arg-type]

    @pytest.mark.parametrize("images", [torch.zeros(1, 8, 8), torch.zeros(0, 1, 8, 8), torch.zeros(1, 1, 8, 8).byte()])
    def test_images(self, images: Tensor) -> None:
        with pytest.raises(ShapeError, match=r"images are torch\..* of shape .*: give floats"):
            ImplicitEquivariance(plain_net(), ["0"])(images)

    @pytest.mark.parametrize("transforms", [4, "C4", [], [rotations(4)], [(rotations(4), 1, 2)], [("C4", 1)]], ids=str)
    def test_transforms(self, transforms: object) -> None:
        with pytest.raises(ConfigError, match="give a TransformSet, such as rotations"):
            ImplicitEquivariance(plain_net(), ["0"], transforms)  # type: ignore[arg-type]

    @pytest.mark.parametrize("beta", [-1, float("nan"), True, "1"], ids=repr)
    def test_weights(self, beta: object) -> None:
        with pytest.raises(ConfigError, match=r"beta is .*: give a number of at least 0"):
            ImplicitEquivariance(plain_net(), ["0"], beta=beta)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=r"weight of a set of transforms is .*: give a number of at least 0"):
            ImplicitEquivariance(plain_net(), ["0"], [(rotations(4), beta)])  # type: ignore[list-item]

    def test_values_by_name(self) -> None:
        with pytest.raises(ConfigError, match=r"beta is given for .*: give one value, or one for each of"):
            ImplicitEquivariance(plain_net(), ["0", "2"], beta={"0": 1.0})

    def test_mask_and_groups(self) -> None:
        with pytest.raises(ConfigError, match="mask='circle' is not known"):
            ImplicitEquivariance(plain_net(), ["0"], mask="circle")  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="feature_groups='2-4'"):
            ImplicitEquivariance(plain_net(), ["0"], feature_groups="2-4")
        with pytest.raises(ConfigError, match="do not divide 12 channels"):
            ImplicitEquivariance(plain_net(), ["0"], feature_groups=5)(torch.zeros(1, 1, 8, 8))

    def test_motions(self) -> None:
        with pytest.raises(ConfigError, match=r"motions=.*: give 1, one for each set"):
            ImplicitEquivariance(plain_net(), ["0"])(torch.zeros(1, 1, 8, 8), [])
        with pytest.raises(ConfigError, match=r"motions=.*: give 1, one for each set"):
            ImplicitEquivariance(plain_net(), ["0"])(torch.zeros(1, 1, 8, 8), rotations(4).sample(1))  # type: ignore[arg-type]
        with pytest.raises(ShapeError, match="motions: one was drawn for 2 images, and there are 3"):
            ImplicitEquivariance(plain_net(), ["0"])(torch.zeros(3, 1, 8, 8), [rotations(4).sample(2)])

    def test_outputs(self) -> None:
        twice = nn.Sequential(nn.ReLU())
        twice.append(twice[0])
        with pytest.raises(ShapeError, match="layer '0' runs 2 times in one pass"):
            ImplicitEquivariance(twice, ["0"])(torch.zeros(1, 1, 8, 8))
        idle = Several(lambda y: y)
        idle.idle = nn.ReLU()
        with pytest.raises(ShapeError, match=r"layer 'idle' does not run: choose .* torch._dynamo.reset"):
            ImplicitEquivariance(idle, ["idle"])(torch.zeros(1, 1, 8, 8))
        with pytest.raises(ShapeError, match=r"layer '0' gives .*: choose layers that give"):
            ImplicitEquivariance(nn.Sequential(nn.Flatten(0)), ["0"])(torch.zeros(1, 1, 8, 8))
        with pytest.raises(ShapeError, match="layer '1' runs 2 times in one pass"):  # by another name
            ImplicitEquivariance(twice, ["1"])(torch.zeros(1, 1, 8, 8))

    def test_outputs_that_cannot_be_reordered(self) -> None:
        net = Several(lambda y: range(len(y)))
        with pytest.raises(ShapeError, match="the network gives a range, which cannot be put in the order"):
            ImplicitEquivariance(net, ["conv"])(torch.zeros(2, 1, 8, 8))

    def test_outputs_changed_in_place(self) -> None:
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True))
        with pytest.raises(ShapeError, match="layer '0': its output is changed in place by a later layer"):
            ImplicitEquivariance(net, ["0"])(torch.zeros(1, 1, 8, 8))
        assert ImplicitEquivariance(net, ["1"])(torch.rand(1, 1, 8, 8)).loss >= 0
