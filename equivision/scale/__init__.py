"""Networks that respect changes of scale: scale-equivariant steerable networks, deep scale-spaces, local invariance.

Feature maps on scales are ``[batch, channel, scale, height, width]``, small scales first, so that torch's layers for
volumes act on fields as they do on groups: ``BatchNorm3d`` shares its statistics over scales. Layers with a group have
a slot for each scale and element, ``scale * order + element``, on the same axis.
"""

from equivision.scale._conv import ScaleConv2d as ScaleConv2d
from equivision.scale._conv import ScaleLiftConv2d as ScaleLiftConv2d
from equivision.scale._conv import ScaleSteerableConv2d as ScaleSteerableConv2d
from equivision.scale._error import ScaleError as ScaleError
from equivision.scale._error import SimilitudeErrors as SimilitudeErrors
from equivision.scale._error import scale_error as scale_error
from equivision.scale._error import similitude_errors as similitude_errors
from equivision.scale._functional import scale_conv2d as scale_conv2d
from equivision.scale._functional import scale_lift_conv2d as scale_lift_conv2d
from equivision.scale._functional import scale_space_conv2d as scale_space_conv2d
from equivision.scale._functional import slot_table as slot_table
from equivision.scale._pool import ScalePool as ScalePool
from equivision.scale._scale_space import ScaleSpaceConv2d as ScaleSpaceConv2d
from equivision.scale._scale_space import ScaleSpaceLift as ScaleSpaceLift
