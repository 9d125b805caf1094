"""Equivariance as a loss: what layers give for an image and for the moved image, aligned and compared."""

import difflib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_map

from equivision._wrapped import unwrapped
from equivision.errors import ConfigError, ShapeError
from equivision.implicit._groups import feature_groups, sizes_of
from equivision.implicit._pool import FeatureGroupPool
from equivision.implicit._transforms import Mask, Motion, TransformSet, rotations, wide

#: How the channels of a layer are grouped; None: not at all.
Grouping = str | int | Sequence[tuple[int, int]] | None

#: One set of motions, or several with their weights.
Transforms = TransformSet | Sequence[tuple[TransformSet, float | int]]


class ImplicitOutput(NamedTuple):
    """What a network gave for images and their moved copies, and how far it is from equivariance.

    Attributes:
        output: of the images and, after them, of one moved copy for each set of motions. In tuples, lists and
            dictionaries, what does not have one entry for each of these is as the network gave it.
        loss: the weighted sum of the differences.
        differences: mean squared difference of each layer, without its weight; with several sets of motions the mean
            over them, without their weights.
    """

    output: Any
    loss: Float[Tensor, ""]
    differences: dict[str, Float[Tensor, ""]]


class ImplicitEquivariance:
    """Measures, differentiably, how far layers of any network are from equivariance.

    The images and, for each set of motions, a copy in which every image has been moved by a motion of its own run
    through the network together. Where a layer was named, the feature groups of both are pooled, those of the copy are
    moved back, and the mean squared difference is taken: over all pixels, or where motions lose some at the border,
    over those that survive. Gradients flow through both.

    The network itself is not changed and is free to be equivariant or not: what it learns is up to the weight of this
    loss. Train it on the outputs of images and copies::

        implicit = ImplicitEquivariance(net, ["conv1", "conv2"], feature_groups=4, beta=0.1)
        output, loss, _ = implicit(images)
        (F.cross_entropy(output, labels.repeat(implicit.copies)) + loss).backward()

    Args:
        model: any network.
        layers: names of modules whose outputs are compared, as in ``model.named_modules()``, also where the network has
            been compiled or is wrapped for several devices: maps
            ``[B, C, H, W]``; maps on a group ``[B, C, G, H, W]``, taken as ``C * G`` channels; or invariants
            ``[B, C]``. None: the attribute ``implicit_layers`` of the network.
        transforms: the motions; or, for several sets with weights of their own, pairs (motions, weight).
        feature_groups: how the channels are grouped, for all layers or by name: a size, ``"4-2-1"``,
            pairs (size, count), or None for no pooling. ``"model"``: the attribute ``feature_groups`` of the network,
            or none if it has no such attribute.
        beta: weight of each layer, one for all, or by name.
        mask: where motions lose pixels, compare inside the largest ``"disk"``, on the whole ``"support"``, or
            everywhere: ``"none"``.
        generator: draws the motions; None: torch's own.

    Attributes:
        copies: how many outputs there are for each image: one, and one for each set of motions.

    Equivariance: none is guaranteed. Under motions that only rearrange pixels (quarter turns, reflections) the loss is
    zero to rounding for a network that is equivariant under them, also if channels are permuted inside feature groups.
    Other motions interpolate, there and back, and what that loses is in the loss, too: all of it, for an equivariant
    network; a third of the variance of maps of white noise that turn by 45 degrees, less of smooth ones.

    Raises:
        ConfigError: a layer is not in the network, or an argument is not valid.
        ShapeError: (when called) the images are no batch of floats, or a motion does not keep their size; a layer gives
            what cannot be moved or grouped, gives maps so small that a motion leaves no pixel to compare, does not run
            exactly once, or a later layer changes its output in place, as ``ReLU(inplace=True)`` does; the network
            gives other than tensors, or tuples, lists and dictionaries of them.

    Source: IEN, equations 6 to 8.

    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 25, 3))
    >>> output, loss, _ = ImplicitEquivariance(net, ["0"], feature_groups=4)(torch.rand(2, 1, 7, 7))
    >>> tuple(output.shape), bool(loss > 0)
    ((4, 3), True)
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[str] | None = None,
        transforms: Transforms | None = None,
        *,
        feature_groups: Grouping | Mapping[str, Grouping] = "model",
        beta: float | int | Mapping[str, float | int] = 1.0,
        mask: Mask = "disk",
        generator: torch.Generator | None = None,
    ) -> None:
        self.model = model
        self.layers = _check_layers(model, layers)
        self.transforms = check_transforms(rotations(4) if transforms is None else transforms)
        if isinstance(feature_groups, str) and feature_groups == "model":
            feature_groups = getattr(unwrapped(model), "feature_groups", None)
        self.feature_groups: dict[str, Grouping] = _each("feature_groups", feature_groups, self.layers)
        self.beta: dict[str, float] = _each("beta", beta, self.layers)
        check_options(feature_groups, beta, mask)
        self.mask: Mask = mask
        self.generator = generator

    @property
    def pooled_outputs(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """For every layer, what makes of its output what is compared; for :func:`equivision.audit.audit`."""
        return {name: partial(self.pooled, name) for name in self.layers}

    @property
    def copies(self) -> int:
        """Outputs for each image."""
        return 1 + len(self.transforms)

    def draw(self, images: int) -> list[Motion]:
        """A motion for each of so many images, of every set."""
        return [transforms.sample(images, self.generator) for transforms, _ in self.transforms]

    def __call__(
        self,
        images: Float[Tensor, "batch channel height width"],
        motions: Sequence[Motion] | None = None,
        *,
        run: Callable[[Tensor], Any] | None = None,
    ) -> ImplicitOutput:
        """Run the network on images and moved copies.

        Args:
            images: a batch.
            motions: one for each set of transforms; None: drawn anew.
            run: what calls the network, if it is not called directly.

        Raises:
            ShapeError: the images are no batch of floats, or motions are of another number of images; a layer gives
                what cannot be moved or grouped, does not run exactly once, or its output is changed in place; the
                network gives what cannot be put in the order of the images.
            ConfigError: the channels of a layer cannot be divided as asked for, or motions are not one for each set.
        """
        _check_images(images)
        for set_, _ in self.transforms:
            set_.check_size(images)
        if motions is None:
            motions = self.draw(len(images))
        self._check_motions(motions, len(images))
        order = torch.argsort(motions[0].index, stable=True)  # images that move alike together: less to copy
        motions = [Motion(motion.transforms, motion.index[order]) for motion in motions]
        images = images[order.to(images.device)]
        batch = torch.cat([images, *(motion.apply(images) for motion in motions)])
        with _outputs(self.model, self.layers) as found:
            output = _reordered((run or self.model)(batch), torch.argsort(order), self.copies)
        total = images.new_zeros(())
        differences: dict[str, Tensor] = {}
        for name in self.layers:
            maps = self.pooled(name, self._once(name, found[name], len(batch))).split(len(images))
            each = [self._difference(name, maps[0], *pair) for pair in zip(maps[1:], motions, strict=True)]
            differences[name] = torch.stack(each).mean()
            weights = [weight for _, weight in self.transforms]
            total = total + self.beta[name] * sum(w * d for w, d in zip(weights, each, strict=True))
        return ImplicitOutput(output, total, differences)

    def pooled(self, layer: str, output: Tensor) -> Tensor:
        """The largest of each feature group in the output of a layer; this is what is compared."""
        maps = output.flatten(1, 2) if output.ndim == 5 else output
        grouping = self.feature_groups[layer]
        if grouping is None:
            return maps
        pairs = feature_groups(grouping, maps.shape[1]) if isinstance(grouping, str | int) else grouping
        return FeatureGroupPool(pairs)(maps)

    def _check_motions(self, motions: Sequence[Motion], images: int) -> None:
        whole = isinstance(motions, Sequence) and all(isinstance(motion, Motion) for motion in motions)
        if not whole or len(motions) != len(self.transforms):
            raise ConfigError(f"motions={motions!r}: give {len(self.transforms)}, one for each set of transforms")
        for motion in motions:
            if len(motion.index) != images:
                raise ShapeError(f"motions: one was drawn for {len(motion.index)} images, and there are {images}")

    def _difference(self, layer: str, maps: Tensor, copy: Tensor, motion: Motion) -> Float[Tensor, ""]:
        try:
            return difference(maps, copy, motion, self.mask)
        except ShapeError as error:
            raise ShapeError(f"layer {layer!r}: {error}") from error

    def _once(self, name: str, outputs: list["_Output"], batch: int) -> Tensor:
        if not outputs:
            raise ShapeError(
                f"layer {name!r} does not run: choose layers that run once; of a network that had been compiled and "
                "called before, torch._dynamo.reset() forgets the program that lacks what this needs"
            )
        if len(outputs) > 1:
            raise ShapeError(f"layer {name!r} runs {len(outputs)} times in one pass: choose layers that run once")
        output, version = outputs[0]
        if not isinstance(output, Tensor) or output.ndim not in (2, 4, 5) or len(output) != batch:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ShapeError(
                f"layer {name!r} gives {shape}: choose layers that give [batch, channel, height, width], "
                "[batch, channel, group, height, width] or invariants [batch, channel]"
            )
        if version is not None and version != _version(output):
            raise ShapeError(
                f"layer {name!r}: its output is changed in place by a later layer, such as ReLU(inplace=True): choose "
                "that layer instead, or have it not work in place"
            )
        return output


def difference(maps: Tensor, moved: Tensor, motion: Motion, mask: Mask = "disk") -> Float[Tensor, ""]:
    """Mean squared difference of maps and of those of the moved image, moved back; vectors are compared as they are.

    It is taken in at least single precision.

    Args:
        maps: ``[B, N, H, W]`` or ``[B, N]``, of the images.
        moved: of the moved images.
        motion: how they were moved.
        mask: where to compare, see :class:`ImplicitEquivariance`.

    Raises:
        ShapeError: a motion leaves no pixel of such maps, or does not keep their size.

    Source: IEN, equation 6, as a mean.
    """
    maps, moved = (x.to(wide(x.dtype)) for x in (maps, moved))
    if maps.ndim == 2:
        return F.mse_loss(maps, moved)
    inside, back = motion.support(maps, mask), motion.undo(moved)
    if inside is None:
        return F.mse_loss(maps, back)
    return ((maps - back).square() * inside).sum() / (inside.sum() * maps.shape[1])


def _reordered(output: Any, order: Tensor, copies: int) -> Any:
    """Outputs of images and copies in the order in which the images were given; of tensors, also in containers."""

    def move(part: object) -> object:
        if isinstance(part, Tensor):
            whole = part.ndim > 0 and len(part) == copies * len(order)
            return torch.cat([one[order.to(one.device)] for one in part.chunk(copies)]) if whole else part
        if part is None or isinstance(part, str | int | float):
            return part
        raise ShapeError(
            f"the network gives a {type(part).__name__}, which cannot be put in the order of the images: let it give "
            "tensors, or tuples, lists or dictionaries of them"
        )

    return tree_map(move, output)


#: What a layer gave, and how often it had been changed in place by then, if that is known; else it is a copy.
_Output = tuple[object, int | None]


def _seen(output: object) -> _Output:
    version = _version(output)
    return (output.clone() if version is None and isinstance(output, Tensor) else output), version


def _version(output: object) -> int | None:
    """How often a tensor has been changed in place; not known in inference mode and while torch.compile traces."""
    if torch.compiler.is_compiling() or not isinstance(output, Tensor) or output.is_inference():
        return None
    return output._version


@contextmanager
def _outputs(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, list[_Output]]]:
    """Keep what these layers give."""
    found: dict[str, list[_Output]] = {name: [] for name in layers}

    def keep(name: str) -> Callable[[nn.Module, object, object], None]:
        return lambda _, __, output: found[name].append(_seen(output))

    handles = [unwrapped(model).get_submodule(name).register_forward_hook(keep(name)) for name in layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _check_layers(model: nn.Module, layers: Sequence[str] | None) -> tuple[str, ...]:
    model = unwrapped(model)
    layers = getattr(model, "implicit_layers", ()) if layers is None else layers
    known = [name for name, _ in model.named_modules(remove_duplicate=False) if name]
    whole = isinstance(layers, Sequence) and not isinstance(layers, str)
    if not whole or not layers or not all(isinstance(name, str) for name in layers):
        raise ConfigError(f"layers={layers!r}: give the names of one or more layers, such as {known[:3]}")
    for name in layers:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3) or known[:5]
            raise ConfigError(f"layers: {name!r} is not in {type(model).__name__}: did you mean one of {near}?")
    if len(set(layers)) < len(layers):
        raise ConfigError(f"layers={list(layers)} names a layer twice: name each once")
    return tuple(layers)


def _check_images(images: Tensor) -> None:
    if images.ndim != 4 or not len(images) or not images.is_floating_point():
        raise ShapeError(
            f"images are {images.dtype} of shape {tuple(images.shape)}: give floats [batch, channel, height, width], "
            "at least one image"
        )


def check_transforms(given: Transforms) -> tuple[tuple[TransformSet, float], ...]:
    """Sets of motions with their weights.

    Raises:
        ConfigError: that is not what is given.
    """
    pairs = ((given, 1.0),) if isinstance(given, TransformSet) else given
    whole = isinstance(pairs, Sequence) and not isinstance(pairs, str)
    if not whole or not all(isinstance(pair, Sequence) and len(pair) == 2 for pair in pairs) or not pairs:
        raise ConfigError(
            f"transforms={given!r}: give a TransformSet, such as rotations(4), or pairs of one and its weight"
        )
    for transforms, weight in pairs:
        if not isinstance(transforms, TransformSet):
            raise ConfigError(
                f"transforms holds {transforms!r}: give a TransformSet, such as rotations(4), and its weight"
            )
        _check_weight("weight of a set of transforms", weight)
    return tuple((transforms, float(weight)) for transforms, weight in pairs)


def check_options(
    feature_groups: Grouping | Mapping[str, Grouping], beta: float | int | Mapping[str, float | int], mask: str
) -> None:
    """Check what is given for all layers or for each, and the mask; no network is needed for it.

    Raises:
        ConfigError: one is not valid.
    """
    for grouping in feature_groups.values() if isinstance(feature_groups, Mapping) else [feature_groups]:
        if isinstance(grouping, str | int):
            sizes_of(grouping)
    for name, weight in beta.items() if isinstance(beta, Mapping) else [("", beta)]:
        _check_weight(f"beta of layer {name!r}" if name else "beta", weight)
    if mask not in get_args(Mask):
        raise ConfigError(f"mask={mask!r} is not known: choose one of {', '.join(map(repr, get_args(Mask)))}")


def _check_weight(name: str, weight: float) -> None:
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
        raise ConfigError(f"{name} is {weight!r}: give a number of at least 0")


def _each(name: str, value: Any, layers: Sequence[str]) -> dict[str, Any]:
    """A value for every layer."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(layers, value)
    if set(value) != set(layers):
        given = sorted(value, key=str)
        raise ConfigError(f"{name} is given for {given}: give one value, or one for each of {sorted(layers)}")
    return dict(value)
