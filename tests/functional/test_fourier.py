"""algorithm="fourier" is the group convolution: whatever ``expand`` gives, it gives, forward and backward."""

import copy
import pickle
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap

import equivision.nn as evnn
from equivision.errors import ConfigError
from equivision.functional import _algorithm, _fourier, group_conv2d, relative_error
from equivision.functional._fourier import composite_conv2d
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.kernels import Window, channels_last
from equivision.testing import assert_equivariant, random_input, randomize_

C1, C2, C4, D1, D2, D4 = cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)
GROUPS = [C2, C4, D1, D2, D4]
needs_loops = pytest.mark.skipif(not _fourier.HAS_LOOPS, reason="NUMBA IS NOT INSTALLED: its loops are not tested")
NAMES = ("output", "gradient of x", "gradient of the weight", "gradient of the bias")


def tensors(
    group: PlanarGroup,
    kernel: int | tuple[int, int] = 3,
    *,
    size: tuple[int, int] = (9, 9),
    fields: tuple[int, int] = (3, 4),
    batch: int = 2,
    groups: int = 1,
    bias: bool = True,
    dtype: torch.dtype = torch.float64,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Input, weight and bias of a layer."""
    taps = (kernel, kernel) if isinstance(kernel, int) else kernel
    x = torch.randn(batch, fields[0], group.order, *size, dtype=dtype)
    weight = torch.randn(fields[1], fields[0] // groups, group.order, *taps, dtype=dtype)
    return x, weight, torch.randn(fields[1], dtype=dtype) if bias else None


def results(
    algorithm: str, x: Tensor, weight: Tensor, bias: Tensor | None, gradient: Tensor | None = None, **options: Any
) -> list[Tensor]:
    """The output and all gradients."""
    leaves = [t.detach().requires_grad_() for t in (x, weight, bias) if t is not None]
    y = group_conv2d(*leaves, strict=False, algorithm=algorithm, **options)
    if gradient is None:
        torch.manual_seed(1)
        gradient = torch.randn_like(y)
    return [y.detach(), *torch.autograd.grad(y, leaves, gradient)]


def assert_agree(*given: Tensor | None, **options: Any) -> None:
    """Output and gradients by both algorithms are equal to rounding, and are not zero."""
    expected, found = (results(algorithm, *given, **options) for algorithm in ("expand", "fourier"))
    bound = 1e-12 if found[0].dtype == torch.float64 else 1e-5
    for name, one, other in zip(NAMES, expected, found, strict=False):
        assert one.shape == other.shape, name
        assert one.abs().max() > 0, name
        assert relative_error(other, one) <= bound, name


KERNELS: list[Any] = [
    *((group, kernel) for group in GROUPS for kernel in (1, 2, 3, 4, 5)),
    *((group, kernel) for group in (C2, D1, D2) for kernel in ((1, 3), (4, 2), (5, 1))),
]
WINDOWS: tuple[dict[str, Any], ...] = (
    {},
    {"padding": 1},
    {"padding": 6},  # larger than the kernel
    {"stride": 2, "padding": 2},
    {"stride": 3},
    {"dilation": 2, "padding": "same"},
    {"dilation": 3, "stride": 2, "padding": 4},
)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize(("group", "kernel"), KERNELS, ids=str)
def test_windows(group: PlanarGroup, kernel: int | tuple[int, int], window: dict[str, Any]) -> None:
    extents = [window.get("dilation", 1) * (k - 1) for k in ((kernel,) * 2 if isinstance(kernel, int) else kernel)]
    if window.get("padding") == "same" and any(extent % 2 for extent in extents):
        window = window | {"padding": 2}
    for size in ((13, 13), (14, 14), (13, 16)):
        assert_agree(*tensors(group, kernel, size=size), group=group, **window)


@pytest.mark.parametrize("group", [C2, D1, D2], ids=str)
@pytest.mark.parametrize(
    "window",
    [
        {"stride": (2, 1)},
        {"stride": (1, 3), "padding": (0, 4)},
        {"dilation": (1, 3), "padding": (2, 1)},
        {"stride": (3, 2), "padding": (5, 0), "dilation": (2, 1)},
    ],
    ids=str,
)
def test_rows_and_columns_can_differ(group: PlanarGroup, window: dict[str, Any]) -> None:
    for kernel in (3, (3, 2), (2, 5)):
        assert_agree(*tensors(group, kernel, size=(11, 14)), group=group, **window)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_options(group: PlanarGroup, bias: bool, groups: int, mode: str) -> None:
    for kernel in (1, 3, 4):
        given = tensors(group, kernel, fields=(4, 6), groups=groups, bias=bias)
        assert_agree(*given, group=group, groups=groups, padding=2, padding_mode=mode)


@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_float32(group: PlanarGroup, kernel: int) -> None:
    given = tensors(group, kernel, size=(12, 11), fields=(17, 9), dtype=torch.float32)
    assert_agree(*given, group=group, padding=1)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(
    ("batch", "fields", "size"),
    [(1, (1, 1), (5, 5)), (1, (70, 3), (6, 7)), (7, (2, 35), (3, 40)), (3, (2, 2), (1, 1)), (2, (3, 2), (50, 41))],
)
def test_few_and_many_images_fields_and_pixels(batch: int, fields: tuple[int, int], size: tuple, kernel: int) -> None:
    assert_agree(*tensors(D4, kernel, size=size, fields=fields, batch=batch), group=D4, padding=kernel // 2)


def scattered(x: Tensor) -> Tensor:
    """The same values, in an order that no operator would choose."""
    axes = [3, 0, 4, 2, 1]
    return x.permute(axes).contiguous().permute([axes.index(i) for i in range(5)])


@pytest.mark.parametrize("gradient_form", ["contiguous", "last", "scattered", "expanded"])
@pytest.mark.parametrize("form", ["contiguous", "last", "scattered", "sliced"])
@pytest.mark.parametrize(("kernel", "groups"), [(1, 1), (3, 1), (2, 1), (3, 2)])
def test_memory_formats(kernel: int, groups: int, form: str, gradient_form: str) -> None:
    """Output and gradient of the input are laid out as those of ``expand``, for any layout of what is given.

    With groups of fields, torch joins the gradients of the parts as it likes.
    """
    x, weight, bias = tensors(D4, kernel, fields=(4, 6), groups=groups)
    if form == "sliced":
        x = torch.cat([x, x], 3)[:, :, :, ::2, 1:]
    x = {"last": channels_last, "scattered": scattered}.get(form, lambda x: x)(x)
    shape = group_conv2d(x, weight, bias, group=D4, groups=groups, padding=1, strict=False, algorithm="expand").shape
    gradient = torch.randn(shape[3:] if gradient_form == "expanded" else shape, dtype=torch.float64).expand(shape)
    gradient = {"last": channels_last, "scattered": scattered}.get(gradient_form, lambda x: x)(gradient)
    options = {"group": D4, "groups": groups, "padding": 1, "gradient": gradient}
    expected, found = (results(algorithm, x, weight, bias, **options) for algorithm in ("expand", "fourier"))
    for name, one, other in zip(NAMES, expected, found, strict=True):
        assert relative_error(other, one) <= 1e-12, name
        if form in ("contiguous", "last") and name in (NAMES[:2] if groups == 1 else NAMES[:1]):
            assert one.stride() == other.stride(), name


@pytest.mark.parametrize("kernel", [1, 3])
def test_weights_in_any_order(kernel: int) -> None:
    x, weight, bias = tensors(D4, kernel)
    assert_agree(x, scattered(weight), bias, group=D4)
    assert_agree(x, weight[:1].expand_as(weight), bias, group=D4)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("algorithm", ["expand", "fourier"])
def test_an_empty_batch_gives_an_empty_batch(algorithm: str, kernel: int) -> None:
    """As torch.nn.Conv2d does."""
    y, dx, dw, db = results(algorithm, *tensors(D4, kernel, batch=0), group=D4)
    assert y.shape == (0, 4, 8, 10 - kernel, 10 - kernel)
    assert dx.shape == (0, 3, 8, 9, 9)
    assert not dw.any()
    assert not db.any()


@pytest.mark.parametrize("wanted", [p for p in product([True, False], repeat=3) if any(p)], ids=str)
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("kernel", [1, 3])
def test_gradients_that_are_asked_for(kernel: int, create_graph: bool, wanted: tuple[bool, ...]) -> None:
    def found(algorithm: str) -> list[Tensor]:
        leaves = [t.detach().requires_grad_(needed) for t, needed in zip(given, wanted, strict=True)]
        y = group_conv2d(*leaves, group=D4, padding=1, algorithm=algorithm).pow(3).sum()
        return list(torch.autograd.grad(y, [t for t in leaves if t.requires_grad], create_graph=create_graph))

    given = tensors(D4, kernel)
    for one, other in zip(found("expand"), found("fourier"), strict=True):
        assert relative_error(other, one) <= 1e-12


@pytest.mark.parametrize(("group", "kernel"), [(C2, 3), (C4, 2), (D1, 3), (D2, 1), (D4, 3), (D4, 1)], ids=str)
def test_first_and_second_derivatives(group: PlanarGroup, kernel: int) -> None:
    given = [t.requires_grad_() for t in tensors(group, kernel, size=(4, 3), fields=(2, 2)) if t is not None]

    def layer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return group_conv2d(x, weight, bias, group=group, padding=1, algorithm="fourier")

    assert torch.autograd.gradcheck(layer, given, fast_mode=True)
    assert torch.autograd.gradgradcheck(layer, given, fast_mode=True)


@pytest.mark.parametrize("window", [Window((1, 1), (1, 1), (1, 1)), Window((2, 3), (4, 0), (1, 2))], ids=str)
@pytest.mark.parametrize("group", [C2, D1, D2, C4, D4], ids=str)
def test_plain_operators_agree(group: PlanarGroup, window: Window) -> None:
    """What runs without numba, and is differentiated without rules of ours."""
    if group in (C4, D4):
        window = Window(*((pair[0],) * 2 for pair in window))
    given = [t.requires_grad_() for t in tensors(group, size=(10, 12)) if t is not None]
    expected = group_conv2d(*given, group=group, **window._asdict(), strict=False, algorithm="expand")
    found = composite_conv2d(*given, group, window)
    assert relative_error(found, expected) <= 1e-12
    gradient = torch.randn_like(expected)
    both = (torch.autograd.grad(y, given, gradient) for y in (expected, found))
    for one, other in zip(*both, strict=True):
        assert relative_error(other, one) <= 1e-12


@needs_loops
@pytest.mark.parametrize("group", [D2, C4, D4], ids=str)
def test_equivariance_where_auto_chooses_fourier(group: PlanarGroup, fourier_calls: list[str]) -> None:
    layer = randomize_(evnn.GroupConv2d(128, 128, 3, group=group, padding=1))
    x = random_input(128, (9, 9), group, batch=8, dtype=torch.float32)
    with torch.no_grad():
        assert_equivariant(layer, x, group=group)
    assert set(fourier_calls) == {group.name}


@pytest.fixture
def fourier_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the groups with which the fast algorithm has been called."""
    from equivision.functional import _conv

    calls: list[str] = []
    convolve = _conv.fourier_conv2d

    def recorded(x: Tensor, weight: Tensor, bias: Tensor | None, group: PlanarGroup, *rest: Any) -> Tensor:
        calls.append(group.name)
        return convolve(x, weight, bias, group, *rest)

    monkeypatch.setattr(_conv, "fourier_conv2d", recorded)
    return calls


def layers(*args: Any, **options: Any) -> tuple[evnn.GroupConv2d, evnn.GroupConv2d]:
    """The same layer by both algorithms."""
    fourier = randomize_(evnn.GroupConv2d(*args, **options, algorithm="fourier"))
    expand = evnn.GroupConv2d(*args, **options, algorithm="expand")
    expand.load_state_dict(fourier.state_dict())
    return fourier, expand


def test_state_dicts_move_between_algorithms() -> None:
    made = {name: evnn.GroupConv2d(3, 4, 3, group="D4", algorithm=name).double() for name in _algorithm.ALGORITHMS}
    x = random_input(3, (7, 7), D4)
    assert len({tuple(layer.state_dict()) for layer in made.values()}) == 1
    for source, target in product(made.values(), repeat=2):
        randomize_(source)
        target.load_state_dict(source.state_dict())
        assert relative_error(target(x), source(x)) <= 1e-12


@pytest.mark.parametrize("other", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_keep_the_algorithm(other: Any, fourier_calls: list[str]) -> None:
    layer, _ = layers(3, 4, 3, group="D4")
    x, copied = random_input(3, (7, 7), D4, dtype=torch.float32), other(layer)
    assert copied.algorithm == "fourier"
    assert torch.equal(copied(x), layer(x))
    assert fourier_calls == ["D4", "D4"]


@pytest.mark.usefixtures("unchecked_annotations")
def test_unknown_words() -> None:
    with pytest.raises(ConfigError, match=r"algorithm='fast' is not known: choose one of auto, expand, fourier"):
        evnn.GroupConv2d(1, 1, 3, group="C4", algorithm="fast")  # pyright: ignore[reportArgumentType]
    x, weight, _ = tensors(C4)
    with pytest.raises(ConfigError, match=r"algorithm='' is not known"):
        group_conv2d(x, weight, group=C4, algorithm="")


def test_the_trivial_group_has_nothing_to_transform(fourier_calls: list[str]) -> None:
    assert_agree(*tensors(C1), group=C1, padding=1)
    assert not fourier_calls


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype) -> None:
    """The loops compute it in float32, so only the result is rounded."""
    for kernel in (1, 3):
        fourier, _ = layers(5, 6, kernel, group="D4", padding=1)
        x = random_input(5, (8, 9), D4, dtype=torch.float32).to(dtype)
        exact = fourier.to(dtype).double()(x.double())
        given = x.clone().requires_grad_()
        y = fourier.to(dtype)(given)
        assert y.dtype == dtype
        y.sum().backward()
        assert given.grad is not None
        assert given.grad.dtype == fourier.weight.grad.dtype == dtype
        assert relative_error(y.double(), exact) < 2 * torch.finfo(dtype).eps


def test_autocast() -> None:
    fourier, expand = layers(5, 6, 3, group="D4", padding=1)
    x = random_input(5, (8, 9), D4, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, expected = fourier(x), expand(x)
    assert y.dtype == expected.dtype == torch.bfloat16
    assert relative_error(y.double(), expand(x).double()) < 2e-2
    y.sum().backward()
    assert fourier.weight.grad.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):  # which leaves float64 alone
        assert fourier.double()(x.double()).dtype == expand.double()(x.double()).dtype == torch.float64


@needs_loops
def test_without_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix products are torch's own then, which autocast would round."""
    fourier, expand = layers(5, 6, 3, group="D4", padding=1)
    x = random_input(5, (8, 9), D4, dtype=torch.float32)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert relative_error(fourier(x), expand(x)) < 1e-5
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert relative_error(fourier(x).double(), expand(x).double()) < 2e-2


@needs_loops
def test_inference_mode_leaves_nothing_behind() -> None:
    fourier, expand = layers(5, 6, 3, group="D4", padding=1)
    x = torch.randn(3, 5, 8, 33, 31)
    with torch.inference_mode():
        y = fourier(x)
    assert relative_error(y.clone(), expand(x)) < 1e-5
    fourier(x.requires_grad_()).sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_seen(value: float) -> None:
    fourier, expand = layers(2, 3, 3, group="D4", padding=1)
    x = random_input(2, (9, 9), D4, dtype=torch.float32)
    x[0, 1, 3, 4, 4] = value
    assert torch.equal(fourier(x).isfinite(), expand(x).isfinite())


def test_on_the_meta_device() -> None:
    for algorithm in ("auto", "fourier"):
        layer = evnn.GroupConv2d(64, 32, 3, group="D4", device="meta", algorithm=algorithm)
        assert layer(torch.empty(16, 64, 8, 14, 14, device="meta")).shape == (16, 32, 8, 12, 12)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's forward mode
def test_function_transforms_take_expanded_filters(fourier_calls: list[str]) -> None:
    """Per-sample gradients, batches of weights, forward mode: the operator has no rules for them."""
    fourier, expand = (layer.double() for layer in layers(2, 3, 3, group="D4", padding=1))
    x, tangent = random_input(2, (5, 5), D4), random_input(2, (5, 5), D4)
    parameters, buffers = dict(fourier.named_parameters()), dict(fourier.named_buffers())

    def loss(parameters: dict[str, Tensor], image: Tensor, layer: evnn.GroupConv2d) -> Tensor:
        return functional_call(layer, (parameters, buffers), (image[None],)).pow(2).sum()

    for layer in (fourier, expand):
        layer.zero_grad()
        layer(x).pow(2).sum().backward()
    assert fourier_calls == ["D4"]
    samples = vmap(grad(loss), in_dims=(None, 0, None))(parameters, x, fourier)
    assert relative_error(samples["weight"].sum(0), expand.weight.grad) <= 1e-12
    assert relative_error(vmap(fourier)(x[:, None])[:, 0], expand(x)) <= 1e-12
    y, moved = jvp(fourier, (x,), (tangent,))
    assert relative_error(y, expand(x)) <= 1e-12
    no_bias = expand.bias.new_zeros(3)
    assert relative_error(moved, functional_call(expand, {"bias": no_bias}, (tangent,))) <= 1e-12
    with torch.autograd.forward_ad.dual_level():
        dual = fourier(torch.autograd.forward_ad.make_dual(x, tangent))
        assert relative_error(torch.autograd.forward_ad.unpack_dual(dual).tangent, moved) <= 1e-12
    assert fourier_calls == ["D4"]
    assert relative_error(fourier(x), expand(x)) <= 1e-12
    assert fourier_calls == ["D4", "D4"]


@pytest.mark.parametrize("algorithm", ["auto", "fourier"])
def test_exported_programs_need_no_equivision(algorithm: str) -> None:
    layer = evnn.GroupConv2d(64, 64, 3, group="D4", padding=1, algorithm=algorithm)
    x = torch.randn(2, 64, 8, 14, 14)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert "aten.conv2d.default" in called
    assert not [name for name in called if "equivision" in name]
    assert relative_error(program.module()(x[:1]), layer(x[:1])) < 1e-5


@needs_loops
@pytest.mark.parametrize("form", ["contiguous", "last"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("kernel", [1, 3])
def test_operators_keep_what_torch_asks_of_them(kernel: int, dtype: torch.dtype, form: str) -> None:
    given = tensors(D4, kernel, fields=(2, 3), size=(5, 6), dtype=dtype)
    x, weight, bias = (t.requires_grad_() for t in given if t is not None)
    x = channels_last(x.detach()).requires_grad_() if form == "last" else x
    window = ([1, 1], [kernel // 2] * 2, [1, 1])
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(_fourier._loops_conv2d, (x, weight, bias, "D4", *window), test_utils=checks)
    for wanted in ((True, True), (True, False), (False, True)):
        backward = (torch.randn(2, 3, 8, 5, 6).to(dtype), x.detach(), weight.detach(), "D4", *window, *wanted)
        torch.library.opcheck(_fourier._loops_backward, backward, test_utils=checks)


@pytest.mark.costly(4)
@pytest.mark.compile
@pytest.mark.parametrize(("algorithm", "fields"), [("fourier", 3), ("auto", 64)])
@pytest.mark.parametrize("dynamic", [None, True])
@pytest.mark.parametrize("kernel", [1, 3])
def test_compile(kernel: int, dynamic: bool | None, algorithm: str, fields: int) -> None:
    """One graph, forward and backward, for every batch."""
    layer = evnn.GroupConv2d(fields, fields, kernel, group="D4", padding=kernel // 2, algorithm=algorithm)
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for batch in (8, 3, 1, 16):
        x = torch.randn(batch, fields, 8, 14, 14).requires_grad_()
        found = []
        for run in (layer, compiled):
            layer.zero_grad()
            y = run(x)
            found.append([y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])])
        for one, other in zip(*found, strict=True):
            assert relative_error(other, one) < 1e-5
            assert one.stride() == other.stride()


@pytest.mark.compile
def test_compile_without_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_algorithm, "HAS_LOOPS", False)
    monkeypatch.setattr(_fourier, "HAS_LOOPS", False)
    fourier, expand = layers(2, 3, 3, group="C4")
    x = random_input(2, (7, 7), C4, dtype=torch.float32)
    torch._dynamo.reset()
    assert relative_error(torch.compile(fourier, fullgraph=True, backend="aot_eager")(x), expand(x)) < 1e-5


@pytest.mark.parametrize("algorithm", ["auto", "fourier"])
def test_without_numba(monkeypatch: pytest.MonkeyPatch, fourier_calls: list[str], algorithm: str) -> None:
    """``auto`` expands; ``fourier`` takes plain operators."""
    monkeypatch.setattr(_algorithm, "HAS_LOOPS", False)
    monkeypatch.setattr(_fourier, "HAS_LOOPS", False)
    monkeypatch.setattr(_fourier, "_loops_conv2d", None)
    layer = randomize_(evnn.GroupConv2d(96, 16, 3, group="D4", padding=1, algorithm=algorithm))
    x = torch.randn(4, 96, 8, 14, 14)
    y = layer(x)
    layer.algorithm = "expand"
    assert relative_error(y, layer(x)) < 1e-5
    assert fourier_calls == ["D4"] * (algorithm == "fourier")
