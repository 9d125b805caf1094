"""Test kit for equivariant layers and networks, ours or anyone's."""

from equivision.functional import act as act
from equivision.functional import equivariance_error as equivariance_error
from equivision.functional import relative_error as relative_error
from equivision.testing._assert import assert_equivariant as assert_equivariant
from equivision.testing._assert import sample_elements as sample_elements
from equivision.testing._tolerance import TOLERANCE as TOLERANCE
