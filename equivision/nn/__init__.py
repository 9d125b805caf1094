"""Layers. Thin modules over :mod:`equivision.functional`; torch's own layers go between them."""

from equivision.nn._conv import GroupConv2d as GroupConv2d
from equivision.nn._conv import GroupConvTranspose2d as GroupConvTranspose2d
from equivision.nn._conv import LiftConv2d as LiftConv2d
from equivision.nn._conv import ProjectConv2d as ProjectConv2d
from equivision.nn._field_norm import FieldBatchNorm2d as FieldBatchNorm2d
from equivision.nn._fields import FourierNonlinearity as FourierNonlinearity
from equivision.nn._fields import GatedNonlinearity as GatedNonlinearity
from equivision.nn._fields import InvariantMap as InvariantMap
from equivision.nn._fields import NormReLU as NormReLU
from equivision.nn._fields import PointwiseNonlinearity as PointwiseNonlinearity
from equivision.nn._linear import GroupLinear as GroupLinear
from equivision.nn._linear import Induce as Induce
from equivision.nn._linear import Restrict as Restrict
from equivision.nn._norm import BatchNorm3d as BatchNorm3d
from equivision.nn._pool import AvgPool2d as AvgPool2d
from equivision.nn._pool import CosetPool as CosetPool
from equivision.nn._pool import GroupPool as GroupPool
from equivision.nn._pool import MaxPool2d as MaxPool2d
from equivision.nn._resample import BlurPool2d as BlurPool2d
from equivision.nn._resample import Upsample2d as Upsample2d
from equivision.nn._separable import SeparableGroupConv2d as SeparableGroupConv2d
from equivision.nn._steerable import SteerableConv2d as SteerableConv2d
