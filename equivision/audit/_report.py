"""What an audit found, as frozen values that survive the trip through JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from equivision._pages import write_text
from equivision.audit import _json
from equivision.audit._picture import Picture
from equivision.groups import SpatialGroup, spatial

Action = Literal["invariant", "plane", "regular", "representation", "unknown"]
Verdict = Literal["exact", "approximate", "not equivariant", "inconclusive"]

#: An error below this share of the difference between two images counts as approximately equivariant.
APPROXIMATE = 0.05


@dataclass(frozen=True)
class MaskResult:
    """How the masks fare that dense logits ``[B, K, H, W]`` stand for, when the input is moved.

    The class of a pixel is that of the largest logit; of a single map, class 1 where it is above 0.

    Attributes:
        error: share of the pixels of all images whose class does not move with the image.
        iou: intersection over union with the true masks for each class, over all pixels of all images; None for a class
            that is in neither. None without true masks.
    """

    error: float
    iou: tuple[float | None, ...] | None

    @property
    def mean_iou(self) -> float | None:
        """The IoU averaged over the classes other than 0, the background; None where there is none."""
        values = [value for value in (self.iou or ())[1:] if value is not None]
        return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class ElementResult:
    """What happens to the output when the input is moved by one element of the group.

    Attributes:
        element: number of the element; 0 is the identity, for which the network simply runs a second time.
        name: such as ``"r^2 m"``.
        max_error: largest relative error over the images.
        mean_error: mean relative error over the images.
        consistency: share of the images with the same predicted class as unmoved; None if the output is no class
            scores.
        accuracy: share of the images classified correctly; None without labels.
        mask: the same for masks; None if the output is no dense logits of the size of the images.
    """

    element: int
    name: str
    max_error: float
    mean_error: float
    consistency: float | None
    accuracy: float | None
    mask: MaskResult | None


@dataclass(frozen=True)
class AngleResult:
    """What happens to the output when the input, masked to its inscribed disk, is rotated by any angle.

    Attributes:
        degrees: counter-clockwise angle.
        on_group: whether the rotation is an element of the group, so that no interpolation is involved.
        max_error, mean_error, consistency, accuracy: as in :class:`ElementResult`, against the masked upright input.
        mask: likewise, by the pixels inside the disk; masks are turned to the nearest pixel.
    """

    degrees: float
    on_group: bool
    max_error: float
    mean_error: float
    consistency: float | None
    accuracy: float | None
    mask: MaskResult | None


@dataclass(frozen=True)
class LayerResult:
    """How far the output of one layer is from moving as it should.

    Attributes:
        name: path of the module, with the number of the call if it runs several times.
        kind: class of the module.
        shape: shape of its output without the batch.
        action: how the output was taken to move.
        note: why, in words; or why the layer cannot be compared.
        tolerance: for the dtype of this output.
        max_errors: largest relative error over the images for every element; None if not comparable.
        mean_errors: likewise the mean.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    action: Action
    note: str
    tolerance: float
    max_errors: tuple[float, ...] | None
    mean_errors: tuple[float, ...] | None

    @property
    def max_error(self) -> float | None:
        """Largest error over elements and images; None if not comparable."""
        return None if self.max_errors is None else max(self.max_errors)


@dataclass(frozen=True)
class WorstInput:
    """An image on which the output strays far.

    Attributes:
        index: which image.
        error: its relative error, the largest over the elements.
        element: the element that gives it.
        predictions: predicted class under every element; None if the output is no class scores.
        label: the true class, if given.
        picture: the image, for the page.
    """

    index: int
    error: float
    element: int
    predictions: tuple[int, ...] | None
    label: int | None
    picture: Picture


@dataclass(frozen=True)
class LayerPictures:
    """One channel of one layer, seen while the input moves.

    Attributes:
        layer: name of the layer.
        caption: class, channel, and how a group axis was reduced.
        maps: the feature map for the input moved by every element, on one common scale.
        differences: what is left when each map is moved back and compared with the first, on the same scale; black is
            no difference.
    """

    layer: str
    caption: str
    maps: tuple[Picture, ...]
    differences: tuple[Picture, ...]


@dataclass(frozen=True)
class MaskPictures:
    """The masks of one input while it moves, as class numbers.

    Attributes:
        num_classes: how many classes there are.
        image: the input, in the size of the masks.
        predicted: mask of the input moved by every element.
        differences: 255 where this is not the mask of the unmoved input, moved.
        truth: true mask of the unmoved input, 255 where it is not known; None without true masks.
    """

    num_classes: int
    image: Picture
    predicted: tuple[Picture, ...]
    differences: tuple[Picture, ...]
    truth: Picture | None


@dataclass(frozen=True)
class Gallery:
    """One input and the layers that watch it move.

    Attributes:
        index: which image.
        image: the image.
        predictions: predicted class under every element; None if the output is no class scores.
        label: the true class, if given.
        layers: a few layers.
        masks: the masks; None if the output is no dense logits of the size of the images, or has over 255 classes.
    """

    index: int
    image: Picture
    predictions: tuple[int, ...] | None
    label: int | None
    layers: tuple[LayerPictures, ...]
    masks: MaskPictures | None


@dataclass(frozen=True)
class TrainingCurve:
    """How far one layer was from equivariance in each epoch of the training.

    Attributes:
        layer: name of the layer.
        images: on which images: of training or of validation.
        epochs: numbers of the epochs.
        differences: what was logged for each: the mean squared difference between the layer's feature groups for an
            image and, moved back, for the moved image. Not relative.
    """

    layer: str
    images: Literal["train", "val"]
    epochs: tuple[int, ...]
    differences: tuple[float, ...]


