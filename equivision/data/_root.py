"""Where data sets lie."""

import os
from pathlib import Path

from equivision.errors import DataError

VARIABLE = "EQUIVISION_DATA"


def data_folder(root: str | Path | None, default: str = "") -> Path:
    """The folder of a data set.

    A path that exists is taken as it stands; a relative path that does not exist here is looked for in the folder that
    the environment variable EQUIVISION_DATA names, and so is ``default`` when no path is given.

    Raises:
        DataError: there is no such folder, or neither path nor variable is given.
    """
    root = None if root is None else Path(root).expanduser()
    if root is not None and root.is_dir():
        return root
    base = os.environ.get(VARIABLE)
    if root is None and not base:
        raise DataError(
            f"no folder is given for the data set {default!r}: pass root=, or set the environment variable "
            f"{VARIABLE} to the folder that holds {default!r}, as in: export {VARIABLE}=~/data"
        )
    below = Path(base).expanduser() / (default if root is None else root) if base else None
    if below is not None and below.is_dir():
        return below
    tried = [str(path) for path in (root, below) if path is not None]
    hint = (
        ""
        if base
        else f" (a relative root is also looked for below the environment variable {VARIABLE}, which is not set)"
    )
    raise DataError(f"there is no folder {' nor '.join(tried)}{hint}: check root= and {VARIABLE}")
