"""Pages that stand by themselves: one style, no network, no scripts."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from equivision._files import atomic_write
from equivision.errors import DataError, MissingExtraError


def write_page(
    path: str | Path,
    template: tuple[str, str],
    *,
    purpose: str,
    filters: Mapping[str, Callable[..., Any]],
    **values: Any,
) -> Path:
    """Fill a template and write it under a temporary name, which becomes its own when all of it is there.

    Args:
        path: the HTML file.
        template: a package and the name of the template in it.
        purpose: what the page is, for the error.
        filters: of the template.
        **values: of the template; ``style`` is added.

    Raises:
        MissingExtraError: jinja2 is not installed.
        DataError: the file cannot be written.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise MissingExtraError("jinja2", "report", purpose) from error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= filters
    package, name = template
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    style = files("equivision").joinpath("page.css").read_text(encoding="utf-8")
    page = environment.from_string(text).render(style=style, **values) + "\n"
    return write_text(path, page)


def write_text(path: str | Path, text: str) -> Path:
    """Write a text file in one step: readers see the old file or the new one, never half.

    Raises:
        DataError: the file cannot be written there.
    """
    try:
        with atomic_write(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise DataError(f"path={str(path)!r} cannot be written: {error}; give the path of a file") from error
    return Path(path)
