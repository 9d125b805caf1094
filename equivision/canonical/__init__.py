"""Canonicalisation and frame averaging: wrappers that make any network equivariant.

>>> import torch, equivision as ev
>>> cnn = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 25, 10))
>>> canonicalizer = ev.canonical.Canonicalizer(ev.canonical.EnergyNetwork(1, group="C4"))
>>> net = ev.canonical.CanonicalizedNetwork(cnn, canonicalizer, frozen=True).eval()
>>> logits, frame = net(torch.rand(2, 1, 7, 7))
>>> logits.shape, frame.elements.shape
(torch.Size([2, 10]), torch.Size([2]))
"""

from equivision.canonical._average import FrameAveragedNetwork as FrameAveragedNetwork
from equivision.canonical._canonicalizer import CanonicalizedNetwork as CanonicalizedNetwork
from equivision.canonical._canonicalizer import Canonicalizer as Canonicalizer
from equivision.canonical._canonicalizer import OutputOnly as OutputOnly
from equivision.canonical._energy import EnergyNetwork as EnergyNetwork
from equivision.canonical._energy import OrbitEnergy as OrbitEnergy
from equivision.canonical._frame import Frame as Frame
from equivision.canonical._points import FrameAveragedPoints as FrameAveragedPoints
from equivision.canonical._points import PointFrames as PointFrames
from equivision.canonical._points import pca_frames as pca_frames
from equivision.canonical._rotation import RotationCanonicalizer as RotationCanonicalizer
from equivision.canonical._rotation import RotationFrame as RotationFrame
from equivision.canonical._rotation import VectorEnergy as VectorEnergy
