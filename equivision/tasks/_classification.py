"""Classification of images."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from equivision.errors import DataError
from equivision.tasks._supervised import Images, SupervisedTask


class ClassificationTask(SupervisedTask):
    """Trains a network to tell classes apart, with cross-entropy, and measures its accuracy.

    Logs ``train/loss``, ``train/accuracy``, ``val/loss``, ``val/accuracy`` for every epoch, and for each of the data
    module's ``test_names`` (upright, rotated, ...) ``test/loss/<name>`` and ``test/accuracy/<name>``. The defaults are
    the rotated-MNIST recipe of Lengyel & van Gemert 2021: Adam, learning rate 0.01, weight decay 1e-5, a tenth of the
    rate after epoch 40 of 50.

    Args:
        model: name of a registered model (:func:`equivision.list_models`), or a network that gives logits.
        **options: see :class:`SupervisedTask`.

    Raises:
        ConfigError: an argument is not valid, the model cannot be built, or it does not take images of that size.

    >>> task = ClassificationTask("p4cnn", width=2, image_size=(28, 28))
    >>> task(torch.zeros(3, 1, 28, 28)).shape
    torch.Size([3, 10])
    """

    def __init__(self, model: nn.Module | str = "p4cnn", **options: Any) -> None:
        super().__init__(model, **options)
        num_classes = self.hparams["num_classes"]
        self.train_accuracy = MulticlassAccuracy(num_classes, average="micro")
        self.val_accuracy = MulticlassAccuracy(num_classes, average="micro")
        self.test_accuracy = nn.ModuleList()

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Float[Tensor, ""]:
        """Mean cross-entropy of a batch, and what the objective adds."""
        logits, labels, loss = self._training_loss(batch)
        self.train_accuracy(logits, labels)
        self._log_epoch("train/accuracy", self.train_accuracy, len(labels))
        return loss

    def _loss(self, logits: Float[Tensor, "batch num_classes"], labels: Tensor) -> Float[Tensor, ""]:
        """Mean cross-entropy."""
        return self._finite(nn.functional.cross_entropy(logits, labels))

    def validation_step(self, batch: Sequence[Tensor], batch_idx: int) -> None:
        """Accuracy and loss of a batch."""
        images, labels = batch
        logits = self(images)
        self.val_accuracy(logits, labels)
        self._log_epoch("val/loss", self._loss(logits, labels), len(labels))
        self._log_epoch("val/accuracy", self.val_accuracy, len(labels))

    def on_test_start(self) -> None:
        """Prepare one accuracy for each variant of the test images."""
        super().on_test_start()
        accuracies = (MulticlassAccuracy(self.hparams["num_classes"], average="micro") for _ in self._test_names)
        self.test_accuracy = nn.ModuleList(accuracies).to(self.device)

    def test_step(self, batch: Sequence[Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Accuracy and loss of a batch of one variant."""
        images, labels = batch
        logits = self(images)
        name, accuracy = self._test_names[dataloader_idx], self.test_accuracy[dataloader_idx]
        accuracy(logits, labels)
        self._log_epoch(f"test/loss/{name}", self._loss(logits, labels), len(labels))
        self._log_epoch(f"test/accuracy/{name}", accuracy, len(labels))

    def predict_step(self, batch: Images | Sequence[Any], batch_idx: int = 0) -> dict[str, Tensor]:
        """Class, its probability, and the probabilities of all classes, for a batch of images or (images, anything).

        Raises:
            DataError: they are not finite.
        """
        images = batch if isinstance(batch, Tensor) else batch[0]
        probabilities = self(images).softmax(dim=1)
        if not torch.isfinite(probabilities).all():
            raise DataError(
                "the network gives probabilities that are not finite: use another checkpoint, and check that the "
                "images are finite"
            )
        probability, best = probabilities.max(dim=1)
        return {"class": best, "probability": probability, "probabilities": probabilities}
