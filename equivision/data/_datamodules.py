"""Lightning data modules. Lightning is imported here and nowhere else in ``equivision.data``."""

import functools
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from torch.utils.data import DataLoader

from equivision.data._digits import read_digits
from equivision.data._extras import require
from equivision.data._folder import read_pictures
from equivision.data._idx import read_mnist
from equivision.data._images import ImageData, Skipped
from equivision.data._loader import check_augment, evaluation_loader, training_loader
from equivision.data._splits import Splits, carve, random_split
from equivision.data._variants import Variant, named_variant
from equivision.errors import ConfigError, DataError

require("lightning", "lightning", "equivision's data modules", extra="train")

import lightning  # noqa: E402

TEST_VARIANTS = ("upright", "rotated", "rotated90")


class ImageDataModule(lightning.LightningDataModule):
    """Images in memory, trained on in one variant and tested in several.

    A subclass says in ``load`` where the images come from. Batches are pairs (images, labels), images as floats in [0,
    1]; for data with masks and without labels (images, masks); for prediction (images, positions in ``predict_names``).

    ``seed`` fixes the data: splits and variants. ``shuffle_seed`` fixes the order of the training batches, which is a
    function of it and the epoch, so that a resumed run sees the batches of the unbroken one. Validation images are
    moved like training images.

    Args:
        train_variant: how training and validation images are moved: a name (:func:`named_variant`) or a Variant.
        augment: how training images are moved after that, anew in every epoch: a random variant, such as
            ``"quarters"``, ``"quarters_reflected"`` or ``"rotated"``; None: not at all. Like the order it is a function
            of shuffle_seed and the epoch, whatever the seed of a Variant.
        test_variants: how test images are moved; one test loader for each, all on the same images.
        batch_size: images in a batch, for each process.
        seed: of splits and variants.
        shuffle_seed: of the order of training; None: that of ``lightning.seed_everything`` if it was called, else
            ``seed``.
        padding: what comes in from outside a turned picture: ``"zeros"``, ``"border"`` or ``"reflection"``; used for
            variants given by name.
        num_workers: processes that prepare batches; the images are in memory, so 0 is mostly fastest.
        skip_bad: leave out pictures that cannot be read, list them in ``skipped``, and warn.
        predict_folder: folder of pictures to predict.

    Raises:
        ConfigError: a variant is not known, augment is not random, or batch_size is not positive.
    """

    crop = True  # False where a subclass stretches pictures to its size

    def __init__(
        self,
        *,
        train_variant: str | Variant = "upright",
        augment: str | Variant | None = None,
        test_variants: Sequence[str | Variant] = TEST_VARIANTS,
        batch_size: int = 128,
        seed: int = 0,
        shuffle_seed: int | None = None,
        padding: Literal["zeros", "border", "reflection"] = "zeros",
        num_workers: int = 0,
        skip_bad: bool = False,
        predict_folder: str | Path | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ConfigError(f"batch_size={batch_size}: a batch needs at least one image")
        if isinstance(test_variants, str | Variant) or not test_variants:
            raise ConfigError(
                f"test_variants={test_variants!r}: give a list of at least one variant, such as ['upright']"
            )

        def variant(given: str | Variant) -> Variant:
            return given if isinstance(given, Variant) else named_variant(given, seed=seed, padding=padding)

        self.train_variant = variant(train_variant)
        self.augment = None if augment is None else check_augment(variant(augment))
        self.test_variants = [variant(given) for given in test_variants]
        self.test_names = tuple(one.name for one in self.test_variants)
        if len(set(self.test_names)) < len(self.test_names):
            raise ConfigError(
                f"test_variants={test_variants!r}: each variant may be named once, as results carry its name"
            )
        self.batch_size, self.seed, self.shuffle_seed, self.num_workers = batch_size, seed, shuffle_seed, num_workers
        self.skip_bad, self.predict_folder = skip_bad, predict_folder

    def load(self) -> Splits:
        """Read the images and split them."""
        raise NotImplementedError

    @functools.cached_property
    def splits(self) -> Splits:
        """The images, read when they are first needed."""
        return self.load()

    @functools.cached_property
    def predict_data(self) -> ImageData:
        """The pictures of predict_folder, scaled and cropped to the size of the training images.

        Raises:
            ConfigError: there is no predict_folder.
            DataError: the training images are not square, and the pictures have another size.
        """
        if self.predict_folder is None:
            raise ConfigError(
                "predict_folder is not given: name the folder of pictures to predict (--data.predict_folder)"
            )
        channels: Literal[1, 3] = 1 if self.in_channels == 1 else 3
        height, width = self.image_size
        data = read_pictures(
            self.predict_folder,
            image_size=height if height == width else None,
            crop=self.crop,
            channels=channels,
            skip_bad=self.skip_bad,
        )
        if data.images.shape[2:] != (height, width):
            found = "x".join(map(str, data.images.shape[2:]))
            raise DataError(
                f"{self.predict_folder} has pictures of {found}, but {height}x{width} are needed: resize them"
            )
        return data

    @property
    def predict_names(self) -> tuple[str, ...]:
        """File names of the pictures to predict."""
        return self.predict_data.names

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by number."""
        return self.splits.train.class_names

    @property
    def in_channels(self) -> int:
        """Channels of the images: 1 or 3."""
        return self.splits.train.images.shape[1]

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images."""
        height, width = self.splits.train.images.shape[2:]
        return height, width

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Pictures left out because they could not be read, of all that was read so far."""
        parts: list[ImageData | None] = []
        if "splits" in self.__dict__:
            parts += [self.splits.train, self.splits.val, self.splits.test]
        if "predict_data" in self.__dict__:
            parts.append(self.predict_data)
        return tuple(dict.fromkeys(one for part in parts if part is not None for one in part.skipped))

    def setup(self, stage: str) -> None:
        """Read what the stage needs, so that mistakes show before anything runs."""
        _ = self.predict_data if stage == "predict" else self.splits
        if self.num_workers == 0:  # Lightning advises worker processes; for images in memory they are slower.
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        if stage == "fit" and self.splits.val is None:  # that is meant
            warnings.filterwarnings("ignore", message="Total length of `list` across ranks is zero")

    def train_dataloader(self) -> DataLoader:
        """Training images, shuffled; dealt out to the processes."""
        seed = self.shuffle_seed
        if seed is None:
            seed = int(os.environ.get("PL_GLOBAL_SEED", self.seed))
        trainer = self.trainer
        return training_loader(
            self.splits.train,
            self.train_variant,
            self.batch_size,
            augment=self.augment,
            seed=seed,
            num_replicas=1 if trainer is None else trainer.world_size,
            rank=0 if trainer is None else trainer.global_rank,
            num_workers=self.num_workers,
        )

    def _evaluate(self, data: ImageData, variant: Variant | None) -> DataLoader:
        return evaluation_loader(data, variant, self.batch_size, num_workers=self.num_workers)

    def val_dataloader(self) -> DataLoader | list[Any]:
        """Validation images, moved like training images; an empty list when there are none."""
        return [] if self.splits.val is None else self._evaluate(self.splits.val, self.train_variant)

    def test_dataloader(self) -> list[DataLoader]:
        """The test images in each variant, in the order of ``test_names``.

        Raises:
            DataError: there are no test images.
        """
        test = self.splits.test
        if test is None:
            raise DataError(f"{type(self).__name__} has no test images: give it some (test_size or test_split)")
        return [self._evaluate(test, variant) for variant in self.test_variants]

    def predict_dataloader(self) -> DataLoader:
        """The pictures of predict_folder, in sorted order."""
        return self._evaluate(self.predict_data, None)


class _MNISTShaped(ImageDataModule):
    """Ten digits of 28x28 with one channel, known before they are read."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The ten digits."""
        return tuple("0123456789")

    @property
    def in_channels(self) -> int:
        """Digits are grey: 1."""
        return 1

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images: 28, 28."""
        return 28, 28


class DigitsDataModule(_MNISTShaped):
    """scikit-learn's 1,797 digits as 28x28 images (:func:`read_digits`), split by class proportions.

    Args:
        val_size: number of validation images.
        test_size: number of test images; the rest is trained on.
        train_variant: how training and validation digits are moved.
        **options: see :class:`ImageDataModule`.
    """

    def __init__(
        self,
        *,
        val_size: int = 200,
        test_size: int = 400,
        train_variant: str | Variant = "rotated",
        **options: Any,
    ) -> None:
        super().__init__(train_variant=train_variant, **options)
        self.val_size, self.test_size = val_size, test_size

    def load(self) -> Splits:
        """Read the digits and split them."""
        return carve(read_digits(), val_size=self.val_size, test_size=self.test_size, seed=self.seed)


class MNISTDataModule(_MNISTShaped):
    """MNIST, rotated MNIST and their relatives, all on the same digits.

    The 70,000 digits (train file, then test file) are put in one random order fixed by ``seed``; the first
    ``train_size`` are trained on, the next ``test_size`` are tested on: 12,000 and 50,000 as in rotated MNIST
    (Larochelle et al., An empirical evaluation of deep architectures on problems with many factors of variation, 2007;
    digits and angles are drawn anew here). Images are 28x28 floats in [0, 1], not normalised; angles are uniform in
    [0, 360), interpolation is bilinear.

    Args:
        root: folder of the IDX files; by default ``mnist`` below the environment variable EQUIVISION_DATA.
        train_size: digits for training and validation.
        test_size: digits for testing.
        val_size: how many of the ``train_size`` digits, the last ones, validate instead; 0 trains on all.
        train_variant: how training and validation digits are moved.
        **options: see :class:`ImageDataModule`.

    Raises:
        ConfigError: val_size leaves nothing to train on.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        train_size: int = 12_000,
        test_size: int = 50_000,
        val_size: int = 2_000,
        train_variant: str | Variant = "rotated",
        **options: Any,
    ) -> None:
        super().__init__(train_variant=train_variant, **options)
        if not 0 <= val_size < train_size:
            raise ConfigError(
                f"val_size={val_size}: validation digits are taken from the train_size={train_size} digits; give a "
                "number from 0 to less than that"
            )
        self.root, self.train_size, self.test_size, self.val_size = root, train_size, test_size, val_size

    def load(self) -> Splits:
        """Read the digits and split them."""
        sizes = (self.train_size - self.val_size, self.val_size, self.test_size)
        train, val, test = random_split(read_mnist(self.root), sizes, seed=self.seed)
        return Splits(train, val if self.val_size else None, test if self.test_size else None)


