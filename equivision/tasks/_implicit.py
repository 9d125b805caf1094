"""Training with equivariance as a part of the loss."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from equivision.errors import ConfigError
from equivision.implicit import ImplicitEquivariance, Motion, TransformSet, reflections, rotations, scalings
from equivision.implicit._loss import Grouping, Transforms, check_options, check_transforms
from equivision.tasks._segmentation import SegmentationTask
from equivision.tasks._supervised import SupervisedTask


class ImplicitTraining(Callback):
    """Trains any network on images and moved copies, with a loss for how far its layers are from equivariance.

    Of classification and of segmentation; the loss of the task is taken over both. In a recipe::

        trainer:
          callbacks:
            - class_path: equivision.tasks.ImplicitTraining
              init_args: {beta: 0.1, rotations: 4, layers: [features.conv1, features.conv2], feature_groups: 4}

    ``train/equivariance/<layer>`` is the difference of each layer in every epoch, without its weight. In segmentation
    the masks of the moved copies are those of the images, since the logits are moved back; pixels that a motion loses
    do not count.

    Args:
        beta: weight of the layers, one for all or by name; 0 trains on the moved copies alone (augmentation), in the
            same number of steps.
        layers: names of layers in the network; None: those that the model itself names.
        feature_groups: how channels are grouped, for all layers or by name, see
            :class:`equivision.implicit.ImplicitEquivariance`.
        rotations: how many, equally spaced, or a list of degrees; None: none.
        reflections: whether images are reflected, too.
        scales: factors of enlargement; None: none.
        mode: interpolation of rotations off the grid.
        mask: where maps are compared if motions lose pixels.
        transforms: motions of your own, or several sets with weights, in the place of all those above; in Python only.

    Raises:
        ConfigError: an argument is not valid; when training begins: the task learns neither classes nor masks, it has
            an objective already, or a layer is not in the network.

    Source: IEN, equation 8 and section 4.

    >>> ImplicitTraining(beta=0.1, rotations=8, reflections=True).transforms.names[3]
    '45 degrees'
    """

    def __init__(
        self,
        beta: float | dict[str, float] = 0.1,
        layers: list[str] | None = None,
        feature_groups: str | int | dict[str, str | int | None] | None = "model",
        rotations: int | list[float] | None = 4,
        reflections: bool = False,
        scales: list[float] | None = None,
        mode: str = "nearest",
        mask: str = "disk",
        transforms: Transforms | None = None,
    ) -> None:
        given = _motions(rotations, reflections, scales, mode) if transforms is None else transforms
        self.transforms: Transforms = given
        self.beta, self.layers = beta, layers
        self.mask: Any = mask
        self.feature_groups: Grouping | Mapping[str, Grouping] = feature_groups
        check_transforms(given)
        check_options(None if feature_groups == "model" else feature_groups, beta, mask)

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Attach to the network."""
        if not isinstance(pl_module, SupervisedTask):
            raise ConfigError(
                "ImplicitTraining is for ClassificationTask and SegmentationTask, not for "
                f"{type(pl_module).__name__}: for other training, use equivision.implicit.ImplicitEquivariance in your "
                "own training_step"
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

    def objective(self, task: SupervisedTask) -> "ImplicitObjective":
        """What a training step of this task asks for."""
        implicit = ImplicitEquivariance(
            task.model, self.layers, self.transforms, feature_groups=self.feature_groups, beta=self.beta, mask=self.mask
        )
        return ImplicitObjective(implicit, task)


class ImplicitObjective:
    """Logits of images and moved copies, those of pixels moved back, and the loss of the layers."""

    def __init__(self, implicit: ImplicitEquivariance, task: SupervisedTask) -> None:
        self.implicit, self.task = implicit, task

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Logits, labels or masks, loss of the layers, and each of them by the name it is logged under."""
        motions = self.implicit.draw(len(images))
        logits, loss, differences = self.implicit(images, motions, run=self.task)
        parts = {f"train/equivariance/{name}": value for name, value in differences.items()}
        if isinstance(self.task, SegmentationTask):
            return *_moved_back(logits, labels, motions, self.task.ignored), loss, parts
        return logits, labels.repeat(self.implicit.copies), loss, parts


def _moved_back(logits: Tensor, masks: Tensor, motions: Sequence[Motion], ignored: int) -> tuple[Tensor, Tensor]:
    """Logits of images and of copies, moved back, and the masks of both, without the pixels that the motion lost."""
    images, *copies = logits.chunk(1 + len(motions))
    every = [masks]
    for copy, motion in zip(copies, motions, strict=True):
        inside = motion.support(copy, "support")
        every.append(masks if inside is None else masks.masked_fill(~inside[:, 0], ignored))
    back = [motion.undo(copy) for copy, motion in zip(copies, motions, strict=True)]
    return torch.cat([images, *back]), torch.cat(every)


def _motions(
    angles: int | Sequence[float] | None, flips: bool, factors: Sequence[float] | None, mode: str
) -> TransformSet:
    sets = [] if angles is None else [rotations(angles, mode=mode)]
    sets += [reflections()] if flips else []
    sets += [] if factors is None else [scalings(factors)]
    if not sets:
        raise ConfigError("rotations=None, reflections=False, scales=None leave nothing to learn: give one of them")
    return reduce(TransformSet.then, sets)
