"""Training in two phases: the exact group first, then the average over the elements in between."""

from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from equivision.errors import ConfigError
from equivision.hyper import HyperEquivariantCNN


class TwoPhaseAveraging(Callback):
    """Trains a :class:`equivision.hyper.HyperEquivariantCNN` over a larger group with quarter turns alone at first.

    Validation in the first phase is without the average, too; testing and prediction always average.

    Args:
        fraction: part of the epochs before the average begins; the study takes half.

    Raises:
        ConfigError: the fraction is not between 0 and 1, or the trained network has nothing to average over.

    Source: HE-CNN (2025), appendix C.3.

    >>> TwoPhaseAveraging().fraction
    0.5
    """

    def __init__(self, fraction: float = 0.5) -> None:
        if not 0 <= fraction <= 1:
            raise ConfigError(
                f"fraction={fraction}: give the part of the epochs before the average begins, from 0 to 1"
            )
        self.fraction = fraction

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Switch the average on when its time has come."""
        first = self.fraction * (trainer.max_epochs or 0)
        for net in _averaging(pl_module):
            net.averaging = trainer.current_epoch >= first

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Average from now on."""
        for net in _averaging(pl_module):
            net.averaging = True


def _averaging(module: Any) -> list[HyperEquivariantCNN]:
    nets = [net for net in module.modules() if isinstance(net, HyperEquivariantCNN)]
    if not nets:
        raise ConfigError(
            "TwoPhaseAveraging found no HyperEquivariantCNN in the network: remove the callback, or choose such a model"
        )
    return nets
