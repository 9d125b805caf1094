"""Fast forms of the group convolution: block products in the Fourier basis of the group.

``_plan`` holds the tables (NumPy), ``_cpu`` and ``_loops`` the form for a CPU (numba, an extra), ``_triton`` and its
kernels the form for a GPU (triton, an extra).
"""

from equivision.kernels._format import channels_last as channels_last
from equivision.kernels._format import is_channels_last as is_channels_last
from equivision.kernels._plan import OrbitPlan as OrbitPlan
from equivision.kernels._plan import Window as Window
from equivision.kernels._plan import orbit_plan as orbit_plan
from equivision.kernels._triton import group_conv2d_triton as group_conv2d_triton
from equivision.kernels._triton import supports_triton as supports_triton
