"""A plain network made exactly equivariant by a hypernetwork that writes its parameters for every image."""

import copy
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision import functional
from equivision._modes import evaluation_mode
from equivision._numbers import check_count
from equivision.errors import ConfigError, GridError, GroupMismatchError, ShapeError
from equivision.functional._checks import check_dtypes
from equivision.groups import PlanarGroup, planar
from equivision.hyper._generator import ParameterGenerator, default_trunk
from equivision.hyper._graph import with_given_parameters
from equivision.hyper._layers import Combiner, GeneratedLayer

Mode = Literal["sample", "batch"]
Initialization = Literal["calibrated", "torch"]


class HyperEquivariantCNN(nn.Module):
    """A plain CNN whose convolutions and linear layers get their weights from the image, so that they turn with it.

    A generator, any network, sees the image and its three turned copies. The equi-combiner puts the four answers
    together: kernels turn as the image turns, the first linear layer's columns move as the flattened map does, biases
    and later linear layers stay the same. The main network, which knows nothing of rotations, then is equivariant.
    Everything but ``Conv2d`` and ``Linear`` layers keeps parameters of its own (batch norm, ...).

    Args:
        main: any plain network of torch modules: convolutions, pools, activations, batch norm, residual connections,
            one flattening or global pool, linear layers; or without linear layers. It is copied.
        generator: trunk of the generator, any module from images to ``[B, features]``; linear heads are added. It
            should not be equivariant itself: an invariant one gives kernels that all equal their own rotations. What
            it gives grows with the contrast of the images, unless it begins with a norm such as
            ``nn.GroupNorm(1, channels)``. None: strided convolutions with at most 32 channels.
        group: ``"C4"``: exact. ``C_4n``, ``D_4n``: outputs are averaged over the angles in between and reflections:
            exact for quarter turns, and for the reflections; approximate in between, where images are interpolated.
        input_shape: channels, height and width of the images, which must be square.
        mode: in training, every image has weights of its own (``"sample"``), or all have the mean of these
            (``"batch"``): less memory, and equivariant only if all images of a batch turn together. In evaluation,
            every image always has its own.
        light: None, or the rank of the factors that a light generator gives for each layer.
        combiner: ``"equi"``; ``"average"``: the mean of four whole kernels turned back, which needs four times as many
            numbers; ``"none"``: weights as generated for the image alone, and no symmetry at all.
        static_linear: whether linear layers that see invariants keep parameters of their own.
        init: ``"torch"``: heads are drawn as torch draws linear layers, as in the study. ``"calibrated"``: they are
            then scaled, so that on noise the outputs of every generated layer have variance 1.
        strict: whether an architecture that cannot be exact is an error.

    Attributes:
        averaging: whether the angles in between are averaged over; False is the first phase of the training of the
            study, with quarter turns alone.

    Shape:
        ``[B, *input_shape]`` to what main gives.

    Equivariance: quarter turns, to rounding, image by image, in evaluation and in mode ``"sample"``: logits do not
    change, maps turn. In mode ``"batch"`` while training, only under one turn for the whole batch.

    Raises:
        ConfigError: an argument is not valid, or a layer of main cannot be made equivariant.
        GridError: a layer of main cannot be exact on the sizes it meets, or images are not square.
        GroupMismatchError: the group does not contain the quarter turns, or a layer of main has options that differ
            between rows and columns.
        ShapeError: main or the generator does not take such images.

    Source: HE-CNN (2025), sections 4.1 to 4.5.

    >>> main = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 10 * 10, 10))
    >>> net = HyperEquivariantCNN(main, input_shape=(1, 12, 12)).double().eval()
    >>> x = torch.rand(2, 1, 12, 12, dtype=torch.float64)
    >>> bool((net(x) - net(torch.rot90(x, 1, (-2, -1)))).abs().max() < 1e-12)
    True
    """

    #: Tells an audit that :meth:`generate` gives the kernels of each image.
    generates_weights = True

    def __init__(
        self,
        main: nn.Module,
        generator: nn.Module | None = None,
        *,
        group: PlanarGroup | str = "C4",
        input_shape: tuple[int, int, int],
        mode: Mode = "sample",
        light: int | None = None,
        combiner: Combiner = "equi",
        static_linear: bool = False,
        init: Initialization = "calibrated",
        strict: bool = True,
    ) -> None:
        super().__init__()
        self.group = planar(group)
        self.input_shape = _check_shape(input_shape)
        for name, value, known in (
            ("mode", mode, Mode),
            ("combiner", combiner, Combiner),
            ("init", init, Initialization),
        ):
            if value not in get_args(known):
                choices = ", ".join(map(repr, get_args(known)))
                raise ConfigError(f"{name}={value!r} is not known: choose one of {choices}")
        if light is not None:
            check_count("light", light)
        if generator is not None and not isinstance(generator, nn.Module):
            raise ConfigError(f"generator={generator!r}: give a network, an instance of torch.nn.Module, or None")
        self.mode: Mode = mode
        self.combiner: Combiner = combiner
        self.averaging = True
        self._cosets = _cosets(self.group)
        self.main, layers = with_given_parameters(
            main, self.input_shape, combiner=combiner, static_linear=static_linear, strict=strict
        )
        self._names = tuple(layers)
        like = next(main.parameters(), torch.zeros(()))
        trunk = default_trunk(self.input_shape).to(like) if generator is None else generator
        self.generator = _generator(trunk, self.input_shape, layers, combiner, light)
        self.main.to(self.generator.head.weight.device)  # the tables of the layers
        if init == "calibrated":
            self._calibrate()

    @torch.no_grad()
    def _calibrate(self) -> None:
        """Scale the generated weights, layer by layer, so that the outputs on noise have variance 1.

        Heads keep their ratio of constant to varying weights: with little that varies from image to image the network
        begins to learn as an ordinary one does.

        Source: Mishkin & Matas 2016.
        """
        scales: dict[nn.Module, float] = {}

        def measure(layer: nn.Module, _: object, output: Tensor) -> Tensor:
            deviation = float(output.std())
            scales.setdefault(layer, 1 / deviation if deviation > 0 else 1.0)
            return output * scales[layer]

        reference = self.generator.head.weight
        noise = torch.rand(4, *self.input_shape, generator=torch.Generator().manual_seed(0)).to(reference)
        hooks = [layer.register_forward_hook(measure) for layer in self.layers.values()]
        statistics = copy.deepcopy(dict(self.named_buffers()))
        self._exact(noise)  # as training begins, with the statistics of the batch
        for name, buffer in self.named_buffers():
            buffer.copy_(statistics[name])
        for hook in hooks:
            hook.remove()
        for i, layer in enumerate(self.layers.values()):
            self.generator.scale_(i, scales.get(layer, 1.0))

    @property
    def layers(self) -> dict[str, GeneratedLayer]:
        """The layers of main whose parameters are generated, by name."""
        return {name: self.main.get_submodule(name) for name in self._names}  # type: ignore[misc]

    def generate(self, images: Float[Tensor, "batch channel height width"]) -> dict[str, Float[Tensor, "batch ..."]]:
        """Parameters for each image: weights ``[B, ...]`` and biases ``[B, out]`` by name, as in a state dict of main.

        Equivariance: kernels turn with the image, ``w(g x) = g w(x)``; biases do not change.

        Raises:
            ShapeError: images have another shape than ``input_shape``, or another dtype than the weights.
        """
        self._check_images(images)
        parameters: dict[str, Tensor] = {}
        for name, (weight, bias) in zip(self._names, self._generated(images), strict=True):
            parameters[f"{name}.weight"] = weight
            if bias is not None:
                parameters[f"{name}.bias"] = bias
        return parameters

    def _check_images(self, x: Tensor) -> None:
        if tuple(x.shape[1:]) != self.input_shape:
            raise ShapeError(
                f"x has shape {tuple(x.shape)}: this network takes [batch, {', '.join(map(str, self.input_shape))}], "
                "the input_shape it was built for"
            )
        check_dtypes(x, self.generator.head.weight, "HyperEquivariantCNN")

    def _generated(self, images: Tensor) -> list[tuple[Tensor, Tensor | None]]:
        turns = 1 if self.combiner == "none" else 4
        copies = torch.cat([torch.rot90(images, i, (-2, -1)) for i in range(turns)])
        numbers = self.generator(copies)
        layers = self.layers.values()
        return [
            layer.parameters_of(values.unflatten(0, (turns, -1)), self.combiner)
            for layer, values in zip(layers, numbers, strict=True)
        ]

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Tensor:
        """What main gives, with the parameters of each image."""
        self._check_images(x)
        if not self.averaging or len(self._cosets) == 1:
            return self._exact(x)
        outputs = [_back(self._exact(_moved(x, *coset)), *coset) for coset in self._cosets]
        return torch.stack(outputs).mean(dim=0)

    def _exact(self, x: Tensor) -> Tensor:
        """The network that is exact under quarter turns."""
        generated = self._generated(x)
        if self.mode == "batch" and self.training:
            generated = [(weight.mean(0), None if bias is None else bias.mean(0)) for weight, bias in generated]
        return self.main(x, *(tensor for both in generated for tensor in both if tensor is not None))

    def extra_repr(self) -> str:
        return f"group={self.group!r}, mode={self.mode!r}, combiner={self.combiner!r}"


