"""Are the kernels of e2cnn among ours? Each of its basis kernels is projected onto our basis of the same layer.

e2cnn is asked for the filters of a convolution with one weight 1 and the others 0, for each weight; ours are those of
``equivision.filters.kernel_basis``. What is left over, relative to the norm, is written down beside both numbers of
weights. Made in the environment of e2cnn_compare:

    python -m benchmarks e2cnn_kernels
"""

import importlib
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._measure import save
from benchmarks.e2cnn_compare import ENVIRONMENT, PACKAGES, ROOT
from equivision.filters import kernel_basis
from equivision.groups import PlanarGroup, parse_plane
from equivision.reps import parse

#: Layers by group: the fields on both sides, in our words.
#: (O2 is left out: the current e2cnn fails on it with the current torch.)
FIELDS = {"C4": "regular", "C8": "regular", "D4": "regular", "D8": "regular", "SO2": "A + E1 + E2"}
SIZES = (3, 5)
PROFILES = ("gaussian", "pixels")


def theirs(name: str, size: int) -> NDArray[np.float64]:
    """The filters of each weight of e2cnn, ``[weights, out, in, taps]``; reflections reverse the rows, as ours do."""
    spaces, layers = importlib.import_module("e2cnn.gspaces"), importlib.import_module("e2cnn.nn")
    group = parse_plane(name)
    order: dict[str, Any] = (
        {"N": group.rotations} if isinstance(group, PlanarGroup) else {"N": -1, "maximum_frequency": 4}
    )
    space = spaces.FlipRot2dOnR2(axis=0.0, **order) if group.reflections else spaces.Rot2dOnR2(**order)
    fields = [space.regular_repr] if "N" in order and order["N"] > 0 else [space.irrep(k) for k in (0, 1, 2)]
    kind = layers.FieldType(space, fields)
    conv = layers.R2Conv(kind, kind, size, bias=False)
    units = torch.eye(conv.weights.numel())
    return np.stack([conv.basisexpansion(unit).detach().numpy() for unit in units]).astype(np.float64)


def compare(name: str, size: int) -> dict[str, Any]:
    """One layer, with each profile of ours that makes sense for its group."""
    group, found = parse_plane(name), theirs(name, size)
    rho, flat = parse(FIELDS[name], group), found.reshape(len(found), -1)
    result: dict[str, Any] = {"weights of e2cnn": len(found)}
    for profile in PROFILES if isinstance(group, PlanarGroup) and group.is_on_grid else PROFILES[:1]:
        basis = kernel_basis(rho, rho, size, profile=profile)
        rows = np.linalg.qr(basis.reshape(len(basis), -1).T)[0]
        rest = flat - (flat @ rows) @ rows.T
        result[profile] = {
            "weights": len(basis), "left over": float(np.linalg.norm(rest) / np.linalg.norm(flat)),
        }  # fmt: skip
    return result


def main() -> None:
    if find_spec("e2cnn") is not None:
        results = {f"{name} {size}x{size}": compare(name, size) for name in FIELDS for size in SIZES}
        for title, found in results.items():
            print(title, found)
        versions: dict[str, Any] = {package: version(package) for package in PACKAGES}
        print("written to", save("e2cnn_kernels", results, **versions))
        return
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        sys.exit(f"{python.relative_to(ROOT)} is missing: benchmarks/e2cnn_compare.py begins with how to make it")
    sys.exit(subprocess.run([python, "-m", "benchmarks.e2cnn_kernels"], cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
