"""Networks in frames that change from place to place: gauge convolutions, charts, and transitions between them.

A vector has components in a frame. Where there is no frame for all places, as on a sphere or in the wall of a heart,
each place has its own, and nothing that a network computes may depend on which. Fields are sums of irreps of SO(2), as
in :class:`equivision.nn.SteerableConv2d`; what acts on every position by itself is in :mod:`equivision.nn`.
"""

from equivision.gauge._charts import Atlas as Atlas
from equivision.gauge._charts import Chart as Chart
from equivision.gauge._conv import GaugeConv2d as GaugeConv2d
from equivision.gauge._conv import GaugeSequential as GaugeSequential
from equivision.gauge._frames import frame_vectors as frame_vectors
from equivision.gauge._frames import radial_frames as radial_frames
from equivision.gauge._frames import random_frames as random_frames
from equivision.gauge._frames import to_frames as to_frames
from equivision.gauge._frames import to_world as to_world
from equivision.gauge._sphere import sphere_points as sphere_points
from equivision.gauge._sphere import sphere_stencil as sphere_stencil
from equivision.gauge._sphere import stereographic_frames as stereographic_frames
from equivision.gauge._surface import GaugeConv as GaugeConv
from equivision.gauge._surface import Stencil as Stencil
from equivision.gauge._surface import gauge_conv as gauge_conv
