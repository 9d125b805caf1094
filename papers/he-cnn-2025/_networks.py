"""The networks of the study, with the accuracies that it prints, and those of our controls."""

from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

import equivision as ev

#: Forms of the loss that takes the place of the combiner.
Form = Literal["corrected", "printed"]


@dataclass(frozen=True)
class Network:
    """A column of table 1 or a row of another one.

    ``small`` are accuracies in % that table 1 prints, trained on upright and on rotated digits, each tested on upright,
    rotated and quarter-turned ones; ``accuracy`` is that of another table. ``rotation_loss`` is added to the loss;
    ``epochs`` are given where they are not those of the table.
    """

    name: str
    model: str
    arguments: dict[str, Any] = field(default_factory=dict)
    rate: float = 1e-3
    small: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    accuracy: str = "-"
    two_phases: bool = False
    rotation_loss: Form | None = None
    epochs: int | None = None

    def build(self) -> nn.Module:
        """The network, not trained."""
        return ev.create_model(self.model, **self.arguments)


HE = {"upright": (96.03, 76.94, 96.03), "rotated": (96.44, 96.32, 96.44)}
#: Tables 1 and 5: small networks.
SMALL = (
    Network("CNN", "small_z2cnn", small={"upright": (96.29, 34.81, 17.76), "rotated": (75.27, 73.08, 75.68)}),
    Network("HE-CNN-L", "he_small", small=HE),
    Network("Z4-CNN", "small_p4cnn", small={"upright": (85.88, 50.02, 85.88), "rotated": (76.22, 75.51, 76.22)}),
    Network("Dynamic Z4-CNN", "he_small_dynamic", small={"rotated": (76.19, 74.54, 76.03)}),
    Network("CNN, batch norm", "small_z2cnn", {"batch_norm": True}),
    Network("Z4-CNN, batch norm", "small_p4cnn", {"batch_norm": True}),
    Network("HE-CNN-L as printed", "he_small", {"init": "torch"}, rate=2e-4),
    Network("loss instead, printed", "he_small", {"combiner": "none"}, rotation_loss="printed"),
    Network("loss instead, corrected", "he_small", {"combiner": "none"}, rotation_loss="corrected"),
)
#: Tables 2 and 6: seven layers.
LARGE = (
    Network("Z4-HE-CNN", "he_cnn", rate=3e-4, accuracy="99.50"),
    Network("Z4-HE-CNN-L", "he_cnn", {"light": 1, "pooled": True}, rate=3e-4, accuracy="97.91"),
    Network("P4-CNN", "p4cnn_98k", accuracy="97.72"),
    Network("CNN", "p4cnn_98k", {"group": "C1", "width": 40}, accuracy="96.02"),
    Network("Z4-HE-CNN, naive", "he_cnn", {"combiner": "average"}, rate=3e-4, accuracy="99.52"),
    Network(
        "C8-HE-CNN-L", "he_cnn", {"group": "C8", "light": 1, "pooled": True}, rate=3e-4, accuracy="98.01",
        two_phases=True,
    ),
    Network(
        "C16-HE-CNN-L", "he_cnn", {"group": "C16", "light": 1, "pooled": True}, rate=3e-4, accuracy="98.05",
        two_phases=True,
    ),
)  # fmt: skip
#: Table 3 on CIFAR-10: the residual network as there, the one of 13 layers with a quarter of its width.
CIFAR = (
    Network("residual", "resnet6", {"group": "C1"}, accuracy="83.11"),
    Network("Z4 residual", "resnet6", {"group": "C4"}, accuracy="83.73"),
    Network("Z4-HE residual", "he_resnet6", rate=1e-4, accuracy="85.99"),
    Network("Z4-HE-L residual", "he_resnet6", {"light": 14}, rate=1e-4, accuracy="83.92"),
    Network("13 layers", "cnn13", {"group": "C1", "width": 32}, accuracy="91.21", epochs=1),
    Network("Z4 13 layers", "cnn13", {"group": "C4", "width": 16}, accuracy="89.73", epochs=1),
    Network("Z4-HE-L 13 layers", "he_cnn13", {"light": 14, "width": 32}, rate=1e-4, accuracy="90.12", epochs=1),
)
#: Table 4, which is on STL10, on ten classes of Tiny ImageNet, with an eighth of the width.
TINY = (
    Network("WRN16", "wrn16_8", {"group": "C1", "width": 16}, accuracy="87.26"),
    Network("Z4-WRN16", "wrn16_8", {"group": "C4", "width": 8}, accuracy="87.89"),
    Network("Z4-HE-L-WRN16", "he_wrn16_8", {"light": 20, "width": 1, "size": 65}, rate=1e-4, accuracy="88.92"),
)
_ALL = {"small": SMALL, "large": LARGE, "cifar": CIFAR, "tiny": TINY}
TABLES = {table: {network.name: network for network in networks} for table, networks in _ALL.items()}
