"""Test kit for equivariant layers and networks, ours or anyone's: an assertion for each property, a battery of all."""

from equivision.functional import act as act
from equivision.functional import equivariance_error as equivariance_error
from equivision.functional import relative_error as relative_error
from equivision.testing._assert import assert_equivariant as assert_equivariant
from equivision.testing._assert import assert_equivariant_gradients as assert_equivariant_gradients
from equivision.testing._assert import sample_elements as sample_elements
from equivision.testing._battery import LayerBattery as LayerBattery
from equivision.testing._deploy import assert_compiles as assert_compiles
from equivision.testing._deploy import assert_copies as assert_copies
from equivision.testing._deploy import assert_exports as assert_exports
from equivision.testing._deploy import assert_repr as assert_repr
from equivision.testing._deploy import assert_state_dict as assert_state_dict
from equivision.testing._numeric import assert_backward_twice as assert_backward_twice
from equivision.testing._numeric import assert_batch_independent as assert_batch_independent
from equivision.testing._numeric import assert_channels_last as assert_channels_last
from equivision.testing._numeric import assert_dtypes as assert_dtypes
from equivision.testing._numeric import assert_gradcheck as assert_gradcheck
from equivision.testing._random import random_input as random_input
from equivision.testing._random import randomize_ as randomize_
from equivision.testing._tolerance import TOLERANCE as TOLERANCE
from equivision.testing._tolerance import tolerance_of as tolerance_of
