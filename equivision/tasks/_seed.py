"""Random numbers that depend on the seed and the epoch only."""

import random
from typing import Any

import lightning
import numpy as np
import torch


def seed_generators(*keys: int) -> None:
    """Seed torch, NumPy and Python with a function of the keys."""
    first, second = np.random.SeedSequence(keys).generate_state(2, np.uint32).tolist()
    torch.manual_seed(first << 32 | second)
    np.random.seed(first)  # noqa: NPY002 (the generator that others may use is what is seeded)
    random.seed(first << 32 | second)


class SeedEachEpoch(lightning.Callback):
    """Seeds the random generators at the start of every epoch with a function of (seed, epoch, process).

    Epoch 7 then draws the same numbers (order of the data, dropout) in a run that was resumed there as in one that was
    never interrupted, without any generator's state in the checkpoint. A resumed run goes on with the seed of the
    checkpoint, whatever it was started with.

    Args:
        seed: that of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._resumed = False

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Seed, and in the first epoch after a resumption draw the order of the data again."""
        seed_generators(self.seed, trainer.current_epoch, trainer.global_rank)
        fetcher = getattr(trainer.fit_loop, "_data_fetcher", None)
        if self._resumed and fetcher is not None:
            iter(fetcher)  # Lightning made the first one before this hook; in later epochs it does so after it
        self._resumed = False

    def state_dict(self) -> dict[str, Any]:
        """The seed."""
        return {"seed": self.seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the seed of the checkpoint."""
        self.seed, self._resumed = int(state_dict["seed"]), True
        lightning.seed_everything(self.seed, workers=True, verbose=False)
