"""Plain networks of different kinds to be wrapped."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Residual(nn.Module):
    """Batch norm, a residual connection, a call of torch.flatten, a global pool."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.convs = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.SiLU(), nn.Conv2d(6, 6, 1))
        self.linear = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.enter(x)))
        x = x + self.convs(x)
        return self.linear(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class Joined(nn.Module):
    """Strides, dilation, groups, wrapped edges, two paths joined, x.view."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.wide = nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2)
        self.again = nn.Conv2d(4, 4, 2, padding_mode="circular", padding=1)
        self.linear = nn.Linear(8 * 49, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x))
        y = torch.cat([self.again(x)[:, :, 1:-1, 1:-1], F.avg_pool2d(self.wide(x), 2, 1)], 1)
        return self.linear(F.adaptive_max_pool2d(y, 7).view(x.size(0), -1))


def plain() -> nn.Sequential:
    """Pools on even sizes, an even kernel, a map of even size, three linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 4, 4), nn.BatchNorm2d(4), nn.ELU(), nn.Flatten(),
        nn.Linear(4 * 4, 7), nn.ReLU(), nn.BatchNorm1d(7), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3),
    )  # fmt: skip


def odd() -> nn.Sequential:
    """A map of odd size before the linear layer, which has no bias; a stride; an average pool."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 2, stride=2, bias=False), nn.ReLU(), nn.AvgPool2d(3, stride=1), nn.Conv2d(4, 3, 5), nn.ReLU(),
        nn.Flatten(), nn.Linear(27, 4, bias=False),
    )  # fmt: skip


#: Network and shape of its images.
MAINS = {
    "plain": (plain, (1, 12, 12)),
    "odd": (odd, (1, 18, 18)),
    "residual": (Residual, (3, 9, 9)),
    "joined": (Joined, (2, 17, 17)),
}
