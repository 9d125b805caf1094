"""Layers with one defect each, and a third-party layer with none."""

from typing import Any

import torch
from torch import Tensor, nn

from equivision import functional
from equivision.groups import PlanarGroup, cyclic


class Gate(nn.Module):
    """Somebody else's layer, correct in every way: each field is scaled by a learned function of its mean."""

    def __init__(self, channels: int, *, group: PlanarGroup) -> None:
        super().__init__()
        self.channels, self.group = channels, group
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(x.mean((2, 3, 4)) * self.weight + self.bias)
        return x * gate[:, :, None, None, None]

    def extra_repr(self) -> str:
        return f"{self.channels}, group={self.group!r}"


class Roll(nn.Module):
    """Not equivariant."""

    def forward(self, x: Tensor) -> Tensor:
        return x.roll(1, -1) + x


class WrongBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        ramp = torch.arange(grads[0].shape[-1], dtype=grads[0].dtype)
        return grads[0] * ramp


class WrongGradient(nn.Module):
    """The output is right, the gradient is not."""

    def forward(self, x: Tensor) -> Tensor:
        return WrongBackward.apply(x)


class AlwaysFloat64(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.double() + 1


class LosesPrecision(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.dtype == torch.float64 else (x * 8).round() / 8


class NoGradient(nn.Module):
    """A parameter that takes no part under autocast."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.weight.detach() if torch.is_autocast_enabled("cpu") else self.weight)


class Contiguous(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous()


class ReadsMemory(nn.Module):
    """Its numbers depend on the memory format."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x.stride(1)


class BatchMean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0, keepdim=True)


class Stale(nn.Module):
    """Keeps its expanded weight from the first call."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = self.weight.detach() * 2
        return x * self.kept


class Counter(nn.Module):
    """Gives another output at every call."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls


class Unpicklable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = 2

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.scale = 3

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class Shared(nn.Module):
    """Its copies share the memory of the original."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def __deepcopy__(self, memo: dict) -> "Shared":
        twin = Shared()
        twin.weight = self.weight
        return twin

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class SavesTable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.arange(3))

    def forward(self, x: Tensor) -> Tensor:
        return x


class BuffersComeAndGo(nn.Module):
    """The pattern of an expanded filter that appears with ``.eval()``."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def train(self, mode: bool = True) -> "BuffersComeAndGo":
        if mode:
            self._buffers.pop("expanded_running_mean", None)
        else:
            self.register_buffer("expanded_running_mean", self.weight.detach() * 2)
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class RandomConstant(nn.Module):
    """Two fresh layers differ in something that is not saved."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = float(torch.rand(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.constant


class OtherRepr(nn.Module):
    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))


class GraphBreak(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum().item() > 0 else x * 3


class FixedBatch(nn.Module):
    """Works for the batch it was exported with, and no other."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(2, -1).reshape(x.shape) if len(x) == 2 else x


def lifted(x: Tensor) -> Tensor:
    return functional.lift_conv2d(x, torch.ones(1, 1, 1, 1).to(x), group=cyclic(4))
