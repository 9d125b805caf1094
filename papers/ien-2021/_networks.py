"""The networks that are trained here, each with what the study prints for it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import nn

import equivision as ev

#: Feature groups of the first convolution, for digits: a quarter of those of the study.
WIDTH = 8
#: The same for pictures, where the study has 24 to 36.
PICTURE_WIDTH = 4
#: Motions by the names of the study, as options of ImplicitTraining; and the group of the baseline.
MOTIONS: dict[str, dict[str, Any]] = {
    "R4": {"rotations": 4},
    "R8": {"rotations": 8},
    "R4R": {"rotations": 4, "reflections": True},
}
GROUPS = {"R4": "C4", "R8": "C8", "R4R": "D4"}


@dataclass(frozen=True)
class Network:
    """A line of a table.

    ``beta`` is the weight of the loss of the layers: None trains on the images alone, 0 on moved copies, too, which
    ``motions`` names. ``published`` is the accuracy in % that the study prints.
    """

    name: str
    published: str
    arguments: dict[str, Any] = field(default_factory=dict)
    beta: float | None = None
    table: str = "digits"
    model: str = "ien_cnn"
    motions: str = "R4"

    def build(self) -> nn.Module:
        """The network, not trained."""
        return ev.create_model(self.model, **{"width": WIDTH, **self.arguments})

    @property
    def variant(self) -> str:
        """How the images lie on which it is trained."""
        return "rotated_reflected" if self.motions == "R4R" else "rotated"


#: Table 5.
DIGITS = (
    Network("CNN", "96.3"),
    Network("CNN-aug", "98.4", beta=0.0),
    Network("IEN beta 1", "98.6", beta=1.0),
    Network("E2CNN", "98.8", {"group": "C4"}),
    Network("Het-IEN beta 1", "98.6", {"feature_groups": "4-2-1"}, beta=1.0),
    Network("IEN beta 0.1", "98.5", beta=0.1),
    Network("IEN beta 0.01", "98.6", beta=0.01),
)


def _lines(table: str, motions: str, beta: float, published: dict[str, str]) -> Iterator[Network]:
    """What the study compares for one architecture and one set of motions.

    ``published`` names the lines; those of feature groups of several sizes end in their sizes. ``beta`` is the weight
    that is best in the study.
    """
    title, model = {"resnet": ("ResNet18", "ien_resnet18"), "vgg": ("VGG", "ien_vgg")}[table]
    shared: dict[str, Any] = {"width": PICTURE_WIDTH} | ({"hidden": 128} if table == "vgg" else {})
    weights = {"CNN": None, "CNN-aug": 0.0, "E2CNN": None}
    for name, accuracy in published.items():
        sizes = name.removeprefix("Het-IEN ") if name.startswith("Het-IEN ") else "4" if motions == "R4" else "8"
        own = {"group": GROUPS[motions]} if name == "E2CNN" else {"feature_groups": sizes}
        chosen = "resnet18" if (table, name) == ("resnet", "E2CNN") else model
        beta_of = weights.get(name, beta)
        yield Network(f"{title} {motions} {name}", accuracy, {**shared, **own}, beta_of, table, chosen, motions)


#: Tables 1 and 4; the architectures are those of table 6.
RESNET = (
    *_lines("resnet", "R4", 0.01, {
        "CNN": "42.5", "CNN-aug": "56.7", "E2CNN": "53.5", "IEN": "56.9", "Het-IEN 4-2-1": "55.4",
    }),
    *_lines("resnet", "R8", 0.1, {
        "CNN-aug": "58.5", "E2CNN": "56.5", "IEN": "59.7", "Het-IEN 8-4-2": "57.7 (8-4-2-1)",
    }),
    *_lines("resnet", "R4R", 0.01, {"CNN": "43.2", "CNN-aug": "56.3", "E2CNN": "55.9", "IEN": "56.1"}),
)  # fmt: skip
#: Tables 2 and 4; the architectures are those of table 7.
VGG = (
    *_lines("vgg", "R4", 0.1, {
        "CNN": "32.1", "CNN-aug": "45.3", "E2CNN": "46.7", "IEN": "47.4", "Het-IEN 4-2-1": "46.5",
    }),
    *_lines("vgg", "R8", 0.01, {
        "CNN-aug": "51.5", "E2CNN": "50.2", "IEN": "51.6", "Het-IEN 8-4-2": "51.3",
    }),
    *_lines("vgg", "R4R", 0.01, {"CNN": "32.5", "CNN-aug": "50.0", "E2CNN": "51.1", "IEN": "49.9"}),
)  # fmt: skip
BY_NAME = {network.name: network for network in (*DIGITS, *RESNET, *VGG)}
