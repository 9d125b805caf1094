"""How far the filters of a group convolution are copies of one another along the group."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision._text import grid
from equivision.errors import ConfigError, ShapeError
from equivision.groups import PlanarGroup

Distribution = Literal["normal", "uniform"]

#: A set whose filters vary by less than this share of their size is constant, up to rounding.
_NOTHING = 1e-12


@dataclasses.dataclass(frozen=True)
class LayerRedundancy:
    """The filter sets of one layer.

    Attributes:
        name: path of the layer in the network.
        kind: class of the layer.
        group: group of the layer.
        kernel_size: height and width of its filters.
        ratios: for every filter set, the share of its variance that one kernel explains, from 1 / |G| to 1.
        constant: number of sets left out because their filters are constant, so that there is no variance to explain.
        baseline: mean ratio of random filters of that size, :func:`random_redundancy`.
    """

    name: str
    kind: str
    group: str
    kernel_size: tuple[int, int]
    ratios: tuple[float, ...]
    constant: int
    baseline: float

    @property
    def mean(self) -> float | None:
        """Mean of the ratios; None if every set is constant."""
        return sum(self.ratios) / len(self.ratios) if self.ratios else None


@dataclasses.dataclass(frozen=True)
class RedundancyReport:
    """The filter sets of all group convolutions of a network. ``print(report)`` shows a table.

    Attributes:
        model: class of the network.
        layers: those that have filter sets, in the order of the network.
        skipped: the other layers on a group, as (name, why).
    """

    model: str
    layers: tuple[LayerRedundancy, ...]
    skipped: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        rows = [
            [layer.name, layer.kind, f"{layer.group}, {layer.kernel_size[0]} x {layer.kernel_size[1]}",
             f"{len(layer.ratios):,}", "–" if layer.mean is None else f"{layer.mean:.3f}", f"{layer.baseline:.3f}"]
            for layer in self.layers
        ]  # fmt: skip
        head = f"{self.model}: share of the variance of a filter set that one kernel explains"
        table = grid(["layer", "kind", "filters", "sets", "mean", "random"], rows, left=3)
        return "\n".join([head, "", table, *(f"{name}: skipped, {why}" for name, why in self.skipped)])


def filter_redundancy(weight: Tensor | nn.Module) -> Float[Tensor, " sets"]:
    """The share of the variance of every filter set that its first principal component explains.

    A filter set is the kernels ``psi[o, c, g]`` of one output and one input channel, for all g: |G| rows of
    ``k * k`` numbers. Every row is centred; with the singular values ``s`` of what is left the ratio is
    ``s_1^2 / sum_i s_i^2``. It is 1 where all kernels of the set are multiples of one, as in a separable layer, and at
    least ``1 / |G|``. Random filters lie well above that: compare with :func:`random_redundancy`.

    Args:
        weight: ``[out_channels, in_channels, |G|, kh, kw]``, or a module with such a ``weight``.

    Returns:
        One ratio for every pair of channels, in float64 on the CPU; sets of constant filters are left out.

    Raises:
        ShapeError: the weight does not have five axes, or its kernels have one tap, of which centring leaves nothing.
        ConfigError: the weight holds numbers that are not finite.

    Source: Lengyel & van Gemert 2021, section 3.2 and figure 2.

    >>> kernel, share = torch.randn(8, 4, 1, 3, 3), torch.randn(8, 4, 4, 1, 1)
    >>> bool((filter_redundancy(kernel * share) > 1 - 1e-6).all())  # separable
    True
    """
    tensor = getattr(weight, "weight", None) if isinstance(weight, nn.Module) else weight
    if not isinstance(tensor, Tensor) or tensor.ndim != 5:
        got = f"shape {tuple(tensor.shape)}" if isinstance(tensor, Tensor) else f"type {type(tensor).__name__}"
        raise ShapeError(
            f"weight has {got}: filter_redundancy needs the weight of a group convolution, "
            "[out_channels, in_channels, group, height, width], or a module that has one"
        )
    if tensor.shape[-1] * tensor.shape[-2] == 1:
        raise ShapeError(
            f"weight has shape {tuple(tensor.shape)}: of kernels of 1 x 1 centring leaves nothing, so they have no "
            "redundancy; give kernels of at least two taps"
        )
    if not torch.isfinite(tensor).all():
        raise ConfigError(
            "weight holds numbers that are not finite, of which there is no variance: use a network whose training has "
            "not diverged"
        )
    rows = tensor.detach().to(device="cpu", dtype=torch.float64).flatten(0, 1).flatten(2)
    ratios, varies = _first_component(rows)
    return ratios[varies]


def _first_component(rows: Float[Tensor, "sets group taps"]) -> tuple[Tensor, Tensor]:
    """The ratio of every set, and whether there is any variance in it."""
    centred = rows - rows.mean(-1, keepdim=True)
    squares = torch.linalg.eigvalsh(centred @ centred.mT)  # squared singular values, in rising order
    total = squares.sum(-1)
    varies = centred.square().sum((-1, -2)) > _NOTHING**2 * rows.square().sum((-1, -2))
    return (squares[:, -1] / total).clamp(max=1), varies


@functools.cache
def random_redundancy(
    order: int,
    kernel_size: tuple[int, int],
    *,
    distribution: Distribution = "normal",
    sets: int = 20_000,
    seed: int = 0,
) -> float:
    """The mean ratio of filters that are independent random numbers: what is there before anything is learned.

    Simulated with a generator of its own, so the same everywhere and no other random number changes. Compare an
    untrained network with the distribution that its filters are drawn from: for uniform numbers, which all layers here
    and torch's own convolutions start from, the mean is a little lower.

    Args:
        order: number of elements of the group.
        kernel_size: height and width of the filters.
        distribution: of the numbers, ``"normal"`` or ``"uniform"``, with mean zero.
        sets: number of filter sets that are drawn.
        seed: of the generator.

    Raises:
        ConfigError: an argument is too small, or the distribution is not known.

    >>> round(random_redundancy(4, (3, 3)), 2), round(random_redundancy(4, (4, 4)), 2)
    (0.52, 0.44)
    """
    taps = kernel_size[0] * kernel_size[1]
    if min(order, sets, *kernel_size) < 1 or taps < 2:
        raise ConfigError(
            f"order={order}, kernel_size={kernel_size}, sets={sets}: give numbers of at least 1, and kernels of at "
            "least two taps"
        )
    if distribution not in ("normal", "uniform"):
        raise ConfigError(f"distribution={distribution!r} is not known: choose 'normal' or 'uniform'")
    rows = torch.empty(sets, order, taps, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    _ = rows.normal_(generator=generator) if distribution == "normal" else rows.uniform_(-1, 1, generator=generator)
    return float(_first_component(rows)[0].mean())


def _group_convolutions(model: nn.Module) -> Iterator[tuple[str, nn.Module, Tensor, PlanarGroup]]:
    """Modules with a weight of five axes, the third as long as the group that the module names."""
    for name, module in model.named_modules():
        weight, group = getattr(module, "weight", None), getattr(module, "group", None)
        if not isinstance(weight, Tensor) or not isinstance(group, PlanarGroup):
            continue
        if weight.ndim == 5 and weight.shape[2] == group.order:
            yield name, module, weight, group


def redundancy(model: nn.Module, *, distribution: Distribution = "normal") -> RedundancyReport:
    """Measure the filter sets of every group convolution of a network; see :func:`filter_redundancy`.

    A layer is recognised by what it has: a ``weight`` ``[out, in, |G|, kh, kw]`` and a ``group``. Kernels of 1 x 1 and
    the trivial group are skipped, with the reason.

    Args:
        model: any network.
        distribution: of the random filters to compare with.

    Raises:
        ConfigError: the model is no module, or has no such layer, or the distribution is not known.

    >>> import equivision as ev
    >>> [round(layer.mean, 1) for layer in redundancy(ev.create_model("p4cnn")).layers]
    [0.5, 0.5, 0.5, 0.5, 0.5, 0.4]
    """
    if not isinstance(model, nn.Module):
        raise ConfigError(f"model is a {type(model).__name__}: redundancy needs a torch.nn.Module")
    layers, skipped = [], []
    for name, module, weight, group in _group_convolutions(model):
        kernel_size = (weight.shape[-2], weight.shape[-1])
        if kernel_size == (1, 1):
            skipped.append((name, "its kernels are 1 x 1: centring leaves nothing"))
        elif group.order == 1:
            skipped.append((name, "its group is trivial: a set holds one filter"))
        else:
            ratios = filter_redundancy(weight)
            layers.append(
                LayerRedundancy(
                    name=name,
                    kind=type(module).__name__,
                    group=group.name,
                    kernel_size=kernel_size,
                    ratios=tuple(ratios.tolist()),
                    constant=weight.shape[0] * weight.shape[1] - len(ratios),
                    baseline=random_redundancy(group.order, kernel_size, distribution=distribution),
                )
            )
    if not layers and not skipped:
        raise ConfigError(
            f"model {type(model).__name__} has no group convolution: redundancy looks for modules with a weight "
            "[out, in, |G|, height, width] and a group"
        )
    return RedundancyReport(type(model).__name__, tuple(layers), tuple(skipped))
