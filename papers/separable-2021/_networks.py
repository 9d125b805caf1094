"""The networks of tables 1 and 2, with the numbers that the paper prints for them."""

from dataclasses import dataclass, field
from typing import Any

from torch import nn

import equivision as ev


@dataclass(frozen=True)
class Network:
    """One line of a table."""

    name: str
    net: str
    width: int | None
    paper_error: str
    paper_parameters: str
    paper_macs: str
    image: tuple[int, int, int] = (1, 28, 28)
    options: dict[str, Any] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """The network, not trained."""
        width = {} if self.width is None else {"width": self.width}
        return ev.create_model(self.net, **width, **self.options)


TABLE_1 = (
    Network("Z2CNN", "z2cnn", 20, "5.20 ± 0.110", "25.21 k", "2.98 M"),
    Network("c-Z2CNN", "c_z2cnn", 57, "4.64 ± 0.126", "25.60 k", "4.14 M"),
    Network("P4CNN", "p4cnn", 10, "2.23 ± 0.061", "24.81 k", "11.67 M"),
    Network("g-P4CNN", "g_p4cnn", 10, "2.60 ± 0.098", "8.91 k", "4.37 M"),
    Network("gc-P4CNN", "gc_p4cnn", 10, "2.88 ± 0.169", "3.42 k", "1.80 M"),
    Network("g-P4CNN", "g_p4cnn", 17, "1.97 ± 0.044", "25.26 k", "12.34 M"),
    Network("gc-P4CNN", "gc_p4cnn", 30, "1.74 ± 0.070", "24.64 k", "13.01 M"),
)
_PRINTED: dict[str, Any] = {"image": (3, 32, 32), "options": {"form": "printed"}}
TABLE_2 = (
    Network("ResNet44", "resnet44", None, "13.10", "2.64 M", "0.39 G", (3, 32, 32)),
    Network("p4m-ResNet44", "p4m_resnet44", None, "8.06", "2.62 M", "3.08 G", **_PRINTED),
    Network("g-p4m-ResNet44", "g_p4m_resnet44", None, "7.60", "1.78 M", "2.07 G", **_PRINTED),
    Network("gc-p4m-ResNet44", "gc_p4m_resnet44", None, "6.72", "1.88 M", "2.17 G", **_PRINTED),
)
