"""Networks as files that run elsewhere: ONNX, and programs of torch.export.

Like :func:`equivision.audit`, the function :func:`export` has the name of its package.
"""

from equivision.export._export import OPSET as OPSET
from equivision.export._export import ExportResult as ExportResult
from equivision.export._export import export as export
from equivision.export._onnx import OnnxModel as OnnxModel
