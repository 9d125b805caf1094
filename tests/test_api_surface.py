"""The public names, as committed in api_surface.json: none goes or comes without somebody meaning it.

A name is public when a public module defines it without underscore or imports it *as itself*: ``import A as A``.
To change the list on purpose: ``python tests/test_api_surface.py``
"""

import ast
import importlib
import json
from pathlib import Path

FILE = Path(__file__).with_name("api_surface.json")
PACKAGE = Path(__file__).parents[1] / "equivision"


def public_modules() -> dict[str, Path]:
    """The package and its public modules and subpackages, each with its file."""
    files = [*PACKAGE.glob("[!_]*.py"), *PACKAGE.glob("[!_]*/__init__.py")]
    names = {path.stem if path.parent == PACKAGE else path.parent.name: path for path in files}
    return {"equivision": PACKAGE / "__init__.py"} | {f"equivision.{name}": names[name] for name in sorted(names)}


def public_names(source: str) -> list[str]:
    """The names that a module offers."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names if alias.name == alias.asname}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return sorted(name for name in names if not name.startswith("_"))


def surface() -> dict[str, list[str]]:
    return {module: public_names(path.read_text()) for module, path in public_modules().items()}


def flat(modules: dict[str, list[str]]) -> set[str]:
    return {f"{module}.{name}" for module, names in modules.items() for name in names}


def test_public_names_are_the_committed_ones() -> None:
    committed, actual = flat(json.loads(FILE.read_text())), flat(surface())
    cure = "if this is meant: python tests/test_api_surface.py"
    assert not committed - actual, f"public names are gone: {sorted(committed - actual)}; {cure}"
    assert not actual - committed, f"new public names: {sorted(actual - committed)}; {cure}"


def test_public_names_exist_and_are_documented() -> None:
    for module, names in surface().items():
        for name in names:
            value = getattr(importlib.import_module(module), name)
            assert not callable(value) or (value.__doc__ or "").strip(), f"{module}.{name} has no docstring"


def test_how_names_are_found() -> None:
    source = """
from typing import TYPE_CHECKING
from package import A as A, B, C as D
import torch
if TYPE_CHECKING:
    from package import Lazy as Lazy
def function(): ...
def _private(): ...
class Class: ...
CONSTANT: int = 1
"""
    assert public_names(source) == ["A", "CONSTANT", "Class", "Lazy", "function"]


if __name__ == "__main__":
    FILE.write_text(json.dumps(surface(), indent=1) + "\n")
