"""Equivariance as a training loss, for any network and any invertible motion of images. Source: IEN."""

from equivision.implicit._convert import kept_channels as kept_channels
from equivision.implicit._convert import take_channels_ as take_channels_
from equivision.implicit._groups import channel_share as channel_share
from equivision.implicit._groups import channels_for as channels_for
from equivision.implicit._groups import feature_groups as feature_groups
from equivision.implicit._loss import ImplicitEquivariance as ImplicitEquivariance
from equivision.implicit._loss import ImplicitOutput as ImplicitOutput
from equivision.implicit._pool import FeatureGroupPool as FeatureGroupPool
from equivision.implicit._transforms import Motion as Motion
from equivision.implicit._transforms import Transform as Transform
from equivision.implicit._transforms import TransformSet as TransformSet
from equivision.implicit._transforms import reflections as reflections
from equivision.implicit._transforms import rotations as rotations
from equivision.implicit._transforms import scalings as scalings
