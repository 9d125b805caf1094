"""The networks that are trained here, each with what the study prints for it."""

from dataclasses import dataclass, field
from typing import Any

from torch import nn

import equivision as ev

#: Feature groups of the first convolution, of 4 channels each: a quarter of those of the study.
WIDTH = 8


@dataclass(frozen=True)
class Network:
    """A line of the table.

    ``beta`` is the weight of the loss of the layers: None trains on the digits alone, 0 on moved copies, too.
    ``published`` is the accuracy in % that the study prints.
    """

    name: str
    published: str
    arguments: dict[str, Any] = field(default_factory=dict)
    beta: float | None = None

    def build(self) -> nn.Module:
        """The network, not trained."""
        return ev.create_model("ien_cnn", width=WIDTH, **self.arguments)


NETWORKS = (
    Network("CNN", "96.3"),
    Network("CNN-aug", "98.4", beta=0.0),
    Network("IEN beta 1", "98.6", beta=1.0),
    Network("E2CNN", "98.8", {"group": "C4"}),
    Network("Het-IEN beta 1", "98.6", {"feature_groups": "4-2-1"}, beta=1.0),
    Network("IEN beta 0.1", "98.5", beta=0.1),
    Network("IEN beta 0.01", "98.6", beta=0.01),
)
BY_NAME = {network.name: network for network in NETWORKS}
