"""What is trained: partial networks from different starts, with controls, a LieConv and a Sim2 network."""

from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from equivision import continuous

Task = Literal["rotated", "six"]
CLASSES: dict[Task, int] = {"rotated": 10, "six": 2}


@dataclass(frozen=True)
class Network:
    """One network on one task.

    Attributes:
        name: of its line in the tables.
        task: ``"rotated"``: which digit, turned by any angle; ``"six"``: whether a six is upside down.
        p: of all layers at the start; None for networks without p.
        p_gradient: how p learns; None: it is held.
        lr: learning rate of all but p.
    """

    name: str
    task: Task
    p: float | None = None
    p_gradient: Literal["shift", "elements"] | None = None
    lr: float = 3e-3

    def build(self) -> nn.Module:
        """The network, not trained."""
        options: dict[str, Any] = {"num_classes": CLASSES[self.task]}
        if self.p is not None:
            options |= {"num_rotations": 4, "kernel_size": 5, "p_gradient": self.p_gradient or "shift"}
            net: nn.Module = continuous.ck_resnet(12, p=self.p, **options)
            for layer in continuous.partial_layers(net):
                layer.p.requires_grad_(self.p_gradient is not None)
        elif self.name.startswith("LieConv"):
            net = continuous.LieConvNet("SO2", width=16, num_blocks=2, **options)
        else:
            net = continuous.sim2_resnet("Sim2", 8, num_rotations=4, num_scales=2, **options)
        return nn.Sequential(nn.AvgPool2d(2), net)  # 14 x 14 pixels


PARTIAL = tuple(
    Network(f"p from {p:g}, {gradient}", task, p, gradient)
    for task in ("rotated", "six")
    for p in (1.0, 0.5)
    for gradient in ("shift", "elements")
)
CONTROLS = tuple(Network(f"p held at {p:g}", task, p) for task in ("rotated", "six") for p in (1.0, 0.0))
OTHERS = (Network("LieConv-SO2, small", "rotated"), Network("Sim2-CNN, small", "rotated", lr=1e-3))
NETWORKS = {(network.name, network.task): network for network in (*PARTIAL, *CONTROLS, *OTHERS)}
