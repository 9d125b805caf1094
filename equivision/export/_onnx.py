"""A file of ONNX as a module of torch."""

import importlib
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision.errors import DataError, MissingExtraError, ShapeError

_DTYPES = {"tensor(float)": torch.float32, "tensor(double)": torch.float64, "tensor(float16)": torch.float16}


def require(package: str) -> Any:
    """A package of the extra ``export``.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(package, "export", "ONNX") from error


class OnnxModel(nn.Module):
    """A network in an ONNX file as a module, run by onnxruntime on the CPU; for :func:`equivision.audit` and the like.

    It has no parameters and no gradients. A file that was made for one batch size takes any: the batch is cut into
    pieces of that size, and the last one is filled up.

    Args:
        source: the file, or its content.

    Shape:
        As the file says; one input and one output, the first axis is the batch.

    Raises:
        DataError: the file cannot be read, or has several inputs or outputs.
        MissingExtraError: onnxruntime is not installed.
        ShapeError: (the call) the input does not have the shape that the file says.

    >>> import tempfile, equivision as ev
    >>> from equivision.export import export
    >>> images = torch.rand(4, 1, 28, 28)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export(ev.create_model("p4cnn", width=2), f"{folder}/net.onnx", example=images).path
    ...     report = ev.audit(OnnxModel(path), images, group="C4")
    >>> report.elements[1].max_error < 1e-5
    True
    """

    like: Tensor

    def __init__(self, source: str | Path | bytes) -> None:
        super().__init__()
        self.source = source if isinstance(source, bytes) else Path(source)
        self._open()
        self.register_buffer("like", torch.empty(0, dtype=self._dtype), persistent=False)  # dtype for those who ask

    def _open(self) -> None:
        name = "the file" if isinstance(self.source, bytes) else f"{self.source}"
        runtime = require("onnxruntime")
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        try:
            content = self.source if isinstance(self.source, bytes) else self.source.read_bytes()
            self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class of its own for every cause
            reason = " ".join(str(error).split())
            raise DataError(f"{name} cannot be read by onnxruntime: {reason}. Give a file written by export") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type not in _DTYPES:
            raise DataError(
                f"{name} has {len(inputs)} input(s) and {len(outputs)} output(s), the first input of type "
                f"{inputs[0].type if inputs else None}: one input and one output of floating-point numbers are needed"
            )
        self._input, self._shape, self._dtype = inputs[0].name, tuple(inputs[0].shape), _DTYPES[inputs[0].type]

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Run the file."""
        fixed = [isinstance(n, int) for n in self._shape]
        wrong = [i for i in range(1, len(fixed)) if fixed[i] and i < x.ndim and x.shape[i] != self._shape[i]]
        if x.ndim != len(self._shape) or wrong or x.dtype != self._dtype:
            raise ShapeError(
                f"input has shape {tuple(x.shape)} and dtype {x.dtype}; the ONNX file takes {list(self._shape)} and "
                f"{self._dtype}: export it again for other sizes"
            )
        if not len(x):
            return self(x.new_zeros(1, *x.shape[1:]))[:0]  # onnxruntime takes no empty batch
        size = self._shape[0] if fixed[0] else len(x)
        return torch.cat([self._run(part, size) for part in x.split(size)]).to(x.device)

    def _run(self, x: Tensor, size: int) -> Tensor:
        full = x if len(x) == size else torch.cat([x, x[-1:].expand(size - len(x), *x.shape[1:])])
        (output,) = self._session.run(None, {self._input: full.detach().cpu().contiguous().numpy()})
        return torch.from_numpy(output)[: len(x)]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._open()

    def extra_repr(self) -> str:
        return f"{len(self.source)} bytes" if isinstance(self.source, bytes) else repr(str(self.source))
