"""What tasks share that learn from images of one size and their labels or masks."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision.errors import ConfigError
from equivision.tasks._base import TaskBase, check_steps
from equivision.tasks._build import build_model, check_model, model_arguments

Images = Float[Tensor, "batch channel height width"]


class Objective(Protocol):
    """What a training step asks the network for, instead of its logits for the images of the batch alone."""

    def __call__(self, images: Images, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Logits, their labels or masks, what is added to their loss, and what is logged for the epoch, by name."""
        ...


class SupervisedTask(TaskBase):
    """A network by name or as a module, trained with a usual recipe on images of one size.

    A subclass says what the loss and the metrics are, and how many maps of logits the network gives.

    Args:
        model: name of a registered model (:func:`equivision.list_models`), or a network that gives logits. A network
            is not part of the hyperparameters: pass it again to :meth:`load_from_checkpoint`.
        group: group of the model, such as ``"D4"``; None: the model's default. With the next two, for a model by name.
        width: width of the model; None: the model's default.
        model_args: further arguments of the model, plain values.
        in_channels: channels of the images. On the command line these four follow the data.
        num_classes: number of classes.
        image_size: height and width of the images; when given, the model is tried on that size at once.
        class_names: names of the classes, by number; kept for prediction.
        optimizer: ``"adam"`` or ``"sgd"``.
        lr: learning rate.
        weight_decay: as the optimiser defines it.
        momentum: of SGD.
        milestones: epochs after which the learning rate is multiplied by gamma.
        gamma: that factor.
        channels_last: whether images are laid out channels last in memory. Layers of ours and of torch then keep their
            feature maps so, with the same numbers to rounding; narrow networks train faster (guide/speed.md).

    Attributes:
        objective: None, or what callbacks such as :class:`ImplicitTraining` put in the place of a plain pass.

    Raises:
        ConfigError: an argument is not valid, the model cannot be built, or it does not take images of that size.
    """

    #: Whether there is an answer for every pixel.
    dense: bool = False

    def __init__(
        self,
        model: nn.Module | str,
        *,
        group: str | None = None,
        width: int | None = None,
        model_args: dict[str, Any] | None = None,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: Sequence[int] | None = None,
        class_names: Sequence[str] = (),
        optimizer: Literal["adam", "sgd"] = "adam",
        lr: float = 0.01,
        weight_decay: float = 1e-5,
        momentum: float = 0.9,
        milestones: Sequence[int] = (40,),
        gamma: float = 0.1,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        arguments = model_arguments(group, width, model_args)
        if not isinstance(channels_last, bool):
            raise ConfigError(f"channels_last={channels_last!r}: give True or False")
        _check_recipe(optimizer, lr, weight_decay, momentum, milestones, gamma)
        _check_classes(num_classes, class_names)
        maps = self.num_logits(num_classes)
        self.model = build_model(model, arguments, in_channels=in_channels, num_classes=maps)
        if image_size is not None:
            if not isinstance(image_size, Sequence) or len(image_size) != 2:
                raise ConfigError(f"image_size={image_size!r}: give height and width")
            name = model if isinstance(model, str) else type(model).__name__
            check_model(self.model, name, in_channels, image_size, num_classes, dense=self.dense)
        self.save_hyperparameters(
            {
                "model": model if isinstance(model, str) else None,
                "group": group,
                "width": width,
                "model_args": dict(model_args or {}),
                "in_channels": in_channels,
                "num_classes": num_classes,
                "image_size": None if image_size is None else [int(n) for n in image_size],
                "class_names": [str(name) for name in class_names],
                "optimizer": optimizer,
                "lr": lr,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "milestones": list(milestones),
                "gamma": gamma,
                "channels_last": channels_last,
            }
        )
        self._test_names: tuple[str, ...] = ()
        self.objective: Objective | None = None

    @classmethod
    def num_logits(cls, num_classes: int) -> int:
        """How many logits a network is built for: one a class."""
        return num_classes

    def forward(self, images: Images) -> Float[Tensor, "batch logits *space"]:
        """Logits."""
        if self.hparams.get("channels_last") and images.ndim == 4:  # checkpoints of old have no such word
            images = images.to(memory_format=torch.channels_last)
        return self.model(images)

    @abstractmethod
    def _loss(self, logits: Tensor, labels: Tensor) -> Float[Tensor, ""]:
        """Mean loss of logits for their labels or masks."""

    def _training_loss(self, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor, Float[Tensor, ""]]:
        """Logits, their labels or masks, and the loss of a batch, with what the objective adds; both are logged."""
        images, labels = batch
        if self.objective is None:
            logits = self(images)
            loss = self._loss(logits, labels)
        else:
            logits, labels, penalty, parts = self.objective(images, labels)
            loss = self._finite(self._loss(logits, labels) + penalty)
            for name, value in parts.items():
                self._log_epoch(name, value.detach(), len(labels))
        self.log("loss", loss.detach(), on_step=True, on_epoch=False, prog_bar=True, batch_size=len(labels))
        self._log_epoch("train/loss", loss.detach(), len(labels))
        return logits, labels, loss

    def on_test_start(self) -> None:
        """Learn what the variants of the test images are called."""
        loaders = self.trainer.test_dataloaders
        num = len(loaders) if isinstance(loaders, list | tuple) else 1
        names = tuple(getattr(self.trainer.datamodule, "test_names", ()))  # type: ignore[attr-defined]
        self._test_names = names if len(names) == num else tuple(str(i) for i in range(num))

    def configure_optimizers(self) -> Any:
        """The optimiser, and the steps of the learning rate."""
        lr, decay = self.hparams["lr"], self.hparams["weight_decay"]
        if self.hparams["optimizer"] == "adam":
            optimizer: torch.optim.Optimizer = torch.optim.Adam(self.parameters(), lr, weight_decay=decay)
        else:
            optimizer = torch.optim.SGD(self.parameters(), lr, self.hparams["momentum"], weight_decay=decay)
        milestones, gamma = self.hparams["milestones"], self.hparams["gamma"]
        scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma)
        return {"optimizer": optimizer, "lr_scheduler": scheduler}


def _check_classes(num_classes: int, class_names: Sequence[str]) -> None:
    if num_classes < 2:
        raise ConfigError(f"num_classes={num_classes}: classification needs at least 2 classes")
    if class_names and len(class_names) != num_classes:
        raise ConfigError(
            f"num_classes={num_classes}, but class_names holds {len(class_names)}: give one name for each class"
        )


def _check_recipe(
    optimizer: str, lr: float, weight_decay: float, momentum: float, milestones: Sequence[int], gamma: float
) -> None:
    if optimizer not in ("adam", "sgd"):
        raise ConfigError(f"optimizer={optimizer!r} is not known: choose 'adam' or 'sgd'")
    check_steps(lr, weight_decay, momentum, ("0.01 is a good start for Adam", "1e-5"))
    if list(milestones) != sorted(set(milestones)) or any(epoch < 1 for epoch in milestones):
        raise ConfigError(
            f"milestones={list(milestones)}: give epochs from 1 on, in rising order, or [] for a constant rate"
        )
    if not gamma > 0:
        raise ConfigError(f"gamma={gamma}: the learning rate is multiplied by it, so it must be positive; 0.1 is usual")
