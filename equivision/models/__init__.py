"""Networks by name, one file an architecture."""

from equivision.models._registry import create_model as create_model
from equivision.models._registry import list_models as list_models
from equivision.models._registry import register as register
from equivision.models._resnet import BasicBlock as BasicBlock
from equivision.models._resnet import ResNet as ResNet
from equivision.models._resnet import resnet18 as resnet18
from equivision.models._resnet44 import PreActivationBlock as PreActivationBlock
from equivision.models._resnet44 import ResNet44 as ResNet44
from equivision.models._resnet44 import g_p4m_resnet44 as g_p4m_resnet44
from equivision.models._resnet44 import gc_p4m_resnet44 as gc_p4m_resnet44
from equivision.models._resnet44 import p4m_resnet44 as p4m_resnet44
from equivision.models._resnet44 import resnet44 as resnet44
from equivision.models._rotated_mnist import RotatedMNISTNet as RotatedMNISTNet
from equivision.models._rotated_mnist import c_z2cnn as c_z2cnn
from equivision.models._rotated_mnist import g_p4cnn as g_p4cnn
from equivision.models._rotated_mnist import gc_p4cnn as gc_p4cnn
from equivision.models._rotated_mnist import p4cnn as p4cnn
from equivision.models._rotated_mnist import p4mcnn as p4mcnn
from equivision.models._rotated_mnist import z2cnn as z2cnn
