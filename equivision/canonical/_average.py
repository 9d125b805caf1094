"""Frame averaging of images: the mean of a network over all elements, or over those that score highest."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.canonical._canonicalizer import energy_group
from equivision.canonical._energy import evaluate
from equivision.canonical._frame import maximisers
from equivision.canonical._orbit import Orbit, Output, Sampling, check_choice
from equivision.errors import ConfigError
from equivision.groups import PlanarGroup, planar
from equivision.nn._base import Guarantee

Images = Float[Tensor, "batch channel height width"]


def subsample(frame: Bool[Tensor, "batch order"], num: int) -> Bool[Tensor, "batch order"]:
    """``num`` elements of every frame, drawn without repetition; all of them where there are no more."""
    keys = torch.rand(frame.shape, device=frame.device).masked_fill(~frame, -1.0)
    drawn = torch.zeros_like(frame).scatter(1, keys.topk(min(num, frame.shape[1]), dim=1).indices, True)
    return drawn & frame


class FrameAveragedNetwork(nn.Module):
    """The mean of a network over a frame F(x), a set of elements: ``1/|F| sum_{h in F(x)} h . p(h^-1 x)``.

    The frame is the whole group (symmetrisation); with an energy, all elements whose score is the largest one to
    rounding, of which there is one for most images, so that it costs about what the network costs. Both are sets that
    turn with the image, ``F(g x) = g F(x)``, and the mean over such a set is exactly equivariant. The copies are one
    batch. The choice of the frame has no gradient: train the energy in a
    :class:`~equivision.canonical.CanonicalizedNetwork`, which does.

    Args:
        predictor: any module on images that gives one tensor.
        group: C_n or D_n, as a group or its name; that of the energy by default.
        energy: any module that gives scores ``[B, |G|]`` which turn as the regular representation, such as
            :class:`~equivision.canonical.EnergyNetwork`; without one, the frame is the group.
        num_samples: average over so many elements of the frame only, drawn anew for each image and call, in training
            and evaluation alike: **equivariant in expectation only**. It may be set to None at any time.
        output: what the predictor gives: ``"invariant"``, a tensor ``[B, ...]`` that should not move; ``"plane"``, maps
            ``[B, C, H, W]``; ``"regular"``, values ``[B, C, |G|]`` or maps ``[B, C, |G|, H, W]`` on the group.
        sampling: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``, for angles off the grid; pictures are continued by
            their edge.

    Shape:
        ``[B, C, H, W]`` to the output of the predictor.

    Equivariance: exact for C1, C2, C4, D1, D2 and D4, whatever the predictor is, if the energy is exact; approximate
    for other groups, and with ``num_samples``.

    Raises:
        ConfigError: an argument is out of range, or no group is known.
        GroupMismatchError: the energy is one of another group.
        ShapeError: images are not square where the group has quarter turns, or outputs cannot move as they should.
            Maps on the plane averaged over the whole of C4 or D4 may be oblong.

    Source: Puny et al. 2022, eq. 3 and 4.

    >>> cnn = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, 10)).double()
    >>> net = FrameAveragedNetwork(cnn, group="D4")
    >>> images = torch.rand(2, 1, 9, 9).double()
    >>> torch.allclose(net(images), net(images.rot90(1, (2, 3))), rtol=1e-12)
    True
    """

    def __init__(
        self,
        predictor: nn.Module,
        *,
        group: PlanarGroup | str | None = None,
        energy: nn.Module | None = None,
        num_samples: int | None = None,
        output: Output = "invariant",
        sampling: Sampling = "bilinear",
    ) -> None:
        super().__init__()
        check_choice("output", output, Output)
        if num_samples is not None:
            check_count("num_samples", num_samples)
        self.predictor, self.energy = predictor, energy
        if energy is not None:
            self.group = energy_group(energy, group)
        elif group is not None:
            self.group = planar(group)
        else:
            raise ConfigError("group=None: give group=, such as group='C4', or an energy that states one")
        self.num_samples = num_samples
        self.output: Output = output
        self._orbit = Orbit(self.group, sampling)

    @property
    def equivariance(self) -> Guarantee:
        """What is promised as things stand."""
        exact = self.energy is None or getattr(self.energy, "equivariance", "exact") == "exact"
        return "exact" if exact and self._orbit.is_exact and self.num_samples is None else "approximate"

    @torch.no_grad()
    def frames(self, x: Images) -> Bool[Tensor, "batch order"]:
        """Which elements are averaged over for which image."""
        if self.energy is None:
            frame = torch.ones(x.shape[0], self._orbit.order, dtype=torch.bool, device=x.device)
        else:
            scores = evaluate(self.energy, x, self._orbit.order, "FrameAveragedNetwork", "a score for each element")
            frame = maximisers(scores)
        return frame if self.num_samples is None else subsample(frame, self.num_samples)

    def forward(self, x: Images) -> Tensor:
        """The mean over the frame."""
        whole = self.energy is None and self.num_samples is None
        self._orbit.check_images(x, "FrameAveragedNetwork", oblong=whole and self.output == "plane")
        if self._orbit.is_oblong(x):
            return self._orbit.plane_mean(x, self.predictor, "FrameAveragedNetwork")
        copies = self._orbit.undone(x)
        if whole:
            pieces = self._predict(copies.flatten(0, 1)).unflatten(0, (x.shape[0], self._orbit.order))
            return self._orbit.done(pieces, self.output).mean(1)
        frame = self.frames(x)
        seen = self._predict(copies[frame])
        pieces = seen.new_zeros(*frame.shape, *seen.shape[1:]).index_put(torch.where(frame), seen)
        moved = self._orbit.done(pieces, self.output).sum(1)
        return moved / frame.sum(1).reshape(-1, *(1,) * (moved.ndim - 1))

    def _predict(self, copies: Tensor) -> Tensor:
        y = self.predictor(copies)
        self._orbit.check_output(y, self.output, "FrameAveragedNetwork", copies.shape[0])
        return y

    def extra_repr(self) -> str:
        parts = [f"group={self.group!r}"]
        parts += [f"num_samples={self.num_samples}"] if self.num_samples is not None else []
        parts += [f"output={self.output!r}"] if self.output != "invariant" else []
        parts += [f"sampling={self._orbit.sampling!r}"] if self._orbit.sampling != "bilinear" else []
        return ", ".join(parts)
