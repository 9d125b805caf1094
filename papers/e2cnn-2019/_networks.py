"""The networks that are trained here, each with what is published of the same kind."""

from dataclasses import dataclass
from typing import Any

from torch import nn

import equivision as ev


@dataclass(frozen=True)
class Network:
    """A line of the table.

    ``published`` is a test error in % on rotated MNIST, ``source`` says of what and where.
    """

    name: str
    model: str
    arguments: tuple[tuple[str, Any], ...]
    published: str = "-"
    source: str = "-"

    def build(self) -> nn.Module:
        """The network, not trained."""
        return ev.create_model(self.model, **dict(self.arguments))


E2CNN = "Weiler & Cesa 2019, C16, about 1.1 million parameters, digits turned at random while training"
NETWORKS = (
    Network("C16", "e2cnn", (("group", "C16"), ("width", 5)), "0.68", E2CNN),
    Network("C1", "e2cnn", (("group", "C1"), ("width", 20))),
    Network("SO2", "e2cnn", (("group", "SO2"), ("width", 8))),
    Network("harmonic", "harmonic_cnn", (), "1.69", "Worrall et al. 2017"),
    Network("D8", "e2cnn", (("group", "D8"), ("width", 5))),
)
BY_NAME = {network.name: network for network in NETWORKS}
#: The best result that the seed articles quote.
BEST = ("Sim2-CNN, 864,000 parameters (Knigge et al. 2022)", "0.59")
