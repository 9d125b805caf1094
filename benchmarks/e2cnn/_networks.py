"""The layers and networks of the comparison, built from e2cnn; they take and give plain tensors."""

import importlib
import warnings
from typing import Any

from torch import Tensor, nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its syntax is older than our Python
    gspaces: Any = importlib.import_module("e2cnn.gspaces")
    e2nn: Any = importlib.import_module("e2cnn.nn")

warnings.filterwarnings("ignore", module=r"e2cnn\b")


def acting(group: str) -> Any:
    """The space with the action of C4 or D4."""
    return gspaces.Rot2dOnR2(4) if group == "C4" else gspaces.FlipRot2dOnR2(4)


def regular(space: Any, fields: int) -> Any:
    """Fields of the regular representation."""
    return e2nn.FieldType(space, fields * [space.regular_repr])


def images(space: Any, channels: int) -> Any:
    """Pictures: channels that do not change."""
    return e2nn.FieldType(space, channels * [space.trivial_repr])


class OnTensors(nn.Module):
    """A module of e2cnn that takes and gives plain tensors."""

    def __init__(self, module: nn.Module, in_type: Any) -> None:
        super().__init__()
        self.module, self.in_type = module, in_type

    def forward(self, x: Tensor) -> Tensor:
        return self.module(e2nn.GeometricTensor(x, self.in_type)).tensor


def layer(group: str, fields: int) -> nn.Module:
    """A 3x3 convolution, regular to regular."""
    kind = regular(acting(group), fields)
    return OnTensors(e2nn.R2Conv(kind, kind, 3, padding=1, bias=False), kind)


def p4cnn(width: int = 10, num_classes: int = 10) -> nn.Module:
    """Seven convolutions on C4, as equivision.models.p4cnn."""
    space = acting("C4")
    kind, seen = regular(space, width), images(space, 1)
    before, parts = seen, []
    for i, taps in enumerate((3, 3, 3, 3, 3, 3, 4)):
        parts += [e2nn.R2Conv(before, kind, taps, bias=True), e2nn.InnerBatchNorm(kind), e2nn.ReLU(kind)]
        if i == 1:
            parts.append(e2nn.PointwiseMaxPool(kind, 2))
        before = kind
    features = e2nn.SequentialModule(*parts, e2nn.GroupPooling(kind))
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes))
    return nn.Sequential(OnTensors(features, seen), *head)


class BasicBlock(nn.Module):
    """Two convolutions beside a skip, as equivision.models.BasicBlock."""

    def __init__(self, before: Any, after: Any, *, halve: bool) -> None:
        super().__init__()
        self.down = e2nn.PointwiseAvgPoolAntialiased(before, sigma=0.66, stride=2) if halve else None
        self.first = e2nn.SequentialModule(
            e2nn.R2Conv(before, after, 3, padding=1, bias=False), e2nn.InnerBatchNorm(after),
            e2nn.ReLU(after, inplace=True), e2nn.R2Conv(after, after, 3, padding=1, bias=False),
            e2nn.InnerBatchNorm(after),
        )  # fmt: skip
        self.skip = None
        if before != after:
            self.skip = e2nn.SequentialModule(
                e2nn.R2Conv(before, after, 1, bias=False), e2nn.InnerBatchNorm(after)
            )  # fmt: skip
        self.relu = e2nn.ReLU(after, inplace=True)

    def forward(self, x: Any) -> Any:
        x = x if self.down is None else self.down(x)
        return self.relu(self.first(x) + (x if self.skip is None else self.skip(x)))


def resnet(group: str, width: int, blocks: tuple[int, ...] = (2, 2, 2, 2), num_classes: int = 10) -> nn.Module:
    """A residual network, as equivision.models.ResNet with the small stem."""
    space = acting(group)
    seen, before = images(space, 3), regular(space, width)
    stem = (e2nn.R2Conv(seen, before, 3, padding=1, bias=False), e2nn.InnerBatchNorm(before), e2nn.ReLU(before))
    parts: list[nn.Module] = [*stem]
    for i, depth in enumerate(blocks):
        after = regular(space, width * 2**i)
        for j in range(depth):
            parts.append(BasicBlock(before, after, halve=i > 0 and j == 0))
            before = after
    features = nn.Sequential(*parts, e2nn.GroupPooling(before))
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(len(before), num_classes))
    return nn.Sequential(OnTensors(features, seen), *head)
