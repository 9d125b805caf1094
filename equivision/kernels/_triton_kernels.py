"""The two Triton kernels of the fused group convolution: block products of gathered pixels, and their weight gradient.

Names as in :mod:`equivision.kernels._plan`. A program loads the |G| slots of a tile of pixels, every slot at its own
rotated tap, transforms them over the group in registers, and feeds the blocks to the tensor cores; sums are float32 and
stay in the Fourier basis until the end. A ``field`` is a channel of a feature map; fields are innermost in memory.

Weights are the left factor of every product, pixels the right one: what has to pass through registers is the right
factor, and the more output fields a program has, the more products share one transform. ``LINES`` is the number of
one-dimensional irreps; what is left is one block, the two-dimensional irrep of C4 or D4.

Imported on first use only, because it needs triton.
"""

from typing import no_type_check

import triton
import triton.language as tl

# Triton reads these functions as source: tuples stand for |G| tiles, and annotations are Triton's own.
# ruff: noqa: RET505, RUF005
# pyright: basic, reportGeneralTypeIssues=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalOperand=false


@no_type_check
@triton.jit
def analyse(u, ORDER: tl.constexpr, CYCLIC: tl.constexpr):
    """Rows of ``plan.basis`` times the slots ``u``: the entries of every irrep block, in the order of the plan."""
    if ORDER == 2:
        return (u[0] + u[1], u[0] - u[1])
    elif ORDER == 4:
        if CYCLIC:
            even, odd = u[0] + u[2], u[1] + u[3]
            return (even + odd, even - odd, u[0] - u[2], u[1] - u[3])
        else:
            s0, s1, d0, d1 = u[0] + u[1], u[2] + u[3], u[0] - u[1], u[2] - u[3]
            return (s0 + s1, s0 - s1, d0 + d1, d0 - d1)
    else:
        s0, s1, s2, s3 = u[0] + u[2], u[1] + u[3], u[4] + u[6], u[5] + u[7]
        d0, d1, d2, d3 = u[0] - u[2], u[1] - u[3], u[4] - u[6], u[5] - u[7]
        a0, a1, b0, b1 = s0 + s1, s2 + s3, s0 - s1, s2 - s3
        return (a0 + a1, a0 - a1, b0 + b1, b0 - b1, d0 + d2, d3 - d1, d1 + d3, d0 - d2)


@no_type_check
@triton.jit
def synthesise(o, ORDER: tl.constexpr, CYCLIC: tl.constexpr):
    """The transpose of :func:`analyse`: back to one tile for each group element."""
    if ORDER == 2:
        return (o[0] + o[1], o[0] - o[1])
    elif ORDER == 4:
        if CYCLIC:
            even, odd = o[0] + o[1], o[0] - o[1]
            return (even + o[2], odd + o[3], even - o[2], odd - o[3])
        else:
            s0, s1, d0, d1 = o[0] + o[1], o[2] + o[3], o[0] - o[1], o[2] - o[3]
            return (s0 + s1, s0 - s1, d0 + d1, d0 - d1)
    else:
        a0, a1, b0, b1 = o[0] + o[1], o[0] - o[1], o[2] + o[3], o[2] - o[3]
        s0, s1, s2, s3 = a0 + b0, a0 - b0, a1 + b1, a1 - b1
        d0, d1, d2, d3 = o[4] + o[7], o[6] - o[5], o[4] - o[7], o[5] + o[6]
        return (s0 + d0, s1 + d1, s0 - d0, s1 - d1, s2 + d2, s3 + d3, s2 - d2, s3 - d3)


