"""Operators on the fields of a feature map ``[batch, channels, height, width]``.

A *run* is a pair (count, size): fields of one size that stand side by side. Runs say all that these operators need.
"""

from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor, fx

from equivision.errors import ConfigError, ShapeError
from equivision.functional._checks import check_floating
from equivision.reps import Representation, invariants

Run = tuple[int, int]
#: Fields shorter than this are shortened further where they are divided by their norm. A field that is nothing but
#: rounding, as where a picture is flat, would else come out as a vector of full length in a random direction.
SHORT = 1e-3


def runs_of(rep: Representation) -> tuple[tuple[Representation, int], ...]:
    """Equal fields that stand side by side, counted."""
    return tuple((field, len(list(run))) for field, run in groupby(rep.fields))


def check_channels(x: Tensor, channels: int, layer: str) -> None:
    """Raise ShapeError unless x is a feature map with that many channels, in floating-point numbers."""
    if isinstance(x, fx.Proxy):  # nothing is known while a network is traced
        return
    if x.ndim != 4 or x.shape[1] != channels:
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; the representation needs [batch, {channels}, height, width]"
        )
    check_floating(x, layer)


def over_fields(x: Tensor, runs: Sequence[Run], function: Callable[[int, Tensor], Tensor]) -> Tensor:
    """Apply ``function(i, fields)`` to run number i as ``[B, count, size, H, W]``; what it gives is joined again."""
    parts = x.split([count * size for count, size in runs], 1)
    results = [function(i, parts[i].unflatten(1, run)) for i, run in enumerate(runs)]
    flat = [result.flatten(1, 2) for result in results]
    return flat[0] if len(flat) == 1 else torch.cat(flat, 1)


def reduce_fields(
    x: Float[Tensor, "batch channels height width"], runs: Sequence[Run], modes: Sequence[str]
) -> Float[Tensor, "batch fields height width"]:
    """One number for every field.

    Args:
        x: feature map.
        runs: of the fields.
        modes: of every run: ``"max"``, ``"mean"``, ``"norm"``, or ``"same"`` for fields of size 1.

    Equivariance: exact: the norm for all our representations, which are orthogonal; maximum and mean for permutation
    representations.

    >>> reduce_fields(torch.ones(1, 6, 1, 1), [(2, 1), (1, 4)], ["same", "norm"]).flatten().tolist()
    [1.0, 1.0, 2.0]
    """
    check_channels(x, sum(count * size for count, size in runs), "reduce_fields")
    return over_fields(x, runs, lambda i, fields: _REDUCE[modes[i]](fields))


_REDUCE: dict[str, Callable[[Tensor], Tensor]] = {
    "same": lambda fields: fields,
    "max": lambda fields: fields.amax(2, keepdim=True),
    "mean": lambda fields: fields.mean(2, keepdim=True),
    "norm": lambda fields: torch.linalg.vector_norm(fields, dim=2, keepdim=True),
}


def norm_relu(
    x: Float[Tensor, "batch channels height width"],
    bias: Float[Tensor, " fields"],
    runs: Sequence[Run],
    plain: Sequence[bool],
) -> Float[Tensor, "batch channels height width"]:
    """``v ReLU(|v| + b) / |v|`` for every field v; ``ReLU(v + b)`` for the runs that are ``plain``.

    Fields shorter than 0.001 are multiplied by ``(|v| / 0.001)^2`` besides: the function is smooth at 0.

    Args:
        x: feature map.
        bias: b, one number for each field.
        runs: of the fields.
        plain: which runs hold invariants, whose sign may be cut.

    Equivariance: exact.

    Source: Worrall et al. 2017, section 4.2.
    """
    check_channels(x, sum(count * size for count, size in runs), "NormReLU")
    biases = bias.split([count for count, _ in runs])

    def apply(i: int, fields: Tensor) -> Tensor:
        shift = biases[i].view(-1, 1, 1, 1)
        if plain[i]:
            return torch.relu(fields + shift)
        norm = torch.linalg.vector_norm(fields, dim=2, keepdim=True)
        return fields * (torch.relu(norm + shift) * norm / norm.clamp_min(SHORT) ** 2)

    return over_fields(x, runs, apply)


def gate(
    x: Float[Tensor, "batch channels height width"], runs: Sequence[Run], plain: Sequence[bool]
) -> Float[Tensor, "batch fewer height width"]:
    """``v sigmoid(s)`` for every field v, where s is an invariant of its own; ``ReLU(v)`` for ``plain`` runs.

    Args:
        x: the fields, and after them one invariant for each field that is not plain.
        runs: of the fields, without the gates.
        plain: which runs hold invariants.

    Equivariance: exact.

    Source: Weiler et al. 2018 (3D steerable CNNs), section 4.3.
    """
    gates = sum(count for (count, _), simple in zip(runs, plain, strict=True) if not simple)
    channels = sum(count * size for count, size in runs)
    check_channels(x, channels + gates, "GatedNonlinearity")
    opened, used = torch.sigmoid(x[:, channels:]), 0
    scales: list[Tensor | None] = []
    for (count, _), simple in zip(runs, plain, strict=True):
        scales.append(None if simple else opened[:, used : used + count].unsqueeze(2))
        used += 0 if simple else count

    def apply(i: int, fields: Tensor) -> Tensor:
        scale = scales[i]
        return torch.relu(fields) if scale is None else fields * scale

    return over_fields(x[:, :channels], runs, apply)


def sampled_pointwise(
    x: Float[Tensor, "batch channels height width"],
    samples: Float[Tensor, "points size"],
    back: Float[Tensor, "size points"],
    function: Callable[[Tensor], Tensor],
) -> Float[Tensor, "batch channels height width"]:
    """Apply a function to the values of band-limited functions at points of the group, and go back to coefficients.

    Args:
        x: fields that are all of one size.
        samples: values at the points from coefficients.
        back: coefficients from values at the points.
        function: applied to every value.

    Equivariance: exact for the elements that exchange the points; for others the better, the more points there are.

    Source: Cesa, Lang & Weiler 2022, section 4; Franzen & Wand 2021.
    """
    fields = x.unflatten(1, (-1, samples.shape[1]))
    values = function(torch.einsum("ps,bcshw->bcphw", samples.to(x.dtype), fields))
    return torch.einsum("sp,bcphw->bcshw", back.to(x.dtype), values).flatten(1, 2)


def is_plain(rep: Representation) -> bool:
    """Whether a field is a single invariant."""
    return rep.size == 1 and len(invariants(rep)) == 1


def check_permutation(rep: Representation, layer: str) -> None:
    """Raise ConfigError unless every field is a permutation representation."""
    for field, _ in runs_of(rep):
        if not field.is_permutation:
            raise ConfigError(
                f"{layer}: the field {field.name!r} of {field.group.name} mixes its channels when it moves, so that a "
                "function of each channel is not equivariant: use NormReLU, GatedNonlinearity or FourierNonlinearity"
            )
