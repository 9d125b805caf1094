"""Lightning data modules of pairs for Siamese trackers."""

import functools
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from torch.utils.data import DataLoader

from equivision.data._extras import require
from equivision.data._folder import read_pictures
from equivision.data._loader import NumberedEpochs, ResumableLoader
from equivision.data._random import permutation
from equivision.data._root import data_folder
from equivision.data._sequence_files import find_sequences
from equivision.data._sequences import TrackingSequence
from equivision.data._synthetic import synthetic_sequences
from equivision.data._tracking_pairs import TrackingPairs
from equivision.errors import ConfigError

require("lightning", "lightning", "equivision's data modules", extra="train")

import lightning  # noqa: E402


class TrackingDataModule(lightning.LightningDataModule):
    """Pairs from sequences, for training and validation; every epoch of training has new ones.

    A batch is (z, x, offset): ``[batch, 3, 127, 127]``, ``[batch, 3, 255, 255]``, ``[batch, 2]``; see
    :class:`TrackingPairs`. A subclass says in ``load`` where the sequences come from. The pairs are a function of the
    seeds and the epoch, so a resumed run sees those of the unbroken one; validation has the same ones in every epoch.

    Args:
        sequences: where the pairs come from.
        val_size: how many of the sequences validate, chosen at random; 0: no validation.
        pairs_per_epoch: of training.
        val_pairs: of validation.
        batch_size: pairs in a batch, for each process.
        max_gap: largest distance between the two frames of a pair.
        shift: largest offset of the target in x along each axis, in pixels of x.
        stretch: largest change of the scale of each crop.
        exemplar_size: side of z.
        search_size: side of x.
        seed: of the choice of validation sequences, and of its pairs.
        shuffle_seed: of the pairs of training; None: that of ``lightning.seed_everything`` if it was called, else
            ``seed``.
        num_workers: processes that read frames and cut crops.

    Raises:
        ConfigError: batch_size is not positive, or val_size leaves nothing to train on.
    """

    def __init__(
        self,
        sequences: Sequence[TrackingSequence] = (),
        *,
        val_size: int = 0,
        pairs_per_epoch: int = 1000,
        val_pairs: int = 200,
        batch_size: int = 8,
        max_gap: int = 100,
        shift: float = 32.0,
        stretch: float = 0.05,
        exemplar_size: int = 127,
        search_size: int = 255,
        seed: int = 0,
        shuffle_seed: int | None = None,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ConfigError(f"batch_size={batch_size}: a batch needs at least one pair")
        self.sequences, self.val_size = tuple(sequences), val_size
        self.pairs_per_epoch, self.val_pairs, self.batch_size = pairs_per_epoch, val_pairs, batch_size
        self.options: dict[str, Any] = {
            "max_gap": max_gap,
            "shift": shift,
            "stretch": stretch,
            "exemplar_size": exemplar_size,
            "search_size": search_size,
        }
        self.seed, self.shuffle_seed, self.num_workers = seed, shuffle_seed, num_workers

    def load(self) -> Sequence[TrackingSequence]:
        """Find the sequences."""
        return self.sequences

    @functools.cached_property
    def split(self) -> tuple[list[TrackingSequence], list[TrackingSequence]]:
        """The sequences of training and of validation.

        Raises:
            ConfigError: val_size leaves nothing to train on.
        """
        found = self.load()
        if not 0 <= self.val_size < len(found):
            raise ConfigError(
                f"val_size={self.val_size}: of {len(found)} sequences at least one must be left to train on"
            )
        order = permutation(len(found), "tracking split", self.seed).tolist()
        chosen = set(order[: self.val_size])
        return (
            [one for i, one in enumerate(found) if i not in chosen],
            [one for i, one in enumerate(found) if i in chosen],
        )

    def setup(self, stage: str) -> None:
        """Find the sequences, so that mistakes show before anything runs."""
        _ = self.split
        if self.num_workers == 0:
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        if stage == "fit" and not self.val_size:  # that is meant
            warnings.filterwarnings("ignore", message="Total length of `list` across ranks is zero")

    def train_dataloader(self) -> ResumableLoader:
        """New pairs in every epoch; each process gets its share."""
        seed = self.shuffle_seed
        if seed is None:
            seed = int(os.environ.get("PL_GLOBAL_SEED", self.seed))
        trainer = self.trainer
        pairs = TrackingPairs(self.split[0], length=self.pairs_per_epoch, seed=seed, **self.options)
        sampler = NumberedEpochs(
            len(pairs),
            seed=seed,
            num_replicas=1 if trainer is None else trainer.world_size,
            rank=0 if trainer is None else trainer.global_rank,
        )
        return ResumableLoader(pairs, batch_size=self.batch_size, sampler=sampler, num_workers=self.num_workers)

    def val_dataloader(self) -> DataLoader | list[Any]:
        """The same pairs in every epoch; an empty list when there is no validation."""
        if not self.val_size:
            return []
        # validation has other random numbers than training, whatever the seed
        pairs = TrackingPairs(self.split[1], length=self.val_pairs, seed=self.seed + 2**32, **self.options)
        return DataLoader(pairs, batch_size=self.batch_size, num_workers=self.num_workers)


class SequenceFolderDataModule(TrackingDataModule):
    """Pairs from sequences on disk (:func:`find_sequences`), such as those of GOT-10k or of OTB.

    Args:
        root: folder of the sequences.
        layout: ``"auto"``, ``"otb"`` or ``"got10k"``.
        **options: see :class:`TrackingDataModule`.
    """

    def __init__(self, root: str | Path, *, layout: Literal["auto", "otb", "got10k"] = "auto", **options: Any) -> None:
        super().__init__((), **options)
        self.root = root
        self.layout: Literal["auto", "otb", "got10k"] = layout

    def load(self) -> list[TrackingSequence]:
        """Find the sequences in the folder."""
        return find_sequences(self.root, self.layout)


class SyntheticTrackingDataModule(TrackingDataModule):
    """Pairs from made sequences (:func:`synthetic_sequences`).

    Args:
        count: number of sequences.
        backgrounds: ``"photographs"``, ``"noise"``, or a folder of pictures.
        background_size: side to which the pictures of a folder are scaled and cropped.
        frames: in each sequence.
        size: height and width of the frames.
        turn: largest rate of a target in degrees a frame; 0: all upright.
        zoom: largest scale of a target.
        distractors: other shapes in each sequence.
        val_size: how many of the sequences validate.
        **options: see :class:`TrackingDataModule`.
    """

    def __init__(
        self,
        *,
        count: int = 1000,
        backgrounds: str = "photographs",
        background_size: int | None = None,
        frames: int = 60,
        size: tuple[int, int] = (240, 320),
        turn: float = 4.0,
        zoom: float = 1.3,
        distractors: int = 3,
        val_size: int = 50,
        **options: Any,
    ) -> None:
        super().__init__((), val_size=val_size, **options)
        self.count, self.backgrounds, self.background_size = count, backgrounds, background_size
        self.frames, self.size, self.turn, self.zoom, self.distractors = frames, size, turn, zoom, distractors

    def load(self) -> list[TrackingSequence]:
        """Make the sequences; frames are drawn later."""
        backgrounds: Any = self.backgrounds
        if backgrounds not in ("photographs", "noise"):
            backgrounds = read_pictures(data_folder(backgrounds), image_size=self.background_size, channels=3).images
        return synthetic_sequences(
            self.count,
            backgrounds=backgrounds,
            frames=self.frames,
            size=self.size,
            turn=self.turn,
            zoom=self.zoom,
            distractors=self.distractors,
            seed=self.seed,
        )
