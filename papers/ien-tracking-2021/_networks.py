"""The trackers that are compared, at a small width."""

from dataclasses import dataclass
from typing import Any

from equivision.tasks import TrackingTask


@dataclass(frozen=True)
class Tracker:
    """One tracker.

    Attributes:
        name: as in the table of the study.
        model: name in the registry.
        width: channels, fields or feature groups of the first convolution.
        equivariance: weight of the loss; 0: turned pairs are trained on, and no more; None: they are not.
    """

    name: str
    model: str
    width: int
    equivariance: float | None = None

    def build(self) -> TrackingTask:
        """The task, not trained."""
        return TrackingTask(self.model, width=self.width, equivariance=self.equivariance, lr=LR)


#: The plain one has about the parameters of the one over C4; the others its real channels, or 68.75 % of them.
TRACKERS = {
    tracker.name: tracker
    for tracker in (
        Tracker("SiamFC", "siamfc", 16),
        Tracker("RE-SiamFC", "re_siamfc", 8),
        Tracker("IEN-SiamFC", "ien_siamfc", 8, 0.1),
        Tracker("Het-SiamFC", "het_siamfc", 8, 0.1),
        Tracker("CNN4-SiamFC", "ien_siamfc", 8, 0.0),
    )
}
#: Three times that of SiamFC: there are far fewer steps.
LR = 3e-2
#: What the study prints for Rot-OTB: success and precision.
PUBLISHED: dict[str, tuple[float, float]] = {
    "SiamFC": (0.29, 0.47),
    "CNN4-SiamFC": (0.33, 0.56),
    "RE-SiamFC": (0.35, 0.62),
    "IEN-SiamFC": (0.37, 0.63),
    "Het-SiamFC": (0.37, 0.62),
}
#: How the made sequences are drawn that all trackers are trained on.
DATA: dict[str, Any] = {
    "count": 500, "backgrounds": "photographs", "frames": 60, "turn": 1.0, "val_size": 0, "pairs_per_epoch": 400,
    "batch_size": 8,
}  # fmt: skip
