"""A frozen network gives the same numbers with modules of torch alone."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.errors import ConfigError, ExportError, GridError
from equivision.functional import relative_error
from equivision.testing import random_input, randomize_
from tests.contract._layers import CASES, D4, Case


@torch.no_grad()
def check(model: nn.Module, x: Tensor, **options: bool) -> torch.fx.GraphModule:
    """Freeze and compare, in both precisions and at another batch size."""
    exact = model.double()(x.double())
    for dtype in (torch.float32, torch.float64):
        model, x = model.to(dtype).eval(), x.to(dtype)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        plain = ev.freeze(model, example=x, **options)
        # in float32 the network itself is rounded, deep ones by 1e-5 on some processors
        own = float(relative_error(model(x).double(), exact))
        limit = 1e-12 if dtype == torch.float64 else max(3e-6, 5 * own)
        for inputs in (x, x[:1]):
            expected = model(inputs)
            assert plain(inputs).shape == expected.shape
            assert plain(inputs).dtype == dtype
            assert float(relative_error(plain(inputs), expected)) <= limit <= 1e-4
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert {type(module).__module__.split(".")[0] for module in plain.modules()} == {"torch"}
    return plain


#: Every layer with all its options, over the largest group of each kind; smaller ones take the same way.
ROWS = [c for c in CASES if c.freezes and (c.representative or c.group == D4 or c.group.dimension == 3)]


def test_no_layer_is_forgotten() -> None:
    kinds = ({type(case.make()) for case in rows if case.freezes} for rows in (CASES, ROWS))
    assert len(set(map(frozenset, kinds))) == 1


@pytest.mark.costly(4)
@pytest.mark.parametrize("case", ROWS, ids=str)
def test_every_layer(case: Case) -> None:
    for x in case.inputs():
        check(case.layer(), x)


def lively(model: nn.Module, x: Tensor) -> nn.Module:
    """Random weights and biases, and statistics of real activations: the output depends on the input."""
    randomize_(model.double().train())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                noise = torch.rand(parameter.shape, generator=generator, dtype=torch.float64) - 0.5
                parameter.copy_(noise + (1 if "bias" not in name else 0))
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = 0.5
        for _ in range(5):
            model(x)
    return model.eval()


def sizes_of(name: str) -> tuple[int, int]:
    """Two sizes of images, where there are an odd and an even one."""
    if name == "cnn13":
        return 12, 16
    if name.startswith("pn_"):
        return 28, 44
    if name == "wrn16_8":
        return 25, 33
    if name.endswith("segnet"):
        return 16, 16  # larger ones, in float64: tests/models/test_segmentation.py
    if name in ("scale_z2cnn", "ien_scale_cnn"):
        return 28, 28
    return (28, 30) if "cnn" in name or name == "dren" else (17, 20)


def number_of_norms(model: nn.Module) -> int:
    kinds = nn.modules.batchnorm._BatchNorm | ev.nn.FieldBatchNorm2d
    return sum(isinstance(module, kinds) for module in model.modules())


#: Layers on scales look at the sizes of their inputs, which cannot be traced.
ON_SCALES = ("sesn_vector", "sesn_scalar", "dss", "ss_cnn")


@pytest.mark.parametrize("name", ON_SCALES)
def test_layers_on_scales_are_refused_by_name(name: str) -> None:
    with pytest.raises(ExportError, match=r"the forward of Scale\w+ \(features\.0\) cannot be traced"):
        ev.freeze(ev.create_model(name, width=2).eval())


def test_feature_groups_of_several_sizes() -> None:
    x = random_input(1, (28, 28), batch=4)
    model = lively(ev.create_model("ien_cnn", width=8, feature_groups="4-2-1"), x)
    plain = check(model, x)
    with torch.no_grad():
        assert float(relative_error(plain(x), plain(x.flip(0)))) > 1e-3


FROZEN = [n for n in ev.list_models() if not n.startswith("he_") and "siamfc" not in n and n not in ON_SCALES]


@pytest.mark.costly(5)
@pytest.mark.parametrize("name", FROZEN)
def test_every_model(name: str) -> None:
    for size, fold in zip(sizes_of(name), (True, False), strict=True):
        x = random_input(2, (size, size), batch=4)
        model = lively(ev.create_model(name, width=8 if size > 20 else 2, in_channels=2), x)
        plain = check(model, x, fold_batch_norm=fold)
        with torch.no_grad():
            assert float(relative_error(plain(x), plain(x.flip(0)))) > 1e-3  # it depends on its input
        folded = number_of_norms(model) - number_of_norms(plain)
        # most of resnet44 and half of wrn16_8 come before their convolution; what follows gates cannot go into the
        # filters before them; some have one after a linear layer
        some = {
            "alpha_p4cnn": 0,
            "wrn16_8": 7,
            "e2cnn": 6,
            "ien_cnn": 6,
            "ien_vgg": 8,
            "ien_resnet18": 9,
            "segnet": 0,  # they come after the ReLU
            "z2_segnet": 0,
            "scale_z2cnn": 0,
            "ien_scale_cnn": 0,
        }
        expected = 23 if "resnet44" in name else some.get(name, number_of_norms(model))
        assert folded == (expected if fold else 0)


class Inner(nn.Module):
    """Most of what users put between layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ev.nn.GroupConv2d(4, 4, 3, group=D4, padding=1)
        self.norm = nn.BatchNorm3d(4)
        self.scale = nn.Parameter(torch.rand(4, 1, 1, 1))
        self.drop = nn.Dropout3d(0.5)

    def forward(self, x: Tensor, residual: bool = True) -> Tensor:
        y = nn.functional.gelu(self.drop(self.norm(self.conv(x)))) * self.scale
        y = self.conv(y + 0.5)  # the same layer again, now without a norm
        return torch.relu_(x + y) if residual else y


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ev.nn.LiftConv2d(2, 4, 3, group=D4), nn.BatchNorm3d(4), nn.SiLU(), nn.PReLU(4))
        self.inner = Inner()
        self.pool = nn.MaxPool3d((1, 2, 2), ceil_mode=True)
        self.blur = ev.nn.BlurPool2d()
        self.group_norm = nn.GroupNorm(2, 4)
        self.instance_norm = nn.InstanceNorm3d(4, affine=True)
        self.batch_norm = nn.BatchNorm3d(4, track_running_stats=False)
        self.up = nn.Sequential(ev.nn.GroupConvTranspose2d(4, 2, 4, group=D4, stride=2, groups=2), nn.BatchNorm3d(2))
        self.project = nn.Sequential(ev.nn.ProjectConv2d(2, 3, 3, group=D4), nn.BatchNorm2d(3), nn.ReLU(inplace=True))
        self.values = nn.Sequential(ev.nn.GroupLinear(2, 2, group=D4), nn.BatchNorm1d(2), ev.nn.CosetPool(D4, "C4"))

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        y = self.inner(self.stem(x))
        y = self.group_norm(self.blur(self.pool(y))) + self.instance_norm(self.blur(self.pool(y)))
        y = self.up(self.batch_norm(y))
        batch, fields, order = y.shape[:3]
        means = y.reshape(batch, fields, order, -1).mean(-1)
        return self.project(y), {"whole": y, "values": self.values(means), "flat": y.flatten(1).sum(1, keepdim=True)}


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("size", [17, 18, 19, 20])
def test_what_stands_between_layers(size: int, fold: bool) -> None:
    x = random_input(2, (size, size), batch=3)
    model = lively(Net(), x)
    plain = ev.freeze(model, example=x, fold_batch_norm=fold)
    model.requires_grad_(False)
    for inputs in (x, x[:1]):
        actual, expected = plain(inputs), model(inputs)
        assert float(relative_error(actual[0], expected[0])) <= 1e-12
        for name, value in expected[1].items():
            assert float(relative_error(actual[1][name], value)) <= 1e-12
            assert actual[1][name].shape == value.shape


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_norm_of_fields_behind_an_ordinary_convolution(kind: type[nn.Module]) -> None:
    x = random_input(2, (9, 9))
    model = nn.Sequential(kind(2, 4, 3), ev.nn.FieldBatchNorm2d("2 trivial + 2 A2", group="D4"))
    assert number_of_norms(check(lively(model, x), x)) == 0


