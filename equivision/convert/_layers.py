"""Each of our layers as modules of torch, on maps ``[batch, maps, height, width]`` with fields and group flattened.

Those for volumes have a depth before the height.
"""

import copy
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils.fusion import fuse_conv_bn_eval

from equivision import functional
from equivision._trace import known_as
from equivision.functional._attention import group_attention, lift_attention
from equivision.functional._deformable import mean_bias, tap_places
from equivision.functional._linear import induction_bank
from equivision.functional._pool import centered_window
from equivision.functional._resample import blur_window, gaussian_taps
from equivision.nn import (
    AttentiveGroupConv2d,
    AttentiveLiftConv2d,
    AvgPool2d,
    BatchNorm3d,
    BlurPool2d,
    CenteredMaxPool2d,
    DeformableGroupConv2d,
    DeformableLiftConv2d,
    FieldBatchNorm2d,
    GroupConv2d,
    GroupConvTranspose2d,
    GroupLinear,
    Induce,
    LiftConv2d,
    MaxPool2d,
    ProjectConv2d,
    SeparableGroupConv2d,
    SteerableConv2d,
    Upsample2d,
    WallpaperConv2d,
)
from equivision.volume import AvgPool3d, GroupConv3d, LiftConv3d, MaxPool3d, ProjectConv3d, SphericalConv3d

