"""The network inside what compiles it, or spreads it over devices."""

from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """The network that torch.compile, DataParallel or DistributedDataParallel was given; else the network itself."""
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return unwrapped(model.module)
    return getattr(model, "_orig_mod", model)
