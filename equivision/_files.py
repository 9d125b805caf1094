"""Files that are either complete or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary name for a file that takes its own name only when the block ends well.

    The name is ``.<name>.tmp`` in the same folder. When the block ends, what was written there is put on disk and
    replaces ``path``; when it raises, the temporary file is removed. A process that dies on the way leaves the old file
    as it was, and a temporary file that the next attempt overwrites.

    Args:
        path: the file; missing folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_write(path: str | Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """Open a file for writing that takes its name only when all of it is on disk; see :func:`replacing`.

    Args:
        path: the file; missing folders are made.
        mode: ``"wb"`` or ``"w"``.
        **options: see :func:`open`.
    """
    with replacing(path) as temporary, temporary.open(mode, **options) as file:
        yield file
