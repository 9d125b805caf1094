"""Running a foreign network safely: evaluation mode, its own dtype and device, hooks that always come off."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision.errors import EquivisionError, ShapeError

#: Called for every module that has run: (its key, module, its inputs, its output).
Visitor = Callable[[str, nn.Module, tuple[object, ...], object], None]
#: What is to be compared besides the outputs of some layers: a function of the output, by the name of the layer.
Pools = Mapping[str, Callable[[Tensor], Tensor]]


class Pooled(nn.Module):
    """Stands for the layer whose pooled output is compared."""


@contextmanager
def watch(model: nn.Module, visit: Visitor, pools: Pools | None = None) -> Iterator[None]:
    """Report the output of every module inside ``model``, in the order in which they finish.

    The key of a module is its path; calls after the first add their number. A container that only hands on the output
    of its last part is left out, and so is a module that returns its input untouched. Where there is a pool for the
    output of a module, what it makes of the output is reported, too, as ``<path>, pooled``.
    """
    pooled, stand_in = pools or {}, Pooled()
    calls: Counter[str] = Counter()
    last: list[tuple[object, int]] = [(None, 0)]

    def hook_for(name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        def hook(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            if name in pooled and isinstance(output, Tensor):
                visit(f"{name}, pooled", stand_in, (), pooled[name](output))
            if isinstance(output, Tensor):
                before, version = last[0]
                last[0] = (output, output._version)
                if output is before and output._version == version:
                    return
            calls[name] += 1
            visit(name if calls[name] == 1 else f"{name} (call {calls[name]})", module, inputs, output)

        return hook

    handles = []
    try:
        for name, module in model.named_modules():
            if name:
                handles.append(module.register_forward_hook(hook_for(name)))
        yield
    finally:
        for handle in handles:
            handle.remove()


class Runner:
    """A network together with the dtype and the device of its parameters."""

    def __init__(self, model: nn.Module, pools: Pools | None = None) -> None:
        self.model = model
        self.pools = getattr(model, "pooled_outputs", None) if pools is None else pools
        tensors = [*model.parameters(), *model.buffers()]
        self._like = next((t for t in tensors if t.is_floating_point()), None)

    def load(self, images: Tensor) -> Tensor:
        """Images in the dtype and on the device of the network."""
        return images if self._like is None else images.to(device=self._like.device, dtype=self._like.dtype)

    def __call__(self, x: Float[Tensor, "batch channel *space"]) -> Tensor:
        """Run the network on a copy of x (some networks write into their input) and check what comes out.

        Raises:
            EquivisionError: the network fails, or its output is not finite.
            ShapeError: the output is not a tensor of floating-point numbers with one entry for each image.
        """
        given = f"images of shape {tuple(x.shape)}, {str(x.dtype).removeprefix('torch.')}"
        try:
            output = self.model(x.clone())
        except Exception as error:
            raise EquivisionError(
                f"model {type(self.model).__name__} failed on {given}: {type(error).__name__}: {error}. "
                "Give images of the size, channels and scaling that the model was made for"
            ) from error
        if not isinstance(output, Tensor) or not output.is_floating_point():
            got = f"a tensor of {output.dtype}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise ShapeError(
                f"model {type(self.model).__name__} returned {got}: audit needs one tensor of floating-point numbers "
                "(class scores or maps); wrap the model in a module that picks it"
            )
        if output.ndim == 0 or output.shape[0] != x.shape[0]:
            raise ShapeError(
                f"model {type(self.model).__name__} returned shape {tuple(output.shape)} for {given}: the first axis "
                "must be the batch"
            )
        if not torch.isfinite(output).all():
            raise EquivisionError(
                f"the output of model {type(self.model).__name__} is not finite on {given}: {self._culprit(x)}"
            )
        return output.unsqueeze(1) if output.ndim == 1 else output

    def _culprit(self, x: Tensor) -> str:
        """The first module whose output is not finite, in words."""
        found: list[str] = []

        def look(key: str, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            if isinstance(output, Tensor) and not torch.isfinite(output).all():
                found.append(f"NaN or infinity first appears in layer {key!r} ({type(module).__name__})")

        with watch(self.model, look):
            self.model(x.clone())
        return found[0] if found else "no inner layer shows it, so it arises in the model's own forward"
