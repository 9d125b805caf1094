"""Training with equivariance as a part of the loss."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from equivision.errors import ConfigError
from equivision.implicit import ImplicitEquivariance, TransformSet, reflections, rotations, scalings
from equivision.implicit._loss import Grouping
from equivision.tasks._classification import ClassificationTask


class ImplicitTraining(Callback):
    """Trains any network on images and moved copies, with a loss for how far its layers are from equivariance.

    Cross-entropy is taken over both. In a recipe::

        trainer:
          callbacks:
            - class_path: equivision.tasks.ImplicitTraining
              init_args: {beta: 0.1, rotations: 4, layers: [features.conv1, features.conv2], feature_groups: 4}

    ``train/equivariance/<layer>`` is the difference of each layer in every epoch, without its weight.

    Args:
        beta: weight of the layers; 0 trains on the moved copies alone (augmentation), in the same number of steps.
        layers: names of layers in the network; None: those that the model itself names.
        feature_groups: how channels are grouped, see :class:`equivision.implicit.ImplicitEquivariance`.
        rotations: how many, equally spaced, or a list of degrees; None: none.
        reflections: whether images are reflected, too.
        scales: factors of enlargement; None: none.
        mode: interpolation of rotations off the grid.
        mask: where maps are compared if motions lose pixels.

    Raises:
        ConfigError: an argument is not valid; when training begins: the task is no ClassificationTask, it has an
            objective already, or a layer is not in the network.

    Source: IEN, equation 8 and section 4.

    >>> ImplicitTraining(beta=0.1, rotations=8, reflections=True).transforms.names[3]
    '45 degrees'
    """

    def __init__(
        self,
        beta: float = 0.1,
        layers: list[str] | None = None,
        feature_groups: str | int | None = "model",
        rotations: int | list[float] | None = 4,
        reflections: bool = False,
        scales: list[float] | None = None,
        mode: str = "nearest",
        mask: str = "disk",
    ) -> None:
        self.transforms = _motions(rotations, reflections, scales, mode)
        self.beta, self.layers = beta, layers
        self.mask: Any = mask
        self.feature_groups: Grouping = feature_groups

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Attach to the network."""
        if not isinstance(pl_module, ClassificationTask):
            raise ConfigError(
                f"ImplicitTraining is for ClassificationTask, not for {type(pl_module).__name__}: for other training, "
                "use equivision.implicit.ImplicitEquivariance in your own training_step"
            )
        if pl_module.objective is not None:
            raise ConfigError(
                "the task has an objective already, as that of a second ImplicitTraining: give one, with all motions"
            )
        pl_module.objective = self.objective(pl_module)

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Leave the task as it was."""
        pl_module.objective = None

    def on_exception(self, trainer: lightning.Trainer, pl_module: Any, exception: BaseException) -> None:
        """Leave the task as it was, too, where training is broken off."""
        if isinstance(getattr(pl_module, "objective", None), ImplicitObjective):
            pl_module.objective = None

    def objective(self, task: ClassificationTask) -> "ImplicitObjective":
        """What a training step of this task asks for."""
        implicit = ImplicitEquivariance(
            task.model, self.layers, self.transforms, feature_groups=self.feature_groups, beta=self.beta, mask=self.mask
        )
        return ImplicitObjective(implicit, task)


class ImplicitObjective:
    """Logits of images and moved copies, and the loss of the layers."""

    def __init__(self, implicit: ImplicitEquivariance, task: ClassificationTask) -> None:
        self.implicit, self.task = implicit, task

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Logits, labels, loss of the layers, and each of them by the name it is logged under."""
        logits, loss, differences = self.implicit(images, run=self.task)
        parts = {f"train/equivariance/{name}": value for name, value in differences.items()}
        return logits, labels.repeat(self.implicit.copies), loss, parts


def _motions(
    angles: int | Sequence[float] | None, flips: bool, factors: Sequence[float] | None, mode: str
) -> TransformSet:
    sets = [] if angles is None else [rotations(angles, mode=mode)]
    sets += [reflections()] if flips else []
    sets += [] if factors is None else [scalings(factors)]
    if not sets:
        raise ConfigError("rotations=None, reflections=False, scales=None leave nothing to learn: give one of them")
    return reduce(TransformSet.then, sets)
