"""Layers and networks of e2cnn for the comparison; needs an environment of its own, see benchmarks/e2cnn_compare.py."""
