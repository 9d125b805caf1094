"""What all tests share. The library itself is imported by the tests, not here."""

import gc
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jaxtyping
import numpy as np
import pytest
import torch

HERE = Path(__file__).parent
#: Of the cases of every second test function, one in so many is run with annotations checked: it takes twice as long.
SAMPLE = 24
#: Folders of which none is: programs, and networks made of layers whose own tests are in the sample.
NOT_SAMPLED = ("benchmarks", "cli", "convert", "discovery", "export", "kernels", "papers", "recipes", "tasks")
#: Of the cases of a test function that is not marked costly, about so many are run, unless all are.
MANY = 16
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
        help=f"all; fewer: about {MANY} of a test function, of one marked costly(n) one case in n; sample: of these "
        f"of every second function the first and each {SAMPLE}th, none of {', '.join(NOT_SAMPLED)}; others: the rest",
    )


@pytest.hookimpl(trylast=True)  # after -m, so that the parts are parts of the same whole
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _skip_compile(config, items)
    cases = config.getoption("cases")
    parts = {"fewer": ("sample", "others"), "all": ("sample", "others", None)}.get(cases, (cases,))
    parted = [(item, _part(item, place)) for item, place in zip(items, _places(items), strict=True)]
    config.hook.pytest_deselected(items=[item for item, part in parted if part not in parts])
    items[:] = [item for item, part in parted if part in parts]


class _Place(NamedTuple):
    """Where a case stands: the number of its test function in its file, its own there, and how many there are."""

    function: int
    number: int
    cases: int


def _places(items: list[pytest.Item]) -> Iterator[_Place]:
    functions = [item.nodeid.partition("[")[0] for item in items]
    cases, met, files = Counter(functions), Counter[str](), dict[Path, dict[str, int]]()
    for item, function in zip(items, functions, strict=True):
        here = files.setdefault(item.path, {})
        yield _Place(here.setdefault(function, len(here)), met[function], cases[function])
        met[function] += 1


def _part(item: pytest.Item, place: _Place) -> str | None:
    """Whether a case is in the sample or one of the others; None: it is one of many, or costly, and left out."""
    share = min((1 / costly.args[0] for costly in item.iter_markers("costly")), default=MANY / place.cases)
    if place.number * _GOLDEN % 1 >= share:
        return None
    in_folder = item.path.relative_to(HERE).parts[0] not in NOT_SAMPLED
    return "sample" if in_folder and place.number % SAMPLE == place.function % 2 == 0 else "others"


def pytest_collection_finish(session: pytest.Session) -> None:
    """The cases stay to the end: the garbage collector need not look at them again and again."""
    gc.collect()
    gc.freeze()


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
