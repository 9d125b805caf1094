"""From a network to a file that computes the same, or to no file."""

import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from equivision._files import atomic_write
from equivision.convert import freeze
from equivision.errors import ConfigError, DataError, ExportError
from equivision.export._onnx import OnnxModel, require
from equivision.functional._tolerance import TOLERANCE

#: Version of the operators that ONNX files are written in; onnxruntime reads it from 1.14 on.
OPSET = 18
Format = Literal["onnx", "torch"]
_SUFFIXES: dict[str, Format] = {".onnx": "onnx", ".pt2": "torch"}


@dataclass(frozen=True)
class ExportResult:
    """A file that was written, and how it was checked.

    Attributes:
        path: the file.
        format: ``"onnx"`` or ``"torch"``.
        opset: of an ONNX file; None otherwise.
        num_images: how many images it was compared on.
        max_error: the largest relative error of an image, ``|file - network| / |network|``.
        tolerance: that error had to be at most this.
    """

    path: Path
    format: Format
    opset: int | None
    num_images: int
    max_error: float
    tolerance: float


def export(
    model: nn.Module,
    path: str | Path,
    *,
    example: Tensor,
    format: Format | None = None,
    dynamic_batch: bool = True,
    opset: int = OPSET,
    check: Tensor | None = None,
) -> ExportResult:
    """Freeze a network, write it to a file, and make sure that the file computes the same.

    The file is run on images (by onnxruntime, or by torch) and compared with the network before it takes its name: the
    largest relative error must be within the tolerance of the dtype, 1e-5 for float32, and for class scores all
    predicted classes must be equal. If not, there is no file. Height and width are those of the example.

    Args:
        model: one image batch in, one tensor out; see :func:`equivision.freeze`. It is not changed.
        path: ``.onnx`` for ONNX, ``.pt2`` for torch.export.
        example: a batch of images of the size that the file is for.
        format: ``"onnx"`` or ``"torch"``, where the suffix of the path does not say it.
        dynamic_batch: take any number of images; otherwise that of the example.
        opset: version of ONNX's operators.
        check: images to compare on, real ones if possible; by default the example.

    Raises:
        ConfigError: an option is not valid.
        ExportError: the network cannot be frozen or exported, or the file gives other outputs.
        DataError: the file cannot be written.
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed.

    >>> import tempfile, equivision as ev
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = export(ev.create_model("p4cnn", width=2), f"{folder}/net.onnx", example=torch.rand(2, 1, 28, 28))
    >>> result.opset, result.num_images, result.max_error < 1e-5
    (18, 2, True)
    """
    kind = format_of(Path(path), format)
    for package in ("onnx", "onnxscript", "onnxruntime") if kind == "onnx" else ():
        require(package)
    copied = copy.deepcopy(model).cpu().eval() if isinstance(model, nn.Module) else model
    images = _images("example", example)
    tested = images if check is None else _images("check", check, like=images)
    with _quiet():
        frozen = freeze(copied, example=images)
        expected = _outputs(copied, tested)
        program = _program(frozen, images, dynamic_batch=dynamic_batch)
        content = _onnx(program, opset) if kind == "onnx" else _archive(program)
        run = _onnx_model(content) if kind == "onnx" else torch.export.load(io.BytesIO(content)).module()
        actual = _in_batches(run, tested, None if dynamic_batch else len(images))
    error, tolerance = _compare(actual, expected), TOLERANCE[expected.dtype]
    try:
        with atomic_write(path) as file:
            file.write(content)
    except OSError as reason:
        raise DataError(f"path={str(path)!r} cannot be written: {reason}; give the path of a file") from reason
    return ExportResult(Path(path), kind, opset if kind == "onnx" else None, len(tested), error, tolerance)


def format_of(path: Path, given: Format | None) -> Format:
    """The format that is asked for, or that the suffix of the path says.

    Raises:
        ConfigError: neither says it.
    """
    kind = given if given is not None else _SUFFIXES.get(path.suffix)
    if kind not in ("onnx", "torch"):
        raise ConfigError(
            f"path={str(path)!r}, format={given!r}: give a path that ends in .onnx or .pt2, or format='onnx' or 'torch'"
        )
    return kind


