"""How a learned kernel moves under a group. NumPy only."""

from equivision.filters._orbits import orbit_basis as orbit_basis
from equivision.filters._permute import grid_action as grid_action
from equivision.filters._permute import has_quarter_turns as has_quarter_turns
from equivision.filters._permute import reversed_axes as reversed_axes
from equivision.filters._permute import slot_and_tap_table as slot_and_tap_table
from equivision.filters._permute import tap_table as tap_table
from equivision.filters._sample import sampling_matrices as sampling_matrices
from equivision.filters._scale import HermiteBasis as HermiteBasis
from equivision.filters._scale import LogPolarBasis as LogPolarBasis
from equivision.filters._scale import ScaleBasis as ScaleBasis
from equivision.filters._scale import discrete_gaussian as discrete_gaussian
from equivision.filters._scale import scale_windows as scale_windows
from equivision.filters._steerable import KernelPlan as KernelPlan
from equivision.filters._steerable import RegularPlan as RegularPlan
from equivision.filters._steerable import kernel_basis as kernel_basis
from equivision.filters._steerable import kernel_plan as kernel_plan
