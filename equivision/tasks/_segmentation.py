"""Segmentation of images."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics import Metric

from equivision.canonical import FrameAveragedNetwork
from equivision.errors import ConfigError, DataError
from equivision.functional import confusion, dice, iou
from equivision.groups import PlanarGroup, planar
from equivision.segmentation import classes_of, mask_loss, probabilities_of, thresholded_iou
from equivision.tasks._supervised import Images, SupervisedTask

#: Class number of pixels that a motion has lost, where masks have none for pixels that do not count; torch's own.
_UNSEEN = -100


class MaskScores(Metric):
    """Scores of masks: intersection over union and Dice over all pixels, and means over the images.

    Means over classes leave out class 0, the background, and classes that are in no mask, true or predicted; means over
    images leave out those in which no pixel counts.

    Args:
        num_classes: classes with the background.
        ignore_index: class number of pixels that do not count.

    Source of the last score: the G-CNN segmentation study, as its code has it.
    """

    full_state_update = False
    counts: Tensor
    image_iou: Tensor
    score: Tensor
    images: Tensor

    def __init__(self, num_classes: int, ignore_index: int | None = None) -> None:
        super().__init__()
        self.num_classes, self.ignore_index = num_classes, ignore_index
        shape = (num_classes, num_classes)
        self.add_state("counts", torch.zeros(shape, dtype=torch.int64), dist_reduce_fx="sum")
        for name in ("image_iou", "score", "images"):  # not in double precision, which some devices do not have
            self.add_state(name, torch.zeros(()), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, masks: Tensor) -> None:
        """Add predicted and true class numbers ``[batch, height, width]``."""
        found = confusion(prediction, masks, self.num_classes, ignore_index=self.ignore_index)
        found = found[found.sum((1, 2)) > 0]  # of an image in which no pixel counts nothing is known
        each = iou(found)[:, 1:]
        self.counts += found.sum(0)
        self.image_iou += each.nan_to_num(1.0).mean(1).sum()
        self.score += thresholded_iou(each).mean(1).sum()
        self.images += len(found)

    def compute(self) -> dict[str, Tensor]:
        """``iou`` and ``dice`` over all pixels, ``image_iou`` and ``score`` averaged over images, and each class."""
        ious, dices = iou(self.counts), dice(self.counts)
        means = {"iou": ious[1:].nanmean(), "dice": dices[1:].nanmean()}
        means |= {"image_iou": self.image_iou / self.images, "score": self.score / self.images}
        classes = {f"iou_{i}": value for i, value in enumerate(ious)}
        return {name: value.float() for name, value in {**means, **classes}.items()}


class SegmentationTask(SupervisedTask):
    """Trains a network to tell the class of every pixel, and measures the masks.

    With two classes, the background and one other, the network has a single map of logits and the logistic loss; with
    more, a map for each class and cross-entropy. A network of your own may have two maps for two classes, too.

    Logs ``train/loss``, ``val/loss`` and, for validation and for each of the data module's ``test_names``:

    ======================  =====================================================================================
    ``iou``                 intersection over union of all pixels, mean over the classes but the background
    ``dice``                likewise twice the intersection over the sum
    ``image_iou``           intersection over union of each image, mean over images (1 where a class is in neither)
    ``score``               what the segmentation study calls IoU (:func:`equivision.segmentation.thresholded_iou`)
    ``iou_0``, ``iou_1``    intersection over union of each class
    ======================  =====================================================================================

    as ``val/iou`` and ``test/iou/<name>``. The defaults are those of the study: Adam, learning rate 1e-4, no decay.

    Args:
        model: name of a registered model such as ``"unet"``, or a network that gives logits ``[B, maps, H, W]``.
        in_channels: channels of the images.
        num_classes: number of classes with the background.
        lr: learning rate.
        weight_decay: as the optimiser defines it.
        milestones: epochs after which the learning rate is multiplied by gamma.
        ignore_index: class number in masks of pixels that do not count.
        **options: see :class:`SupervisedTask`.

    Attributes:
        symmetrize: None, or a group: in evaluation, logits are then the mean over the moved image, moved back, which is
            exactly equivariant under C1, C2, C4, D1, D2 and D4, whatever the network is, at the cost of as many runs as
            the group has elements.

    Raises:
        ConfigError: an argument is not valid, the model cannot be built, or it does not take images of that size.

    Source: the G-CNN segmentation study, section 4.2.

    >>> task = SegmentationTask("unet", width=2, num_classes=2, image_size=(31, 31))
    >>> task(torch.zeros(3, 3, 31, 31)).shape
    torch.Size([3, 1, 31, 31])
    """

    dense = True

    def __init__(
        self,
        model: nn.Module | str = "unet",
        *,
        in_channels: int = 3,
        num_classes: int = 2,
        lr: float = 1e-4,
        weight_decay: float = 0.0,
        milestones: Sequence[int] = (),
        ignore_index: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            model, in_channels=in_channels, num_classes=num_classes, lr=lr, weight_decay=weight_decay,
            milestones=milestones, **options,
        )  # fmt: skip
        if ignore_index is not None and 0 <= ignore_index < num_classes:
            raise ConfigError(f"ignore_index={ignore_index} is one of the {num_classes} classes: give another number")
        self.save_hyperparameters({"ignore_index": ignore_index})
        self.val_scores = MaskScores(num_classes, ignore_index)
        self.test_scores = nn.ModuleList()
        self._symmetrized: FrameAveragedNetwork | None = None

    @classmethod
    def num_logits(cls, num_classes: int) -> int:
        """One map of logits for two classes, otherwise one a class."""
        return 1 if num_classes == 2 else num_classes

    @property
    def symmetrize(self) -> PlanarGroup | None:
        """The group over which logits are averaged in evaluation."""
        return None if self._symmetrized is None else self._symmetrized.group

    @symmetrize.setter
    def symmetrize(self, group: PlanarGroup | str | None) -> None:
        network = None if group is None else FrameAveragedNetwork(self.model, group=planar(group), output="plane")
        object.__setattr__(self, "_symmetrized", network)  # no part of the module: the weights are those of the model

    def forward(self, images: Images) -> Float[Tensor, "batch maps height width"]:
        """Logits of every pixel."""
        if self.training or self._symmetrized is None:
            return super().forward(images)
        return self._symmetrized(images)

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Float[Tensor, ""]:
        """Mean loss of the pixels of a batch, and what the objective adds."""
        return self._training_loss(batch)[-1]

    @property
    def ignored(self) -> int:
        """The class number in masks of pixels that do not count: ``ignore_index``, or if there is none -100."""
        number = self.hparams["ignore_index"]
        return _UNSEEN if number is None else number

    def _loss(self, logits: Tensor, labels: Tensor) -> Float[Tensor, ""]:
        ignored = self.hparams["ignore_index"] if self.objective is None else self.ignored
        return self._finite(mask_loss(logits, labels, ignore_index=ignored))

    def validation_step(self, batch: Sequence[Tensor], batch_idx: int) -> None:
        """Loss and scores of a batch."""
        images, masks = batch
        logits = self(images)
        self.val_scores.update(classes_of(logits), masks)
        self._log_epoch("val/loss", self._loss(logits, masks), len(images))

    def on_validation_epoch_end(self) -> None:
        """Log the scores of all images."""
        self._log_scores(self.val_scores, "val", "")

    def on_test_start(self) -> None:
        """Prepare the scores of each variant of the test images."""
        super().on_test_start()
        hparams = self.hparams
        scores = (MaskScores(hparams["num_classes"], hparams["ignore_index"]) for _ in self._test_names)
        self.test_scores = nn.ModuleList(scores).to(self.device)

    def test_step(self, batch: Sequence[Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Loss and scores of a batch of one variant."""
        images, masks = batch
        logits = self(images)
        scores: Any = self.test_scores[dataloader_idx]
        scores.update(classes_of(logits), masks)
        self._log_epoch(f"test/loss/{self._test_names[dataloader_idx]}", self._loss(logits, masks), len(images))

    def on_test_epoch_end(self) -> None:
        """Log the scores of all images of each variant."""
        for name, scores in zip(self._test_names, self.test_scores, strict=True):
            self._log_scores(scores, "test", f"/{name}")

    def _log_scores(self, scores: Any, stage: str, variant: str) -> None:
        for name, value in scores.compute().items():
            self.log(f"{stage}/{name}{variant}", value)
        scores.reset()

    def predict_step(self, batch: Images | Sequence[Any], batch_idx: int = 0) -> dict[str, Tensor]:
        """Class of every pixel and probabilities of all classes, for a batch of images or (images, anything).

        Raises:
            DataError: they are not finite.
        """
        images = batch if isinstance(batch, Tensor) else batch[0]
        logits = self(images)
        if not torch.isfinite(logits).all():
            raise DataError(
                "the network gives logits that are not finite: use another checkpoint, and check that the images are "
                "finite"
            )
        return {"class": classes_of(logits), "probabilities": probabilities_of(logits)}
