"""What a network costs, and how much of its filters is redundant: of any ``nn.Module``, layer by layer.

``cost(model, input_size)`` counts parameters, multiplications and activation memory without running the network;
``redundancy(model)`` measures how far the filters of every group convolution are copies of one another.
"""

from equivision.analysis._cost import cost as cost
from equivision.analysis._redundancy import LayerRedundancy as LayerRedundancy
from equivision.analysis._redundancy import RedundancyReport as RedundancyReport
from equivision.analysis._redundancy import filter_redundancy as filter_redundancy
from equivision.analysis._redundancy import random_redundancy as random_redundancy
from equivision.analysis._redundancy import redundancy as redundancy
from equivision.analysis._report import CostReport as CostReport
from equivision.analysis._report import LayerCost as LayerCost
