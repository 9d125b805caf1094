"""The networks of the study on Scale-MNIST, each with the test errors that are published of it."""

from dataclasses import dataclass

from torch import nn

import equivision as ev


@dataclass(frozen=True)
class Network:
    """A row of the table: ``published`` are test errors in % on 28x28 and 56x56.

    ``scales``: factors of the copies that implicit equivariance is learned from, with weight 0.1.
    """

    name: str
    model: str
    published: tuple[str, str] = ("-", "-")
    scales: tuple[float, ...] = ()

    def build(self, size: int, width: int) -> nn.Module:
        """The network, not trained."""
        return ev.create_model(self.model, size=size, width=width)


NETWORKS = (
    Network("SESN, vector", "sesn_vector", ("1.76", "1.42")),
    Network("CNN", "scale_z2cnn"),
    Network("DSS", "dss", ("1.95", "1.57")),
    Network("SS-CNN", "ss_cnn", ("2.10", "1.76")),
    Network("SESN, scalar", "sesn_scalar"),
    Network("IEN", "ien_scale_cnn", ("1.78", "1.33"), (3**-0.5, 1.0, 3**0.5)),
)
BY_MODEL = {network.model: network for network in NETWORKS}
