"""How the output of a layer is supposed to move: from what the layer says about itself, else from its shape."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equivision.audit._report import Action
from equivision.errors import GroupMismatchError
from equivision.functional import act, rotate
from equivision.groups import PlanarGroup, SpatialGroup, Subgroup, cyclic, inclusion
from equivision.reps import Representation, quotient


@dataclass(frozen=True)
class Move:
    """The action assumed for a tensor.

    Attributes:
        action: kind of action.
        note: why, in words.
        apply: moves a batch by an element; None where the action is not known.
    """

    action: Action
    note: str
    apply: Callable[[Tensor, int], Tensor] | None = None

    def __call__(self, x: Tensor, g: int) -> Tensor:
        """Move a batch by an element.

        Raises:
            GroupMismatchError: the action is not known.
        """
        if self.apply is None:
            raise GroupMismatchError(f"this tensor cannot be moved: {self.note}")
        return self.apply(x, g)


def contains(group: SpatialGroup, subgroup: SpatialGroup) -> bool:
    """Whether ``subgroup`` is inside ``group``."""
    try:
        inclusion(subgroup, group)
    except GroupMismatchError:
        return False
    return True


def declared_groups(model: nn.Module) -> frozenset[SpatialGroup]:
    """The groups that the modules of a network name in an attribute ``group``."""
    named = (getattr(module, "group", None) for module in model.modules())
    return frozenset(group for group in named if isinstance(group, SpatialGroup))


def claimed_group(model: nn.Module) -> PlanarGroup:
    """The largest group of the plane that a layer names, as far as it maps the pixel grid onto itself; C4 if none does.

    What a network is to be audited under where nobody says.
    """
    parts = [group.grid_part for group in declared_groups(model) if isinstance(group, PlanarGroup)]
    largest = max(parts, key=lambda group: group.order, default=cyclic(1))
    return largest if largest.order > 1 else cyclic(4)


def move_of(
    output: Tensor,
    group: SpatialGroup,
    *,
    module: nn.Module,
    inputs: tuple[object, ...] = (),
    declared: Iterable[SpatialGroup] = (),
) -> Move:
    """Decide how ``output`` should move.

    A layer that carries a representation (``out_rep``) or a pooled subgroup is believed; otherwise the shape decides:
    2-d is invariant, 4-d moves in the plane, a third axis as long as the group is the group. Under a group of space
    5-d moves in space, and maps on the group are 6-d.

    Args:
        output: what the layer returned.
        group: the group under audit.
        module: the layer.
        inputs: what it was given.
        declared: groups that the network names; a feature on one of them that contains ``group`` moves by it.
    """
    known = _from_metadata(output, group, module)
    if known is not None:
        return known
    flattened = _flattened_map(output, inputs, group.dimension)
    if flattened is not None:
        inner = move_of(flattened, group, module=nn.Identity(), declared=declared)
        return _unflattened(inner, flattened.shape[1:])
    if output.ndim == 2:
        return Move("invariant", "a vector: should stay the same", lambda x, g: act(x, g, group))
    if output.ndim == 2 + group.dimension:
        note = f"maps {'on the plane' if group.dimension == 2 else 'in space'}: should move with the input"
        return _spatial(output, group, Move("plane", note, lambda x, g: act(x, g, group)))
    if output.ndim in (3, 3 + group.dimension):
        return _spatial(output, group, _on_group(output, group, module, frozenset(declared)))
    return Move("unknown", f"output has {output.ndim} axes: no action of a group on it is known")


def fits_grid(maps: Tensor, group: SpatialGroup) -> bool:
    """Whether maps are as long along all axes that the group exchanges."""
    size = maps.shape[-group.dimension :]
    return all(len({size[axis] for axis in axes}) == 1 for axes in group.exchanged_axes)


def _spatial(output: Tensor, group: SpatialGroup, move: Move) -> Move:
    """The move, unless an element would change the shape of the map."""
    if output.ndim < 4 or fits_grid(output, group):
        return move
    size = " x ".join(map(str, output.shape[-group.dimension :]))
    if group.dimension == 2:
        return Move("unknown", f"a map of {size} is not square: quarter turns do not fit it")
    return Move("unknown", f"a map of {size} has axes of different lengths that {group.name} exchanges")


def _on_group(output: Tensor, group: SpatialGroup, module: nn.Module, declared: frozenset[SpatialGroup]) -> Move:
    """A feature with a third axis that may be a group."""
    size = output.shape[2]
    named = {candidate for candidate in declared if candidate.order == size}
    usable = {candidate for candidate in named if contains(candidate, group)}
    own = getattr(module, "group", None)
    usable = {own} if isinstance(own, SpatialGroup) and own in usable else usable
    if len(usable) == 1:
        (acting,) = usable
        inside = "" if acting == group else f", of which {group.name} is a part"
        note = f"a feature on {acting.name}{inside}: should move and permute"
        return Move("regular", note, _mover(acting, group, None))
    if named:
        names = " or ".join(sorted(candidate.name for candidate in named))
        return Move("unknown", f"a feature on {names}: how {group.name} acts on it is not known")
    if size == group.order:
        note = (
            f"axis 2 has {size} entries like {group.name}: taken as a feature on {group.name}, should move and permute"
        )
        return Move("regular", note, _mover(group, group, None))
    return Move(
        "unknown",
        f"axis 2 has {size} entries and {group.name} has {group.order} elements: how they move is not known "
        "(a layer can say it with an attribute out_rep)",
    )


def _mover(acting: SpatialGroup, group: SpatialGroup, rep: Representation | None) -> Callable[[Tensor, int], Tensor]:
    """Move by the elements of ``group`` inside a group that may be larger."""
    embed = inclusion(group, acting)
    return lambda x, g: act(x, embed(g), acting, rep)


def _from_metadata(output: Tensor, group: SpatialGroup, module: nn.Module) -> Move | None:
    """What a layer says about its own output, if it says anything."""
    rep = getattr(module, "out_rep", None)
    subgroup = getattr(module, "subgroup", None)
    if not isinstance(rep, Representation) and isinstance(subgroup, Subgroup):
        rep = quotient(subgroup)
        if output.ndim not in (3, 3 + group.dimension) or output.shape[2] != rep.size:
            return None
    if not isinstance(rep, Representation):
        return None
    acting = rep.group
    if not isinstance(acting, SpatialGroup) or not contains(acting, group):
        return Move("unknown", f"the layer declares {rep!r}, on which {group.name} does not act")
    note = f"the layer declares {rep!r}"
    if output.ndim in (3, 3 + group.dimension) and output.shape[2] == rep.size:
        return _spatial(output, group, Move("representation", note, _mover(acting, group, rep)))
    if output.ndim in (2, 2 + group.dimension) and output.shape[1] == rep.size:
        move = _mover(acting, group, rep)
        return _spatial(output, group, Move("representation", note, lambda x, g: move(x.unsqueeze(1), g).squeeze(1)))
    return Move("unknown", f"{note} of size {rep.size}, which does not fit the shape {tuple(output.shape)}")


def _flattened_map(output: Tensor, inputs: tuple[object, ...], axes: int) -> Tensor | None:
    """The map that ``output`` is a flattened copy of, if it is one that can move."""
    source = inputs[0] if inputs else None
    if output.ndim != 2 or not isinstance(source, Tensor) or source.ndim not in (3, 2 + axes, 3 + axes):
        return None
    if source.shape[0] != output.shape[0] or source.numel() != output.numel():
        return None
    if source.ndim == 2 + axes and source.shape[-axes:].numel() == 1:  # one pixel: nothing to move
        return None
    return source if torch.equal(source.flatten(1), output) else None


def _unflattened(inner: Move, shape: torch.Size) -> Move:
    size = " x ".join(map(str, shape))
    if inner.apply is None:
        return Move("unknown", f"a flattened map of {size}; {inner.note}")
    move = inner.apply
    note = f"a flattened map of {size}: compared as that map. What reads it as a vector sees its entries move"
    return Move(inner.action, note, lambda x, g: move(x.unflatten(1, shape), g).flatten(1))


def nearest_rotation(group: PlanarGroup, degrees: float) -> tuple[int, float]:
    """The rotation of the group nearest to an angle, and the degrees that are left, between -180 and 180."""
    element = group.element(0, round(degrees * group.rotations / 360))
    rest = (degrees - group.degrees(element) + 180) % 360 - 180
    return element, 0.0 if abs(rest) < 1e-9 else rest


def rotate_feature(x: Tensor, degrees: float, group: PlanarGroup, move: Move) -> Tensor:
    """Rotate by any angle: the nearest element of the group exactly, then the rest by bilinear interpolation."""
    element, rest = nearest_rotation(group, degrees)
    moved = move(x, element)
    if rest == 0 or x.ndim < 4:
        return moved
    maps = moved.flatten(1, -3) if x.ndim == 5 else moved
    wide = maps if maps.dtype in (torch.float32, torch.float64) else maps.float()
    return rotate(wide, rest).to(x.dtype).reshape(moved.shape)