def test_maps_stay_flat_between_convolutions() -> None:
    plain = ev.freeze(ev.create_model("p4cnn", width=2))
    used = [str(node.target) for node in plain.graph.nodes if node.op == "call_module"]
    kinds = [type(plain.get_submodule(name)).__name__ for name in used]
    assert kinds == ["Conv2d", "ReLU"] * 2 + ["MaxPool2d"] + ["Conv2d", "ReLU"] * 5 + ["AdaptiveAvgPool2d", "Linear"]
    calls = [str(node.target) for node in plain.graph.nodes if node.op == "call_method"]
    assert calls.count("unflatten") == 1
    assert "flatten" in calls


def test_channels_last_survives() -> None:
    group = ev.groups.cyclic(4)
    model = nn.Sequential(
        ev.nn.LiftConv2d(3, 4, 3, group=group), nn.BatchNorm3d(4), nn.ReLU(), ev.nn.BlurPool2d(),
        ev.nn.GroupConv2d(4, 8, 3, group=group), ev.nn.ProjectConv2d(8, 8, 1, group=group),
    )  # fmt: skip
    x = random_input(3, (13, 13), dtype=torch.float32)
    plain = ev.freeze(model, example=x).to(memory_format=torch.channels_last)
    y = plain(x.to(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert float(relative_error(y, model.eval()(x).detach())) <= 1e-6


def test_no_size_is_wrong_in_silence() -> None:
    x = random_input(3, (17, 17))
    model = lively(ev.create_model("resnet18", width=2), x)
    with pytest.raises(ConfigError, match=r"example=None: stages.1.0.down is a BlurPool2d, .* freeze\(model, example="):
        ev.freeze(model)
    odd = ev.freeze(model, example=x)
    for size in (13, 15, 16, 17, 18, 21, 25, 33):
        other = random_input(3, (size, size))
        try:
            found = odd(other)
        except AssertionError:
            assert size != 17
        else:
            assert float(relative_error(found, model(other).detach())) <= 1e-12
    assert odd(random_input(3, (33, 33))).shape == (2, 10)
    with pytest.raises(AssertionError, match="frozen for a height of 17 here"):
        odd(random_input(3, (16, 16)))


@pytest.mark.parametrize("mode", ["reflect", "circular", "replicate", "zeros"])
def test_blur_of_maps_that_are_too_small(mode: str) -> None:
    layer = ev.nn.BlurPool2d(2, padding_mode=mode)
    for n in (1, 2, 3, 4):
        plain = ev.freeze(layer, example=random_input(2, (n, 5)))
        for m in (1, 2, 3, 4, 5, 6):
            x = random_input(2, (m, 5))
            try:
                found = plain(x)
            except AssertionError:
                assert m != n
            else:
                assert float(relative_error(found, layer(x))) <= 1e-12


def test_sizes_that_are_not_exact_are_refused() -> None:
    strict = ev.freeze(ev.create_model("p4cnn", width=2))
    with pytest.raises(AssertionError, match="height modulo 2 must be 0, or the layer is not exact under C4"):
        strict(torch.rand(1, 1, 29, 29))
    for layer in (
        ev.nn.LiftConv2d(1, 2, 3, group="C4", stride=2, strict=False), ev.nn.MaxPool2d(2, group="C4", strict=False),
    ):  # fmt: skip
        x = random_input(1, (8 if isinstance(layer, ev.nn.LiftConv2d) else 9,) * 2)
        check(layer, x)
    with pytest.raises(AssertionError, match="height modulo 2 must be 1"):
        ev.freeze(ev.nn.GroupConv2d(1, 1, 3, group="D1", stride=2))(torch.rand(1, 1, 2, 8, 9))
    assert ev.freeze(ev.nn.GroupConv2d(1, 1, 3, group="D1", stride=2))(torch.rand(1, 1, 2, 9, 8)).shape[-1] == 3


def test_pools_need_to_know_the_axes() -> None:
    with pytest.raises(ConfigError, match="MaxPool2d, and its input may have 4 or 5 axes"):
        ev.freeze(nn.Sequential(ev.nn.MaxPool2d(2, group="C4")))
    model = nn.Sequential(
        ev.nn.LiftConv2d(1, 2, 1, group="C4"), ev.nn.Upsample2d(), ev.nn.GroupPool(), ev.nn.Upsample2d()
    )
    x = torch.rand(1, 1, 4, 4)
    assert torch.allclose(ev.freeze(model)(x), model(x))


BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("equivision", "jaxtyping", "beartype"):
            raise ImportError(name)
sys.meta_path.insert(0, Blocker())
import torch
net = torch.load(sys.argv[1], weights_only=False)
x, y = torch.load(sys.argv[2])
error = (net(x) - y).norm() / y.norm()
assert error <= 1e-12, error
program = torch.export.load(sys.argv[3]).module()
assert (program(x) - y).norm() / y.norm() <= 1e-12
assert not any(name.split(".")[0] == "equivision" for name in sys.modules)
"""


@pytest.mark.costly(5)
@pytest.mark.parametrize("name", ["gc_p4cnn", "resnet18", "alpha_p4cnn"])
def test_it_runs_where_equivision_is_not_installed(name: str, tmp_path: Path) -> None:
    x = random_input(1, (28, 28))
    model = lively(ev.create_model(name, width=8 if "p4cnn" in name else 2, in_channels=1), x)
    plain = ev.freeze(model, example=x)
    files = [tmp_path / "net.pt", tmp_path / "data.pt", tmp_path / "net.pt2"]
    torch.save(plain, files[0])
    torch.save((x, model(x).detach()), files[1])
    torch.export.save(torch.export.export(plain, (x,)), files[2])
    command = [sys.executable, "-c", BLOCKED, *map(str, files)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    torch.save(model, files[0])  # the network itself does need it
    assert "ImportError" in subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stderr


def test_subclasses_hooks_and_wrappers() -> None:
    class Same(ev.nn.GroupConv2d):
        pass

    class Other(ev.nn.GroupConv2d):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) if x.sum() > 0 else x

    x = random_input(2, (5, 5), D4)
    check(randomize_(Same(2, 2, 3, group=D4)), x)
    with pytest.raises(
        ExportError, match=r"the forward of Other \(0\) cannot be traced at test_freeze.py:\d+: .*torch.where"
    ):
        ev.freeze(nn.Sequential(Other(2, 2, 3, group=D4)))
    hooked = nn.Sequential(ev.nn.GroupConv2d(2, 2, 3, group=D4))
    hooked[0].register_forward_hook(lambda *_: None)
    with pytest.raises(ExportError, match=r"0 \(GroupConv2d\) has forward hooks"):
        ev.freeze(hooked)
    normed = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    normed[0].register_forward_pre_hook(lambda *_: None)
    with pytest.raises(ExportError, match=r"0 \(Conv2d\) has forward hooks"):
        ev.freeze(normed)
    parametrized = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    nn.utils.parametrizations.weight_norm(parametrized[0])
    with pytest.raises(ExportError, match=r"0 is a ParametrizedConv2d .*: remove it with"):
        ev.freeze(parametrized)
    ours = nn.utils.parametrizations.weight_norm(ev.nn.GroupConv2d(2, 2, 3, group=D4))
    check(ours, x)
    wrapped = nn.Sequential(nn.DataParallel(ev.nn.GroupConv2d(2, 2, 3, group=D4)))
    check(randomize_(wrapped), x)


@torch.fx.wrap
def foreign(x: Tensor) -> Tensor:
    return x + 1


def test_what_cannot_be_frozen() -> None:
    class Foreign(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return foreign(x)

    with pytest.raises(ConfigError, match=r"model is a function: give a torch.nn.Module"):
        ev.freeze(foreign)
    with pytest.raises(ConfigError, match=r"example is a tuple: give a tensor"):
        ev.freeze(Foreign(), example=(1, 28, 28))
    with pytest.raises(GridError, match=r"^MaxPool2d: height 25 with kernel_size=2"):
        ev.freeze(ev.create_model("p4cnn", width=2), example=torch.rand(1, 1, 29, 29))
    with pytest.raises(ExportError, match=r"it calls foreign of .*test_freeze, which is not part of torch"):
        ev.freeze(Foreign())


def test_modules_that_were_compiled_are_unwrapped() -> None:
    model = nn.Sequential(ev.nn.LiftConv2d(1, 2, 3, group="C4"), ev.nn.GroupPool())
    x = torch.rand(1, 1, 7, 7)
    assert torch.allclose(ev.freeze(torch.compile(model, backend="eager"))(x), model(x))
    inside = nn.Sequential(torch.compile(model, backend="eager"), nn.ReLU())
    assert torch.allclose(ev.freeze(inside)(x), model(x).relu())


def test_the_model_is_not_changed_and_not_shared() -> None:
    x = random_input(2, (9, 9))
    model = nn.Sequential(nn.Conv2d(2, 2, 1), ev.nn.LiftConv2d(2, 2, 3, group="C4"), nn.BatchNorm3d(2)).double().train()
    plain = ev.freeze(model)
    assert all(module.training for module in model.modules())
    assert not any(module.training for module in plain.modules())
    assert not any(parameter.requires_grad for parameter in plain.parameters())
    assert all(parameter.requires_grad for parameter in model.parameters())
    before = plain(x)
    randomize_(model, seed=3)
    assert torch.equal(plain(x), before)
    again = copy.deepcopy(plain)
    assert torch.equal(again(x), before)
