"""`import equivision` loads torch, numpy, jaxtyping and what these load; extras come when they are used."""

import importlib.util
import json
import subprocess
import sys

import pytest

CORE = "import torch, numpy, jaxtyping"
EXTRAS = {
    "PIL", "beartype", "datasets", "e3nn", "fsspec", "hypothesis", "jinja2", "jsonargparse", "lightning",
    "lightning_fabric", "matplotlib", "numba", "onnx", "onnxruntime", "onnxscript", "pandas", "pyarrow", "pytest",
    "pytorch_lightning", "scipy", "sklearn", "tensorboard", "torchmetrics", "torchvision", "triton", "yaml",
}  # fmt: skip
LOADED = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that are loaded after a statement in a fresh interpreter, without the standard library."""
    result = subprocess.run(
        [sys.executable, "-c", f"{statement}; {LOADED}"], capture_output=True, text=True, check=True, timeout=300
    )
    modules = set(json.loads(result.stdout.splitlines()[-1]))
    return {name for name in modules if name not in sys.stdlib_module_names and not name.startswith("_")}


@pytest.fixture(scope="module")
def core() -> set[str]:
    return loaded_by(CORE)


@pytest.fixture(scope="module")
def ours() -> set[str]:
    return loaded_by("import equivision")


def test_import_loads_the_core_only(core: set[str], ours: set[str]) -> None:
    assert ours - core == {"equivision"}


def test_extras_are_not_loaded(ours: set[str]) -> None:
    assert not ours & EXTRAS


def test_the_checks_can_fail(core: set[str]) -> None:
    """They see a module that is loaded: pytest is installed wherever this runs, and is an extra."""
    loaded = loaded_by("import equivision, pytest")
    assert "pytest" in loaded & EXTRAS
    assert "pytest" in loaded - core


def test_extras_are_written_as_they_are_imported() -> None:
    """A misspelt name would never be found. All that this environment has can be imported by the name above."""
    installed = {name for name in EXTRAS if importlib.util.find_spec(name)}
    assert {"pytest", "PIL", "sklearn", "lightning", "datasets", "jinja2", "torchmetrics"} <= installed
