"""Whole pieces of a computation, one at a time for each of torch's own threads.

Threads of another pool would share the cores with torch's, which go on spinning for milliseconds after every operator.
So the pieces run in a parallel region of the OpenMP library that torch uses; inside one, torch takes a single thread.
"""

import ctypes
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import torch

Piece = TypeVar("Piece")
_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@lru_cache(maxsize=1)
def _parallel_region() -> Any:
    """``GOMP_parallel(function, data, threads, flags)`` of torch's OpenMP library, or None where there is none.

    The libraries of GNU, LLVM and Intel all have it.
    """
    folder = Path(torch.__file__).parent / "lib"
    for library in sorted(
        (*folder.glob("lib*gomp*.so*"), *folder.glob("lib*omp*.so*"), *folder.glob("lib*omp*.dylib"))
    ):
        try:
            # only what torch has loaded itself: a second copy would have threads of its own
            region = ctypes.CDLL(str(library), mode=os.RTLD_NOLOAD).GOMP_parallel
        except (OSError, AttributeError):
            continue
        region.argtypes = (_CALLBACK, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
        region.restype = None
        return region
    return None


def _without_autocast() -> AbstractContextManager[object]:
    """Only the caller's thread has autocast on, if any; leaving it costs more than asking."""
    return torch.autocast("cpu", enabled=False) if torch.is_autocast_enabled("cpu") else nullcontext()


def spread(work: Callable[[Piece], None], pieces: Sequence[Piece]) -> None:
    """Run ``work(piece)`` for every piece, each thread taking the next one.

    There are as many threads as torch uses. The first exception of any of them is raised when all have ended.
    """
    ticket, errors = count(), []

    def run(_: object = None) -> None:
        try:
            with torch.no_grad(), _without_autocast():
                while (i := next(ticket)) < len(pieces) and not errors:
                    work(pieces[i])
        except BaseException as error:  # noqa: BLE001  it goes to the caller
            errors.append(error)

    threads, region = min(torch.get_num_threads(), len(pieces)), _parallel_region()
    if threads <= 1 or region is None:
        run()
    else:
        region(_CALLBACK(run), None, threads, 0)
    if errors:
        raise errors[0]
