"""Checks of what the user hands to an audit."""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.audit._angles import EVERY_7_5_DEGREES
from equivision.audit._layers import ElementMeasurement
from equivision.audit._masks import UNKNOWN, Masks
from equivision.audit._moves import Move, fits_grid
from equivision.errors import ConfigError, DataError, GroupMismatchError, ShapeError
from equivision.filters._permute import AXES
from equivision.groups import PlanarGroup, SpatialGroup, spatial


def check_group(group: SpatialGroup | str) -> SpatialGroup:
    """The group, if every element maps the grid of pixels or voxels onto itself."""
    acting = spatial(group)
    if acting.is_on_grid:
        return acting
    if isinstance(acting, PlanarGroup):
        raise GroupMismatchError(
            f"group={acting.name} holds rotations by {360 / acting.rotations:g} degrees, which do not map the pixel "
            "grid onto itself: audit with C4 or D4; the error by angle covers the angles in between"
        )
    raise GroupMismatchError(
        f"group={acting.name} holds rotations by 120 degrees about z, which do not map the voxel grid onto itself: "
        "audit with O or Oh, or another group of a system that is neither trigonal nor hexagonal"
    )


def check_model(model: object) -> None:
    """The model is a module."""
    if not isinstance(model, nn.Module):
        raise ConfigError(f"model is a {type(model).__name__}: audit needs a torch.nn.Module; wrap a function in one")


def check_pooled(pooled_outputs: object, model: nn.Module) -> None:
    """Every name is that of a module, with a function."""
    if pooled_outputs is None:
        return
    named = dict(model.named_modules())
    if not isinstance(pooled_outputs, Mapping) or not all(callable(value) for value in pooled_outputs.values()):
        raise ConfigError(f"pooled_outputs={pooled_outputs!r}: give a function for each name of a layer")
    for name in pooled_outputs:
        if name not in named:
            known = list(named)[1:6]
            raise ConfigError(f"pooled_outputs names {name!r}, which is not in the network: it has {known}, ...")


def check_images(images: object, group: SpatialGroup, picture: int) -> None:
    """The images are a batch that the group can move."""
    layout = f"[batch, channel, {', '.join(AXES[group.dimension])}]"
    if not isinstance(images, Tensor):
        raise ShapeError(f"images is a {type(images).__name__}: audit needs a tensor {layout}")
    if images.ndim != 2 + group.dimension:
        for_group = "" if group.dimension == 2 else f" under {group.name}, which acts on space"
        raise ShapeError(f"images has shape {tuple(images.shape)}: audit needs {layout}{for_group}")
    if images.numel() == 0:
        raise ShapeError(f"images has shape {tuple(images.shape)}: it is empty; give at least one image")
    if not images.is_floating_point():
        raise DataError(
            f"images are of {images.dtype}: audit needs floating-point images, scaled as in training (images / 255)"
        )
    if not torch.isfinite(images).all():
        raise DataError("images hold NaN or infinity: find and remove them before the audit")
    if not fits_grid(images, group) and group.dimension == 3:
        raise ShapeError(
            f"images of {' x '.join(map(str, images.shape[2:]))} voxels have axes of different lengths that "
            f"{group.name} exchanges: crop or pad them, or audit with a group that keeps the axes apart (222, mm2, mmm)"
        )
    if not fits_grid(images, group):
        raise ShapeError(
            f"images of {images.shape[-2]} x {images.shape[-1]} are not square, and {group.name} holds quarter turns: "
            "crop or pad them, or audit with C2, D1 or D2"
        )
    if not 0 <= picture < len(images):
        raise ConfigError(f"picture={picture}: the images are numbered 0 to {len(images) - 1}")


def check_labels(labels: object, images: Tensor) -> None:
    """The labels are one class for each image."""
    if labels is None:
        return
    if not isinstance(labels, Tensor) or labels.shape != images.shape[:1]:
        got = f"shape {tuple(labels.shape)}" if isinstance(labels, Tensor) else f"type {type(labels).__name__}"
        raise ShapeError(f"labels has {got}: audit needs a tensor with one class for each of the {len(images)} images")
    if not _is_whole(labels):
        raise DataError(f"labels are of {labels.dtype}: audit needs whole numbers, the classes")


