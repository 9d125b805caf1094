"""Networks that name the layers in which equivariance is learned."""

from collections.abc import Callable

from torch import Tensor, nn

from equivision.implicit import ImplicitEquivariance


class ComparedLayers(nn.Module):
    """Has ``implicit_layers``, the names of layers, and ``feature_groups``, how their channels are grouped."""

    implicit_layers: tuple[str, ...] = ()

    @property
    def pooled_outputs(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """For an audit: the largest of each feature group in the layers that are compared."""
        return ImplicitEquivariance(self).pooled_outputs if self.implicit_layers else {}
