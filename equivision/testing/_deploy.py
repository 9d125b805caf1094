"""Assertions about what happens to a layer after training: copies, files, compilers, export."""

import io
import pickle
from collections.abc import Callable, Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

from equivision.errors import ConfigError
from equivision.testing._numeric import gradients_of
from equivision.testing._random import randomize_
from equivision.testing._tolerance import assert_close, tolerance_of

RUNNING_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def assert_copies(layer: nn.Module, x: Tensor) -> None:
    """Assert that pickle, deepcopy and a saved ``state_dict`` bring back the same layer, independent of the first.

    Args:
        layer: any module in eval mode or without randomness; it is not changed.
        x: an input batch.

    Raises:
        AssertionError: a copy gives another output, or shares memory with the original.

    >>> assert_copies(nn.Conv2d(1, 2, 3), torch.randn(2, 1, 5, 5))
    """
    __tracebackhide__ = True
    with torch.no_grad():
        expected = layer(x)
        file = io.BytesIO()
        torch.save(layer.state_dict(), file)
        file.seek(0)
        loaded = randomize_(deepcopy(layer), seed=1)
        loaded.load_state_dict(torch.load(file, weights_only=True))
        copies = {"pickle": pickle.loads(pickle.dumps(layer)), "deepcopy": deepcopy(layer), "state_dict": loaded}
        for how, copy in copies.items():
            assert_close(copy(x), expected, 0.0, how)
            randomize_(copy, seed=2)
            assert_close(layer(x), expected, 0.0, f"the original after its copy by {how} was changed")


def assert_state_dict(make: Callable[[], nn.Module], x: Tensor) -> None:
    """Assert that ``state_dict`` holds parameters and running statistics only, the same in train and eval.

    Args:
        make: builds the layer; called twice, the two must be able to exchange their weights.
        x: an input batch.

    Raises:
        AssertionError: a key is not a parameter or a running statistic, keys come and go, or loading fails to copy.

    >>> assert_state_dict(lambda: nn.BatchNorm2d(1), torch.randn(2, 1, 5, 5).double())
    """
    __tracebackhide__ = True
    layer = randomize_(make().double())
    keys = list(layer.state_dict())
    known = {name for name, _ in layer.named_parameters(remove_duplicate=False)}
    extra = [key for key in keys if key not in known and not key.endswith(RUNNING_STATISTICS)]
    if extra:
        raise AssertionError(f"state_dict holds {extra}: only parameters and running statistics belong there")
    x = x.double()
    for training in (True, False, True, False):
        layer.train(training)(x).sum().backward() if list(layer.parameters()) else layer.train(training)(x)
        if list(layer.state_dict()) != keys:
            mode = "train" if training else "eval"
            raise AssertionError(f"state_dict has other keys after a pass in {mode} mode: {list(layer.state_dict())}")
    other = make().double().eval()
    other.load_state_dict(layer.state_dict(), strict=True)
    with torch.no_grad():
        assert_close(other(x), layer(x), 0.0, "a fresh layer that loaded the state_dict")


def assert_repr(layer: nn.Module, names: Mapping[str, object]) -> None:
    """Assert that ``repr(layer)`` is the expression that builds the layer.

    Args:
        layer: a module without submodules.
        names: what the expression may use: the class of the layer, constructors of groups.

    Raises:
        AssertionError: evaluation fails, or gives something else.

    >>> from equivision.groups import cyclic
    >>> assert_repr(nn.ReLU(), {"ReLU": nn.ReLU})
    """
    __tracebackhide__ = True
    expression = repr(layer)
    try:
        again = eval(expression, dict(names))
    except Exception as error:
        raise AssertionError(f"{expression} does not evaluate: {type(error).__name__}: {error}") from error
    if type(again) is not type(layer) or repr(again) != expression:
        raise AssertionError(f"{expression} evaluates to {again!r}")
    shapes = [{name: value.shape for name, value in one.state_dict().items()} for one in (layer, again)]
    if shapes[0] != shapes[1]:
        raise AssertionError(f"{expression} builds other parameters: {shapes[1]} instead of {shapes[0]}")


def assert_compiles(layer: nn.Module, x: Tensor, *, backend: str = "aot_eager") -> None:
    """Assert that ``torch.compile(fullgraph=True)`` gives the same output and gradients.

    Does not work while annotations are checked at run time (pytest's ``--jaxtyping-packages``).

    Args:
        layer: any module without randomness; it is copied, not changed.
        x: an input batch.
        backend: of ``torch.compile``.

    Raises:
        AssertionError: the graph breaks, or a result differs.
    """
    __tracebackhide__ = True
    from torch._dynamo.exc import TorchDynamoException  # here, because it takes a second

    expected = gradients_of(deepcopy(layer), x)
    torch.compiler.reset()
    try:
        actual = gradients_of(torch.compile(deepcopy(layer), fullgraph=True, backend=backend), x)  # pyright: ignore[reportArgumentType]
    except TorchDynamoException as error:
        raise AssertionError(f"torch.compile(fullgraph=True) fails: {error}") from error
    for one, other in zip(actual, expected, strict=True):
        assert_close(one, other, tolerance_of(x.dtype), f"compiled with {backend}")


def assert_exports(layer: nn.Module, x: Tensor) -> None:
    """Assert that ``torch.export`` works with any batch size and that the exported program gives the same output.

    Args:
        layer: any module in eval mode or without randomness; it is not changed.
        x: a batch of at least two examples (torch.export treats batches of one apart).

    Raises:
        AssertionError: export fails, or the program gives another output at this or another batch size.
        ConfigError: the batch is too small.

    >>> assert_exports(nn.Conv2d(1, 2, 3).eval(), torch.randn(2, 1, 5, 5))
    """
    __tracebackhide__ = True
    if len(x) < 2:
        raise ConfigError(f"x has shape {tuple(x.shape)}: a batch of at least two examples is needed")
    try:
        batch = torch.export.Dim("batch", min=1, max=1024)
        program = torch.export.export(layer, (x,), dynamic_shapes=({0: batch},)).module()
    except Exception as error:
        raise AssertionError(f"torch.export with a dynamic batch fails: {type(error).__name__}: {error}") from error
    with torch.no_grad():
        for inputs in (x, torch.cat([x, x.flip(0), x]), x[:1]):
            assert_close(program(inputs), layer(inputs), tolerance_of(x.dtype), f"exported, batch of {len(inputs)}")
