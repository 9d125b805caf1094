"""Pictures of a few layers while one input moves."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision.audit._layers import ElementMeasurement
from equivision.audit._masks import Masks, move_mask
from equivision.audit._moves import Move, declared_groups, move_of
from equivision.audit._picture import LARGEST_MASK, Picture, class_picture, image_picture, marked_picture, picture
from equivision.audit._report import Gallery, LayerPictures, MaskPictures
from equivision.audit._run import Runner, watch
from equivision.functional import act, classes_of
from equivision.groups import SpatialGroup

#: Smaller maps show nothing.
SMALLEST = 4
#: Name under which the output of the network itself is drawn; no module path has a space in it.
OUTPUT = "the output"
#: What is said of kernels that come from the image.
WRITTEN = "kernels written for this image"


def make_gallery(
    runner: Runner, images: Tensor, index: int, group: SpatialGroup, found: ElementMeasurement, labels: Tensor | None,
    masks: Masks | None, number: int,
) -> Gallery:  # fmt: skip
    """Run one image under every element and draw ``number`` layers, spread over the depth of the network."""
    classes, x = found.predictions, runner.load(images[index : index + 1])
    return Gallery(
        index=index,
        image=image_picture(images[index]),
        predictions=None if classes is None else tuple(int(each[index]) for each in classes),
        label=None if labels is None else int(labels[index]),
        layers=_pictures(runner, x, group, number) if number else (),
        masks=_mask_pictures(runner, x, image_picture(images[index], LARGEST_MASK), index, group, masks),
    )


def _mask_pictures(
    runner: Runner, x: Tensor, image: Picture, index: int, group: SpatialGroup, masks: Masks | None
) -> MaskPictures | None:
    """The masks of one image under every element."""
    if masks is None or masks.num_classes > 255:
        return None
    found = [classes_of(runner(act(x, g, group))) for g in range(group.order)]
    return MaskPictures(
        num_classes=masks.num_classes,
        image=image,
        predicted=tuple(class_picture(mask[0]) for mask in found),
        differences=tuple(marked_picture((mask != move_mask(found[0], g, group))[0]) for g, mask in enumerate(found)),
        truth=None if masks.truth is None else class_picture(masks.truth[index]),
    )


def _pictures(runner: Runner, x: Tensor, group: SpatialGroup, number: int) -> tuple[LayerPictures, ...]:
    """Layers; and a few kernels, where the network writes them for each image. Of volumes nothing is drawn."""
    if group.dimension == 3:
        return ()
    return (*_layers(runner, x, group, number), *_kernels(runner.model, x, group, number))


def _kernels(model: nn.Module, x: Tensor, group: SpatialGroup, number: int) -> tuple[LayerPictures, ...]:
    """Kernels of a network that says ``generates_weights``, whose method ``generate`` gives them, by name."""
    if not getattr(model, "generates_weights", False):
        return ()
    net: Any = model
    written: list[dict[str, Tensor]] = [net.generate(act(x, g, group)) for g in range(group.order)]
    names = [name for name, value in written[0].items() if _is_kernel(value)]
    move = Move("plane", "kernels turn as the image does", lambda value, g: act(value, g, group))
    return tuple(
        _draw(name, WRITTEN, move, [each[name].flatten(1, -3) for each in written], group)
        for name in (names[i] for i in _spread_over(len(names), number))
    )


def _is_kernel(value: Tensor) -> bool:
    return value.ndim == 5 and value.shape[-1] == value.shape[-2] > 1


def _layers(runner: Runner, x: Tensor, group: SpatialGroup, number: int) -> tuple[LayerPictures, ...]:
    declared = declared_groups(runner.model)
    moves: dict[str, tuple[str, Move]] = {}
    kept: list[dict[str, Tensor]] = [{} for _ in range(group.order)]
    wanted: list[str] = []

    def choose(key: str, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        if not isinstance(output, Tensor) or output.ndim not in (4, 5) or min(output.shape[-2:]) < SMALLEST:
            return
        if len(output) != len(x):  # of copies of the image
            return
        move = move_of(output, group, module=module, inputs=inputs, declared=declared)
        if move.apply is not None and float(output.amax() - output.amin()) > 0:
            moves[key] = (type(module).__name__, move)

    with watch(runner.model, choose, runner.pools):
        output = runner(x)
    keys = list(moves)
    wanted = [keys[i] for i in _spread_over(len(keys), number)]
    if output.ndim in (4, 5) and min(output.shape[-2:]) >= SMALLEST and number:
        moves[OUTPUT] = (type(runner.model).__name__, move_of(output, group, module=runner.model, declared=declared))
        wanted = [*wanted[: number - 1], OUTPUT]
    for g in range(group.order):

        def keep(key: str, module: nn.Module, inputs: tuple[object, ...], output: object, g: int = g) -> None:
            if key in wanted and isinstance(output, Tensor):
                kept[g][key] = output.clone()

        with watch(runner.model, keep, runner.pools):
            kept[g][OUTPUT] = runner(act(x, g, group))
    return tuple(
        _draw(key, *moves[key], [maps[key] for maps in kept], group)
        for key in wanted
        if all(key in maps and maps[key].shape == kept[0][key].shape for maps in kept)
    )


def _spread_over(available: int, number: int) -> list[int]:
    """Positions of ``number`` layers from the first to the last of those available."""
    if available <= number:
        return list(range(available))
    if number == 1:
        return [0]
    return sorted({round(i * (available - 1) / (number - 1)) for i in range(number)})


def _draw(key: str, kind: str, move: Move, outputs: list[Tensor], group: SpatialGroup) -> LayerPictures:
    channel = int(outputs[0][0].flatten(1).double().var(1).argmax())
    stacks = [_stack(output[:, channel : channel + 1]) for output in outputs]
    maps = [stack.amax(0, keepdim=True) for stack in stacks]
    low, high = min(float(m.min()) for m in maps), max(float(m.max()) for m in maps)
    differences = []
    for g, output in enumerate(outputs):
        back = move(output, group.inverse(g))
        gap = _stack((back - outputs[0])[:, channel : channel + 1])
        differences.append(torch.linalg.vector_norm(gap, dim=0, keepdim=True) / gap.shape[0] ** 0.5)
    caption = f"{kind}, channel {channel} of {outputs[0].shape[1]}"
    if outputs[0].ndim == 5:
        caption += f", largest of {outputs[0].shape[2]} orientations"
    return LayerPictures(
        layer=key,
        caption=caption,
        maps=tuple(picture(m, low, high) for m in maps),
        differences=tuple(picture(d, 0.0, high - low) for d in differences),
    )


def _stack(channel: Float[Tensor, "one single *group height width"]) -> Float[Tensor, "slots height width"]:
    """The maps of one channel: one, or one for every slot of its group axis."""
    return channel.reshape(-1, *channel.shape[-2:]).double()
