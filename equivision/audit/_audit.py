"""The audit: how does a network behave when its input turns?"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from equivision._modes import evaluation_mode
from equivision.audit._angles import measure_angles, share
from equivision.audit._check import (
    check_angles,
    check_classes,
    check_counts,
    check_group,
    check_images,
    check_labels,
    check_mask_classes,
    check_masks,
    check_model,
    check_pooled,
)
from equivision.audit._gallery import make_gallery
from equivision.audit._layers import ElementMeasurement, measure_elements, output_move, tolerance_of
from equivision.audit._picture import image_picture
from equivision.audit._report import AuditReport, ElementResult, WorstInput
from equivision.audit._run import Runner
from equivision.audit._training import training_curves
from equivision.groups import PlanarGroup, SpatialGroup


def audit(
    model: nn.Module,
    images: Tensor,
    *,
    group: SpatialGroup | str,
    labels: Tensor | None = None,
    masks: Tensor | None = None,
    ignore_index: int | None = None,
    angles: Sequence[float | int] | None = None,
    layers: bool = True,
    batch_size: int = 32,
    num_worst: int = 4,
    num_pictures: int = 3,
    picture: int = 0,
    pooled_outputs: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
    name: str | None = None,
    metrics: str | Path | None = None,
) -> AuditReport:
    """Measure how any network behaves when its input turns.

    The network runs in evaluation mode, without gradients, in its own dtype and on its own device; its state is
    restored afterwards. The exact part moves the images by every element of the group, which only rearranges pixels,
    and compares ``f(g x)`` with ``g f(x)`` for the output and for every layer. The sweep rotates by any angle with
    bilinear interpolation inside the inscribed disk, and compares within that disk.

    Volumes are audited in the same way under a point group of space, without the sweep and without pictures of layers.

    Maps ``[B, K, H, W]`` of the size of the images are also read as logits for every pixel, one map for each class, or
    a single one that is above 0 in the mask: the audit then counts the pixels whose class does not move with the image
    and, given true masks, the intersection over union (IoU) of each class.

    Args:
        model: any module from images to class scores ``[B, K]``, maps ``[B, C, H, W]`` or maps on the group
            ``[B, C, |G|, H, W]``; from volumes likewise, with a depth before the height.
        images: ``[N, C, H, W]``, or volumes ``[N, C, D, H, W]``, scaled as the model expects them.
        group: C1, C2, C4, D1, D2 or D4, as a group or its name; for volumes a point group on the voxel grid, such as
            ``"O"``, ``"Oh"`` or ``"422"``.
        labels: true classes ``[N]``, for the accuracies.
        masks: true class of every pixel ``[N, H, W]``, for the IoU; instead of labels.
        ignore_index: value in ``masks`` of pixels that do not count; None if all do.
        angles: degrees of the sweep, counter-clockwise; every 7.5 degrees by default, ``()`` for no sweep. Volumes have
            none.
        layers: measure every layer too; this keeps the outputs of all layers for one batch.
        batch_size: images in one run.
        num_worst: how many of the images with the largest errors to list.
        num_pictures: how many layers to draw.
        picture: which image they look at.
        pooled_outputs: functions of the outputs of layers, by name, whose results are compared, too, such as those of
            ``ImplicitEquivariance.pooled_outputs``. None: the attribute of that name of the model.
        name: name of the network in the report; its class by default.
        metrics: the ``metrics.csv`` of the run that trained the network, for the curves of equivariance by epoch that
            :class:`equivision.tasks.ImplicitTraining` has logged there, if any.

    Returns:
        The report; it prints as a table, and writes itself as JSON or as a page.

    Raises:
        ShapeError: images, labels, masks or the output have a shape that cannot be audited.
        GroupMismatchError: the group does not map the grid of pixels or voxels onto itself.
        DataError: images, labels or masks hold values that cannot be, or metrics is no table of a run.
        ConfigError: an option is out of range.
        EquivisionError: the model fails on the images, or its output is not finite; the message names the layer.

    Source: the error by angle of the equivariance literature, e.g. Lenc & Vedaldi 2015; the definition is
    :func:`equivision.functional.relative_error`.

    >>> _ = torch.manual_seed(0)
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, 3))
    >>> audit(net, torch.randn(8, 1, 9, 9), group="C4").verdict
    'not equivariant'
    """
    acting = check_group(group)
    check_model(model)
    check_images(images, acting, picture)
    check_labels(labels, images)
    check_masks(masks, ignore_index, labels, images)
    check_pooled(pooled_outputs, model)
    curves = () if metrics is None else training_curves(metrics)
    degrees = check_angles(angles, acting)
    check_counts(batch_size=(batch_size, 1), num_worst=(num_worst, 0), num_pictures=(num_pictures, 0))
    runner = Runner(model, pooled_outputs)
    with evaluation_mode(model):
        first = runner(runner.load(images[:batch_size]))
        move = output_move(model, first, acting)
        judged = check_mask_classes(masks, ignore_index, first, move, images)
        found = measure_elements(runner, images, acting, first, move, judged, layers=layers, batch_size=batch_size)
        truth = check_classes(labels, found)
        planar = isinstance(acting, PlanarGroup)
        sweep = measure_angles(runner, images, truth, judged, degrees, acting, move, batch_size) if planar else ()
        gallery = make_gallery(runner, images, picture, acting, found, truth, judged, num_pictures)
    return AuditReport(
        model=name or type(model).__name__,
        group=acting.name,
        num_images=len(images),
        image_shape=tuple(images.shape[1:]),
        num_parameters=sum(p.numel() for p in model.parameters()),
        dtype=str(found.output.dtype).removeprefix("torch."),
        tolerance=tolerance_of(found.output),
        output_shape=tuple(found.output.shape[1:]),
        output_action=found.move.action,
        output_note=found.move.note,
        spread=found.spread,
        stable=_stable(found.predictions),
        elements=_elements(acting, found, truth),
        angles=sweep,
        layers=found.layers,
        worst=_worst(images, acting, found, truth, num_worst),
        gallery=gallery,
        warnings=_warnings(acting, found),
        training=curves,
    )


def _elements(group: SpatialGroup, found: ElementMeasurement, labels: Tensor | None) -> tuple[ElementResult, ...]:
    classes = found.predictions
    return tuple(
        ElementResult(
            element=g,
            name=group.element_name(g),
            max_error=float(errors.max()),
            mean_error=float(errors.mean()),
            consistency=None if classes is None else share(classes[g] == classes[0]),
            accuracy=None if classes is None or labels is None else share(classes[g] == labels),
            mask=found.masks[g].result(),
        )
        for g, errors in enumerate(found.errors)
    )


def _stable(predictions: list[Tensor] | None) -> float | None:
    if predictions is None:
        return None
    each = torch.stack(predictions)
    return share((each == each[0]).all(0))


def _worst(
    images: Tensor, group: SpatialGroup, found: ElementMeasurement, labels: Tensor | None, number: int
) -> tuple[WorstInput, ...]:
    errors, elements = torch.stack(found.errors).max(0)
    order = torch.argsort(errors, descending=True, stable=True)[:number]
    classes = None if found.predictions is None else torch.stack(found.predictions, 1)
    return tuple(
        WorstInput(
            index=i,
            error=float(errors[i]),
            element=int(elements[i]),
            predictions=None if classes is None else tuple(classes[i].tolist()),
            label=None if labels is None else int(labels[i]),
            picture=image_picture(images[i]),
        )
        for i in order.tolist()
    )


def _warnings(group: SpatialGroup, found: ElementMeasurement) -> tuple[str, ...]:
    """What a careful reader would object."""
    tolerance, error = tolerance_of(found.output), max(float(e.max()) for e in found.errors)
    notes = []
    if group.order == 1:
        notes.append("The group has only the identity, which every network passes.")
    elif found.input_change <= 1e-3:
        notes.append(
            "The images hardly change under the group: they are symmetric themselves, so the test proves little."
        )
    if float(found.errors[0].max()) > 0:
        notes.append(
            f"Two runs on the same input differ by {float(found.errors[0].max()):.1e}: the network is random even in "
            "evaluation mode."
        )
    if found.spread is None:
        notes.append("Only one image was given: whether the output depends on its input at all cannot be told.")
    elif found.spread <= 10 * min(error, tolerance):
        notes.append(
            "The output is nearly the same for every image, and what ignores its input is equivariant for free."
        )
    if found.masks[0].has_one_class:
        notes.append("All pixels of the predicted masks are of one class: that they move along proves little.")
    off = [layer.name for layer in found.layers if (layer.max_error or 0.0) > layer.tolerance]
    if off and error <= tolerance:
        notes.append(
            f"The output is exact although layer {off[0]} does not move as assumed: its channels probably hold "
            "orientations that the shape does not show."
        )
    return tuple(notes)
