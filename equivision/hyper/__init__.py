"""Hypernetworks: weights that depend on the image, so that a plain network becomes equivariant."""

from equivision.hyper._combine import average_kernels as average_kernels
from equivision.hyper._combine import column_index as column_index
from equivision.hyper._combine import combine_columns as combine_columns
from equivision.hyper._combine import combine_kernels as combine_kernels
from equivision.hyper._generator import ParameterGenerator as ParameterGenerator
from equivision.hyper._generator import conv_trunk as conv_trunk
from equivision.hyper._losses import equivariance_difference as equivariance_difference
from equivision.hyper._losses import rotation_loss as rotation_loss
from equivision.hyper._network import HyperEquivariantCNN as HyperEquivariantCNN
