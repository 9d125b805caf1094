"""Kernels that a network writes for each image are drawn beside its layers."""

import numpy as np
import pytest
import torch
from torch import nn

from equivision.audit import audit
from equivision.hyper import HyperEquivariantCNN


def network(combiner: str) -> HyperEquivariantCNN:
    main = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 4), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3),
    )  # fmt: skip
    return HyperEquivariantCNN(main, input_shape=(1, 9, 9), combiner=combiner)  # type: ignore[arg-type]


@pytest.mark.parametrize(("combiner", "same"), [("equi", True), ("none", False)])
def test_kernels_turn_with_the_image(combiner: str, same: bool) -> None:
    report = audit(network(combiner), torch.rand(4, 1, 9, 9), group="C4", angles=())
    assert report.verdict == ("exact" if same else "not equivariant")
    generator = [layer for layer in report.layers if layer.name.startswith("generator.")]
    if same:  # it runs on four copies of each image
        assert {layer.action for layer in generator} == {"unknown"}
        assert "it runs on 16 images where the network is given 4" in generator[0].note
        assert not any(row.layer.startswith("generator") for row in report.gallery.layers)
        assert report.warnings == ()
    kernels = {row.layer: row for row in report.gallery.layers if "kernels written" in row.caption}
    assert list(kernels) == ["0.weight", "4.weight"]  # one tap has nothing to turn
    for row in kernels.values():
        pictures = [each.array for each in row.maps]
        assert len(pictures) == 4
        assert not np.array_equal(pictures[0], pictures[1])
        assert (max(each.array.max() for each in row.differences) <= 1) == same
        if same:
            assert all(np.array_equal(np.rot90(pictures[0], g), pictures[g]) for g in range(4))
