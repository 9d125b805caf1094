"""U-Net over C_n and D_n, exact on the pixel grid at every image size."""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn import functional as F

from equivision.errors import ConfigError, GridError
from equivision.filters._sample import Interpolation
from equivision.groups import PlanarGroup, planar
from equivision.models._dense import DenseLayers
from equivision.models._parts import check_counts, check_plain
from equivision.models._registry import register
from equivision.nn import CenteredMaxPool2d, Upsample2d

Up = Literal["bilinear", "transposed"]


class UpBlock(nn.Module):
    """Doubles the resolution, joins the maps of the skip connection, and convolves both.

    Args:
        in_channels: fields from below.
        out_channels: fields of the skip connection and of the output.
        layers: what the layers are made by.
        up: as in :class:`UNet`.
    """

    def __init__(self, in_channels: int, out_channels: int, layers: DenseLayers, up: Up) -> None:
        super().__init__()
        if up == "bilinear":  # the 1x1 convolution and the enlargement commute; this order is cheaper
            self.narrow = layers.conv(in_channels, out_channels, 1)
        else:
            self.narrow = layers.transposed(in_channels, out_channels, 2, stride=2)
        self.enlarge = Upsample2d(2) if up == "bilinear" else None
        self.block = _block(2 * out_channels, out_channels, layers)

    def forward(
        self, x: Float[Tensor, "batch fields *space"], skip: Float[Tensor, "batch out_fields *larger"]
    ) -> Float[Tensor, "batch out_fields *larger"]:
        """Maps of the size of the skip connection."""
        x = self.narrow(x)
        if self.enlarge is not None:
            x = self.enlarge(x, skip.shape[-2:])
        return self.block(torch.cat([skip, x], 1))


