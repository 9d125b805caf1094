"""Networks for volumes, such as scans and crystals: group convolutions on the voxel grid, exact for the rotations and
reflections of a cube.

Volumes are ``[batch, channel, depth, height, width]``, feature maps on a group ``[batch, channel, group, depth, height,
width]``. Layers of :mod:`equivision.nn` that know no kernel go between: pools over the group, linear maps, restriction,
batch norm.

Fields of SO(3) and O(3), whose kernels are spherical harmonics, and what the symmetry of a crystal leaves of them,
need the extra ``volume``.
"""

from equivision.volume._conv import GroupConv3d as GroupConv3d
from equivision.volume._conv import LiftConv3d as LiftConv3d
from equivision.volume._conv import ProjectConv3d as ProjectConv3d
from equivision.volume._crystals import boundary_disorientation as boundary_disorientation
from equivision.volume._crystals import crystal_features as crystal_features
from equivision.volume._crystals import crystal_rep as crystal_rep
from equivision.volume._crystals import disorientation as disorientation
from equivision.volume._crystals import equivalent_orientations as equivalent_orientations
from equivision.volume._crystals import multiplicity as multiplicity
from equivision.volume._crystals import symmetrised_harmonics as symmetrised_harmonics
from equivision.volume._crystals import texture_coefficients as texture_coefficients
from equivision.volume._crystals import texture_power as texture_power
from equivision.volume._fields import SphericalBatchNorm3d as SphericalBatchNorm3d
from equivision.volume._fields import SphericalGate as SphericalGate
from equivision.volume._fields import SphericalInvariants as SphericalInvariants
from equivision.volume._fields import SphericalNormReLU as SphericalNormReLU
from equivision.volume._functional import avg_pool3d as avg_pool3d
from equivision.volume._functional import group_conv3d as group_conv3d
from equivision.volume._functional import lift_conv3d as lift_conv3d
from equivision.volume._functional import max_pool3d as max_pool3d
from equivision.volume._functional import project_conv3d as project_conv3d
from equivision.volume._irreps import SphericalIrrep as SphericalIrrep
from equivision.volume._irreps import spherical_irrep as spherical_irrep
from equivision.volume._irreps import spherical_rep as spherical_rep
from equivision.volume._pool import AvgPool3d as AvgPool3d
from equivision.volume._pool import MaxPool3d as MaxPool3d
from equivision.volume._spherical import SphericalConv3d as SphericalConv3d
from equivision.volume._wigner import spherical_harmonics as spherical_harmonics
from equivision.volume._wigner import wigner_d as wigner_d
