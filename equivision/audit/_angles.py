"""The sweep: error, consistency and accuracy when the input is rotated by any angle."""

import torch
from jaxtyping import Float
from torch import Tensor

from equivision._disk import inscribed_disk
from equivision.audit._errors import Errors
from equivision.audit._layers import predictions_of
from equivision.audit._masks import MaskMeter, Masks, rotate_mask
from equivision.audit._moves import Move, nearest_rotation, rotate_feature
from equivision.audit._report import AngleResult
from equivision.audit._run import Runner
from equivision.functional import act
from equivision.groups import PlanarGroup

#: Angles of the sweep unless others are given.
EVERY_7_5_DEGREES = tuple(7.5 * i for i in range(48))


def share(hits: Tensor) -> float:
    """The share of the entries that are true."""
    return float(hits.double().mean())


def measure_angles(
    runner: Runner,
    images: Float[Tensor, "batch channel height width"],
    labels: Tensor | None,
    masks: Masks | None,
    angles: tuple[float, ...],
    group: PlanarGroup,
    move: Move,
    batch_size: int,
) -> tuple[AngleResult, ...]:
    """Error, consistency, accuracy and masks by angle, inputs and dense outputs cut to their inscribed disks."""
    errors, meters = [Errors() for _ in angles], [MaskMeter(masks) for _ in angles]
    classes: list[list[Tensor | None]] = [[] for _ in angles]
    upright: list[Tensor | None] = []
    plane = Move("plane", "images", lambda x, g: act(x, g, group))
    for batch in images.split(batch_size) if angles else ():
        x = runner.load(batch)
        window = inscribed_disk(x.shape[-2], x.shape[-1], x.device)
        output = runner(x * window)
        upright.append(predictions_of(output))
        inside = (
            inscribed_disk(output.shape[-2], output.shape[-1], output.device)
            if output.ndim > 3
            else torch.ones_like(output[:1])
        )
        for i, degrees in enumerate(angles):
            y = runner(rotate_feature(x * window, degrees, group, plane) * window)
            errors[i].add(y * inside, rotate_feature(output, degrees, group, move) * inside)
            classes[i].append(predictions_of(y))
            meters[i].add(y, output, lambda mask, degrees=degrees: rotate_mask(mask, degrees, group), inside)
    reference = _joined(upright)
    results = []
    for degrees, collected, found, meter in zip(angles, errors, classes, meters, strict=True):
        each, answers = collected.relative(), _joined(found)
        results.append(
            AngleResult(
                degrees=degrees,
                on_group=nearest_rotation(group, degrees)[1] == 0,
                max_error=float(each.max()),
                mean_error=float(each.mean()),
                consistency=None if answers is None or reference is None else share(answers == reference),
                accuracy=None if answers is None or labels is None else share(answers == labels),
                mask=meter.result(),
            )
        )
    return tuple(results)


def _joined(parts: list[Tensor | None]) -> Tensor | None:
    known = [part for part in parts if part is not None]
    return torch.cat(known) if known else None
