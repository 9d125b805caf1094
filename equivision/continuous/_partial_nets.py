"""Networks of partial group convolutions: a small residual one, and one with thirteen layers."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.continuous._conv import ContinuousGroupConv2d, ContinuousLiftConv2d, ElementPool
from equivision.continuous._elements import Elements, combine
from equivision.continuous._partial import PartialGroupConv2d, stratified_angles
from equivision.continuous._siren import working_dtype
from equivision.errors import ConfigError, ShapeError
from equivision.nn import BatchNorm3d, BlurPool2d
from equivision.nn._base import Guarantee


class PartialNet(nn.Module):
    """What networks of partial convolutions share: a lifting convolution, layers with their elements, a classifier.

    A subclass builds ``lift``, ``norm``, ``pool``, ``classifier``, says in ``convolutions`` which layers have elements
    of their own, and in ``features`` how the maps go through them.
    """

    equivariance: Guarantee = "learned"
    lift: ContinuousLiftConv2d
    pool: ElementPool
    classifier: nn.Linear

    def convolutions(self) -> Iterator[PartialGroupConv2d]:
        """The layers with elements of their own, in order."""
        raise NotImplementedError

    def features(self, x: Tensor, elements: Sequence[Elements]) -> Tensor:
        """From the picture to the last feature map."""
        raise NotImplementedError

    def elements(self, *, random: bool | None = None, generator: torch.Generator | None = None) -> tuple[Elements, ...]:
        """The elements of all feature maps: of the whole group after the lifting, then those of each layer.

        Args:
            random: whether to draw them; by default in training mode, or when there is a generator.
            generator: of the random numbers; torch's own by default.
        """
        random = (self.training or generator is not None) if random is None else random
        like = self.classifier.weight
        one = torch.ones((), device=like.device, dtype=working_dtype(like))
        shift = torch.rand((), generator=generator, device=one.device, dtype=one.dtype) if random else 0.5 * one
        whole = combine(stratified_angles(one, self.lift.num_rotations, shift), reflections=self.lift.reflections)
        return (whole, *(c.elements(random=random, generator=generator) for c in self.convolutions()))

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"], elements: Sequence[Elements] | None = None
    ) -> Float[Tensor, "batch num_classes"]:
        """Class logits; without elements, those of :meth:`elements`."""
        elements = self.elements() if elements is None else elements
        needed = 1 + sum(1 for _ in self.convolutions())
        if len(elements) != needed:
            raise ShapeError(
                f"{type(self).__name__}: elements holds {len(elements)} set(s) of elements; it needs {needed}, after "
                "the lifting and after each partial convolution: give what elements() returns"
            )
        maps = self.pool(self.features(x, elements), elements[-1])
        return self.classifier(maps.mean((-2, -1)))


class CKBlock(nn.Module):
    """Two partial convolutions with batch norm around a skip connection, which is a 1x1 continuous convolution.

    The skip has to be a convolution, because its two ends live on different elements.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, p: float, **options: Any) -> None:
        super().__init__()
        plain = {name: value for name, value in options.items() if name != "p_gradient"}
        self.conv1 = PartialGroupConv2d(in_channels, out_channels, kernel_size, bias=False, p=p, **options)
        self.norm1 = BatchNorm3d(out_channels)
        self.conv2 = PartialGroupConv2d(out_channels, out_channels, kernel_size, bias=False, p=p, **options)
        self.norm2 = BatchNorm3d(out_channels)
        self.skip = ContinuousGroupConv2d(in_channels, out_channels, 1, bias=False, **plain)
        self.norm3 = BatchNorm3d(out_channels)

    def forward(
        self,
        x: Float[Tensor, "batch channel group height width"],
        source: Elements,
        middle: Elements,
        target: Elements,
    ) -> Float[Tensor, "batch channel2 group2 height width"]:
        """Apply the block."""
        y = torch.relu(self.norm1(self.conv1(x, source, middle)))
        y = self.norm2(self.conv2(y, middle, target))
        return torch.relu(y + self.norm3(self.skip(x, source, target)))


