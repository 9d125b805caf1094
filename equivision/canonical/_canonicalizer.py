"""Canonicalisation over a finite group: find the pose of every image, bring it back, hand it to any network."""

from typing import Any, Protocol, cast

from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_positive
from equivision.canonical._energy import evaluate
from equivision.canonical._frame import Frame, find_frame
from equivision.canonical._orbit import Orbit, Output, Sampling, blend, check_choice
from equivision.errors import ConfigError, GroupMismatchError
from equivision.groups import PlanarGroup, planar
from equivision.nn._base import Guarantee

Images = Float[Tensor, "batch channel height width"]


def energy_group(energy: nn.Module, group: PlanarGroup | str | None) -> PlanarGroup:
    """The group that scores belong to: the given one, or the one that the energy states.

    Raises:
        ConfigError: there is none.
        GroupMismatchError: they differ.
    """
    stated = getattr(energy, "group", None)
    if group is None and not isinstance(stated, PlanarGroup):
        raise ConfigError(f"energy={type(energy).__name__} states no group: give group=, such as group='C4'")
    found = cast(PlanarGroup, stated) if group is None else planar(group)
    if isinstance(stated, PlanarGroup) and stated != found:
        raise GroupMismatchError(f"group={found.name}, but the energy is one of {stated.name}: leave out group=")
    return found


class Canonicalizer(nn.Module):
    """Brings every image into the pose in which its energy scores highest: ``h^-1 x`` with ``h = argmax s(x)``.

    Scores turn with the image, hence so does h, and ``(g h)^-1 (g x) = h^-1 x``: the canonical image does not depend on
    how the image lies. Forwards the choice is hard; backwards it has the gradient of ``softmax(beta s)``.

    Where several scores are equal to rounding, the elements that give one and the same image are kept; which image that
    is, is decided by its pixels. So a picture with a symmetry of its own is no exception, and its outputs get this
    symmetry; and scores that are equal by accident, or all zero, do no harm either.

    Args:
        energy: any module that gives scores ``[B, |G|]`` which turn as the regular representation, such as
            :class:`EnergyNetwork` or :class:`OrbitEnergy`.
        group: C_n or D_n, as a group or its name; that of the energy by default.
        beta: sharpness of the softmax that gradients go through.
        sampling: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``, for angles off the grid; pictures are continued by
            their edge.

    Shape:
        ``[B, C, H, W]`` to canonical images of the same shape, and a :class:`Frame`.

    Equivariance: the canonical image is invariant; exact for C1, C2, C4, D1, D2 and D4 if the energy is, approximate
    for other groups. The frame turns with the image: ``elements`` become ``g elements``, up to symmetries of the image.

    Raises:
        ShapeError: images are not square where the group has quarter turns, or scores have another shape.
        ConfigError: an argument is out of range, or no group is known.

    Source: Kaba et al. 2023, eq. 2; Mondal et al. 2023, section 3.2.

    >>> import torch
    >>> from equivision.canonical import EnergyNetwork
    >>> canonicalize = Canonicalizer(EnergyNetwork(3, group="C4")).eval()
    >>> images = torch.rand(2, 3, 15, 15)
    >>> canonical, frame = canonicalize(images)
    >>> torch.equal(canonical, canonicalize(images.rot90(1, (2, 3)))[0])
    True
    """

    equivariance: Guarantee = "exact"

    def __init__(
        self,
        energy: nn.Module,
        *,
        group: PlanarGroup | str | None = None,
        beta: float | int = 1.0,
        sampling: Sampling = "bilinear",
    ) -> None:
        super().__init__()
        check_positive("beta", beta)
        self.energy = energy
        self.group = energy_group(energy, group)
        self.beta = float(beta)
        self._orbit = Orbit(self.group, sampling)
        if not self._orbit.is_exact or getattr(energy, "equivariance", "exact") != "exact":
            self.equivariance = "approximate"

    def forward(self, x: Images) -> tuple[Images, Frame]:
        """Canonical images, and what was undone."""
        self._orbit.check_images(x, "Canonicalizer")
        scores = evaluate(self.energy, x, self._orbit.order, "Canonicalizer", "a score for each element")
        copies = self._orbit.undone(x)
        frame = find_frame(scores, copies, self.beta)
        return blend(copies, frame.weights), frame

    def restore(self, y: Any, frame: Frame, output: Output = "plane") -> Any:
        """Move what was computed from canonical images back into the pose of the images.

        Args:
            y: plane maps or, for ``"regular"``, values or maps on the group; for ``"invariant"`` anything at all.
            frame: what :meth:`forward` returned.
            output: ``"invariant"``, ``"plane"`` or ``"regular"``.

        Raises:
            ShapeError: y does not have such a shape.
        """
        if output == "invariant":
            return y
        self._orbit.check_output(y, output, "Canonicalizer", frame.weights.shape[0])
        copies = y.unsqueeze(1).expand(-1, self._orbit.order, *y.shape[1:])
        return blend(self._orbit.done(copies, output), frame.weights)

    def extra_repr(self) -> str:
        parts = [f"group={self.group!r}"]
        parts += [f"beta={self.beta}"] if self.beta != 1.0 else []
        parts += [f"sampling={self._orbit.sampling!r}"] if self._orbit.sampling != "bilinear" else []
        return ", ".join(parts)


