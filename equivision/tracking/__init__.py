"""Following one target through a video: metrics and pictures, the loss, the tracker, its scores.

>>> import torch
>>> from equivision.tracking import precision, success_auc
>>> truth = torch.tensor([[10.0, 10.0, 20.0, 20.0]])
>>> precision(truth + 1.0, truth)
1.0
"""

from equivision.tracking._evaluation import SequenceScore as SequenceScore
from equivision.tracking._evaluation import TrackingReport as TrackingReport
from equivision.tracking._evaluation import evaluate as evaluate
from equivision.tracking._loss import balanced_logistic_loss as balanced_logistic_loss
from equivision.tracking._loss import response_labels as response_labels
from equivision.tracking._metrics import overlap as overlap
from equivision.tracking._metrics import precision as precision
from equivision.tracking._metrics import success_auc as success_auc
from equivision.tracking._metrics import success_curve as success_curve
from equivision.tracking._pictures import contact_sheet as contact_sheet
from equivision.tracking._pictures import write_video as write_video
from equivision.tracking._tracker import SiameseTracker as SiameseTracker
from equivision.tracking._tracker import Track as Track
from equivision.tracking._tracker import TrackerState as TrackerState
