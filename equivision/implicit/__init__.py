"""Equivariance that is learned: feature groups of ordinary channels, pooled where orientation must not matter."""

from equivision.implicit._pool import FeatureGroupPool as FeatureGroupPool
