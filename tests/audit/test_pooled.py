"""What is made of the output of a layer can be compared instead of the output itself."""

import pytest
import torch
from torch import nn

import equivision as ev
from equivision.errors import ConfigError
from equivision.implicit import ImplicitEquivariance
from equivision.testing import randomize_


class Scrambled(nn.Module):
    """A map on C4 as ordinary channels, in another order inside each field."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1, 2)[:, [2, 0, 3, 1, 5, 4, 7, 6]]


def network() -> nn.Sequential:
    net = nn.Sequential(
        nn.Sequential(ev.nn.LiftConv2d(1, 2, 3, group="C4"), nn.ReLU(), Scrambled()), nn.Conv2d(8, 4, 3), nn.Flatten(),
        nn.Linear(4 * 36, 3),
    )  # fmt: skip
    return randomize_(net.double())


def test_feature_groups_are_seen_to_be_equivariant() -> None:
    net, images = network(), torch.rand(3, 1, 10, 10, dtype=torch.float64)
    pools = ImplicitEquivariance(net, ["0", "1"], feature_groups={"0": 4, "1": 2}).pooled_outputs
    report = ev.audit(net, images, group="C4", pooled_outputs=pools, angles=(), num_pictures=4)
    errors = {layer.name: max(layer.max_errors or (0.0,)) for layer in report.layers}
    assert errors["0, pooled"] < 1e-12
    assert errors["1, pooled"] > 0.01
    assert errors["0.2"] > 0.01  # the same output, not pooled
    assert "0, pooled" in {pictures.layer for pictures in report.gallery.layers}
    assert "0, pooled" not in {layer.name for layer in ev.audit(net, images, group="C4", angles=()).layers}


def test_networks_with_feature_groups_say_so_themselves() -> None:
    net = ev.create_model("ien_cnn", width=2)
    report = ev.audit(net, torch.rand(2, 1, 28, 28), group="C4", angles=(), num_pictures=0)
    assert [layer.name for layer in report.layers if "pooled" in layer.name] == [
        f"features.conv{i}, pooled" for i in range(1, 7)
    ]


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    with pytest.raises(ConfigError, match="pooled_outputs names 'conv', which is not in the network"):
        ev.audit(network(), torch.rand(1, 1, 10, 10), group="C4", pooled_outputs={"conv": torch.abs})
    with pytest.raises(ConfigError, match="give a function for each name of a layer"):
        ev.audit(network(), torch.rand(1, 1, 10, 10), group="C4", pooled_outputs={"0": 4})  # type: ignore[dict-item]
