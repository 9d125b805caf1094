"""Pairs of crops: the target is where the offset says; and the data modules made of them."""

import dataclasses
from pathlib import Path

import lightning
import pytest
import torch
from torch import Tensor

from equivision.data import (
    SequenceFolderDataModule,
    SyntheticTrackingDataModule,
    TrackingDataModule,
    TrackingPairs,
    TrackingSequence,
    context_side,
)
from equivision.errors import ConfigError, DataError
from tests.data.test_sequences import write_got10k, write_otb


def bright(frames: int = 12, size: tuple[int, int] = (90, 120)) -> TrackingSequence:
    """A rectangle on its way; the grey value of the target, from 100 on, is the number of the frame."""
    images = torch.zeros(frames, 3, *size, dtype=torch.uint8)
    boxes = torch.tensor([[40.0 + 2 * t, 30.0 + t, 12.0 + t, 16.0] for t in range(frames)], dtype=torch.float64)
    for t, (x, y, width, height) in enumerate(boxes.int().tolist()):
        images[t, :, y : y + height, x : x + width] = 100 + t
    return TrackingSequence.from_tensors("bright", images, boxes)


def target_in(crop: Tensor) -> tuple[int, Tensor, Tensor]:
    """The frame that the crop shows; centre and extent (x, y) of the target."""
    value = crop.max().item() * 255
    y, x = (crop[0] > value / 510).nonzero().double().unbind(1)
    points = torch.stack([x, y], 1)
    low, high = points.amin(0), points.amax(0) + 1
    return round(value) - 100, (low + high) / 2, high - low


def test_the_target_is_where_the_offset_says() -> None:
    sequence = bright()
    pairs = TrackingPairs([sequence], length=10, shift=40.0, stretch=0.1, seed=3)
    offsets = []
    for i in range(40):
        z, x, offset = pairs[i]
        _, centre, extent = target_in(z)
        first, second = target_in(z)[0], target_in(x)[0]
        assert (centre - 63.5).abs().max() <= 1.0
        assert (target_in(x)[1] - 127.5 - offset).abs().max() <= 1.0
        for frame, size in ((first, extent), (second, target_in(x)[2])):
            width, height = sequence.boxes[frame, 2:].tolist()
            expected = torch.tensor([width, height]) * 127 / context_side(width, height)
            ratio = size / expected
            assert 1 / 1.1 - 0.06 < ratio.min() <= ratio.max() < 1.1 + 0.06
        offsets.append(offset)
    spread = torch.stack(offsets)
    assert 30 < spread.abs().max() <= 40
    assert spread.std(0).min() > 10


def test_without_shift_and_stretch_the_target_is_in_the_middle() -> None:
    sequence = bright()
    pairs = TrackingPairs([sequence], shift=0.0, stretch=0.0)
    for i in range(10):
        _, x, offset = pairs[i]
        assert offset.tolist() == [0, 0]
        frame, centre, extent = target_in(x)
        width, height = sequence.boxes[frame, 2:].tolist()
        assert (centre - 127.5).abs().max() <= 1.0
        assert (extent - torch.tensor([width, height]) * 127 / context_side(width, height)).abs().max() <= 2.0


def test_frames_are_near_and_their_targets_visible() -> None:
    visible = torch.arange(12) % 3 != 1
    sequence = dataclasses.replace(bright(), visible=visible)
    pairs = TrackingPairs([sequence], max_gap=4, exemplar_size=31, search_size=63, shift=8.0)
    shown = {(target_in(z)[0], target_in(x)[0]) for z, x, _ in (pairs[i] for i in range(150))}
    assert {frame for pair in shown for frame in pair} == set(visible.nonzero().flatten().tolist())
    assert {abs(a - b) for a, b in shown} == {0, 1, 2, 3, 4}
    assert {a - b > 0 for a, b in shown if a != b} == {True, False}


def test_an_epoch_ends() -> None:
    pairs = TrackingPairs([bright()], length=3)
    assert [float(x.sum()) for _, x, _ in pairs] == [float(pairs[i][1].sum()) for i in range(3)]


def test_pairs_depend_on_seed_and_number_only() -> None:
    sequences = [bright(), bright(5)]
    pairs, again = TrackingPairs(sequences, seed=1), TrackingPairs(sequences, length=3, seed=1)
    other = TrackingPairs(sequences, seed=2)
    assert len(again) == 3
    for i in (0, 7, 2_000_000):
        assert all(torch.equal(a, b) for a, b in zip(pairs[i], again[i], strict=True))
        assert not torch.equal(pairs[i][2], other[i][2])
    with pytest.raises(IndexError, match="pair -1: pairs are counted from 0"):
        pairs[-1]


