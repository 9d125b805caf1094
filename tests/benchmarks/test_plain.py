"""The plain twin does the same work, with ordinary layers."""

import pytest
import torch
from torch import nn

import equivision as ev
from benchmarks._plain import plain_twin
from equivision.nn._base import GroupConvBase

NETWORKS = {
    "p4cnn": ({"width": 2}, (1, 28, 28), 4),
    "p4mcnn": ({"width": 2}, (1, 28, 28), 8),
    "resnet18": ({"group": "C4", "width": 2}, (3, 16, 16), 4),
    "p4m_resnet44": ({"width": 2}, (3, 16, 16), 8),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_twin_has_the_same_products_outside_of_the_classifier(name: str) -> None:
    arguments, image, order = NETWORKS[name]
    model = ev.create_model(name, **arguments)
    twin = plain_twin(model)
    assert not [module for module in twin.modules() if isinstance(module, GroupConvBase | nn.BatchNorm3d)]
    assert twin(torch.randn(2, *image)).shape == (2, 10)
    macs = ev.cost(model, image).macs
    assert macs > 0
    classifier = sum(
        module.in_features * module.out_features for module in model.modules() if type(module) is nn.Linear
    )
    assert ev.cost(twin, image).macs == macs + (order - 1) * classifier


def test_the_original_stays_as_it_is() -> None:
    model = ev.create_model("p4cnn", width=2)
    before = [type(module) for module in model.modules()]
    plain_twin(model)
    assert [type(module) for module in model.modules()] == before


def test_separable_convolutions_become_separable_or_dense() -> None:
    model = ev.create_model("gc_p4cnn", width=2)
    dense, separable = plain_twin(model), plain_twin(model, separable=True)
    sizes = [
        [conv.kernel_size[0] for conv in net.modules() if isinstance(conv, nn.Conv2d)] for net in (dense, separable)
    ]
    assert sizes == [[3, 3, 3, 3, 3, 3, 4], [3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 4]]
    assert ev.cost(separable, (1, 28, 28)).macs < ev.cost(dense, (1, 28, 28)).macs
    images = torch.randn(2, 1, 28, 28)
    assert dense(images).shape == separable(images).shape == (2, 10)


def test_networks_that_have_no_twin() -> None:
    with pytest.raises(ValueError, match=r"orders of its groups are \[\]"):
        plain_twin(nn.Conv2d(1, 1, 3))
    with pytest.raises(TypeError, match="no plain form of ProjectConv2d"):
        plain_twin(nn.Sequential(ev.nn.ProjectConv2d(1, 1, 3, group="C4")))
