"""Files that are either complete or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def atomic_write(path: str | Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """Open a file for writing that takes its name only when all of it is on disk.

    What is written goes to ``.<name>.tmp`` in the same folder, which replaces ``path`` at the end. A process that dies
    on the way leaves the old file as it was, and a temporary file that the next attempt overwrites.

    Args:
        path: the file; missing folders are made.
        mode: ``"wb"`` or ``"w"``.
        **options: see :func:`open`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open(mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
