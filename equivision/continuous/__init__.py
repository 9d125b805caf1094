"""Networks whose kernels are functions of continuous coordinates: partial equivariance, turns and scalings, point sets.

Feature maps on sampled groups are ``[batch, channel, group, height, width]``, as everywhere; which elements the slots
stand for is said by :class:`Elements`, which the layers take beside the map.
"""

from equivision.continuous._conv import ContinuousGroupConv2d as ContinuousGroupConv2d
from equivision.continuous._conv import ContinuousLiftConv2d as ContinuousLiftConv2d
from equivision.continuous._conv import ElementPool as ElementPool
from equivision.continuous._elements import Elements as Elements
from equivision.continuous._elements import grid_elements as grid_elements
from equivision.continuous._elements import log_spaced as log_spaced
from equivision.continuous._lie_conv import LieConv as LieConv
from equivision.continuous._lie_conv import LieConvNet as LieConvNet
from equivision.continuous._lie_conv import image_points as image_points
from equivision.continuous._lie_groups import LieGroup as LieGroup
from equivision.continuous._lie_groups import Lifted as Lifted
from equivision.continuous._lie_groups import Pairs as Pairs
from equivision.continuous._lie_groups import Rotations as Rotations
from equivision.continuous._lie_groups import RotoTranslations as RotoTranslations
from equivision.continuous._lie_groups import ScaleRotations as ScaleRotations
from equivision.continuous._lie_groups import Translations as Translations
from equivision.continuous._lie_groups import lie_group as lie_group
from equivision.continuous._partial import PartialGroupConv2d as PartialGroupConv2d
from equivision.continuous._partial import monotone_loss as monotone_loss
from equivision.continuous._partial import partial_layers as partial_layers
from equivision.continuous._partial import stratified_angles as stratified_angles
from equivision.continuous._partial_nets import CKCNN13 as CKCNN13
from equivision.continuous._partial_nets import CKBlock as CKBlock
from equivision.continuous._partial_nets import CKResNet as CKResNet
from equivision.continuous._partial_nets import FixedElements as FixedElements
from equivision.continuous._partial_nets import PartialNet as PartialNet
from equivision.continuous._partial_nets import ck_cnn13 as ck_cnn13
from equivision.continuous._partial_nets import ck_resnet as ck_resnet
from equivision.continuous._sim2 import SeparableContinuousConv2d as SeparableContinuousConv2d
from equivision.continuous._sim2_net import Sim2Block as Sim2Block
from equivision.continuous._sim2_net import Sim2Net as Sim2Net
from equivision.continuous._sim2_net import sim2_resnet as sim2_resnet
from equivision.continuous._siren import Siren as Siren
