"""When sampling on the pixel grid keeps a symmetry exact, and the error that says how to make it so.

A window of ``k`` taps (dilation d) that slides with stride s over ``n`` pixels, padded by p on both sides, uses the
positions ``0, s, 2s, ...``. They are centred on the image, and so are mapped to themselves by rotations and
reflections, if and only if ``(n + 2p - d(k - 1) - 1) mod s == 0``.
"""

from equivision.errors import GridError, GroupMismatchError
from equivision.filters import has_quarter_turns, reversed_axes
from equivision.groups import PlanarGroup

Pair = tuple[int, int]


def leftover(size: int, kernel: int, stride: int, padding: int = 0, dilation: int = 1) -> int:
    """Pixels left over at the far edge; the layer is exact along this axis when it is 0."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) % stride


def check_square(group: PlanarGroup, **options: Pair) -> None:
    """Raise :class:`GroupMismatchError` when rows and columns are treated differently but the group exchanges them."""
    for name, (rows, columns) in options.items():
        if rows != columns and has_quarter_turns(group):
            raise GroupMismatchError(
                f"{name}={(rows, columns)} differs between rows and columns, which the quarter turns of "
                f"{group.name} exchange: use the same number for both, or a group without quarter turns (C2, D1, D2)"
            )


def _cures(size: int, kernel: int, stride: int, padding: int, dilation: int, *, pooling: bool) -> str:
    def exact(n: int, k: int, p: int) -> bool:
        fits = n > 0 and k > 0 and p >= 0 and n + 2 * p >= dilation * (k - 1) + 1 and (2 * p <= k or not pooling)
        return fits and leftover(n, k, stride, p, dilation) == 0

    reach = range(-2 * stride, 2 * stride + 1)
    sizes = [size + i for i in reach if exact(size + i, kernel, padding)]
    paddings = [padding + i for i in reach if exact(size, kernel, padding + i)]
    kernels = [kernel + i for i in reach if exact(size, kernel + i, padding)]
    near = [
        f"{name} {', '.join(map(str, sorted(sorted(values, key=lambda v: abs(v - now))[:3])))}"
        for name, values, now in (
            ("size", sizes, size),
            ("padding", paddings, padding),
            ("kernel_size", kernels, kernel),
        )
        if values
    ]
    return "; or ".join(near)


def check_grid(
    layer: str,
    group: PlanarGroup,
    size: Pair,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    *,
    pooling: bool = False,
) -> None:
    """Raise :class:`GridError` when a sliding window cannot keep the symmetry of ``group`` exactly.

    Args:
        layer: name of the layer, for the message.
        group: the group that must act exactly.
        size: input height and width; likewise the other pairs.
        kernel_size: taps of the window.
        stride: step.
        padding: pixels added on both sides.
        dilation: distance between taps.
        pooling: whether the padding may be no more than half the window, as torch's pools want it.

    Raises:
        GridError: positions are off centre along an axis that the group reverses.
        GroupMismatchError: rows and columns are treated differently, but the group exchanges them.
    """
    check_square(group, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation)
    for axis, name in enumerate(("height", "width")):
        if stride[axis] == 1 or not reversed_axes(group)[axis]:
            continue
        n, k, s, p, d = (pair[axis] for pair in (size, kernel_size, stride, padding, dilation))
        rest = leftover(n, k, s, p, d)
        if rest:
            raise GridError(
                f"{layer}: {name} {n} with kernel_size={k}, stride={s}, padding={p}, dilation={d} is not exact under "
                f"{group.name}: {rest} pixel(s) are left over on one side only, so the sampled positions do not map "
                f"onto themselves. Exact instead: {_cures(n, k, s, p, d, pooling=pooling)}. With strict=False the "
                "layer runs all the same, without the guarantee."
            )
