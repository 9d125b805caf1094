"""The networks of the study, with the scores that it prints, and U-Nets."""

from dataclasses import dataclass, field
from typing import Any

from torch import nn

import equivision as ev


@dataclass(frozen=True)
class Network:
    """A row of a table.

    ``study`` are the scores on test images as they are and turned, which tables 3 and 4 print for PH2; ``full`` are
    the parameters of the study's own widths, of which a quarter is used here.
    """

    name: str
    model: str
    arguments: dict[str, Any] = field(default_factory=dict)
    widths: tuple[int, ...] = ()
    augmented: bool = False
    size: int = 64
    study: tuple[str, str] = ("-", "-")

    def build(self, **options: Any) -> nn.Module:
        """The network, not trained."""
        widths = {"widths": tuple(n // 4 for n in self.widths)} if self.widths else {}
        return ev.create_model(self.model, **self.arguments, **widths, **options)

    @property
    def full(self) -> int | None:
        """Parameters at the study's widths."""
        if not self.widths:
            return None
        net = ev.create_model(self.model, **self.arguments, widths=self.widths)
        return sum(p.numel() for p in net.parameters())

    @property
    def exact(self) -> bool:
        """Whether masks must turn with the picture."""
        return not self.model.startswith("z2")


PLAIN, C4, D4 = (32, 64, 128, 256), (16, 32, 64, 128), (16, 32, 64, 64)
T = {"up": "transposed"}
#: Tables 3 and 4. Transposed networks take 16 n + 1 pixels.
STUDY = (
    Network("SegNet", "z2_segnet", widths=PLAIN, study=(".718", ".646")),
    Network("P4 SegNet", "segnet", {"group": "C4"}, C4, study=(".786", ".786")),
    Network("D4 SegNet", "segnet", {"group": "D4"}, D4, study=(".745", ".745")),
    Network("SegNet+", "z2_segnet", widths=PLAIN, augmented=True, study=(".767", ".771")),
    Network("P4 SegNet+", "segnet", {"group": "C4"}, C4, augmented=True, study=(".788", ".788")),
    Network("SegNet, transposed", "z2_segnet", T, PLAIN, size=65, study=(".657", "-")),
    Network("P4 SegNet, transposed", "segnet", {"group": "C4", **T}, C4, size=65, study=(".67", "-")),
    Network("D4 SegNet, transposed", "segnet", {"group": "D4", **T}, D4, size=65, study=(".693", "-")),
)
#: Of about the same number of parameters.
UNETS = (
    Network("U-Net", "z2_unet", {"width": 8, "depth": 3}),
    Network("U-Net+", "z2_unet", {"width": 8, "depth": 3}, augmented=True),
    Network("C4 U-Net", "unet", {"group": "C4", "width": 4, "depth": 3}),
    Network("D4 U-Net", "unet", {"group": "D4", "width": 3, "depth": 3}),
)
NETWORKS = {network.name: network for network in (*STUDY, *UNETS)}
#: The curve over the number of labelled images.
FEW = ("U-Net", "U-Net+", "D4 U-Net")
