"""Real representations of finite groups and the Fourier transform on a group. NumPy only."""

from equivision.reps._base import Representation as Representation
from equivision.reps._derived import change_basis as change_basis
from equivision.reps._derived import decompose as decompose
from equivision.reps._derived import induced as induced
from equivision.reps._derived import restricted as restricted
from equivision.reps._fourier import fourier_matrix as fourier_matrix
from equivision.reps._fourier import fourier_transform as fourier_transform
from equivision.reps._fourier import inverse_fourier_transform as inverse_fourier_transform
from equivision.reps._irreps import Irrep as Irrep
from equivision.reps._irreps import IrrepEntry as IrrepEntry
from equivision.reps._irreps import irrep as irrep
from equivision.reps._irreps import irrep_table as irrep_table
from equivision.reps._irreps import irreps as irreps
from equivision.reps._irreps import multiplicities as multiplicities
from equivision.reps._irreps import sign as sign
from equivision.reps._irreps import trivial as trivial
from equivision.reps._parse import parse as parse
from equivision.reps._permutation import quotient as quotient
from equivision.reps._permutation import regular as regular
