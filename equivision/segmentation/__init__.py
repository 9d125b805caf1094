"""Masks: from logits to classes, the score of the segmentation study, large pictures in tiles, pictures of masks.

>>> import torch
>>> from equivision.segmentation import classes_of
>>> classes_of(torch.tensor([[[[0.3, -0.2]]]])).tolist()
[[[1, 0]]]
"""

from equivision.functional import classes_of as classes_of
from equivision.segmentation._masks import mask_loss as mask_loss
from equivision.segmentation._masks import probabilities_of as probabilities_of
from equivision.segmentation._masks import thresholded_iou as thresholded_iou
from equivision.segmentation._pictures import overlay as overlay
from equivision.segmentation._pictures import overlay_sheet as overlay_sheet
from equivision.segmentation._tiles import predict_tiled as predict_tiled
from equivision.segmentation._tiles import tile_starts as tile_starts
