"""Fast forms of the group convolution: block products in the Fourier basis of the group.

``_plan`` holds the tables (NumPy), ``_cpu`` and ``_loops`` the form for a CPU (numba, an extra).
"""

from equivision.kernels._plan import OrbitPlan as OrbitPlan
from equivision.kernels._plan import Window as Window
from equivision.kernels._plan import orbit_plan as orbit_plan