@dataclass(frozen=True)
class AuditReport:
    """Result of :func:`equivision.audit.audit`. Errors are relative Euclidean norms; shares are between 0 and 1.

    Attributes:
        model: name of the network.
        group: name of the group.
        num_images: how many images were used.
        image_shape: channels, height, width; of volumes with depth before height.
        num_parameters: learned numbers of the network.
        dtype: of the output.
        tolerance: largest relative error that counts as exact in this dtype.
        output_shape: without the batch.
        output_action: how the output was taken to move.
        output_note: why.
        spread: root-mean-square difference between the outputs of two different images, relative like the errors: the
            scale on which an error is large or small; None for a single image.
        stable: share of the images with the same predicted class under every element; None if no class scores.
        elements: one entry for every element of the group.
        angles: one entry for every angle.
        layers: in the order in which they run.
        worst: the images with the largest errors.
        gallery: layer pictures.
        warnings: what the reader must know before trusting the numbers.
        training: what the training has logged of the equivariance of layers, in the order of the log; mostly nothing.
    """

    model: str
    group: str
    num_images: int
    image_shape: tuple[int, ...]
    num_parameters: int
    dtype: str
    tolerance: float
    output_shape: tuple[int, ...]
    output_action: Action
    output_note: str
    spread: float | None
    stable: float | None
    elements: tuple[ElementResult, ...]
    angles: tuple[AngleResult, ...]
    layers: tuple[LayerResult, ...]
    worst: tuple[WorstInput, ...]
    gallery: Gallery
    warnings: tuple[str, ...]
    training: tuple[TrainingCurve, ...] = ()

    @property
    def acting_group(self) -> SpatialGroup:
        """The group itself."""
        return spatial(self.group)

    @property
    def max_error(self) -> float:
        """Largest relative error of the output over all elements and images."""
        return max(element.max_error for element in self.elements)

    @property
    def accuracy(self) -> float | None:
        """Share of the unmoved images classified correctly; None without labels."""
        return self.elements[0].accuracy

    @property
    def rotated_accuracy(self) -> float | None:
        """Accuracy averaged over all measured angles; None without labels or angles."""
        values = [angle.accuracy for angle in self.angles if angle.accuracy is not None]
        return sum(values) / len(values) if values else None

    @property
    def mask_error(self) -> float | None:
        """Largest share of pixels, over the elements, whose class does not move with the image; None without masks."""
        errors = [element.mask.error for element in self.elements if element.mask is not None]
        return max(errors) if errors else None

    @property
    def mean_iou(self) -> float | None:
        """Mean IoU of the unmoved images, as in :class:`MaskResult`; None without true masks."""
        mask = self.elements[0].mask
        return None if mask is None else mask.mean_iou

    @property
    def rotated_mean_iou(self) -> float | None:
        """Mean IoU averaged over all measured angles; None without true masks or angles."""
        values = [a.mask.mean_iou for a in self.angles if a.mask is not None and a.mask.mean_iou is not None]
        return sum(values) / len(values) if values else None

    @property
    def verdict(self) -> Verdict:
        """``"exact"``, ``"approximate"``, ``"not equivariant"``, or ``"inconclusive"`` when the test proves nothing.

        Exact: the largest error is within the tolerance of the dtype. Approximate: it is at most 5 % of the difference
        between two images. Inconclusive: the group has only the identity, or the output hardly depends on the input, in
        which case it is equivariant for free.
        """
        error = self.max_error
        if len(self.elements) == 1:
            return "inconclusive"
        if error <= self.tolerance:
            return "inconclusive" if self.spread is not None and self.spread <= 10 * error else "exact"
        scale = 1.0 if self.spread is None else min(1.0, self.spread)
        return "approximate" if error <= APPROXIMATE * scale else "not equivariant"

    @property
    def exact_elements(self) -> tuple[int, ...]:
        """The elements under which the largest error is within the tolerance."""
        return tuple(element.element for element in self.elements if element.max_error <= self.tolerance)

    @property
    def first_broken_layer(self) -> LayerResult | None:
        """The first layer whose error is above the tolerance under the action assumed for it."""
        return next((layer for layer in self.layers if (layer.max_error or 0.0) > layer.tolerance), None)

    @property
    def summary(self) -> str:
        """The verdict as one sentence."""
        from equivision.audit._text import summary

        return summary(self)

    def table(self) -> str:
        """The whole report as plain text for a console."""
        from equivision.audit._text import table

        return table(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """The report as JSON text, also written to ``path`` if given.

        Raises:
            DataError: the file cannot be written.
        """
        text = _json.dumps(self)
        if path is not None:
            write_text(path, text)
        return text

    @classmethod
    def from_json(cls, source: str | Path) -> "AuditReport":
        """Read a report back from a JSON file, or from the text itself.

        Raises:
            DataError: the file is missing or is not a report.
        """
        text = str(source)
        if not text.lstrip().startswith("{"):
            try:
                text = Path(source).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise _json.DataError(f"source={str(source)!r} cannot be read: {error}") from error
            return _json.loads(cls, text, f"{str(source)!r}")
        return _json.loads(cls, text, "the text")

    def to_html(self, path: str | Path) -> Path:
        """Write the report as one self-contained page; :func:`equivision.audit.write_html` shows several on one.

        Raises:
            MissingExtraError: jinja2 is not installed.
            DataError: the file cannot be written.
        """
        from equivision.audit._html import write_html

        return write_html({self.model: self}, path)