def _images(name: str, images: Any, like: Tensor | None = None) -> Tensor:
    if not isinstance(images, Tensor) or images.ndim == 0 or len(images) == 0 or images.dtype not in TOLERANCE:
        got = f"shape {tuple(images.shape)} and {images.dtype}" if isinstance(images, Tensor) else type(images).__name__
        raise ConfigError(f"{name} is {got}: give a batch of at least one image, as the network takes them")
    if like is not None and (images.shape[1:] != like.shape[1:] or images.dtype != like.dtype):
        raise ConfigError(
            f"{name} has shape {tuple(images.shape)} and {images.dtype}, example {tuple(like.shape)} and {like.dtype}: "
            "but for the number of images they must be alike"
        )
    return images.detach().cpu()


@torch.no_grad()
def _outputs(model: nn.Module, images: Tensor) -> Tensor:
    output = model(images)
    if not isinstance(output, Tensor) or output.dtype not in TOLERANCE or output.ndim == 0:
        kind = f"a tensor of {output.dtype}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
        raise ConfigError(
            f"model returns {kind}: export takes networks that return one tensor of floating-point numbers"
        )
    return output


def _program(frozen: nn.Module, images: Tensor, *, dynamic_batch: bool) -> torch.export.ExportedProgram:
    shapes = ({0: torch.export.Dim("batch", min=1)},) if dynamic_batch else None
    if dynamic_batch and len(images) == 1:
        images = torch.cat([images, images])  # torch.export takes a batch of one for a constant
    try:
        return torch.export.export(frozen, (images,), dynamic_shapes=shapes)
    except Exception as error:
        cure = ". With dynamic_batch=False the number of images is fixed, which asks less" if dynamic_batch else ""
        raise ExportError(f"torch.export fails: {_one_line(error)}{cure}") from error


def _archive(program: torch.export.ExportedProgram) -> bytes:
    from equivision import __version__

    file = io.BytesIO()
    torch.export.save(program, file, extra_files={"equivision": __version__})
    return file.getvalue()


def _onnx(program: torch.export.ExportedProgram, opset: int) -> bytes:
    onnx = require("onnx")
    from equivision import __version__

    try:
        written = torch.onnx.export(
            program, dynamo=True, opset_version=opset, input_names=["images"], output_names=["output"], verbose=False
        )
    except Exception as error:
        raise ExportError(f"torch.onnx.export with opset={opset} fails: {_one_line(error)}") from error
    assert written is not None  # noqa: S101 (it is for dynamo=True)
    proto = written.model_proto
    found = {one.domain: one.version for one in proto.opset_import}
    if found.get("") != opset:
        raise ConfigError(f"opset={opset} cannot be written (the exporter gives {found.get('')}): use opset={OPSET}")
    for value in (*proto.graph.input, *proto.graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = "batch"
    onnx.helper.set_model_props(proto, {"equivision": __version__})
    return proto.SerializeToString()


def _onnx_model(content: bytes) -> nn.Module:
    try:
        return OnnxModel(content)
    except DataError as error:
        raise ExportError(
            f"the exported file does not run ({error}): convert the network with model.float()"
        ) from error


@torch.no_grad()
def _in_batches(run: Callable[[Tensor], Tensor], images: Tensor, size: int | None) -> Tensor:
    """Run a program, in batches of one size if that is all it takes."""
    if size is None:
        return run(images)
    parts = []
    for part in images.split(size):
        full = torch.cat([part, part[-1:].expand(size - len(part), *part.shape[1:])])
        parts.append(run(full)[: len(part)])
    return torch.cat(parts)


def _compare(actual: Tensor, expected: Tensor) -> float:
    """The largest relative error of an image.

    Raises:
        ExportError: it is too large, or a predicted class differs.
    """
    if actual.shape != expected.shape:
        raise ExportError(f"the exported file gives shape {tuple(actual.shape)}, the network {tuple(expected.shape)}")
    difference, scale = (actual - expected).flatten(1).norm(dim=1), expected.flatten(1).norm(dim=1)
    errors = torch.where(difference == 0, difference, difference / scale)
    error, tolerance = float(errors.max()), TOLERANCE[expected.dtype]
    classes = expected.ndim == 2
    wrong = int((actual.argmax(1) != expected.argmax(1)).sum()) if classes else 0
    if not error <= tolerance or wrong:
        raise ExportError(
            f"the exported file gives other outputs than the network on {len(expected)} images: largest relative error "
            f"{error:.1e} (at most {tolerance:.0e}){f', {wrong} predicted class(es) differ' if wrong else ''}. No file "
            "was written; check that outputs are finite, that the network has no randomness in evaluation mode, and "
            "compare equivision.freeze(model) with it"
        )
    return error


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what torch's exporters say about themselves."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
