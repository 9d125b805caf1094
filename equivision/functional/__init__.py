"""Stateless operators with explicit weights, and the reference action of a group on tensors."""

from equivision.functional._action import act as act
from equivision.functional._action import rotate as rotate
from equivision.functional._conv import group_conv2d as group_conv2d
from equivision.functional._conv import group_conv_transpose2d as group_conv_transpose2d
from equivision.functional._conv import lift_conv2d as lift_conv2d
from equivision.functional._conv import project_conv2d as project_conv2d
from equivision.functional._error import equivariance_error as equivariance_error
from equivision.functional._error import relative_error as relative_error
from equivision.functional._filters import filter_sampling as filter_sampling
from equivision.functional._filters import filter_table as filter_table
from equivision.functional._filters import group_filters as group_filters
from equivision.functional._filters import lift_filters as lift_filters
from equivision.functional._filters import project_filters as project_filters
from equivision.functional._filters import transposed_filters as transposed_filters
from equivision.functional._linear import group_linear as group_linear
from equivision.functional._linear import restrict as restrict
from equivision.functional._pool import avg_pool2d as avg_pool2d
from equivision.functional._pool import coset_pool as coset_pool
from equivision.functional._pool import group_pool as group_pool
from equivision.functional._pool import max_pool2d as max_pool2d
from equivision.functional._resample import blur_pool2d as blur_pool2d
from equivision.functional._resample import upsample2d as upsample2d
from equivision.functional._separable import separable_group_conv2d as separable_group_conv2d