Lifting, Projecting = (LiftConv2d, LiftConv3d), (ProjectConv2d, ProjectConv3d)
GroupConvolution = (
    LiftConv2d | GroupConv2d | ProjectConv2d | GroupConvTranspose2d | SeparableGroupConv2d
    | LiftConv3d | GroupConv3d | ProjectConv3d
)  # fmt: skip
SpatialLayer = MaxPool2d | AvgPool2d | Upsample2d | BlurPool2d | CenteredMaxPool2d | MaxPool3d | AvgPool3d
CONVOLUTIONS: tuple[type[nn.Module], ...] = (
    LiftConv2d, GroupConv2d, ProjectConv2d, GroupConvTranspose2d, SeparableGroupConv2d, LiftConv3d, GroupConv3d,
    ProjectConv3d,
)  # fmt: skip
_ORDINARY: dict[int, type[nn.Conv2d | nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
ATTENTIVE: tuple[type[nn.Module], ...] = (AttentiveLiftConv2d, AttentiveGroupConv2d)
DEFORMABLE: tuple[type[nn.Module], ...] = (DeformableLiftConv2d, DeformableGroupConv2d)
IN_SPACE: tuple[type[nn.Module], ...] = (MaxPool3d, AvgPool3d)
SPATIAL: tuple[type[nn.Module], ...] = (MaxPool2d, AvgPool2d, Upsample2d, BlurPool2d, CenteredMaxPool2d, *IN_SPACE)


def _repeated(values: Tensor | None, order: int) -> Tensor | None:
    """One number for every field, as one for every map."""
    return None if values is None else values.repeat_interleave(order)


def _conv(bank: Tensor, bias: Tensor | None, kind: type[Any], **options: Any) -> _ConvNd:
    """An ordinary convolution with these filters."""
    groups = options.get("groups", 1)
    maps_in, maps_out = bank.shape[0], bank.shape[1] * groups
    if not issubclass(kind, _ConvTransposeNd):
        maps_in, maps_out = bank.shape[1] * groups, bank.shape[0]
    size = tuple(bank.shape[2:])
    conv = kind(maps_in, maps_out, size, **options, bias=bias is not None, device="meta")
    weight = bank.detach().clone(memory_format=torch.contiguous_format)  # torch.export saves no other completely
    conv.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        conv.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return conv.eval()


@torch.no_grad()
def plain_convolutions(layer: GroupConvolution) -> list[_ConvNd]:
    """Ordinary convolutions, one after the other, with the filters expanded over the group."""
    group, order = layer.group, layer.group.order
    window: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    if isinstance(layer, GroupConvTranspose2d):
        bank = functional.transposed_filters(layer.weight, group, sampling=layer.sampling)
        window |= {"output_padding": layer.output_padding, "groups": layer.groups}
        return [_conv(bank, _repeated(layer.bias, order), nn.ConvTranspose2d, **window)]
    window["padding_mode"] = layer.padding_mode
    kind = _ORDINARY[group.dimension]
    if isinstance(layer, Projecting):
        bank = functional.project_filters(layer.weight, group, sampling=layer.sampling)
        return [_conv(bank, layer.bias, kind, **window, groups=layer.groups)]
    bias = _repeated(layer.bias, order)
    if not isinstance(layer, SeparableGroupConv2d):
        expand = functional.lift_filters if isinstance(layer, Lifting) else functional.group_filters
        bank = expand(layer.weight, group, sampling=layer.sampling)
        return [_conv(bank, bias, kind, **window, groups=layer.groups)]
    if layer.spatial.shape[1] == 1 and layer.algorithm != "expand":
        mix = functional.group_filters(layer.pointwise[..., None, None], group)
        bank = functional.lift_filters(layer.spatial, group, sampling=layer.sampling)
        first = _conv(mix, None, nn.Conv2d, groups=layer.groups)
        return [first, _conv(bank, bias, nn.Conv2d, **window, groups=bank.shape[0])]
    weight = layer.spatial.unsqueeze(2) * layer.pointwise[..., None, None]
    bank = functional.group_filters(weight, group, sampling=layer.sampling)
    return [_conv(bank, bias, nn.Conv2d, **window, groups=layer.groups)]


class AttentiveParts(NamedTuple):
    """An attentive convolution in parts of torch, with shapes as in :mod:`equivision.functional._attention`."""

    products: _ConvNd
    attend: _ConvNd
    squeeze: Tensor
    excite: Tensor
    bias: Tensor | None


@torch.no_grad()
def plain_attention(layer: AttentiveLiftConv2d | AttentiveGroupConv2d) -> AttentiveParts:
    """The convolutions before and behind the gates, and the parameters of the gates, expanded over the group."""
    expand = lift_attention if isinstance(layer, AttentiveLiftConv2d) else group_attention
    bank = expand(*layer.attention, layer.group).of_fields(0, layer.out_channels)
    slots, border = bank.squeeze.shape[3], layer.attention_size // 2
    window: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    window |= {"padding_mode": layer.padding_mode, "groups": layer.in_channels * slots}
    products = _conv(bank.filters, None, nn.Conv2d, **window)
    attend = _conv(bank.spatial, None, nn.Conv2d, padding=border, groups=bank.spatial.shape[0])
    bias = _repeated(layer.bias, layer.group.order)
    squeeze, excite = (gate.detach().clone(memory_format=torch.contiguous_format) for gate in bank[1:3])
    return AttentiveParts(products, attend, squeeze, excite, None if bias is None else bias.detach()[:, None, None])


@torch.no_grad()
def plain_deformable(layer: DeformableLiftConv2d | DeformableGroupConv2d) -> tuple[_ConvNd, _ConvNd]:
    """The convolution that says where the taps are, and the one, with a stride of one kernel, of what is read there."""
    tables, slots = (layer.pairs, layer.matrices), layer.kernel_on_group
    window: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    bank = functional.offset_filters(layer.offset_weight, layer.group, slots=slots, tables=tables)
    still = tap_places(layer.kernel_size, layer.dilation, layer.offset_bias).flatten()
    bias = mean_bias(layer.offset_bias, tables) + still
    places = _conv(bank, bias, nn.Conv2d, **window, padding_mode=layer.padding_mode)
    expand = functional.group_filters if slots else functional.lift_filters
    bias, options = _repeated(layer.bias, layer.group.order), {"stride": layer.kernel_size, "groups": layer.groups}
    return places, _conv(expand(layer.weight, layer.group), bias, nn.Conv2d, **options)


@torch.no_grad()
def plain_steerable(layer: SteerableConv2d | SphericalConv3d) -> _ConvNd:
    """An ordinary convolution with the filters put together."""
    names = ("stride", "padding", "dilation", "padding_mode")
    window, bank = {name: getattr(layer, name) for name in names}, layer.filters()
    return _conv(bank, layer.channel_bias(), _ORDINARY[bank.ndim - 2], **window)


@torch.no_grad()
def plain_wallpaper(layer: WallpaperConv2d) -> nn.Conv2d:
    """An ordinary convolution with the kernels put together."""
    names = ("stride", "padding", "dilation", "padding_mode", "groups")
    conv = _conv(layer.filters(), layer.bias, nn.Conv2d, **{name: getattr(layer, name) for name in names})
    assert isinstance(conv, nn.Conv2d)  # noqa: S101
    return conv


@torch.no_grad()
def plain_induction(layer: Induce) -> _ConvNd:
    """A convolution of the flattened fields with one tap."""
    axes = layer.group.dimension
    bank = induction_bank(layer.weight, layer.table)[(..., *(None,) * axes)]
    return _conv(bank, _repeated(layer.bias, layer.group.order), _ORDINARY[axes])


@torch.no_grad()
def pointwise_linear(conv: _ConvNd) -> nn.Linear:
    """A 1x1 convolution as a linear map of the channels."""
    return _linear(conv.weight.flatten(1), conv.bias)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """An ordinary linear map with these weights."""
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return linear.eval()


@torch.no_grad()
def plain_linear(layer: GroupLinear) -> nn.Linear:
    """An ordinary linear map of the flattened values."""
    taps = (..., *(None,) * layer.group.dimension)
    bank = functional.group_filters(layer.weight[taps], layer.group, layer.table).flatten(1)
    return _linear(bank, _repeated(layer.bias, layer.group.order))


class Example(NamedTuple):
    """What is known of a tensor that a network computes from an example."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device


def plain_spatial(layer: SpatialLayer, example: Example | None) -> nn.Module:
    """A layer over space as modules on ``[B, maps, H, W]``; one that follows the size needs an example of its input."""
    if isinstance(layer, MaxPool2d):
        return nn.MaxPool2d(layer.kernel_size, layer.stride, layer.padding)
    if isinstance(layer, AvgPool2d):
        return nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding)
    if isinstance(layer, MaxPool3d):
        return nn.MaxPool3d(layer.kernel_size, layer.stride, layer.padding)
    if isinstance(layer, AvgPool3d):
        return nn.AvgPool3d(layer.kernel_size, layer.stride, layer.padding)
    if isinstance(layer, Upsample2d):
        aligned = None if layer.mode == "nearest" else False
        return nn.Upsample(scale_factor=float(layer.scale_factor), mode=layer.mode, align_corners=aligned)
    if isinstance(layer, BlurPool2d) and layer.sigma is None:
        return nn.Identity()
    assert example is not None  # noqa: S101 (the caller has asked for it)
    if isinstance(layer, CenteredMaxPool2d):
        (rows, above), (columns, left) = (centered_window(n, layer.stride) for n in example.shape[-2:])
        return nn.MaxPool2d((rows, columns), layer.stride, (above, left))
    assert layer.sigma is not None  # noqa: S101 (looked at above)
    maps, size = math.prod(example.shape[1:-2]), example.shape[-2:]
    steps = []
    for axis, n in enumerate(size):
        taps, border = blur_window(n, layer.stride, layer.sigma)
        kernel = gaussian_taps(taps, layer.sigma, dtype=example.dtype).to(example.device)
        mode = layer.padding_mode if layer.padding_mode == "zeros" or border < n else "replicate"
        options: dict[str, Any] = {
            "stride": (layer.stride, 1) if axis == 0 else (1, layer.stride),
            "padding": (border, 0) if axis == 0 else (0, border),
        }
        bank = kernel.view((1, 1, taps, 1) if axis == 0 else (1, 1, 1, taps)).repeat(maps, 1, 1, 1)
        steps.append(_conv(bank, None, nn.Conv2d, **options, groups=maps, padding_mode=mode))
    return nn.Sequential(*steps)


def has_statistics(module: nn.Module) -> bool:
    """Whether it is a batch norm that, in evaluation, multiplies and adds one number for each channel."""
    known = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, FieldBatchNorm2d)
    ours = known_as(module, (BatchNorm3d,)) is not None
    return (ours or type(module) in known) and getattr(module, "running_mean", None) is not None


def torch_norm(norm: nn.Module) -> nn.Module:
    """Our batch norm as torch's own, which it is but for the layout and the axes that it takes."""
    twin = copy.copy(norm)
    twin.__class__ = nn.BatchNorm3d  # pyright: ignore[reportAttributeAccessIssue]
    return twin


@torch.no_grad()
def over_maps(norm: nn.Module, order: int, *, space: bool = False) -> nn.BatchNorm2d | nn.BatchNorm3d:
    """Batch norm over fields as one over maps, of the plane or of space: every number repeated over the group."""
    if isinstance(norm, FieldBatchNorm2d):
        return _over_channels(norm)
    assert isinstance(norm, _BatchNorm) and norm.running_mean is not None and norm.running_var is not None  # noqa: S101, PT018
    like = norm.running_mean
    plain = (nn.BatchNorm3d if space else nn.BatchNorm2d)(
        norm.num_features * order, eps=norm.eps, momentum=norm.momentum, affine=norm.affine, device=like.device,
        dtype=like.dtype,
    )  # fmt: skip
    for name in ("weight", "bias", "running_mean", "running_var"):
        values, target = getattr(norm, name), getattr(plain, name)
        if values is not None and target is not None:
            target.copy_(values.repeat_interleave(order))
    return plain.eval()


def _over_channels(norm: FieldBatchNorm2d) -> nn.BatchNorm2d:
    """Batch norm over fields of any kind as what it is in evaluation, a factor and a shift for every channel."""
    scale, shift = norm.affine_map(norm.running_mean, norm.running_var)
    plain = nn.BatchNorm2d(len(scale), eps=0.0, device=scale.device, dtype=scale.dtype)
    plain.weight.copy_(scale)
    plain.bias.copy_(shift)
    return plain.eval()


def can_fold(conv: nn.Module) -> bool:
    """Whether :func:`fold` takes this convolution; grouped transposed ones have their filters in another order."""
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    return type(conv) in kinds and not (isinstance(conv, _ConvTransposeNd) and conv.groups > 1)


@torch.no_grad()
def fold(conv: _ConvNd, norm: nn.Module) -> _ConvNd:
    """A convolution that does what the two did; computed in float64, so that it is rounded once."""
    norm = _over_channels(norm) if isinstance(norm, FieldBatchNorm2d) else norm
    assert isinstance(norm, _BatchNorm)  # noqa: S101
    wide_conv, wide_norm = copy.deepcopy(conv).double(), copy.deepcopy(norm).double()
    folded = fuse_conv_bn_eval(wide_conv, wide_norm, transpose=isinstance(conv, _ConvTransposeNd))
    return folded.to(conv.weight.dtype)