def _check_shape(input_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    if not isinstance(input_shape, Sequence) or isinstance(input_shape, str) or len(input_shape) != 3:
        raise ConfigError(f"input_shape={input_shape!r}: give channels, height and width of the images")
    for i, value in enumerate(input_shape):
        check_count(f"input_shape[{i}]", value)
    channels, height, width = input_shape
    if height != width:
        raise GridError(
            f"input_shape={tuple(input_shape)}: quarter turns exchange height and width; pad or crop images to a square"
        )
    return (channels, height, width)


def _cosets(group: PlanarGroup) -> tuple[tuple[bool, float], ...]:
    """Whether to reflect and by how many degrees to turn: one element for each coset of the quarter turns."""
    if group.rotations % 4:
        raise GroupMismatchError(
            f"group={group.name} does not contain the quarter turns: give C4, C8, C12, ..., D4, D8, ..."
        )
    between = group.rotations // 4
    flips = (False, True) if group.reflections else (False,)
    return tuple((flip, 90.0 * i / between) for flip in flips for i in range(between))


def _moved(x: Tensor, flip: bool, degrees: float) -> Tensor:
    x = torch.flip(x, (-2,)) if flip else x
    return functional.rotate(x, degrees) if degrees else x


def _back(y: Tensor, flip: bool, degrees: float) -> Tensor:
    """Maps move back, invariants stay."""
    if not isinstance(y, Tensor):
        raise ConfigError(
            f"main gives a {type(y).__name__}: over groups larger than C4 its outputs are averaged, so it must end in "
            "one tensor; or give group='C4'"
        )
    if y.ndim != 4:
        return y
    y = functional.rotate(y, -degrees) if degrees else y
    return torch.flip(y, (-2,)) if flip else y


def _generator(
    trunk: nn.Module,
    input_shape: tuple[int, int, int],
    layers: dict[str, GeneratedLayer],
    combiner: Combiner,
    light: int | None,
) -> ParameterGenerator:
    """A trunk with heads for the layers."""
    like = next(trunk.parameters(), torch.zeros(()))
    try:
        with evaluation_mode(trunk):
            features = trunk(torch.zeros(2, *input_shape).to(like))
    except RuntimeError as error:
        raise ShapeError(f"input_shape={input_shape}: generator fails on such images: {error}") from error
    if not isinstance(features, Tensor) or features.ndim != 2:
        shape = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise ShapeError(
            f"generator gives {shape} for images of shape {(2, *input_shape)}: it must give [batch, features]; end it "
            "with nn.Flatten()"
        )
    counts = [layer.count(combiner) for layer in layers.values()]
    return ParameterGenerator(trunk, features.shape[1], counts, rank=light).to(like)
