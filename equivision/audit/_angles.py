"""The sweep: error, consistency and accuracy when the input is rotated by any angle."""

import torch
from jaxtyping import Float
from torch import Tensor

from equivision.audit._errors import Errors
from equivision.audit._layers import predictions_of
from equivision.audit._moves import Move, disk, nearest_rotation, rotate_feature
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
    angles: tuple[float, ...],
    group: PlanarGroup,
    move: Move,
    batch_size: int,
) -> tuple[AngleResult, ...]:
    """Error, consistency and accuracy by angle, inputs and dense outputs masked to their inscribed disks."""
    errors = [Errors() for _ in angles]
    classes: list[list[Tensor | None]] = [[] for _ in angles]
    upright: list[Tensor | None] = []
    plane = Move("plane", "images", lambda x, g: act(x, g, group))
    for batch in images.split(batch_size) if angles else ():
        x = runner.load(batch)
        window = disk((x.shape[-2], x.shape[-1]), x)
        output = runner(x * window)
        upright.append(predictions_of(output))
        inside = disk((output.shape[-2], output.shape[-1]), output) if output.ndim > 3 else torch.ones_like(output[:1])
        for i, degrees in enumerate(angles):
            y = runner(rotate_feature(x * window, degrees, group, plane) * window)
            errors[i].add(y * inside, rotate_feature(output, degrees, group, move) * inside)
            classes[i].append(predictions_of(y))
    reference = _joined(upright)
    results = []
    for degrees, collected, found in zip(angles, errors, classes, strict=True):
        each, answers = collected.relative(), _joined(found)
        results.append(
            AngleResult(
                degrees=degrees,
                on_group=nearest_rotation(group, degrees)[1] == 0,
                max_error=float(each.max()),
                mean_error=float(each.mean()),
                consistency=None if answers is None or reference is None else share(answers == reference),
                accuracy=None if answers is None or labels is None else share(answers == labels),
            )
        )
    return tuple(results)


def _joined(parts: list[Tensor | None]) -> Tensor | None:
    known = [part for part in parts if part is not None]
    return torch.cat(known) if known else None
