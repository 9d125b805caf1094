"""Training of trackers."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision.data._sequences import turn_points
from equivision.errors import ConfigError
from equivision.implicit import ImplicitEquivariance, Motion, rotations
from equivision.models import SiameseNetwork
from equivision.models._siamese import turned_templates
from equivision.tasks._base import TaskBase, check_steps
from equivision.tasks._build import build_model, model_arguments
from equivision.tracking import balanced_logistic_loss, response_labels

#: Template [B, C, 127, 127], search image [B, C, 255, 255], (x, y) of the target from its centre, in its pixels.
Pairs = Sequence[Tensor]
_LAST_LR = 1e-3  # of the first
_DEGREES = (90.0, 180.0, 270.0)
_TURNS = rotations(_DEGREES)


class TrackingTask(TaskBase):
    """Trains a siamese network to tell where in a search image the target of a template is.

    Logs ``train/loss`` and ``val/loss`` for every epoch, and ``train/equivariance`` where it is learned. The defaults
    are SiamFC's: SGD with momentum, a learning rate that falls from 1e-2 to 1e-5 exponentially, the balanced logistic
    loss with labels of radius 16 pixels.

    With ``equivariance``, every pair is trained on as it is and with both of its images turned by the same quarter
    turns, drawn for each pair, and the difference of the pooled features of the two, turned back, is added to the loss,
    for the layers in ``feature_groups`` of the network.

    Args:
        model: name of a registered tracker (``siamfc``, ``re_siamfc``, ``ien_siamfc``, ``het_siamfc``), or a
            :class:`equivision.models.SiameseNetwork`, which is passed again to :meth:`load_from_checkpoint`.
        group: group of the model, such as ``"C4"``; None: its default. With the next two, for a model by name.
        width: width of the model; None: its default.
        model_args: further arguments of the model, plain values.
        in_channels: channels of the images.
        radius: of the labels, in pixels of the search image.
        equivariance: weight of the loss of every layer with feature groups; None: the pairs are not turned; 0: they
            are, as augmentation, and the loss is logged but not trained on.
        lr: learning rate of the first epoch; that of the last is a thousandth.
        momentum: of SGD.
        weight_decay: of SGD.

    Raises:
        ConfigError: an argument is not valid, or the model is no tracker.

    Source: Bertinetto et al. 2016 (SiamFC), section 4.2; Khetan et al. 2021 (implicit equivariance), eq. 7.

    >>> task = TrackingTask("re_siamfc", width=2)
    >>> task(torch.zeros(1, 3, 127, 127), torch.zeros(1, 3, 255, 255)).shape
    torch.Size([1, 17, 17])
    """

    model: SiameseNetwork

    def __init__(
        self,
        model: nn.Module | str = "re_siamfc",
        *,
        group: str | None = None,
        width: int | None = None,
        model_args: dict[str, Any] | None = None,
        in_channels: int = 3,
        radius: float = 16.0,
        equivariance: float | None = None,
        lr: float = 1e-2,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
    ) -> None:
        super().__init__()
        arguments = model_arguments(group, width, model_args)
        _check_recipe(radius, equivariance, lr, momentum, weight_decay)
        name = model if isinstance(model, str) else type(model).__name__
        self.model = _tracker(build_model(model, arguments, in_channels=in_channels), name)
        if equivariance is not None and not self.model.feature_groups:
            raise ConfigError(
                f"equivariance={equivariance}: the network has no feature_groups, so there is no layer to learn it in: "
                "leave it out, or choose ien_siamfc or het_siamfc"
            )
        self.save_hyperparameters(
            {
                "model": model if isinstance(model, str) else None,
                "group": group,
                "width": width,
                "model_args": dict(model_args or {}),
                "in_channels": in_channels,
                "radius": radius,
                "equivariance": equivariance,
                "lr": lr,
                "momentum": momentum,
                "weight_decay": weight_decay,
            }
        )

    def forward(
        self, z: Float[Tensor, "batch channel height width"], x: Float[Tensor, "batch channel height2 width2"]
    ) -> Float[Tensor, "batch out_height out_width"]:
        """The response: a logit for every position."""
        return self.model(z, x)

    def training_step(self, batch: Pairs, batch_idx: int) -> Float[Tensor, ""]:
        """The loss of a batch of pairs."""
        if self.hparams["equivariance"] is None:
            loss = self._loss(batch)
        else:
            difference, loss = self._turned_loss(batch, _TURNS.sample(len(batch[0])))
            self._log_epoch("train/equivariance", difference.detach(), len(batch[0]))
            loss = loss + self.hparams["equivariance"] * difference
        loss = self._finite(loss)
        self.log("loss", loss.detach(), on_step=True, on_epoch=False, prog_bar=True, batch_size=len(batch[0]))
        self._log_epoch("train/loss", loss.detach(), len(batch[0]))
        return loss

    def validation_step(self, batch: Pairs, batch_idx: int) -> None:
        """The loss of a batch of pairs as they are."""
        loss = self._finite(self._loss(batch))
        self._log_epoch("val/loss", loss, len(batch[0]))

    def _loss(self, batch: Pairs) -> Float[Tensor, ""]:
        z, x, offset = batch
        return self._loss_of(self(z, x), offset)

    def _loss_of(self, response: Tensor, offset: Tensor) -> Float[Tensor, ""]:
        radius = self.hparams["radius"]
        labels = response_labels(offset, response.shape[-1], stride=self.model.stride, radius=radius)
        return balanced_logistic_loss(response, labels)

    def _turned_loss(self, batch: Pairs, motion: Motion) -> tuple[Tensor, Tensor]:
        """The difference of pooled features, and the loss of the pairs as they are and turned."""
        z, x, offset = batch
        groups = {name.removeprefix("backbone."): pairs for name, pairs in self.model.feature_groups.items()}
        implicit = ImplicitEquivariance(self.model.backbone, list(groups), motion.transforms, feature_groups=groups)
        of_z, of_x = implicit(z, [motion]), implicit(x, [motion])
        templates = turned_templates(of_z.output, self.model.group)
        response = self.model.correlate(templates, of_x.output).amax(1)
        degrees = torch.tensor(_DEGREES, dtype=torch.float64)[motion.index]
        turned = turn_points(offset.detach().cpu()[:, None].double(), degrees)[:, 0]
        offsets = torch.cat([offset, turned.to(offset)])
        return (of_z.loss + of_x.loss) / 2, self._loss_of(response, offsets)

    def configure_optimizers(self) -> Any:
        """SGD, and a learning rate that falls by the same factor after every epoch.

        Raises:
            ConfigError: nothing says how long the training is.
        """
        optimizer = torch.optim.SGD(
            self.parameters(), self.hparams["lr"], self.hparams["momentum"], weight_decay=self.hparams["weight_decay"]
        )
        gamma = _LAST_LR ** (1 / max(self._epochs() - 1, 1))
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma)}

    def _epochs(self) -> int:
        """How many there will be, also where their number follows from that of the steps."""
        trainer = self.trainer
        if trainer.max_epochs is not None and trainer.max_epochs > 0:
            return trainer.max_epochs
        if trainer.max_steps < 1:
            raise ConfigError(
                "the learning rate falls to a thousandth over the whole training, so its length must be known: give "
                "the trainer max_epochs or max_steps"
            )
        trainer.fit_loop.setup_data()  # the batches of an epoch are counted then
        return max(
            math.ceil(trainer.max_steps * trainer.accumulate_grad_batches / max(trainer.num_training_batches, 1)), 1
        )


def _tracker(model: nn.Module, name: str) -> SiameseNetwork:
    """The model, if it is one.

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(model, SiameseNetwork):
        raise ConfigError(
            f"model={name!r} is no tracker: choose siamfc, re_siamfc, ien_siamfc or het_siamfc, or give "
            "a SiameseNetwork"
        )
    return model


def _check_recipe(radius: float, equivariance: float | None, lr: float, momentum: float, weight_decay: float) -> None:
    if not 0 < radius < float("inf"):
        raise ConfigError(f"radius={radius}: give a positive number of pixels, such as 16")
    if equivariance is not None and not 0 <= equivariance < float("inf"):
        raise ConfigError(f"equivariance={equivariance}: give a weight of 0 or more, or None to turn nothing")
    check_steps(lr, weight_decay, momentum, ("0.01 is a good start", "5e-4"))
