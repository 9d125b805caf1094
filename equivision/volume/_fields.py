"""Nonlinearities, batch norm and invariants of volumes of irreps of SO(3) and O(3)."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from equivision.groups import SpaceOrthogonalGroup
from equivision.nn import FieldBatchNorm2d, GatedNonlinearity, InvariantMap, NormReLU
from equivision.nn._fields import FieldModule
from equivision.reps import Representation
from equivision.volume._irreps import SphericalIrrep, check_volumes, spherical_rep

Volumes = Float[Tensor, "batch channels depth height width"]


class _OnVolumes(FieldModule):
    """A layer on the fields of feature maps, for those of volumes."""

    def _read(self, rep: Representation | str, group: Any) -> Representation:
        return spherical_rep(rep)

    def _trivial(self) -> Representation:
        return SphericalIrrep(self.group, 0)

    @property
    def group(self) -> SpaceOrthogonalGroup:
        """SO(3) or O(3)."""
        return self.rep.group  # pyright: ignore[reportReturnType]

    def forward(self, x: Volumes) -> Float[Tensor, "batch out_channels depth height width"]:
        """Apply the layer."""
        check_volumes(x, self.in_rep.size, type(self).__name__)
        return super().forward(x.flatten(3)).unflatten(3, x.shape[3:])


class SphericalNormReLU(_OnVolumes, NormReLU):
    """``v ReLU(|v| + b) / |v|`` for every field v, with b learned; ``ReLU(v + b)`` for scalars.

    :class:`equivision.nn.NormReLU` on volumes; fields shorter than 0.001 are shortened further, as there.

    Args:
        rep: sum of irreps of SO(3) or O(3), or its name.
        device, dtype: of the biases.

    Shape:
        ``[B, rep.size, D, H, W]`` to the same.

    Equivariance: exact.

    Source: Worrall et al. 2017, section 4.2.

    >>> SphericalNormReLU("2 D0 + 3 D1")(torch.randn(1, 11, 4, 4, 4)).shape
    torch.Size([1, 11, 4, 4, 4])
    """

    def __init__(
        self,
        rep: Representation | str,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(rep, device=device, dtype=dtype)


class SphericalGate(_OnVolumes, GatedNonlinearity):
    """``v sigmoid(s)`` for every field v, where s is a scalar of its own; ``ReLU(v)`` for scalars.

    Args:
        rep: fields of the output, a sum of irreps of SO(3) or O(3) or its name.

    Attributes:
        in_rep: ``rep`` and one scalar for each field that is none; what the layer before must give.

    Shape:
        ``[B, in_rep.size, D, H, W]`` to ``[B, rep.size, D, H, W]``.

    Equivariance: exact.

    Source: Weiler et al. 2018 (3D steerable CNNs), section 4.3.

    >>> gate = SphericalGate("4 D0 + 2 D1 + D2")
    >>> gate.in_rep.name, gate(torch.randn(1, 18, 4, 4, 4)).shape
    ('4 D0 + 2 D1 + D2 + 3 D0', torch.Size([1, 15, 4, 4, 4]))
    """

    def __init__(self, rep: Representation | str) -> None:
        super().__init__(rep)


class SphericalBatchNorm3d(_OnVolumes, FieldBatchNorm2d):
    """Batch norm over the fields of volumes: ordinary on scalars; others are divided by the root of their mean square.

    Args:
        rep: sum of irreps of SO(3) or O(3), or its name.
        eps, momentum, affine: as in :class:`torch.nn.BatchNorm3d`; only scalars are shifted.
        device, dtype: of the parameters.

    Shape:
        ``[B, rep.size, D, H, W]`` to the same.

    Equivariance: exact.

    Source: Weiler et al. 2018 (3D steerable CNNs), section 4.4.

    >>> SphericalBatchNorm3d("2 D0 + 3 D1")(torch.randn(2, 11, 4, 4, 4)).shape
    torch.Size([2, 11, 4, 4, 4])
    """

    def __init__(
        self,
        rep: Representation | str,
        *,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(rep, eps=eps, momentum=momentum, affine=affine, device=device, dtype=dtype)


class SphericalInvariants(_OnVolumes, InvariantMap):
    """One number for every field that no rotation changes: its norm; scalars stay as they are.

    Args:
        rep: sum of irreps of SO(3) or O(3), or its name.

    Shape:
        ``[B, rep.size, D, H, W]`` to ``[B, number of fields, D, H, W]``.

    Equivariance: exact, to scalars.

    >>> SphericalInvariants("2 D0 + 3 D1")(torch.randn(1, 11, 4, 4, 4)).shape
    torch.Size([1, 5, 4, 4, 4])
    """

    def __init__(self, rep: Representation | str) -> None:
        super().__init__(rep)
