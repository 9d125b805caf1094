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
    are taken from it. What the channels that are left out did is lost: train on. Layers that see flattened maps, and
    convolutions in groups, mix or separate channels in ways that this does not know: pool before, as the networks of
    the study do.

    Args:
        target: the network with several sizes; changed in place.
        source: the network whose groups all have the largest of them.
        kind: the sizes.

    Raises:
        ConfigError: the networks do not correspond, or a layer sees other things than the channels of another layer.
            The target is then as it was.

    Source: IEN, section 3.3.

    >>> import equivision as ev
    >>> nets = [ev.create_model("ien_cnn", width=8, feature_groups=kind) for kind in ("4-2-1", 4)]
    >>> take_channels_(*nets, "4-2-1")
    """
    ours, theirs = target.state_dict(), source.state_dict()
    if ours.keys() != theirs.keys():
        name = next(iter(ours.keys() ^ theirs.keys()))
        raise ConfigError(f"target and source do not correspond: only one of them has {name!r}; build both alike")
    channels = {len(value) for name, value in theirs.items() if value.ndim and len(value) != len(ours[name])}
    taken: dict[str, Tensor] = {}
    for name, value in ours.items():
        grouped = getattr(target.get_submodule(name.rpartition(".")[0]), "groups", 1) != 1
        taken[name] = theirs[name]
        for axis, now, before in _other_lengths(name, value, theirs[name]):
            if axis > 1 or before not in channels or (axis == 1 and grouped):
                raise ConfigError(
                    f"{name} has the shapes {tuple(value.shape)} in the target and {tuple(theirs[name].shape)} in the "
                    f"source; along axis {axis} these are not the channels of feature groups (flattened maps, groups "
                    "of a convolution, another kernel?): only other channels can be taken"
                )
            kept = kept_channels(kind, before).to(theirs[name].device)
            if len(kept) != now:
                raise ConfigError(
                    f"{name} has {before} channels in the source, of which {len(kept)} stay for kind={kind!r}, but "
                    f"{now} in the target: give the target these feature groups"
                )
            taken[name] = taken[name].index_select(axis, kept)
    for name, value in ours.items():
        value.copy_(taken[name])


def _other_lengths(name: str, ours: Tensor, theirs: Tensor) -> list[tuple[int, int, int]]:
    """The axes along which two tensors differ, with both lengths."""
    if ours.ndim != theirs.ndim:
        raise ConfigError(
            f"target and source do not correspond: {name} has {ours.ndim} axes in one and {theirs.ndim} in the other"
        )
    pairs = zip(ours.shape, theirs.shape, strict=True)
    return [(axis, now, before) for axis, (now, before) in enumerate(pairs) if now != before]
