"""Training that stops and goes on sees the batches of training that did not stop."""

from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from equivision.data import DigitsDataModule, ImageDataModule, Splits
from tests.data._make import numbered_images

# lightning 2.6 uses a class that torch 2.13 calls deprecated
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


class Stopped(Exception):  # noqa: N818
    """The power went out."""


class Recorder(lightning.LightningModule):
    """A linear classifier that remembers its batches, and stops when it is told to."""

    def __init__(self, stop_at: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(25, 3)
        self.seen: dict[tuple[int, int], torch.Tensor] = {}
        self.tested: list[int] = []
        self.stop_at = stop_at

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        if (self.current_epoch, batch_idx) == self.stop_at:
            raise Stopped
        images, labels = batch
        assert (self.current_epoch, batch_idx) not in self.seen
        self.seen[self.current_epoch, batch_idx] = images
        return torch.nn.functional.cross_entropy(self.linear(images.flatten(1)), labels)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        pass

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self.tested.append(dataloader_idx)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 0.1)


class Numbers(ImageDataModule):
    def load(self) -> Splits:
        data = numbered_images(23)
        return Splits(data.take(range(15)), data.take(range(15, 20)), data.take(range(20, 23)))


def trainer(folder: Path, **checkpoints: Any) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=1,
        default_root_dir=folder,
        callbacks=[ModelCheckpoint(folder, save_last=True, **checkpoints)],
    )


def fit(folder: Path, model: Recorder, options: dict[str, Any], resume: Path | None, **checkpoints: Any) -> Recorder:
    module = Numbers(train_variant="rotated", batch_size=4, shuffle_seed=8, **options)
    trainer(folder, **checkpoints).fit(model, datamodule=module, ckpt_path=resume, weights_only=True)
    return model


AFTER_VALIDATION, AFTER_EPOCH, AFTER_STEP = {}, {"save_on_train_epoch_end": True}, {"every_n_train_steps": 1}


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:Checkpoint directory .* is not empty.*")
@pytest.mark.parametrize(
    ("checkpoints", "stop_at", "options"),
    [
        (AFTER_VALIDATION, (1, 2), {}),
        (AFTER_EPOCH, (2, 3), {}),
        (AFTER_EPOCH, (2, 3), {"augment": "quarters_reflected"}),
        (AFTER_STEP, (1, 0), {}),
        (AFTER_STEP, (1, 2), {}),
        (AFTER_STEP, (1, 2), {"augment": "quarters_reflected"}),
        (AFTER_STEP, (2, 3), {}),
        (AFTER_STEP, (1, 2), {"num_workers": 1, "augment": "rotated"}),
    ],
)
def test_a_resumed_run_is_the_unbroken_run(
    tmp_path: Path, checkpoints: dict[str, Any], stop_at: tuple[int, int], options: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    start = Recorder().state_dict()

    def model(stop: tuple[int, int] | None = None) -> Recorder:
        made = Recorder(stop)
        made.load_state_dict(start)
        return made

    whole = fit(tmp_path / "whole", model(), options, None, **checkpoints)
    assert set(whole.seen) == {(epoch, batch) for epoch in range(3) for batch in range(4)}
    with pytest.raises(Stopped):
        fit(tmp_path / "broken", model(stop_at), options, None, **checkpoints)
    rest = fit(tmp_path / "broken", Recorder(), options, tmp_path / "broken" / "last.ckpt", **checkpoints)

    first = stop_at if "every_n_train_steps" in checkpoints else (stop_at[0], 0)
    assert set(rest.seen) == {key for key in whole.seen if key >= first}
    for key, images in rest.seen.items():
        assert torch.equal(images, whole.seen[key]), key
    assert torch.equal(rest.linear.weight, whole.linear.weight)
    assert not torch.equal(whole.seen[0, 0], whole.seen[1, 0])


def test_every_variant_is_tested(tmp_path: Path) -> None:
    model, module = Recorder(), Numbers(test_variants=["upright", "rotated", "rotated90"])
    trainer(tmp_path).test(model, datamodule=module, verbose=False)
    assert model.tested == [0, 1, 2]


def test_a_run_without_validation_digits(tmp_path: Path) -> None:
    class Few(Recorder):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(784, 10)

    model = Few()
    run = lightning.Trainer(
        fast_dev_run=2, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False
    )
    run.fit(model, datamodule=DigitsDataModule(val_size=0))
    assert len(model.seen) == 2


def test_each_process_asks_for_its_share() -> None:
    class Two:
        world_size = 2

        def __init__(self, rank: int) -> None:
            self.global_rank = rank

    shares = []
    for rank in (0, 1):
        module = Numbers(batch_size=4)
        module.trainer = Two(rank)  # type: ignore[assignment]
        loader = module.train_dataloader()
        assert isinstance(loader, DataLoader)
        shares.append(list(loader.sampler))
    assert len(shares[0]) == len(shares[1]) == 8
    assert set(shares[0]) | set(shares[1]) == set(range(15))