class UNet(nn.Module):
    """Encoder and decoder with skip connections, one map of logits for each class.

    Each level has two 3x3 convolutions with batch norm and ReLU. The encoder halves the resolution by
    :class:`equivision.nn.CenteredMaxPool2d`, whose windows are centred on even and on odd sizes, so that nothing is
    ever shifted; the decoder enlarges to the size that the skip connection has.

    Args:
        width: fields of the first level, doubled from level to level.
        group: C_n or D_n of any order; None builds the plain network of torch's layers.
        depth: how many times the resolution is halved.
        in_channels: channels of the images.
        num_classes: maps of logits; 1 for a mask of one kind.
        up: ``"bilinear"``: a 1x1 convolution, then bilinear to the size of the skip connection, exact at every size.
            ``"transposed"``: a 2x2 transposed convolution with stride 2. Images of even size are then reflected at the
            edges, by as much on both sides, up to a multiple of ``2 ** depth``, and the logits cropped back; odd sizes
            cannot be.
        interpolation: how kernels move off the pixel grid, as in :class:`equivision.nn.GroupConv2d`.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes, H, W]``.

    Equivariance: logits move with the image, exactly under the elements that move the pixel grid onto itself,
    approximately under the others; none for the plain network.

    Raises:
        ConfigError: an argument is out of range.
        GridError: (forward) transposed convolutions, and an image of odd height or width.

    Source: Ronneberger, Fischer & Brox 2015, with padding, batch norm and centred pools.
    """

    def __init__(
        self,
        width: int,
        group: PlanarGroup | None,
        *,
        depth: int = 4,
        in_channels: int = 3,
        num_classes: int = 1,
        up: Up = "bilinear",
        interpolation: Interpolation | None = None,
    ) -> None:
        super().__init__()
        check_counts(width=width, depth=depth, in_channels=in_channels, num_classes=num_classes)
        if up not in get_args(Up):
            raise ConfigError(f"up={up!r} is not known: choose one of {', '.join(map(repr, get_args(Up)))}")
        self.up: Up = up
        self.depth = depth
        layers, widths = DenseLayers(group, interpolation), [width * 2**i for i in range(depth + 1)]
        down = zip((in_channels, *widths), widths, strict=False)
        self.encoder = nn.ModuleList(_block(*pair, layers, first=i == 0) for i, pair in enumerate(down))
        self.pool = CenteredMaxPool2d(2)
        rising = zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True)
        self.decoder = nn.ModuleList(UpBlock(before, after, layers, up) for before, after in rising)
        self.invariant = layers.invariant()
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch num_classes height width"]:
        """Logits of every pixel."""
        if self.up == "bilinear":
            return self._logits(x)
        height, width = x.shape[-2], x.shape[-1]
        step = 2**self.depth
        above, left = -height % step // 2, -width % step // 2
        self._check_border(x, above, left)
        logits = self._logits(F.pad(x, (left, left, above, above), "reflect"))
        return logits[..., above : above + height, left : left + width]

    def _logits(self, x: Tensor) -> Tensor:
        skips = []
        for i, block in enumerate(self.encoder):
            x = block(x if i == 0 else self.pool(x))
            skips.append(x)
        for block, skip in zip(self.decoder, skips[-2::-1], strict=True):
            x = block(x, skip)
        return self.classifier(self.invariant(x))

    def _check_border(self, x: Tensor, *borders: int) -> None:
        if isinstance(x, fx.Proxy):  # sizes are not known
            return
        step = 2**self.depth
        for name, n, border in zip(("height", "width"), x.shape[-2:], borders, strict=True):
            if n % 2 or border >= n:
                below = max(n // step, 1) * step
                raise GridError(
                    f"UNet: {name} {n} with up='transposed' cannot be padded to a multiple of {step} by as much on "
                    f"both sides: use an even size, such as {below} or {below + step}, or up='bilinear', which takes "
                    "any size"
                )


def _block(in_channels: int, out_channels: int, layers: DenseLayers, *, first: bool = False) -> nn.Sequential:
    """Two 3x3 convolutions, each with batch norm and ReLU."""
    steps: list[nn.Module] = []
    for before, conv in ((in_channels, layers.lift if first else layers.conv), (out_channels, layers.conv)):
        steps += [conv(before, out_channels, 3, padding=1, bias=False), layers.norm(out_channels), nn.ReLU()]
    return nn.Sequential(*steps)


@register
def z2_unet(
    group: PlanarGroup | str = "C1",
    width: int = 32,
    in_channels: int = 3,
    num_classes: int = 1,
    depth: int = 4,
    up: Up = "bilinear",
) -> UNet:
    """The plain U-Net: ordinary convolutions, so the group must be C1.

    Args:
        group: C1.
        width: channels of the first level.
        in_channels: channels of the images.
        num_classes: maps of logits.
        depth: how many times the resolution is halved.
        up: as in :class:`UNet`.

    Raises:
        ConfigError: the group is another one, or an argument is out of range.

    >>> import torch
    >>> z2_unet(width=4)(torch.zeros(1, 3, 37, 40)).shape
    torch.Size([1, 1, 37, 40])
    """
    check_plain(group, "z2_unet", "unet")
    return UNet(width, None, depth=depth, in_channels=in_channels, num_classes=num_classes, up=up)


@register
def unet(
    group: PlanarGroup | str = "D4",
    width: int | None = None,
    in_channels: int = 3,
    num_classes: int = 1,
    depth: int = 4,
    up: Up = "bilinear",
    interpolation: Interpolation | None = None,
) -> UNet:
    """U-Net over C_n or D_n: masks that turn with the picture, at every size.

    Args:
        group: a group or its name; exact for the elements that move the pixel grid onto itself.
        width: fields of the first level; None: 32 divided by the root of the order, which keeps the parameters of
            :func:`z2_unet` with 32 channels.
        in_channels: channels of the images.
        num_classes: maps of logits.
        depth: how many times the resolution is halved.
        up: as in :class:`UNet`.
        interpolation: as in :class:`UNet`.

    Raises:
        ConfigError: an argument is out of range.
        GroupMismatchError: the group does not act on images.

    >>> import torch
    >>> image = torch.rand(1, 3, 37, 40, dtype=torch.float64)
    >>> net = unet("D4", width=2).double().eval()
    >>> bool(torch.allclose(net(image.rot90(1, (-2, -1))), net(image).rot90(1, (-2, -1)), atol=1e-12))
    True
    """
    acting = planar(group)
    width = max(1, round(32 / acting.order**0.5)) if width is None else width
    return UNet(
        width, acting, depth=depth, in_channels=in_channels, num_classes=num_classes, up=up,
        interpolation=interpolation,
    )  # fmt: skip
