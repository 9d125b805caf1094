"""Group convolutions that learn how much of the group they respect."""

import math
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_part
from equivision.continuous._conv import ContinuousGroupConv2d
from equivision.continuous._elements import Elements, combine
from equivision.continuous._siren import working_dtype
from equivision.errors import ConfigError
from equivision.nn._base import Guarantee

PGradient = Literal["shift", "elements"]
#: Width of the relaxation of 0 or 1, as in the relaxed Bernoulli distribution.
_TEMPERATURE = 0.5
#: Lets n p be a whole number despite rounding.
_ROUNDING = 1e-6


class _UnitInterval(torch.autograd.Function):
    """Clamp to [0, 1]; gradients pass unless they would push further out."""

    @staticmethod
    def forward(ctx: Any, p: Tensor) -> Tensor:
        ctx.save_for_backward(p)
        return p.clamp(0.0, 1.0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (p,) = ctx.saved_tensors
        outwards = ((p >= 1) & (gradient < 0)) | ((p <= 0) & (gradient > 0))
        return gradient.masked_fill(outwards, 0.0)


def stratified_angles(
    p: Float[Tensor, ""], num: int, shift: Float[Tensor, ""], gradient: PGradient = "shift"
) -> Float[Tensor, " num"]:
    """The angles ``-pi p + 2 pi p (i + shift) / num``: one in each of num equal parts of [-pi p, pi p].

    Args:
        p: how much of the circle.
        num: number of angles.
        shift: place in each part, in [0, 1).
        gradient: ``"shift"``: p gets its gradient by ``-pi p + 2 pi p shift / num`` alone, the same for all angles, as
            in the code of the study; ``"elements"``: by all of the formula.

    >>> stratified_angles(torch.tensor(1.0), 4, torch.tensor(0.5)).rad2deg().round().tolist()
    [-135.0, -45.0, 45.0, 135.0]
    """
    steps = torch.arange(num, device=p.device, dtype=p.dtype)
    spread = p.detach() if gradient == "shift" else p
    return -math.pi * p + (2 * math.pi / num) * (p * shift + spread * steps)


class PartialGroupConv2d(ContinuousGroupConv2d):
    """A continuous group convolution whose output lives on a learned part of the group.

    The angles of the output are uniform on [-pi p, pi p] with p in [0, 1] learned: p = 1 is a full group convolution,
    p = 0 keeps the upright response alone. Reflections are kept with a learned probability, all or none; turns without
    a flip, the identity among them, always are. :meth:`elements` says at which elements the output is to be computed:

    - in training mode ``ceil(num_rotations p)`` angles, one in each of as many equal parts of the interval, all at the
      same random place in their parts; reflections with weight 0 or 1, drawn from a relaxed Bernoulli distribution
      whose gradient passes straight through;
    - in eval mode the middles of the parts; reflections if they are more probable than not.

    Args:
        in_channels, out_channels, kernel_size: as in :class:`ContinuousGroupConv2d`.
        num_rotations: angles for p = 1.
        p: at the start.
        p_gradient: how p learns, as in :func:`stratified_angles`.
        reflections, padding, bias, hidden, num_hidden, omega, device, dtype: as in :class:`ContinuousLiftConv2d`.

    Shape:
        ``[B, in_channels, n, H, W]`` and m elements to ``[B, out_channels, m, H', W']``.

    Equivariance: learned. At p = 1 as :class:`ContinuousGroupConv2d`; below, the response to a turned input lies
    outside of the elements and is not seen.

    Raises:
        ConfigError: p is outside of [0, 1], or an option is not known.
        ShapeError: the input is no feature map on ``source``.

    Source: Romero & Lohit 2022, section 3; the probability of reflections starts at 0.88.

    >>> layer = PartialGroupConv2d(2, 4, 5, num_rotations=8, p=0.5).eval()
    >>> target = layer.elements()
    >>> target.angles.rad2deg().round(decimals=1).tolist()
    [-67.5, -22.5, 22.5, 67.5]
    >>> layer(torch.randn(1, 2, 8, 9, 9), target=target).shape
    torch.Size([1, 4, 4, 9, 9])
    """

    equivariance: Guarantee = "learned"
    p: nn.Parameter

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        num_rotations: int,
        p: float = 1.0,
        p_gradient: PGradient = "shift",
        reflections: bool = False,
        padding: int | None = None,
        bias: bool = True,
        hidden: int = 32,
        num_hidden: int = 1,
        omega: float = 10.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, num_rotations=num_rotations, reflections=reflections,
            padding=padding, bias=bias, hidden=hidden, num_hidden=num_hidden, omega=omega, device=device, dtype=dtype,
        )  # fmt: skip
        check_part("p", p, "a number from 0 (no turns) to 1 (all turns)")
        if p_gradient not in get_args(PGradient):
            raise ConfigError(f"p_gradient={p_gradient!r} is not known: choose 'shift' or 'elements'")
        self.p_gradient: PGradient = p_gradient
        self.p = nn.Parameter(torch.tensor(float(p), device=device, dtype=dtype))
        logit = torch.tensor(2.0, device=device, dtype=dtype)
        self.reflection_logit = nn.Parameter(logit) if reflections else None

    @property
    def coverage(self) -> float:
        """How much of the circle the output covers: p, kept in [0, 1]."""
        return min(max(float(self.p.detach()), 0.0), 1.0)

    @property
    def reflection_probability(self) -> float:
        """How probable it is that reflections are kept; 0 where there are none."""
        return 0.0 if self.reflection_logit is None else float(torch.sigmoid(self.reflection_logit.detach()))

    def elements(self, *, random: bool | None = None, generator: torch.Generator | None = None) -> Elements:
        """The elements that the output is to be computed at.

        Args:
            random: whether to draw them; by default in training mode, or when there is a generator.
            generator: of the random numbers, on the device of the parameters; torch's own by default.
        """
        random = (self.training or generator is not None) if random is None else random
        p = _UnitInterval.apply(self.p.to(working_dtype(self.p)))
        if not isinstance(p, Tensor):
            raise TypeError(p)
        num = max(math.ceil(self.num_rotations * self.coverage - _ROUNDING), 1)
        shift = torch.rand((), generator=generator, device=p.device, dtype=p.dtype) if random else p.new_tensor(0.5)
        found = combine(stratified_angles(p, num, shift, self.p_gradient), reflections=self.reflections)
        if self.reflection_logit is None:
            return found
        kept = _relaxed_bernoulli(self.reflection_logit, random=random, generator=generator)
        return found._replace(weights=1 - found.flips * (1 - kept.to(found.flips)))

    def extra_repr(self) -> str:
        gradient = "" if self.p_gradient == "shift" else f", p_gradient={self.p_gradient!r}"
        return f"{super().extra_repr()}, p={self.coverage:.3g}{gradient}"