class CKResNet(PartialNet):
    """Residual network of partial group convolutions: lifting, blocks, pool over elements and space, linear.

    Each block begins with half the resolution, by a blur that is exact at every size.

    Args:
        widths: fields of the lifting convolution, then of every block.
        in_channels: channels of the images.
        num_classes: number of logits.
        kernel_size: of all convolutions but the skips.
        num_rotations: angles for p = 1.
        reflections: whether there are reflections.
        p: of all layers, at the start.
        **options: ``p_gradient``, ``hidden``, ``num_hidden`` and ``omega``, as in :class:`PartialGroupConv2d`.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes]``.

    Equivariance: learned. At p = 1, and at the elements of eval mode, logits are invariant: to rounding under the
    rotations by multiples of both 90 degrees and 360 degrees / num_rotations (and the reflections), approximately under
    the others.

    Source: Romero & Lohit 2022. Where it halves the resolution, how it pools, and that its skips are convolutions are
    choices of ours.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 32, 64),
        *,
        in_channels: int = 1,
        num_classes: int = 10,
        kernel_size: int = 7,
        num_rotations: int = 8,
        reflections: bool = False,
        p: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__()
        check_counts(widths, num_classes)
        options = {"num_rotations": num_rotations, "reflections": reflections, **options}
        plain = {name: value for name, value in options.items() if name != "p_gradient"}
        self.lift = ContinuousLiftConv2d(in_channels, widths[0], kernel_size, bias=False, **plain)
        self.norm = BatchNorm3d(widths[0])
        self.down = BlurPool2d(2)
        pairs = itertools.pairwise(widths)
        self.blocks = nn.ModuleList(CKBlock(i, o, kernel_size, p=p, **options) for i, o in pairs)
        self.pool = ElementPool("mean")
        self.classifier = nn.Linear(widths[-1], num_classes)

    def convolutions(self) -> Iterator[PartialGroupConv2d]:
        """The two of each block."""
        for block in self.blocks:
            if not isinstance(block, CKBlock):
                raise TypeError(block)
            yield from (block.conv1, block.conv2)

    def features(self, x: Tensor, elements: Sequence[Elements]) -> Tensor:
        """The map after the last block, on the last elements."""
        x = torch.relu(self.norm(self.lift(x, elements[0])))
        for i, block in enumerate(self.blocks):
            x = block(self.down(x), *elements[2 * i : 2 * i + 3])
        return x


class CKCNN13(PartialNet):
    """Thirteen layers with partial group convolutions: lifting and eight convolutions, blurs, pool, linear.

    Fields w, w, w, then 2w three times, then 4w, 2w, w: the widths of the 13-layer network of Laine & Aila 2017, with
    half the resolution after the third and the sixth convolution, and 1x1 kernels for the last two.

    Args:
        width: w.
        in_channels, num_classes, kernel_size, num_rotations, reflections, p, **options: as in :class:`CKResNet`.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes]``.

    Equivariance: learned, as in :class:`CKResNet`.

    Source: Romero & Lohit 2022, who name "eight blocks of base width 128"; the widths of each are those of the network
    that they follow, the blurs in place of pools ours.
    """

    def __init__(
        self,
        width: int = 128,
        *,
        in_channels: int = 3,
        num_classes: int = 10,
        kernel_size: int = 7,
        num_rotations: int = 8,
        reflections: bool = False,
        p: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__()
        check_counts((width,), num_classes)
        options = {"num_rotations": num_rotations, "reflections": reflections, **options}
        plain = {name: value for name, value in options.items() if name != "p_gradient"}
        widths = [width * factor for factor in (1, 1, 1, 2, 2, 2, 4, 2, 1)]
        self.lift = ContinuousLiftConv2d(in_channels, width, kernel_size, bias=False, **plain)
        self.norm = BatchNorm3d(width)
        self.down = BlurPool2d(2)
        sizes = [kernel_size] * 6 + [1, 1]
        layers = zip(widths, widths[1:], sizes, strict=False)
        self.layers = nn.ModuleList(PartialGroupConv2d(i, o, k, bias=False, p=p, **options) for i, o, k in layers)
        self.norms = nn.ModuleList(BatchNorm3d(o) for o in widths[1:])
        self.pool = ElementPool("mean")
        self.classifier = nn.Linear(width, num_classes)

    def convolutions(self) -> Iterator[PartialGroupConv2d]:
        """All but the lifting one."""
        for layer in self.layers:
            if not isinstance(layer, PartialGroupConv2d):
                raise TypeError(layer)
            yield layer

    def features(self, x: Tensor, elements: Sequence[Elements]) -> Tensor:
        """The map after the last convolution, on the last elements."""
        x = nn.functional.leaky_relu(self.norm(self.lift(x, elements[0])), 0.1)
        pairs = itertools.pairwise(elements)
        for i, (layer, norm, ends) in enumerate(zip(self.layers, self.norms, pairs, strict=True)):
            x = self.down(x) if i in (2, 5) else x
            x = nn.functional.leaky_relu(norm(layer(x, *ends)), 0.1)
        return x


class FixedElements(nn.Module):
    """A network whose elements are fixed: a function of the picture alone, for ``torch.compile`` and ``torch.export``.

    How many elements a partial layer has depends on the value of its p, which no traced graph can follow. Also for
    ``torch.optim.swa_utils.update_bn``, which then averages the statistics of batch norm at the elements of eval mode;
    those of training are of other elements in every step.

    Args:
        net: a network with ``elements()``, which takes elements as its second argument. It is not copied.
        elements: what to fix; those of eval mode by default.

    Shape:
        As the network.

    Equivariance: that of the network.

    >>> net = ck_resnet(width=2, num_rotations=4).eval()
    >>> fixed, x = FixedElements(net), torch.rand(2, 1, 12, 12)
    >>> bool((fixed(x) == net(x)).all())
    True
    """

    equivariance: Guarantee = "learned"

    def __init__(self, net: Any, elements: Elements | Sequence[Elements] | None = None) -> None:
        super().__init__()
        self.net = net
        if not callable(getattr(net, "elements", None)):
            raise ConfigError(f"net={type(net).__name__} has no method elements: give a network such as ck_resnet()")
        given = net.elements(random=False) if elements is None else elements
        self.several = not isinstance(given, Elements)
        self.fixed = nn.ModuleList(_Constant(one) for one in ((given,) if isinstance(given, Elements) else given))

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """The output of the network at the fixed elements."""
        found = tuple(one() for one in self.fixed)
        return self.net(x, found if self.several else found[0])


class _Constant(nn.Module):
    """Elements that move with the network to other devices, and are not in its ``state_dict``."""

    def __init__(self, elements: Elements) -> None:
        super().__init__()
        for name, value in elements._asdict().items():
            self.register_buffer(name, value.detach().clone(), persistent=False)

    def forward(self) -> Elements:
        return Elements(*(getattr(self, name) for name in Elements._fields))


def check_counts(widths: Sequence[int], num_classes: int) -> None:
    """Raise ConfigError unless all are whole numbers of at least 1, and there is a width to begin with."""
    if not isinstance(widths, Sequence) or not widths:
        raise ConfigError(f"widths={widths!r}: give the fields of the lifting convolution, then of every block")
    for name, value in (*((f"widths[{i}]", w) for i, w in enumerate(widths)), ("num_classes", num_classes)):
        check_count(name, value)


def ck_resnet(
    width: int = 32, in_channels: int = 1, num_classes: int = 10, num_rotations: int = 8, **options: Any
) -> CKResNet:
    """The residual network of the study: lifting with ``width`` fields, blocks of ``width`` and ``2 width``.

    Options are those of :class:`CKResNet`.

    >>> sum(p.numel() for p in ck_resnet().parameters())
    382510
    """
    return CKResNet(
        (width, width, 2 * width), in_channels=in_channels, num_classes=num_classes, num_rotations=num_rotations,
        **options,
    )  # fmt: skip


def ck_cnn13(
    width: int = 128, in_channels: int = 3, num_classes: int = 10, num_rotations: int = 8, **options: Any
) -> CKCNN13:
    """The network with thirteen layers, for CIFAR. Options are those of :class:`CKCNN13`.

    >>> ck_cnn13(width=2, num_rotations=2, kernel_size=3)(torch.rand(2, 3, 16, 16)).shape
    torch.Size([2, 10])
    """
    return CKCNN13(width, in_channels=in_channels, num_classes=num_classes, num_rotations=num_rotations, **options)
