"""Equivariant vision networks for PyTorch.

>>> import torch, equivision as ev
>>> D4 = ev.groups.dihedral(4)
>>> net = torch.nn.Sequential(
...     ev.nn.LiftConv2d(3, 16, 3, group=D4, padding=1), torch.nn.BatchNorm3d(16), torch.nn.ReLU(),
...     ev.nn.GroupConv2d(16, 32, 3, group=D4, padding=1), torch.nn.BatchNorm3d(32), torch.nn.ReLU(),
...     ev.nn.GroupPool(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(32, 10))
>>> ev.testing.assert_equivariant(net.double().eval(), torch.randn(2, 3, 33, 33).double(), group=D4)
"""

from equivision import analysis as analysis
from equivision import canonical as canonical
from equivision import continuous as continuous
from equivision import convert as convert
from equivision import discovery as discovery
from equivision import errors as errors
from equivision import functional as functional
from equivision import gauge as gauge
from equivision import groups as groups
from equivision import hyper as hyper
from equivision import implicit as implicit
from equivision import models as models
from equivision import nn as nn
from equivision import permutation as permutation
from equivision import reps as reps
from equivision import scale as scale
from equivision import testing as testing
from equivision import volume as volume
from equivision.analysis import cost as cost
from equivision.audit import audit as audit
from equivision.convert import freeze as freeze
from equivision.discovery import discover as discover
from equivision.models import create_model as create_model
from equivision.models import list_models as list_models

__version__ = "0.1.0"