@no_type_check
@triton.jit
def _right_factors(u, ORDER: tl.constexpr, CYCLIC: tl.constexpr):
    """Tiles ``[a, b]`` of the entries as right factors: those of the lines, then ``[(j, a), (i, b)]`` of the block.

    One large product instead of several small ones: ``O_k = [M_k0 M_k1] [[U_00, U_10], [U_01, U_11]]``. For the complex
    type of C4, with one row i, the turned row takes the place of the second: ``[[U_0, U_1], [U_1, -U_0]]``.
    """
    LINES: tl.constexpr = 2 if CYCLIC else 4 if ORDER > 2 else 2
    A: tl.constexpr = u[0].shape[0]
    B: tl.constexpr = u[0].shape[1]
    out = u[:LINES]
    if ORDER > LINES:
        if CYCLIC:
            negative = (-u[2].to(tl.float32)).to(u[2].dtype)
            block = tl.join(tl.join(u[2], u[3]), tl.join(u[3], negative))
        else:
            block = tl.join(tl.join(u[4], u[6]), tl.join(u[5], u[7]))
        out = out + (block.permute(3, 0, 2, 1).reshape(2 * A, 2 * B),)  # [a, b, i, j] -> [(j, a), (i, b)]
    return out


@no_type_check
@triton.jit
def _zeros(ORDER: tl.constexpr, CYCLIC: tl.constexpr, A: tl.constexpr, B: tl.constexpr):
    """Float32 sums: a tile for every line, a pair of tiles side by side for every k of the block."""
    LINES: tl.constexpr = 2 if CYCLIC else 4 if ORDER > 2 else 2
    acc = ()
    for _ in tl.static_range(LINES):
        acc = acc + (tl.zeros((A, B), tl.float32),)
    for _ in tl.static_range((ORDER - LINES) // 2):
        acc = acc + (tl.zeros((A, 2 * B), tl.float32),)
    return acc


@no_type_check
@triton.jit
def _add_products(acc, left, right, ORDER: tl.constexpr, CYCLIC: tl.constexpr, PRECISION: tl.constexpr):
    """Add a product for every line and every k of the block; all k share their right factor."""
    LINES: tl.constexpr = 2 if CYCLIC else 4 if ORDER > 2 else 2
    out = ()
    for r in tl.static_range(LINES + (ORDER - LINES) // 2):
        a, b = left[r], right[min(r, LINES)]
        if PRECISION == "interpreted":  # Triton's interpreter takes no bfloat16
            out = out + (tl.dot(a.to(tl.float32), b.to(tl.float32), acc[r], input_precision="ieee"),)
        else:
            out = out + (tl.dot(a, b, acc[r], input_precision=PRECISION),)
    return out


@no_type_check
@triton.jit
def _separate(acc, ORDER: tl.constexpr, CYCLIC: tl.constexpr):
    """The sums of a convolution as one tile for every entry (i, k), in the order of the plan's basis."""
    LINES: tl.constexpr = 2 if CYCLIC else 4 if ORDER > 2 else 2
    A: tl.constexpr = acc[0].shape[0]
    B: tl.constexpr = acc[0].shape[1]
    out = acc[:LINES]
    first, second = (), ()
    for k in tl.static_range((ORDER - LINES) // 2):
        o0, o1 = tl.split(acc[LINES + k].reshape(A, 2, B).permute(0, 2, 1))
        first, second = first + (o0,), second + (o1,)
    return out + first + second


@no_type_check
@triton.jit
def _places(
    i, j, first_y, first_x, dilation_y, dilation_x, ORDER: tl.constexpr, CYCLIC: tl.constexpr,
    KH: tl.constexpr, KW: tl.constexpr,
):  # fmt: skip
    """Rows and columns ``first + dilation * (h p)`` of tap p = (i, j): slot h flips the rows, then turns the kernel."""
    N: tl.constexpr = ORDER if CYCLIC else ORDER // 2
    down, right = KH - 1 - i, KW - 1 - j
    rows, columns = (), ()
    for h in tl.static_range(ORDER):
        if h % N * (4 // N) == 0:
            y, x = i if h < N else down, j
        elif h % N * (4 // N) == 1:
            y, x = right, i if h < N else down
        elif h % N * (4 // N) == 2:
            y, x = down if h < N else i, right
        else:
            y, x = j, down if h < N else i
        rows = rows + (first_y + y * dilation_y,)
        columns = columns + (first_x + x * dilation_x,)
    return rows, columns


@no_type_check
@triton.jit
def _load_slots(
    x, start, row, column, rows, columns, offset_y, offset_x, field, fields, H, W, x_slot, x_row, x_column,
    UP_Y: tl.constexpr, UP_X: tl.constexpr, ORDER: tl.constexpr, CYCLIC: tl.constexpr,
):  # fmt: skip
    """``U(y) = transform of f[h](y + h p)`` over the slots h, a tile ``[fields, pixels]`` for every entry.

    ``start`` is where each pixel (row, column) lies in memory; a row out of reach marks a pixel that does not exist.
    Zeros outside of the image. The transform is float32, rounded once.
    """
    u = ()
    for h in tl.static_range(ORDER):
        dy, dx = rows[h] // UP_Y - offset_y, columns[h] // UP_X - offset_x
        y, z = row + dy, column + dx
        seen = (y >= 0) & (y < H) & (z >= 0) & (z < W)
        if UP_Y * UP_X > 1:  # a fractional step: only where it meets a pixel
            seen = seen & ((rows[h] % UP_Y == 0) & (columns[h] % UP_X == 0))
        at = start + (h * x_slot + dy * x_row + dx * x_column)
        tile = tl.load(x + at[None, :] + field[:, None], mask=seen[None, :] & (field < fields)[:, None], other=0.0)
        u = u + (tile.to(tl.float32),)
    u = analyse(u, ORDER, CYCLIC)
    rounded = ()
    for r in tl.static_range(ORDER):
        rounded = rounded + (u[r].to(x.dtype.element_ty),)
    return rounded


@no_type_check
@triton.jit
def convolve_kernel(
    x, blocks, out, images, H, W, OH, OW, in_fields, out_fields, x_image, x_slot, x_row, x_column,
    out_image, out_slot, out_row, out_column, blocks_row, blocks_tap, blocks_group,
    stride_y, stride_x, bias_y, bias_x, offset_y, offset_x, dilation_y, dilation_x, size_class,
    UP_Y: tl.constexpr, UP_X: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr, ORDER: tl.constexpr,
    CYCLIC: tl.constexpr, PRECISION: tl.constexpr, BO: tl.constexpr, BP: tl.constexpr, BI: tl.constexpr,
):  # fmt: skip
    """A tile of output fields times a tile of pixels, for all group elements.

    Tap (i, j) of slot h reads row ``oy * stride + (h i * dilation + bias) / UP - offset``. With UP > 1 (the gradient of
    a strided convolution) the pixels of one phase, that is of one remainder modulo UP, share a tile: then a tap that
    meets no pixel is left out for the whole tile.

    Grid: (phases * tiles of pixels * tiles of output fields, groups).
    """
    LINES: tl.constexpr = 2 if CYCLIC else 4 if ORDER > 2 else 2
    field_tiles = tl.cdiv(out_fields, BO)
    group = tl.program_id(1)
    tile, phase = tl.program_id(0) // field_tiles, 0
    rows, columns = tl.cdiv(OH, UP_Y), tl.cdiv(OW, UP_X)
    pixels = images * rows * columns
    if UP_Y * UP_X > 1:
        tiles = tl.cdiv(pixels, BP)
        phase, tile = tile // tiles, tile % tiles
    phase_y, phase_x = phase // UP_X, phase % UP_X

    pixel = tile * BP + tl.arange(0, BP)
    image, row, column = pixel // (rows * columns), pixel // columns % rows, pixel % columns
    inside = pixel < pixels
    image = image.to(tl.int64)
    y, z = row * UP_Y + phase_y, column * UP_X + phase_x
    to = image * out_image + (y * out_row + z * out_column)
    there = inside & (y < OH) & (z < OW)
    row, column = row * stride_y, column * stride_x
    start = image * x_image + (row * x_row + column * x_column)
    row = tl.where(inside, row, 1 << 30)
    out_field = tl.program_id(0) % field_tiles * BO + tl.arange(0, BO)
    x += group * in_fields
    blocks += group * blocks_group

    acc = _zeros(ORDER, CYCLIC, BO, BP)
    steps = tl.cdiv(in_fields, BI)
    for step in range(KH * KW * steps):
        tap, first_in = step // steps, step % steps * BI
        i, j = tap // KW, tap % KW
        tap_rows, tap_columns = _places(
            i, j, phase_y + bias_y, phase_x + bias_x, dilation_y, dilation_x, ORDER, CYCLIC, KH, KW
        )  # fmt: skip
        wanted = 1
        if UP_Y * UP_X > 1:
            wanted = 0
            for h in tl.static_range(ORDER):
                meets = (tap_rows[h] % UP_Y == 0) & (tap_columns[h] % UP_X == 0)
                wanted = wanted | meets.to(tl.int32)
        if wanted > 0:
            field = first_in + tl.arange(0, BI)
            u = _load_slots(
                x, start, row, column, tap_rows, tap_columns, offset_y, offset_x, field, in_fields, H, W,
                x_slot, x_row, x_column, UP_Y, UP_X, ORDER, CYCLIC,
            )  # fmt: skip
            m = ()
            at = blocks + tap * blocks_tap + (out_field * in_fields)[:, None]
            known = (out_field < out_fields)[:, None] & (field < in_fields)[None, :]
            for r in tl.static_range(LINES):
                m = m + (tl.load(at + field[None, :] + r * blocks_row, mask=known, other=0.0),)
            inner = tl.arange(0, 2 * BI)  # j, field
            field = first_in + inner % BI
            at = at + (inner // BI * blocks_row + field)[None, :]
            known = (out_field < out_fields)[:, None] & (field < in_fields)[None, :]
            for k in tl.static_range((ORDER - LINES) // 2):
                m = m + (tl.load(at + (LINES + 2 * k) * blocks_row, mask=known, other=0.0),)
            acc = _add_products(acc, m, _right_factors(u, ORDER, CYCLIC), ORDER, CYCLIC, PRECISION)

    result = synthesise(_separate(acc, ORDER, CYCLIC), ORDER, CYCLIC)
    to = to[None, :] + (group * out_fields + out_field)[:, None]
    known = there[None, :] & (out_field < out_fields)[:, None]
    for g in tl.static_range(ORDER):
        tl.store(out + to + g * out_slot, result[g].to(out.dtype.element_ty), mask=known)


@no_type_check
@triton.jit
def transform_kernel(
    x, out, total, fields, slots_apart, size, x_image, x_slot, x_row, x_column, columns,
    ORDER: tl.constexpr, CYCLIC: tl.constexpr, BP: tl.constexpr, BO: tl.constexpr,
):  # fmt: skip
    """Transform over the group at every pixel: ``x [B, C, G, H, W]``, fields last, to ``out [G, B * H * W, C]``.

    Grid: (tiles of pixels, tiles of fields). ``size`` is H * W, ``slots_apart`` the step from row to row of ``out``.
    """
    pixel = tl.program_id(0) * BP + tl.arange(0, BP)
    field = tl.program_id(1) * BO + tl.arange(0, BO)
    known = (pixel < total)[:, None] & (field < fields)[None, :]
    start = (pixel // size).to(tl.int64) * x_image + (pixel % size // columns * x_row + pixel % columns * x_column)
    u = ()
    for g in tl.static_range(ORDER):
        tile = tl.load(x + (start + g * x_slot)[:, None] + field[None, :], mask=known, other=0.0)
        u = u + (tile.to(tl.float32),)
    u = analyse(u, ORDER, CYCLIC)
    to = out + pixel.to(tl.int64)[:, None] * fields + field[None, :]
    for r in tl.static_range(ORDER):
        tl.store(to, u[r].to(out.dtype.element_ty), mask=known)
        to += slots_apart


@no_type_check
@triton.jit
def weight_gradient_kernel(
    x, grad, partial, images, H, W, OH, OW, in_fields, out_fields, x_image, x_slot, x_row, x_column,
    grad_row, grad_pixel, partial_split, partial_row, partial_tap, partial_group,
    stride_y, stride_x, offset_y, offset_x, dilation_y, dilation_x, size_class, splits,
    KH: tl.constexpr, KW: tl.constexpr, ORDER: tl.constexpr, CYCLIC: tl.constexpr, PRECISION: tl.constexpr,
    BO: tl.constexpr, BP: tl.constexpr, BI: tl.constexpr,
):  # fmt: skip
    """Gradient of the blocks of one tap for a tile of (output fields, input fields), over one part of the pixels.

    ``grad`` is the transformed gradient of the output, ``[G, pixels, fields]``. Every part has its own place in
    ``partial``, so that nothing depends on the order in which programs run.

    Grid: (taps * tiles of output fields * tiles of input fields, groups, splits).
    """
    LINES: tl.constexpr = 2 if CYCLIC else 4 if ORDER > 2 else 2
    STEP: tl.constexpr = (ORDER - LINES) // 2
    out_tiles, in_tiles = tl.cdiv(out_fields, BO), tl.cdiv(in_fields, BI)
    group, split = tl.program_id(1), tl.program_id(2)
    tap = tl.program_id(0) // (out_tiles * in_tiles)
    tap_rows, tap_columns = _places(
        tap // KW, tap % KW, 0, 0, dilation_y, dilation_x, ORDER, CYCLIC, KH, KW
    )  # fmt: skip
    out_field = tl.program_id(0) // in_tiles % out_tiles * BO + tl.arange(0, BO)
    first_in = tl.program_id(0) % in_tiles * BI
    in_field = first_in + tl.arange(0, BI)
    x += group * in_fields
    grad += group * out_fields

    pixels = images * OH * OW
    steps = tl.cdiv(tl.cdiv(pixels, BP), splits)
    acc = _zeros(ORDER, CYCLIC, BO, BI)
    for step in range(split * steps, (split + 1) * steps):
        pixel = step * BP + tl.arange(0, BP)
        row, column = pixel // OW % OH * stride_y, pixel % OW * stride_x
        start = (pixel // (OH * OW)).to(tl.int64) * x_image + (row * x_row + column * x_column)
        row = tl.where(pixel < pixels, row, 1 << 30)
        u = _load_slots(
            x, start, row, column, tap_rows, tap_columns, offset_y, offset_x, in_field, in_fields, H, W,
            x_slot, x_row, x_column, 1, 1, ORDER, CYCLIC,
        )  # fmt: skip
        d, right = (), ()
        known = (pixel < pixels)[:, None] & (out_field < out_fields)[None, :]
        at = grad + pixel.to(tl.int64)[:, None] * grad_pixel + out_field[None, :]
        for _ in tl.static_range(LINES):
            d = d + (tl.trans(tl.load(at, mask=known, other=0.0)),)
            at += grad_row
        inner = tl.arange(0, 2 * BP)  # i, pixel
        pixel = step * BP + inner % BP
        known = (pixel < pixels)[:, None] & (out_field < out_fields)[None, :]
        at = grad + (inner // BP * STEP + LINES).to(tl.int64)[:, None] * grad_row
        at = at + pixel.to(tl.int64)[:, None] * grad_pixel + out_field[None, :]
        for _ in tl.static_range(STEP):
            d = d + (tl.trans(tl.load(at, mask=known, other=0.0)),)
            at += grad_row
        u = _right_factors(u, ORDER, CYCLIC)
        for r in tl.static_range(len(u)):
            right = right + (tl.trans(u[r]),)
        acc = _add_products(acc, d, right, ORDER, CYCLIC, PRECISION)

    to = partial + split.to(tl.int64) * partial_split + tap * partial_tap + group * partial_group
    to = to + (out_field * in_fields)[:, None]
    known = (out_field < out_fields)[:, None] & (in_field < in_fields)[None, :]
    for r in tl.static_range(LINES):
        tl.store(to + r * partial_row + in_field[None, :], acc[r], mask=known)
    inner = tl.arange(0, 2 * BI)  # j, field
    field = first_in + inner % BI
    known = (out_field < out_fields)[:, None] & (field < in_fields)[None, :]
    to = to + (inner // BI * partial_row + field)[None, :]
    for k in tl.static_range(STEP):
        tl.store(to + (LINES + 2 * k) * partial_row, acc[LINES + k], mask=known)
