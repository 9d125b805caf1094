"""torch.compile(fullgraph=True): one graph, the same output and gradients."""

import shutil

import pytest
import torch
from torch import nn

import equivision.nn as evnn
from equivision.groups import dihedral
from equivision.testing import assert_compiles, random_input, randomize_
from tests.contract._layers import TRACED, Case

pytestmark = pytest.mark.compile


@pytest.mark.costly(5)
@pytest.mark.parametrize("case", TRACED, ids=str)
def test_compile(case: Case) -> None:
    assert_compiles(case.layer(), case.inputs()[0], backend="aot_eager")


@pytest.mark.costly(9)
@pytest.mark.filterwarnings(
    "ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"
)  # torch imports it itself
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="inductor needs a C++ compiler")
def test_inductor() -> None:
    group = dihedral(2)
    net = nn.Sequential(
        evnn.LiftConv2d(2, 4, 3, group=group, padding=1), nn.BatchNorm3d(4), nn.ReLU(),
        evnn.GroupConv2d(4, 4, 3, group=group), evnn.BlurPool2d(), evnn.GroupPool(),
    )  # fmt: skip
    net = randomize_(net.eval())
    assert_compiles(net, random_input(2, (8, 8), dtype=torch.float32), backend="inductor")