def test_pairs_that_cannot_be() -> None:
    for name, value in (("length", 0), ("search_size", 100), ("max_gap", -1), ("shift", -1.0), ("stretch", -0.1)):
        with pytest.raises(ConfigError, match=f"{name}={value}: it must be finite, and at least"):
            TrackingPairs([bright()], **{name: value})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="exemplar_size=0"):
        TrackingPairs([bright()], exemplar_size=0)
    with pytest.raises(DataError, match="sequences is empty"):
        TrackingPairs([])
    with pytest.raises(DataError, match="its target is never visible"):
        TrackingPairs([dataclasses.replace(bright(), visible=torch.zeros(12, dtype=torch.bool))])


SMALL = {"exemplar_size": 31, "search_size": 63, "shift": 8.0}


def test_every_epoch_has_new_pairs_and_validation_the_same() -> None:
    module = TrackingDataModule(
        [bright(n) for n in (4, 5, 6, 7)], val_size=1, pairs_per_epoch=6, val_pairs=9, batch_size=4, **SMALL
    )
    module.setup("fit")
    assert [len(part) for part in module.split] == [3, 1]
    assert set(module.split[0] + module.split[1]) == set(module.sequences)
    loader = module.train_dataloader()
    epochs = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        batches = list(loader)
        assert [len(z) for z, _, _ in batches] == [4, 2]
        assert batches[0][0].shape == (4, 3, 31, 31)
        assert batches[0][1].shape == (4, 3, 63, 63)
        assert batches[0][2].shape == (4, 2)
        epochs.append({tuple(offset.tolist()) for _, _, offsets in batches for offset in offsets})
    assert len(epochs[0]) == len(epochs[1]) == 6
    assert not epochs[0] & epochs[1]
    first, second = (torch.cat([offset for _, _, offset in module.val_dataloader()]) for _ in range(2))
    assert first.shape == (9, 2)
    assert torch.equal(first, second)
    assert not {tuple(offset.tolist()) for offset in first} & (epochs[0] | epochs[1])


def test_a_resumed_epoch_goes_on_where_it_stopped() -> None:
    module = TrackingDataModule([bright()], pairs_per_epoch=6, batch_size=2, **SMALL)
    whole = [offset for _, _, offset in module.train_dataloader()]
    loader = module.train_dataloader()
    stopped = iter(loader)
    next(stopped)
    state, resumed = loader.state_dict(), module.train_dataloader()
    resumed.load_state_dict(state)
    rest = [offset for _, _, offset in resumed]
    assert torch.equal(torch.cat(rest), torch.cat(whole[1:]))


class Nothing(lightning.LightningModule):
    """Remembers the offsets of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[float, ...]] = []

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], index: int) -> Tensor:
        self.seen += [tuple(offset.tolist()) for offset in batch[2]]
        return self.weight * batch[0].mean()

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], index: int) -> None:
        assert batch[1].shape[1:] == (3, 63, 63)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*:FutureWarning")
@pytest.mark.parametrize("val_size", [0, 1])
def test_lightning_trains_on_them(tmp_path: Path, val_size: int) -> None:
    module = SyntheticTrackingDataModule(
        count=3,
        backgrounds="noise",
        frames=4,
        size=(64, 64),
        val_size=val_size,
        pairs_per_epoch=4,
        val_pairs=2,
        **SMALL,
    )
    net = Nothing()
    lightning.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path, log_every_n_steps=1,
    ).fit(net, datamodule=module)  # fmt: skip
    assert len(net.seen) == len(set(net.seen)) == 8


def test_folders(tmp_path: Path) -> None:
    write_otb(tmp_path / "data" / "Car")
    write_got10k(tmp_path / "data" / "train" / "GOT-10k_Train_000001")
    module = SequenceFolderDataModule(tmp_path / "data", val_size=1)
    assert sorted(one.name for part in module.split for one in part) == ["Car", "GOT-10k_Train_000001"]
    with pytest.raises(ConfigError, match="val_size=2: of 2 sequences at least one must be left"):
        SequenceFolderDataModule(tmp_path / "data", val_size=2).setup("fit")
    made = SyntheticTrackingDataModule(
        count=2, backgrounds=str(tmp_path / "data" / "Car" / "img"), frames=2, val_size=0, background_size=40
    )
    assert made.split[0][1].frame(1).shape == (3, 240, 320)


def test_options_that_are_not_valid() -> None:
    with pytest.raises(ConfigError, match="batch_size=0"):
        TrackingDataModule([bright()], batch_size=0)
    with pytest.raises(ConfigError, match="val_size=0: of 0 sequences"):
        TrackingDataModule().setup("fit")
