"""Images: readers, fixed splits, rotated variants, and Lightning data modules.

The readers return :class:`ImageData`, with labels or with masks; :class:`Variant` moves them; the data modules put both
together for training.
Importing this package loads nothing beyond torch and numpy: pillow, pyarrow, datasets, scikit-learn and lightning are
imported by the functions and classes that need them.

>>> from equivision.data import named_variant, random_split, read_digits
>>> train, test = random_split(read_digits(), (1400, 397), seed=0)
>>> named_variant("rotated", seed=0).apply(test.images, test.index).shape
torch.Size([397, 1, 28, 28])
"""

import importlib
from typing import TYPE_CHECKING, Any

from equivision.data._chiral import chiral_shapes as chiral_shapes
from equivision.data._chiral import mirrored as mirrored
from equivision.data._crops import context_side as context_side
from equivision.data._crops import crop_and_resize as crop_and_resize
from equivision.data._deformed import deformed as deformed
from equivision.data._digits import read_digits as read_digits
from equivision.data._folder import list_pictures as list_pictures
from equivision.data._folder import read_image_folder as read_image_folder
from equivision.data._folder import read_pictures as read_pictures
from equivision.data._heart import FibreSlices as FibreSlices
from equivision.data._heart import fibre_slices as fibre_slices
from equivision.data._hub import read_hub as read_hub
from equivision.data._idx import read_idx as read_idx
from equivision.data._idx import read_mnist as read_mnist
from equivision.data._images import ImageData as ImageData
from equivision.data._images import Skipped as Skipped
from equivision.data._images import pool as pool
from equivision.data._loader import EpochSampler as EpochSampler
from equivision.data._loader import NumberedEpochs as NumberedEpochs
from equivision.data._loader import ResumableLoader as ResumableLoader
from equivision.data._loader import VariantDataset as VariantDataset
from equivision.data._loader import evaluation_loader as evaluation_loader
from equivision.data._loader import training_loader as training_loader
from equivision.data._mask_folder import read_mask_folder as read_mask_folder
from equivision.data._mask_folder import read_ph2 as read_ph2
from equivision.data._masks import MaskClasses as MaskClasses
from equivision.data._masks import scale_mask as scale_mask
from equivision.data._oriented import oriented_shapes as oriented_shapes
from equivision.data._parquet import find_parquet as find_parquet
from equivision.data._parquet import read_parquet as read_parquet
from equivision.data._pictures import read_picture as read_picture
from equivision.data._polycrystals import Polycrystals as Polycrystals
from equivision.data._polycrystals import polycrystals as polycrystals
from equivision.data._root import data_folder as data_folder
from equivision.data._sensors import odd_sensors as odd_sensors
from equivision.data._sensors import sensor_sets as sensor_sets
from equivision.data._sequence_files import find_sequences as find_sequences
from equivision.data._sequence_files import read_got10k as read_got10k
from equivision.data._sequence_files import read_otb as read_otb
from equivision.data._sequences import TrackingSequence as TrackingSequence
from equivision.data._sequences import rotating as rotating
from equivision.data._splits import Splits as Splits
from equivision.data._splits import random_split as random_split
from equivision.data._splits import stratified_split as stratified_split
from equivision.data._stl10 import read_stl10 as read_stl10
from equivision.data._synthetic import synthetic_sequences as synthetic_sequences
from equivision.data._tracking_pairs import TrackingPairs as TrackingPairs
from equivision.data._variants import Variant as Variant
from equivision.data._variants import list_variants as list_variants
from equivision.data._variants import named_variant as named_variant
from equivision.data._wallpaper import WALLPAPERS as WALLPAPERS
from equivision.data._wallpaper import wallpaper_textures as wallpaper_textures

if TYPE_CHECKING:
    from equivision.data._datamodules import DigitsDataModule as DigitsDataModule
    from equivision.data._datamodules import ImageDataModule as ImageDataModule
    from equivision.data._datamodules import MNISTDataModule as MNISTDataModule
    from equivision.data._datamodules import ScaleMNISTDataModule as ScaleMNISTDataModule
    from equivision.data._datamodules_files import HubDataModule as HubDataModule
    from equivision.data._datamodules_files import ImageFolderDataModule as ImageFolderDataModule
    from equivision.data._datamodules_files import ParquetDataModule as ParquetDataModule
    from equivision.data._datamodules_files import PictureDataModule as PictureDataModule
    from equivision.data._datamodules_files import PredictionDataModule as PredictionDataModule
    from equivision.data._datamodules_files import STL10DataModule as STL10DataModule
    from equivision.data._datamodules_masks import MaskFolderDataModule as MaskFolderDataModule
    from equivision.data._datamodules_masks import MaskParquetDataModule as MaskParquetDataModule
    from equivision.data._datamodules_masks import PH2DataModule as PH2DataModule
    from equivision.data._datamodules_masks import SegmentationDataModule as SegmentationDataModule
    from equivision.data._datamodules_tracking import SequenceFolderDataModule as SequenceFolderDataModule
    from equivision.data._datamodules_tracking import SyntheticTrackingDataModule as SyntheticTrackingDataModule
    from equivision.data._datamodules_tracking import TrackingDataModule as TrackingDataModule

_LIGHTNING = {
    "DigitsDataModule": "_datamodules",
    "ImageDataModule": "_datamodules",
    "MNISTDataModule": "_datamodules",
    "ScaleMNISTDataModule": "_datamodules",
    "HubDataModule": "_datamodules_files",
    "ImageFolderDataModule": "_datamodules_files",
    "ParquetDataModule": "_datamodules_files",
    "PictureDataModule": "_datamodules_files",
    "PredictionDataModule": "_datamodules_files",
    "MaskFolderDataModule": "_datamodules_masks",
    "PH2DataModule": "_datamodules_masks",
    "MaskParquetDataModule": "_datamodules_masks",
    "SegmentationDataModule": "_datamodules_masks",
    "SequenceFolderDataModule": "_datamodules_tracking",
    "SyntheticTrackingDataModule": "_datamodules_tracking",
    "TrackingDataModule": "_datamodules_tracking",
    "STL10DataModule": "_datamodules_files",
}


def __getattr__(name: str) -> Any:
    """The data modules, which need lightning, are imported when they are asked for."""
    if name not in _LIGHTNING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LIGHTNING[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LIGHTNING])
