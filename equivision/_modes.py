"""Modes of a network that are as they were afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluation_mode(model: nn.Module, *, gradients: bool = False) -> Iterator[None]:
    """Evaluation mode, without gradients if they are not wanted; every module gets its own training flag back, also
    after an exception.
    """
    before = [(module, module.training) for module in model.modules()]
    try:
        if any(training for _, training in before):
            model.eval()
        with torch.set_grad_enabled(gradients and torch.is_grad_enabled()):
            yield
    finally:
        if model.training != before[0][1]:
            model.train(before[0][1])  # a network may do more in train() than set the flag
        for module, training in before:
            module.training = training