class CanonicalizerModule(Protocol):
    """What :class:`CanonicalizedNetwork` asks of a canonicaliser."""

    equivariance: Guarantee

    def __call__(self, x: Tensor) -> tuple[Tensor, Any]:
        """Canonical images, and what was undone."""
        ...

    def restore(self, y: Any, frame: Any, output: Output) -> Any:
        """Move an output back."""
        ...


class CanonicalizedNetwork(nn.Module):
    """Any network, made invariant or equivariant: it sees canonical images, and its answer is moved back.

    Args:
        predictor: any module on images, such as a network that is already trained.
        canonicalizer: a :class:`Canonicalizer` or :class:`RotationCanonicalizer`.
        output: what the predictor gives: ``"invariant"``, anything, which is passed on; ``"plane"``, maps
            ``[B, C, H, W]``; ``"regular"``, values ``[B, C, |G|]`` or maps ``[B, C, |G|, H, W]`` on the group.
        frozen: the predictor is not trained: its parameters take no gradients, and it stays in eval mode, so that
            running statistics stay as they are.

    Shape:
        ``[B, C, H, W]`` to the output of the predictor, and a :class:`Frame` or :class:`RotationFrame`. Nothing is kept
        between calls.

    Equivariance: that of the canonicaliser, whatever the predictor is. Of a picture with a symmetry of its own, plane
    and regular outputs are averaged over it.

    Raises:
        ConfigError: unknown output.
        ShapeError: the output of the predictor cannot move as it should.

    Source: Kaba et al. 2023, eq. 2.

    >>> import torch
    >>> from equivision.canonical import EnergyNetwork
    >>> cnn = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 13 * 13, 10))
    >>> net = CanonicalizedNetwork(cnn, Canonicalizer(EnergyNetwork(1, group="C4")), frozen=True).eval()
    >>> images = torch.rand(2, 1, 15, 15)
    >>> logits, frame = net(images)
    >>> torch.equal(logits, net(images.rot90(1, (2, 3)))[0])
    True
    """

    def __init__(
        self,
        predictor: nn.Module,
        canonicalizer: nn.Module,
        *,
        output: Output = "invariant",
        frozen: bool = False,
    ) -> None:
        super().__init__()
        check_choice("output", output, Output)
        if not callable(getattr(canonicalizer, "restore", None)):
            raise ConfigError(
                f"canonicalizer={type(canonicalizer).__name__} has no method restore: give a Canonicalizer, as in "
                "Canonicalizer(energy)"
            )
        if frozen and not isinstance(predictor, nn.Module):
            raise ConfigError(
                f"predictor={predictor!r} cannot be frozen: give a network, an instance of torch.nn.Module"
            )
        self.predictor, self.canonicalizer = predictor, canonicalizer
        self.output: Output = output
        self.frozen = frozen
        if frozen:
            predictor.requires_grad_(False).eval()

    @property
    def equivariance(self) -> Guarantee:
        """That of the canonicaliser."""
        return cast(CanonicalizerModule, self.canonicalizer).equivariance

    def train(self, mode: bool = True) -> "CanonicalizedNetwork":
        """As in torch, but a frozen predictor stays in eval mode."""
        super().train(mode)
        if self.frozen:
            self.predictor.eval()
        return self

    def forward(self, x: Images) -> tuple[Any, Any]:
        """Output and frame."""
        canonicalizer = cast(CanonicalizerModule, self.canonicalizer)
        canonical, frame = canonicalizer(x)
        return canonicalizer.restore(self.predictor(canonical), frame, self.output), frame

    def extra_repr(self) -> str:
        return f"output={self.output!r}" + (", frozen=True" if self.frozen else "")


class OutputOnly(nn.Module):
    """A network that gives an output and a frame, for code that expects one output: audits, tasks, export.

    Args:
        network: a module that returns a pair, such as :class:`CanonicalizedNetwork`.

    Shape:
        As the network, without the second part.

    >>> import torch
    >>> from equivision.canonical import EnergyNetwork
    >>> net = CanonicalizedNetwork(nn.Flatten(), Canonicalizer(EnergyNetwork(1, group="C4")))
    >>> OutputOnly(net)(torch.rand(2, 1, 9, 9)).shape
    torch.Size([2, 81])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    def equivariance(self) -> Guarantee:
        """That of the network."""
        return getattr(self.network, "equivariance", "none")

    def forward(self, x: Tensor) -> Any:
        """The output."""
        return self.network(x)[0]
