"""From feature groups of one size to groups of several: which channels stay, and a network with their weights."""

import torch
from jaxtyping import Int
from torch import Tensor, nn

from equivision.errors import ConfigError
from equivision.implicit._groups import channels_for, feature_groups, sizes_of


def kept_channels(kind: str, channels: int) -> Int[Tensor, " kept"]:
    """Channels of equal feature groups that stay when the groups become of several sizes: the first of each.

    Args:
        kind: the sizes, as in :func:`feature_groups`; all groups have the largest of them now.
        channels: how many channels there are.

    Raises:
        ConfigError: the sizes are not understood, or the channels make no number of groups that can be divided.

    >>> kept_channels("4-2-1", 16).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12]
    """
    largest = sizes_of(kind)[0]
    if channels % largest:
        raise ConfigError(f"channels={channels}: give a multiple of {largest}, the size of the groups there are")
    pairs = feature_groups(kind, channels_for(kind, channels // largest))
    sizes = [size for size, count in pairs for _ in range(count)]
    return torch.tensor([largest * group + i for group, size in enumerate(sizes) for i in range(size)])


@torch.no_grad()
def take_channels_(target: nn.Module, source: nn.Module, kind: str) -> None:
    """Give a network with feature groups of several sizes the weights of one with equal groups.

    Both have the same modules; where a parameter or a buffer has other lengths, the channels of :func:`kept_channels`
    are taken from it. What the channels that are left out did is lost: train on.

    Args:
        target: the network with several sizes; changed in place.
        source: the network whose groups all have the largest of them.
        kind: the sizes.

    Raises:
        ConfigError: the networks do not correspond.

    Source: IEN, section 3.3.

    >>> import equivision as ev
    >>> nets = [ev.create_model("ien_cnn", width=8, feature_groups=kind) for kind in ("4-2-1", 4)]
    >>> take_channels_(*nets, "4-2-1")
    """
    ours, theirs = target.state_dict(), source.state_dict()
    if ours.keys() != theirs.keys():
        name = next(iter(ours.keys() ^ theirs.keys()))
        raise ConfigError(f"target and source do not correspond: only one of them has {name!r}; build both alike")
    for name, value in ours.items():
        taken = theirs[name]
        for axis, (now, before) in enumerate(zip(value.shape, taken.shape, strict=True)):
            if now != before:
                kept = kept_channels(kind, before).to(taken.device)
                if len(kept) != now:
                    raise ConfigError(
                        f"{name} has {before} channels in the source, of which {len(kept)} stay for kind={kind!r}, but "
                        f"{now} in the target: give the target these feature groups"
                    )
                taken = taken.index_select(axis, kept)
        value.copy_(taken)
