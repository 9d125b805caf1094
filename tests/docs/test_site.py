"""The site: every public name has its place in the reference, and nothing is fetched from elsewhere."""

import importlib
import importlib.util
import inspect
import re
from types import ModuleType

import pytest
import yaml

from tests.docs._pages import ROOT

PACKAGES = (
    *(
        "groups",
        "reps",
        "filters",
        "kernels",
        "functional",
        "nn",
        "hyper",
        "implicit",
        "canonical",
        "continuous",
        "permutation",
        "scale",
        "gauge",
        "volume",
        "models",
        "testing",
        "audit",
        "discovery",
        "analysis",
        "convert",
        "data",
        "segmentation",
        "tracking",
        "tasks",
    ),
    *("export", "errors"),
)
ELSEWHERE = {
    "testing": {"act", "equivariance_error", "relative_error"},  # those of functional, under another name
    "data": {"Any", "TYPE_CHECKING"},
    "tasks": {"require"},
}


def public(module: ModuleType) -> set[str]:
    names = {name for name in dir(module) if not name.startswith("_")}
    return {name for name in names if not inspect.ismodule(getattr(module, name))}


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    text = (ROOT / f"docs/api/{name}.md").read_text(encoding="utf-8")
    listed = re.findall(rf"^::: equivision\.{name}\.(\w+)$", text, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == public(importlib.import_module(f"equivision.{name}")) - ELSEWHERE.get(name, set())


def test_no_package_is_without_a_page() -> None:
    folders = {path.parent.name for path in (ROOT / "equivision").glob("*/__init__.py")}
    assert folders | {"errors"} == {*PACKAGES, "cli"}


def test_nothing_is_fetched() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert settings["theme"]["font"] is False
    added = settings.get("extra_css", []) + settings.get("extra_javascript", [])
    assert not [path for path in added if "//" in str(path)]


def docstrings() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docstrings", ROOT / "docs/tools/docstrings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("See :class:`~equivision.nn.GroupPool`.", "See [`GroupPool`][equivision.nn.GroupPool]."),
        ("As :class:`torch.nn.Conv2d`.", "As `torch.nn.Conv2d`."),
        ("A.\n\n>>> 1 + 1\n2\n\nB.", "A.\n\n\n```pycon\n>>> 1 + 1\n2\n```\n\nB."),
        ("===  ===\na    b\n===  ===", "\n| | |\n|---|---|\n| a | b |"),
        (".. code-block:: python\n\n    x = 1\n\nEnd.", "```python\n\nx = 1\n```\n\nEnd."),
        ("Equivariance: exact.", "**Equivariance:** exact."),
    ],
)
def test_docstrings_become_markdown(written: str, shown: str) -> None:
    assert docstrings().to_markdown(written) == shown
