"""What the tasks share: their checkpoints, and how metrics of an epoch are logged."""

import math
from pathlib import Path
from typing import Any, TypeVar

import lightning
import torch
from jaxtyping import Float
from torch import Tensor

from equivision.errors import ConfigError, DataError
from equivision.nn._field_norm import sync_fields_
from equivision.tasks._checkpoint import read_checkpoint

Task = TypeVar("Task", bound="TaskBase")


#: The entry of a checkpoint that names the class of its task; those of old have none.
TASK = "equivision_task"


def check_steps(lr: float, weight_decay: float, momentum: float, good: tuple[str, str]) -> None:
    """Raise ConfigError where gradient descent cannot go that way.

    Args:
        lr, weight_decay, momentum: what was given.
        good: a learning rate to start with, in words, and a weight decay.
    """
    if not 0 < lr < math.inf:
        raise ConfigError(f"lr={lr}: the learning rate must be a positive number; {good[0]}")
    if not 0 <= weight_decay < math.inf:
        raise ConfigError(f"weight_decay={weight_decay}: must be 0 or more; {good[1]} is a good start")
    if not 0 <= momentum < 1:
        raise ConfigError(f"momentum={momentum}: must be at least 0 and below 1; 0.9 is a good start")


class TaskBase(lightning.LightningModule):
    """A task that is built from hyperparameters, which its checkpoints hold as plain values."""

    def setup(self, stage: str) -> None:
        """With Lightning's ``sync_batchnorm``, which knows torch's batch norms only, those of fields are told."""
        if stage == "fit" and getattr(self.trainer.strategy, "_layer_sync", None) is not None:
            sync_fields_(self)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write down which task this is."""
        checkpoint[TASK] = type(self).__name__

    def _log_epoch(self, name: str, value: Any, batch_size: int) -> None:
        self.log(
            name,
            value,
            on_step=False,
            on_epoch=True,
            sync_dist=isinstance(value, Tensor),
            batch_size=batch_size,
            add_dataloader_idx=False,
        )

    def _finite(self, loss: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """The loss.

        Raises:
            ConfigError: training has diverged.
            DataError: the loss of a network that is not being trained is not finite.
        """
        if torch.isfinite(loss):
            return loss
        if self.trainer.state.fn != "fit":
            raise DataError(
                f"the loss is {loss.item()}: the network gives outputs that are not finite; use another checkpoint, "
                "and check that the images are finite"
            )
        raise ConfigError(
            f"training has diverged: the loss is {loss.item()} in epoch {self.current_epoch + 1}, after step "
            f"{self.global_step}. Start again with a lower --model.lr than {self.hparams['lr']:g}, and check that the "
            "images are finite"
        )

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls: type[Task],
        checkpoint_path: str | Path,
        map_location: Any = None,
        hparams_file: None = None,
        strict: bool | None = None,
        weights_only: bool | None = True,
        **overrides: Any,
    ) -> Task:
        """A task with the weights of a checkpoint, in evaluation mode.

        Args:
            checkpoint_path: the file.
            map_location: device of the result, the CPU by default.
            hparams_file: not supported; the hyperparameters are in the checkpoint.
            strict: whether every weight must have its place.
            weights_only: must be True: nothing but tensors and plain values is ever read.
            **overrides: arguments of the task to use instead of those of the checkpoint, among them ``model``, which
                must be given if the task was built around a network instead of a name.

        Raises:
            ConfigError: model is missing, an argument is not known, or weights_only is not True.
            DataError: the file cannot be read, or does not fit the model.
        """
        if weights_only is False or hparams_file is not None:
            raise ConfigError(
                "load_from_checkpoint reads with weights_only=True and hparams_file=None only: leave them out"
            )
        checkpoint = read_checkpoint(checkpoint_path)
        hparams = {**checkpoint["hyper_parameters"], **overrides}
        if hparams.get("model") is None:
            raise ConfigError(
                f"model is missing: {checkpoint_path} was trained with a network that has no name in the registry; "
                "build that network and pass it as model="
            )
        task = cls._from_hparams(hparams, checkpoint_path)
        task.load_weights(checkpoint, checkpoint_path, strict=strict is not False)
        task.eval()
        return task if map_location is None else task.to(map_location)

    @classmethod
    def _from_hparams(cls: type[Task], hparams: dict[str, Any], path: str | Path) -> Task:
        try:
            return cls(**hparams)
        except TypeError as error:
            raise ConfigError(f"{path} does not fit {cls.__name__}: {error}; give a checkpoint of this task") from error

    def load_weights(self, checkpoint: dict[str, Any], path: str | Path, *, strict: bool = True) -> None:
        """Take over the weights of a checkpoint that :func:`read_checkpoint` read.

        Raises:
            DataError: they do not fit the model, or are not finite.
        """
        for name, value in checkpoint["state_dict"].items():
            if isinstance(value, Tensor) and not torch.isfinite(value).all():
                raise DataError(
                    f"the weights in {path} are not finite ({name}): training had diverged; use another checkpoint, or "
                    "train again with a lower learning rate"
                )
        try:
            self.load_state_dict(checkpoint["state_dict"], strict=strict)
        except RuntimeError as error:
            lines = [line.strip() for line in str(error).splitlines()]
            raise DataError(
                f"the weights in {path} do not fit the model ({lines[min(1, len(lines) - 1)]}): use the model, group "
                "and width that the checkpoint was trained with"
            ) from error
