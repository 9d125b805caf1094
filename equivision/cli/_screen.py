"""What the command line writes to the screen, and how it words errors."""

import argparse
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from equivision.errors import ConfigError, EquivisionError

# Advice of Lightning that does not apply (images lie in memory, metrics are logged once an epoch, there need not be
# validation images), and what torch says to Lightning.
_NOISE = (
    ".*does not have many workers.*",
    ".*is smaller than the logging interval.*",
    ".*across ranks is zero.*",
    ".*treespec, LeafSpec.*",
)
#: Packages that check options themselves; an error that one of them raises is about what the user has given.
_LIBRARIES = ("torch", "lightning", "lightning_fabric", "lightning_utilities", "torchmetrics", "jsonargparse")


def say(text: str) -> None:
    """Write to the standard output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def complain(text: str, kind: str = "error") -> None:
    """Write one line to the standard error output."""
    sys.stderr.write(f"equivision: {kind}: {text}\n")
    sys.stderr.flush()


def explain(error: BaseException) -> str | None:
    """The message for an error that the user can mend, on one line; None for a mistake of ours."""
    cause: BaseException | None = error
    while cause is not None:  # jsonargparse wraps the errors of the classes that it builds
        if isinstance(cause, EquivisionError):
            return " ".join(str(cause).split())
        cause = cause.__cause__
    if type(error).__name__ == "MisconfigurationException" or isinstance(error, OSError):
        return " ".join(str(error).split())
    if isinstance(error, ValueError | RuntimeError | TypeError | ZeroDivisionError) and _raised_by(error) in _LIBRARIES:
        lines = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        return f"{lines[0]} (use --traceback to see where)"
    return None


def _raised_by(error: BaseException) -> str:
    """The package that an error was raised in."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return "" if frame is None else str(frame.tb_frame.f_globals.get("__name__", "")).split(".", 1)[0]


def parser_message(text: str) -> str:
    """The message of jsonargparse on one line, without the types that were tried in vain."""
    lines = [re.sub(r"^- ", "", line.strip()) for line in text.splitlines()]
    hidden = r"Does not validate|Subtypes:|Errors:|Given value type|Expected a (path|<class 'NoneType'>)|$"
    kept = [re.sub(r"^Given value: (Namespace|NestedArg).*", "", line) for line in lines if not re.match(hidden, line)]
    message = " ".join(line for line in dict.fromkeys(kept) if line)
    for pattern, replacement in (
        (r"<class '(?:[\w.]*\.)?(\w+)'>", r"\1"),
        (r'Parser key "([\w.]+)":', r"--\1:"),
        (r"--data: --", "--data."),
        (r"\.? (?:Got value|Given value):", ", but got"),
        (r"Expected an? ", "expected "),
        (r"typing\.", ""),
        (r"(\]|\w) expected ", r"\1 or "),
        (r'Linked "([\w.]+)" must be given via "data"\.', r"--\1 follows the data: leave it out"),
        (r"argument read\(data\) --> ([\w.]+): .* is not callable", r"--\1 follows the data: leave it out"),
    ):
        message = re.sub(pattern, replacement, message)
    return message


class Parser(argparse.ArgumentParser):
    """Argument parser whose errors are :class:`ConfigError`."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of writing the usage and leaving."""
        raise ConfigError(f"{message} (see {self.prog} --help)")


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what Lightning reports about itself, and show warnings as one line each."""
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # about calls that Lightning makes
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
        del category, filename, lineno
        complain(" ".join(str(message).split()), "warning")

    with warnings.catch_warnings():
        for pattern in _NOISE:
            warnings.filterwarnings("ignore", message=pattern)
        before, warnings.showwarning = warnings.showwarning, show
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            warnings.showwarning = before
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
