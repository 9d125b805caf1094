"""When sampling on the grid of pixels or voxels keeps a symmetry exact, and the error that says how to make it so.

A window of ``k`` taps (dilation d) that slides with stride s over ``n`` pixels, padded by p on both sides, uses the
positions ``0, s, 2s, ...``. They are centred on the image, and so are mapped to themselves by rotations and
reflections, if and only if ``(n + 2p - d(k - 1) - 1) mod s == 0``.
"""

from dataclasses import dataclass, replace

from equivision.errors import GridError, GroupMismatchError, ShapeError
from equivision.filters import reversed_axes
from equivision.filters._permute import AXES
from equivision.groups import PlanarGroup, SpatialGroup

#: One number for each axis, (height, width) or (depth, height, width).
Numbers = tuple[int, ...]


def leftover(size: int, kernel: int, stride: int, padding: int = 0, dilation: int = 1) -> int:
    """Pixels left over at the far edge; the layer is exact along this axis when it is 0."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) % stride


def check_square(group: SpatialGroup, **options: Numbers) -> None:
    """Raise :class:`GroupMismatchError` when axes are treated differently that the group exchanges."""
    for axes in group.exchanged_axes:
        for name, numbers in options.items():
            if len({numbers[axis] for axis in axes}) == 1:
                continue
            if isinstance(group, PlanarGroup):
                raise GroupMismatchError(
                    f"{name}={numbers} differs between rows and columns, which the quarter turns of {group.name} "
                    "exchange: use the same number for both, or a group without quarter turns (C2, D1, D2)"
                )
            exchanged = " and ".join(AXES[3][axis] for axis in axes)
            raise GroupMismatchError(
                f"{name}={numbers} differs between {exchanged}, which {group.name} exchanges: use the same number for "
                "them, or a group that keeps the axes apart (222, mm2, mmm)"
            )


def check_fits(
    layer: str, size: Numbers, kernel_size: Numbers, padding: Numbers, dilation: Numbers | None = None
) -> None:
    """Raise :class:`ShapeError` when the window is larger than the padded image."""
    dilation = tuple(1 for _ in size) if dilation is None else dilation
    for axis, name in enumerate(AXES[len(size)]):
        n, k, p, d = (numbers[axis] for numbers in (size, kernel_size, padding, dilation))
        if n + 2 * p < d * (k - 1) + 1:
            raise ShapeError(
                f"{layer}: {name} {n} with padding={p} is smaller than the window of {d * (k - 1) + 1} pixels "
                f"(kernel_size={k}, dilation={d}): give images of at least {max(d * (k - 1) + 1 - 2 * p, 1)} pixels, "
                "or use a smaller kernel or more padding"
            )


@dataclass(frozen=True)
class _Window:
    """Size and options of a sliding window, each for all axes."""

    size: Numbers
    kernel_size: Numbers
    stride: Numbers
    padding: Numbers
    dilation: Numbers

    def shifted(self, *names: str, by: int, axes: Numbers) -> "_Window":
        """The same window with a number added to some of its options."""

        def moved(numbers: Numbers) -> Numbers:
            return tuple(number + by * (axis in axes) for axis, number in enumerate(numbers))

        return replace(self, **{name: moved(getattr(self, name)) for name in names})

    def rests(self, group: SpatialGroup) -> Numbers:
        """Pixels left over at the far edge of each axis, where the group reverses it."""
        options = zip(self.size, self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        return tuple(
            leftover(*option) if moved else 0 for option, moved in zip(options, reversed_axes(group), strict=True)
        )

    def runs(self, *, pooling: bool) -> bool:
        """Whether torch can run it: it fits, and a pool pads by no more than half its window, which is not 1 pixel."""
        options = zip(self.size, self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        return all(
            min(n, k, s) > 0 and p >= 0 and n + 2 * p > d * (k - 1) and not (pooling and (2 * p > k or k == 1))
            for n, k, s, p, d in options
        )


def _cures(window: _Window, group: SpatialGroup, *, pooling: bool, odd: bool) -> str:
    """What would be exact, changing one option at a time; for rectangles on all axes at once."""
    every = tuple(range(len(window.size)))

    def good(*names: str, axes: Numbers = every, only: Numbers = every) -> str:
        found: list[_Window] = []
        reach = 2 * max(window.stride)
        for by in sorted(range(-reach, reach + 1), key=abs):
            changed = window.shifted(*names, by=by, axes=axes)
            allowed = changed.runs(pooling=pooling) and (not odd or changed.kernel_size[0] % 2 == 1)
            if allowed and not any(changed.rests(group)[axis] for axis in only):
                found.append(changed)
        values = sorted(getattr(changed, names[0]) for changed in found[:3])
        return ", ".join(str(each[axes[0]] if len(axes) == 1 or len(set(each)) == 1 else each) for each in values)

    if len(set(window.size)) == 1 and len(set(window.rests(group)) - {0}) == 1 and good("size"):
        sizes = [f"size {good('size')}"]
    else:
        wrong = [axis for axis, rest in enumerate(window.rests(group)) if rest]
        each = (f"{AXES[len(every)][axis]} {good('size', axes=(axis,), only=(axis,))}" for axis in wrong)
        sizes = [" with ".join(each)]
    kernels = ("kernel_size", "stride") if pooling and window.kernel_size == window.stride else ("kernel_size",)
    named = [f"{' and '.join(names)} {values}" for names in (("padding",), kernels) if (values := good(*names))]
    return "; or ".join(sizes + named)


def check_grid(
    layer: str,
    group: SpatialGroup,
    size: Numbers,
    kernel_size: Numbers,
    stride: Numbers,
    padding: Numbers,
    dilation: Numbers | None = None,
    *,
    pooling: bool = False,
    odd: bool = False,
) -> None:
    """Raise :class:`GridError` when a sliding window cannot keep the symmetry of ``group`` exactly.

    Args:
        layer: name of the layer, for the message.
        group: the group that must act exactly.
        size: of the input, (height, width) or (depth, height, width); likewise the others.
        kernel_size: taps of the window.
        stride: step.
        padding: pixels added on both sides.
        dilation: distance between taps; 1 by default.
        pooling: whether the padding may be no more than half the window, as torch's pools want it.
        odd: whether the window must have an odd number of taps.

    Raises:
        GridError: positions are off centre along an axis that the group reverses.
        GroupMismatchError: axes are treated differently that the group exchanges.
    """
    dilation = tuple(1 for _ in size) if dilation is None else dilation
    check_square(group, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation)
    if set(stride) == {1}:
        return
    window = _Window(size, kernel_size, stride, padding, dilation)
    rests = window.rests(group)
    for axis, name in enumerate(AXES[len(size)]):
        if rests[axis]:
            n, k, s, p, d = (numbers[axis] for numbers in (size, kernel_size, stride, padding, dilation))
            cures = _cures(window, group, pooling=pooling, odd=odd)
            raise GridError(
                f"{layer}: {name} {n} with kernel_size={k}, stride={s}, padding={p}, dilation={d} is not exact under "
                f"{group.name}: {rests[axis]} pixel(s) are left over on one side only, so the sampled positions do not "
                f"map onto themselves. Exact instead: {cures}. With strict=False the layer runs all the same, without "
                "the guarantee."
            )