def _relaxed_bernoulli(
    logit: Float[Tensor, ""], *, random: bool, generator: torch.Generator | None
) -> Float[Tensor, ""]:
    """0 or 1, with the gradient of a sigmoid; without randomness, whichever is more probable."""
    if random:
        tiny = torch.finfo(logit.dtype).eps
        u = torch.rand((), generator=generator, device=logit.device, dtype=logit.dtype).clamp(tiny, 1 - tiny)
        soft = torch.sigmoid((logit + torch.log(u) - torch.log1p(-u)) / _TEMPERATURE)
    else:
        soft = torch.sigmoid(logit)
    return (soft >= 0.5).to(soft) + (soft - soft.detach())


def partial_layers(net: nn.Module) -> list[PartialGroupConv2d]:
    """The partial convolutions of a network, in the order of its modules.

    >>> len(partial_layers(nn.Sequential(PartialGroupConv2d(1, 1, 3, num_rotations=4), nn.ReLU())))
    1
    """
    return [module for module in net.modules() if isinstance(module, PartialGroupConv2d)]


def monotone_loss(net: nn.Module, weight: float = 1e-3) -> Float[Tensor, ""]:
    """``weight * sum_l relu(p_(l+1) - p_l)``: an optional penalty on layers that respect more than the one before.

    What a layer has forgotten, no later one can bring back.

    Raises:
        ConfigError: the network has no partial convolution.

    Source: Romero & Lohit 2022.

    >>> layers = [PartialGroupConv2d(1, 1, 3, num_rotations=4, p=p) for p in (0.2, 0.7)]
    >>> round(monotone_loss(nn.Sequential(*layers), weight=1.0).item(), 3)
    0.5
    """
    layers = partial_layers(net)
    if not layers:
        raise ConfigError(f"net={type(net).__name__} has no PartialGroupConv2d: there is nothing to keep in order")
    p = torch.stack([layer.p for layer in layers])
    return weight * torch.relu(p[1:] - p[:-1]).sum()
