"""Tests that run the fused kernels: on a GPU where there is one, else in Triton's interpreter.

The interpreter has to be chosen before triton is imported, so without a GPU ``tests/kernels/test_triton.py`` runs this
folder in a process of its own, and here nothing is collected otherwise.
"""

import importlib.util
import os

import torch

os.environ.setdefault("EQUIVISION_TUNE", "0")  # one compilation for each case
INTERPRETED = os.environ.get("TRITON_INTERPRET", "0") == "1"
if importlib.util.find_spec("triton") is None or not (INTERPRETED or torch.cuda.is_available()):
    collect_ignore_glob = ["test_*.py"]