def _is_whole(values: Tensor) -> bool:
    return not (values.is_floating_point() or values.is_complex() or values.dtype == torch.bool)


def check_masks(masks: object, ignore_index: object, labels: object, images: Tensor) -> None:
    """The masks are one class for each pixel, and are given instead of labels."""
    if masks is None:
        if ignore_index is not None:
            raise ConfigError(f"ignore_index={ignore_index!r} is a value in masks, which are not given: give both")
        return
    if labels is not None:
        raise ConfigError("labels and masks are both given: labels are for class scores, masks for maps of logits")
    needed = (len(images), *images.shape[2:])
    if not isinstance(masks, Tensor) or masks.shape != needed:
        got = f"shape {tuple(masks.shape)}" if isinstance(masks, Tensor) else f"type {type(masks).__name__}"
        raise ShapeError(f"masks has {got}: audit needs a tensor {needed} with one class for each pixel of the images")
    if not _is_whole(masks):
        raise DataError(f"masks are of {masks.dtype}: audit needs whole numbers, the classes of the pixels")
    if ignore_index is not None and (isinstance(ignore_index, bool) or not isinstance(ignore_index, int)):
        raise ConfigError(f"ignore_index={ignore_index!r}: give the whole number that marks pixels without a class")


def check_mask_classes(
    masks: Tensor | None, ignore_index: int | None, output: Tensor, move: Move, images: Tensor
) -> Masks | None:
    """What the masks of the network are measured by; None if its output is no masks."""
    if move.action != "plane" or output.ndim != 4 or output.shape[-2:] != images.shape[-2:]:
        if masks is not None:
            raise ShapeError(
                f"masks are given, but the output of shape {tuple(output.shape)} is no maps of logits [batch, classes, "
                f"{images.shape[-2]}, {images.shape[-1]}] of the size of the images: enlarge it, or leave masks out"
            )
        return None
    classes = max(2, output.shape[1])
    if masks is None:
        return Masks(classes, None)
    truth = masks.cpu().long()
    known = torch.ones_like(truth, dtype=torch.bool) if ignore_index is None else truth != ignore_index
    low, high = (int(truth[known].min()), int(truth[known].max())) if known.any() else (0, 0)
    if low < 0 or high >= classes:
        raise DataError(
            f"masks hold values from {low} to {high}, but the model has {classes} classes, 0 to {classes - 1}: name "
            "the value of pixels without a class as ignore_index"
        )
    return Masks(classes, truth.where(known, torch.full_like(truth, UNKNOWN)))


def check_classes(labels: Tensor | None, found: ElementMeasurement) -> Int[Tensor, " images"] | None:
    """The labels, once it is known that the output can be compared with them."""
    if labels is None:
        return None
    if found.predictions is None:
        raise ShapeError(
            f"labels are given, but the output of shape {tuple(found.output.shape)} is no class scores "
            "[batch, classes]: leave labels out"
        )
    low, high, classes = int(labels.min()), int(labels.max()), found.output.shape[1]
    if low < 0 or high >= classes:
        raise DataError(f"labels run from {low} to {high}, but the model has {classes} classes, 0 to {classes - 1}")
    return labels.cpu()


def check_angles(angles: Sequence[float | int] | None, group: SpatialGroup) -> tuple[float, ...]:
    """The angles, as finite floats; by default every 7.5 degrees, and none for volumes."""
    if angles is None:
        return EVERY_7_5_DEGREES if group.dimension == 2 else ()
    if group.dimension == 3 and len(angles) > 0:
        raise ConfigError(
            f"angles={tuple(angles)}: the sweep turns images about their centre, but {group.name} acts on volumes: "
            "leave angles out; every element of the group is measured"
        )
    degrees = tuple(float(angle) for angle in angles)
    if not all(map(math.isfinite, degrees)):
        raise ConfigError(f"angles={degrees}: all must be finite numbers of degrees")
    return degrees


def check_counts(**options: tuple[int, int]) -> None:
    """Every option, given as (value, least), is a whole number of at least that."""
    for option, (value, least) in options.items():
        check_count(option, value, least)