class ScaleMNISTDataModule(_MNISTShaped):
    """Scale-MNIST: digits shrunk by factors of their own, uniform in [0.3, 1), about the centre of the 28x28 canvas.

    The 70,000 digits of MNIST are split by class proportions, by ``seed``: 10,000 to train on, 2,000 that validate and
    50,000 for testing, as in the study of SESN; digits and factors are drawn anew here, and another seed is another
    draw. Shrinking is bicubic and antialiased.

    Args:
        root: folder of the IDX files; by default ``mnist`` below the environment variable EQUIVISION_DATA.
        upsample: how many times every pixel is repeated in both directions, after shrinking: 2 is Scale-MNIST 56.
        train_size: digits for training.
        val_size: digits for validation; 0: none.
        test_size: digits for testing.
        train_variant: how training and validation digits are moved.
        test_variants: how test digits are moved.
        **options: see :class:`ImageDataModule`.

    Raises:
        ConfigError: upsample is no whole number of at least 1.

    Source: Sosnovik, Szmaja & Smeulders 2020, section 6.1, after Kanazawa et al. 2014.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        upsample: int = 1,
        train_size: int = 10_000,
        val_size: int = 2_000,
        test_size: int = 50_000,
        train_variant: str | Variant = "scaled",
        test_variants: Sequence[str | Variant] = ("scaled",),
        **options: Any,
    ) -> None:
        super().__init__(train_variant=train_variant, test_variants=test_variants, **options)
        self.root, self.upsample = root, upsample
        self.train_size, self.val_size, self.test_size = train_size, val_size, test_size
        self.train_variant = replace(self.train_variant, upsample=upsample)
        self.test_variants = [replace(variant, upsample=upsample) for variant in self.test_variants]

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images: 28 times ``upsample``."""
        return 28 * self.upsample, 28 * self.upsample

    def load(self) -> Splits:
        """Read the digits and split them."""
        sizes = {"train_size": self.train_size, "val_size": self.val_size, "test_size": self.test_size}
        return carve(read_mnist(self.root), **sizes, seed=self.seed)
