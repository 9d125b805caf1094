"""Sets of interchangeable members: layers that commute with permutations of sensors, views, channels, points.

A set is ``[batch, member, ...]``: ``[batch, member, feature]`` for vectors, ``[batch, member, channel, height, width]``
for images. Whatever a member is stays in the last axes as torch has it, so that any layer for one member fits.
"""

from equivision.permutation._functional import permutation_conv2d as permutation_conv2d
from equivision.permutation._functional import permutation_linear as permutation_linear
from equivision.permutation._functional import permute as permute
from equivision.permutation._functional import set_pool as set_pool
from equivision.permutation._layers import MemberWise as MemberWise
from equivision.permutation._layers import PermutationConv2d as PermutationConv2d
from equivision.permutation._layers import PermutationLayer as PermutationLayer
from equivision.permutation._layers import PermutationLinear as PermutationLinear
from equivision.permutation._layers import SetPool as SetPool
from equivision.permutation._relations import mean_matrices as mean_matrices
