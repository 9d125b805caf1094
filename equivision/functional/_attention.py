"""Attentive group convolutions: the products of a convolution are weighed before they are summed.

Shape legend: B images, C input fields, S slots of the input (1 for images), O output fields, G slots of the output,
N = O * G output maps, R hidden numbers of a gate. The products of one image are C * S * N maps, far more than its
features, so that they are computed for some images and some output fields at a time.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from equivision.errors import ShapeError
from equivision.functional._checks import Size2, check_fields
from equivision.functional._conv import fitted
from equivision.functional._filters import check_slots, filter_table, group_filters, lift_filters
from equivision.functional._layout import FieldLayout, check_group_axis
from equivision.groups import PlanarGroup
from equivision.kernels import Window

#: Products that are in memory at a time: 64 MiB in float32.
MOST_PRODUCTS = 2**24


class AttentionBank(NamedTuple):
    """The parameters of an attentive convolution, moved by every element of the group.

    Attributes:
        filters: ``[C * S, O, G, kh, kw]``.
        squeeze: ``[O, G, R, C, S]``.
        excite: ``[O, G, C, R, S]``.
        spatial: ``[S, O, G, 2, ka, ka]``.
    """

    filters: Tensor
    squeeze: Tensor
    excite: Tensor
    spatial: Tensor

    def of_fields(self, start: int, stop: int) -> "AttentionBank":
        """That of some output fields, as convolutions and gates take it: with N for O and G."""
        filters, spatial = self.filters[:, start:stop], self.spatial[:, start:stop]
        return AttentionBank(
            filters.reshape(-1, 1, *filters.shape[3:]),
            self.squeeze[start:stop].flatten(0, 1),
            self.excite[start:stop].flatten(0, 1),
            spatial.reshape(-1, *spatial.shape[3:]),
        )


def lift_attention(
    weight: Tensor, squeeze: Tensor, excite: Tensor, spatial: Tensor, group: PlanarGroup, *tables: Tensor | None
) -> AttentionBank:
    """Bank of :func:`attentive_lift_conv2d`; ``tables`` are those of the filters and of the spatial attention."""
    taps, attended = tables or (None, None)
    out, order = weight.shape[0], group.order
    filters = lift_filters(weight, group, taps).unflatten(0, (out, order)).permute(2, 0, 1, 3, 4)
    maps = lift_filters(spatial, group, attended).unflatten(0, (out, order))

    def spread(values: Tensor) -> Tensor:
        return values[:, None, :, :, None].expand(-1, order, -1, -1, -1)

    return AttentionBank(filters, spread(squeeze), spread(excite), maps[None])


def group_attention(
    weight: Tensor, squeeze: Tensor, excite: Tensor, spatial: Tensor, group: PlanarGroup, *tables: Tensor | None
) -> AttentionBank:
    """Bank of :func:`attentive_group_conv2d`; ``tables`` are those of the filters, the gates, the spatial attention."""
    entries, slots, attended = tables or (None, None, None)
    out, order = weight.shape[0], group.order
    slots = slots if slots is not None else filter_table(group, (1, 1), slots=True).to(weight.device)
    filters = group_filters(weight, group, entries).unflatten(0, (out, order)).permute(2, 0, 1, 3, 4)
    maps = group_filters(spatial, group, attended).unflatten(1, (2, order)).unflatten(0, (out, order))

    def moved(values: Tensor) -> Tensor:
        return values.index_select(3, slots.reshape(-1)).unflatten(3, slots.shape).permute(0, 3, 1, 2, 4)

    return AttentionBank(filters, moved(squeeze), moved(excite), maps.permute(3, 0, 1, 2, 4, 5))


def attended_sum(
    products: Tensor, squeeze: Tensor, excite: Tensor, attend: Callable[[Tensor], Tensor], *, fields: int, slots: int
) -> Tensor:
    """Weigh products by channel, then by position, and sum them over the fields and slots of the input.

    Args:
        products: ``[B, C * S * N, H, W]``.
        squeeze: ``[N, R, C, S]``.
        excite: ``[N, C, R, S]``.
        attend: from the mean and the maximum over the fields, ``[B, S * N * 2, H, W]``, to ``[B, S * N, H, W]``.
        fields: C.
        slots: S.

    Returns:
        ``[B, N, H, W]``.
    """

    def gate(pooled: Tensor) -> Tensor:
        hidden = torch.relu(torch.einsum("nrcs,bcsn->bnrs", squeeze, pooled))
        return torch.einsum("ncrs,bnrs->bcsn", excite, hidden)

    split = products.unflatten(1, (fields, slots, -1))
    by_channel = torch.sigmoid(gate(split.mean((-2, -1))) + gate(split.amax((-2, -1))))
    split = split * by_channel.unsqueeze(-1).unsqueeze(-1)
    mean = split.mean(1)
    seen = torch.stack((mean, split.amax(1)), 3).flatten(1, 3)
    by_position = torch.sigmoid(attend(seen)).unflatten(1, (slots, -1))
    return (by_position * mean).sum(1) * fields


def attentive_lift_conv2d(
    x: Float[Tensor, "batch in_channels height width"],
    weight: Float[Tensor, "out_channels in_channels kh kw"],
    squeeze: Float[Tensor, "out_channels hidden in_channels"],
    excite: Float[Tensor, "out_channels in_channels hidden"],
    spatial: Float[Tensor, "out_channels 2 ka ka"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    group: PlanarGroup,
    stride: Size2 = 1,
    padding: Size2 | str = 0,
    dilation: Size2 = 1,
    padding_mode: str = "zeros",
    strict: bool = True,
    table: Int[Tensor, "order entries"] | None = None,
    attention_table: Int[Tensor, "order attention_entries"] | None = None,
) -> Float[Tensor, "batch out_channels group out_height out_width"]:
    """:func:`lift_conv2d` with attention on its products, as in :func:`attentive_group_conv2d` without slots.

    Equivariance: exact, plane to regular: ``f(g x) = L_g f(x)``.

    Raises:
        ShapeError: x is not an image, or the numbers of channels do not fit.
        GridError: stride and size leave the sampled positions off centre.

    Source: Romero et al. 2020.
    """
    layer = "AttentiveLiftConv2d"
    if x.ndim != 4:
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; an image is [batch, channel, height, width]. "
            "Feature maps on the group go through AttentiveGroupConv2d"
        )
    check_parts(weight, squeeze, excite, spatial, (), layer)
    check_fields(bias, weight, weight.shape[0], 1, layer)
    layout = FieldLayout.lifted(x, group.order)._replace(slots_first=False)
    maps, window = fitted(
        x, weight, layer=layer, group=group, taken=weight.shape[1], stride=stride, padding=padding, dilation=dilation,
        padding_mode=padding_mode, strict=strict,
    )  # fmt: skip
    bank = lift_attention(weight, squeeze, excite, spatial, group, table, attention_table)
    return layout.unflatten(_weighed(maps, bank, layout.over_group(bias), window))


def attentive_group_conv2d(
    x: Float[Tensor, "batch in_channels group height width"],
    weight: Float[Tensor, "out_channels in_channels group kh kw"],
    squeeze: Float[Tensor, "out_channels hidden in_channels group"],
    excite: Float[Tensor, "out_channels in_channels hidden group"],
    spatial: Float[Tensor, "out_channels 2 group ka ka"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    group: PlanarGroup,
    stride: Size2 = 1,
    padding: Size2 | str = 0,
    dilation: Size2 = 1,
    padding_mode: str = "zeros",
    strict: bool = True,
    table: Int[Tensor, "order entries"] | None = None,
    slot_table: Int[Tensor, "order slots"] | None = None,
    attention_table: Int[Tensor, "order attention_entries"] | None = None,
) -> Float[Tensor, "batch out_channels group out_height out_width"]:
    """Group convolution whose products are weighed by attention before they are summed.

    With the products ``z[o, h, c, s](t) = sum_p x[c](p, s) psi[o, c](h^-1 s, h^-1 (p - t))``, a gate for every channel,
    ``a = sigmoid(M(mean_t z) + M(max_t z))`` with ``M[o, h](v)[c, s] = sum_r e[o, c, r](h^-1 s) relu(sum_c' q[o, r,
    c'](h^-1 s) v[c', s])``, and one for every position, ``b[o, h, s] = sigmoid(sum_i k[o, i](h^-1 s, h^-1 .) * u_i)``
    with u the mean and the maximum of ``a z`` over c, the output is ``y[o](t, h) = sum_{c, s} b a z``.

    The products are ``in_channels |G|`` times as many numbers as the output. Only :data:`MOST_PRODUCTS` of them are in
    memory at a time, or those of one image and one output field: in training they are computed again in the backward
    pass where they are more. Inside ``torch.compile`` they are one tensor.

    Args:
        x: feature map on the group.
        weight: psi.
        squeeze, excite: q and e.
        spatial: k; its size is odd.
        bias: one number for each output field.
        group: C_n or D_n with n in {1, 2, 4}.
        stride, padding, dilation, padding_mode: as in :class:`torch.nn.Conv2d`.
        strict: raise GridError where stride and size cannot be exact.
        table, slot_table, attention_table: :func:`filter_table` with slots, for the size of the kernel, for (1, 1) and
            for the size of the spatial attention, to save building them.

    Equivariance: exact, regular to regular: ``f(L_g x) = L_g f(x)``.

    Raises:
        ShapeError: x is not a feature map on the group, or the numbers of channels do not fit.
        GridError: stride and size leave the sampled positions off centre.

    Source: Romero et al. 2020.
    """
    layer = "AttentiveGroupConv2d"
    check_slots(weight, group)
    check_parts(weight, squeeze, excite, spatial, (group.order,), layer)
    check_group_axis(x, group, layer)
    check_fields(bias, weight, weight.shape[0], 1, layer)
    layout, order = FieldLayout.of(x)._replace(slots_first=False), group.order
    maps, window = fitted(
        layout.flatten(x), weight, layer=layer, group=group, taken=weight.shape[1] * order, slots=order, stride=stride,
        padding=padding, dilation=dilation, padding_mode=padding_mode, strict=strict,
    )  # fmt: skip
    bank = group_attention(weight, squeeze, excite, spatial, group, table, slot_table, attention_table)
    return layout.unflatten(_weighed(maps, bank, layout.over_group(bias), window))


def check_parts(
    weight: Tensor, squeeze: Tensor, excite: Tensor, spatial: Tensor, slots: tuple[int, ...], layer: str
) -> None:
    """Raise ShapeError unless gates and spatial attention fit the kernel; the size of the latter must be odd."""
    out, fields = weight.shape[:2]
    hidden, size = squeeze.shape[1] if squeeze.ndim > 1 else 0, spatial.shape[-1]
    wanted = {
        "squeeze": (squeeze, (out, hidden, fields, *slots)),
        "excite": (excite, (out, fields, hidden, *slots)),
        "spatial": (spatial, (out, 2, *slots, size, size)),
    }
    for name, (given, shape) in wanted.items():
        if given.shape != shape:
            raise ShapeError(f"{layer}: {name} has shape {tuple(given.shape)}; with this weight it needs {shape}")
    if size % 2 == 0:
        raise ShapeError(f"{layer}: spatial has {size} x {size} taps; give an odd number, so that they have a centre")


def _weighed(maps: Tensor, bank: AttentionBank, bias: Tensor | None, window: Window) -> Tensor:
    """``[B, C * S, H, W] -> [B, O * G, H', W']``, some images and some output fields at a time."""
    images, fields = maps.shape[0], bank.squeeze.shape[0]
    steps = (images, fields) if torch.compiler.is_compiling() else _steps(maps, bank, window)
    run: Callable[..., Tensor] = _run
    if steps != (images, fields) and torch.is_grad_enabled():
        run = _run_again_in_backward
    blocks = [bank.of_fields(o, o + steps[1]) for o in range(0, fields, steps[1])]
    rows = [
        torch.cat([run(part, block, window, bank.squeeze.shape[3:]) for block in blocks], 1) if len(blocks) > 1
        else run(part, blocks[0], window, bank.squeeze.shape[3:])
        for part in (maps.split(steps[0]) if steps[0] != images else (maps,))
    ]  # fmt: skip
    y = torch.cat(rows) if len(rows) > 1 else rows[0]
    return y if bias is None else y + bias.to(y.dtype)[:, None, None]


def _steps(maps: Tensor, bank: AttentionBank, window: Window) -> tuple[int, int]:
    """Images and output fields that are computed at a time."""
    size = window.out_size((maps.shape[-2], maps.shape[-1]), (bank.filters.shape[-2], bank.filters.shape[-1]))
    images, fields = maps.shape[0], bank.squeeze.shape[0]
    products = max(maps.shape[1] * bank.squeeze.shape[1] * math.prod(size), 1)
    pairs = max(MOST_PRODUCTS // products, 1)
    at_once = min(fields, pairs)
    return (max(min(images, pairs // at_once), 1) if images else 0, at_once)


def _run(maps: Tensor, bank: AttentionBank, window: Window, sizes: torch.Size) -> Tensor:
    products = F.conv2d(maps, bank.filters, None, *window, maps.shape[1])
    maps_out, border = bank.spatial.shape[0], bank.spatial.shape[-1] // 2

    def attend(seen: Tensor) -> Tensor:
        return F.conv2d(seen, bank.spatial, padding=border, groups=maps_out)

    y = attended_sum(products, bank.squeeze, bank.excite, attend, fields=sizes[0], slots=sizes[1])
    return y.to(products.dtype)  # autocast may have summed in float32


def _run_again_in_backward(*arguments: Any) -> Tensor:
    return checkpoint(_run, *arguments, use_reentrant=False, preserve_rng_state=False)  # pyright: ignore[reportReturnType]
