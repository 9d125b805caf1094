"""Groups: tables, subgroups, cosets, homomorphisms of finite ones; SO(2), O(2), SO(3), O(3); the point groups of space;
permutations. NumPy only.
"""

from equivision.groups._base import FiniteGroup as FiniteGroup
from equivision.groups._base import Group as Group
from equivision.groups._base import SpatialGroup as SpatialGroup
from equivision.groups._homomorphism import Homomorphism as Homomorphism
from equivision.groups._homomorphism import homomorphisms as homomorphisms
from equivision.groups._homomorphism import inclusion as inclusion
from equivision.groups._orthogonal import OrthogonalGroup as OrthogonalGroup
from equivision.groups._orthogonal import PlaneGroup as PlaneGroup
from equivision.groups._orthogonal import SpaceOrthogonalGroup as SpaceOrthogonalGroup
from equivision.groups._orthogonal import orthogonal as orthogonal
from equivision.groups._orthogonal import special_orthogonal as special_orthogonal
from equivision.groups._parse import parse as parse
from equivision.groups._parse import parse_permutations as parse_permutations
from equivision.groups._parse import parse_plane as parse_plane
from equivision.groups._parse import parse_point as parse_point
from equivision.groups._parse import planar as planar
from equivision.groups._parse import spatial as spatial
from equivision.groups._permutation import PermutationGroup as PermutationGroup
from equivision.groups._permutation_families import cyclic_shifts as cyclic_shifts
from equivision.groups._permutation_families import disjoint_product as disjoint_product
from equivision.groups._permutation_families import permutation_group as permutation_group
from equivision.groups._permutation_families import symmetric as symmetric
from equivision.groups._permutation_families import wreath_product as wreath_product
from equivision.groups._planar import PlanarGroup as PlanarGroup
from equivision.groups._planar import cyclic as cyclic
from equivision.groups._planar import dihedral as dihedral
from equivision.groups._planar import trivial as trivial
from equivision.groups._point import CRYSTAL_CLASSES as CRYSTAL_CLASSES
from equivision.groups._point import PointGroup as PointGroup
from equivision.groups._point import full_octahedral as full_octahedral
from equivision.groups._point import octahedral as octahedral
from equivision.groups._point import point_group as point_group
from equivision.groups._product import DirectProduct as DirectProduct
from equivision.groups._product import direct_product as direct_product
from equivision.groups._subgroup import Subgroup as Subgroup
