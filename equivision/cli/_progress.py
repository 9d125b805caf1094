"""The progress bar of the command line."""

from typing import Any

import lightning
from lightning.pytorch.callbacks import TQDMProgressBar


class EpochBar(TQDMProgressBar):
    """Lightning's bar, with epochs numbered from 1 as in the table above it, and gone when it is full."""

    def get_metrics(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """The metrics beside the bar, without the number of the logger's version."""
        return {name: value for name, value in super().get_metrics(*arguments, **options).items() if name != "v_num"}

    def init_train_tqdm(self) -> Any:
        """The bar of an epoch."""
        bar = super().init_train_tqdm()
        bar.leave = False
        return bar

    def init_test_tqdm(self) -> Any:
        """The bar of a test."""
        bar = super().init_test_tqdm()
        bar.leave = False
        return bar

    def on_train_epoch_start(self, trainer: lightning.Trainer, *arguments: Any) -> None:
        """Count from 1."""
        super().on_train_epoch_start(trainer, *arguments)
        self.train_progress_bar.set_description(f"epoch {trainer.current_epoch + 1}")
