"""What all tests share. The library itself is imported by the tests, not here."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch

HERE = Path(__file__).parent
#: Of the cases of every second test function, one in so many is run with annotations checked: it takes twice as long.
SAMPLE = 24
#: Folders of which none is: programs, and networks made of layers whose own tests are in the sample.
NOT_SAMPLED = ("benchmarks", "cli", "convert", "export", "kernels", "papers", "recipes")
#: Cases of which one in n is run are those with ``number * this`` below 1/n, modulo 1: a step of n would meet some
#: parameters with one value only.
_GOLDEN = (5**0.5 - 1) / 2
THREADS = int(os.environ.get("EQUIVISION_TEST_THREADS", "1"))
torch.set_num_threads(THREADS)


def _shapes_are_checked(config: pytest.Config) -> bool:
    return bool(config.getoption("jaxtyping_packages", None))


def pytest_report_header(config: pytest.Config) -> str:
    hook = "on" if _shapes_are_checked(config) else "off"
    return f"torch {torch.__version__}, {THREADS} thread(s); annotations checked at run time: {hook}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cases",
        choices=("all", "fewer", "sample", "others"),
        default="all",
        help="all; fewer: of a test function marked costly(n) the first case and about one in n; sample: of these "
        f"of every second function the first and each {SAMPLE}th, none of {', '.join(NOT_SAMPLED)}; others: the rest",
    )


@pytest.hookimpl(trylast=True)  # after -m, so that the parts are parts of the same whole
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _skip_compile(config, items)
    cases = config.getoption("cases")
    parts = {"fewer": ("sample", "others"), "all": ("sample", "others", None)}.get(cases, (cases,))
    parted = [(item, _part(item, function, number)) for item, function, number in _numbered(items)]
    config.hook.pytest_deselected(items=[item for item, part in parted if part not in parts])
    items[:] = [item for item, part in parted if part in parts]


def _numbered(items: list[pytest.Item]) -> Iterator[tuple[pytest.Item, int, int]]:
    """Every case with the number of its test function in its file, and its own among the cases of that function."""
    met: dict[Path, Counter[str]] = {}
    for item in items:
        function, here = item.nodeid.partition("[")[0], met.setdefault(item.path, Counter())
        here[function] += 1
        yield item, list(here).index(function), here[function] - 1


def _part(item: pytest.Item, function: int, number: int) -> str | None:
    """Whether a case is in the sample or one of the others; None: it is left out, as most cases that are costly."""
    costly = item.get_closest_marker("costly")
    if costly and number * _GOLDEN % 1 >= 1 / costly.args[0]:
        return None
    sampled = item.path.relative_to(HERE).parts[0] not in NOT_SAMPLED and number % SAMPLE == function % 2 == 0
    return "sample" if sampled else "others"


def _skip_compile(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not _shapes_are_checked(config):
        return
    skip = pytest.mark.skip(reason="torch.compile does not go through --jaxtyping-packages; run these without it")
    for item in items:
        if item.get_closest_marker("compile"):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def _same_numbers_every_time() -> None:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)


@pytest.fixture
def unchecked_annotations() -> Iterator[None]:
    """What users see: annotations are not checked, the errors are our own."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
