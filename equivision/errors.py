"""The exceptions users see.

Every message names the argument, the value it had, what is required, and what to do about it.
"""


class EquivisionError(ValueError):
    """Base of all errors that equivision raises on purpose."""


class ShapeError(EquivisionError):
    """A tensor does not have the shape that a layer or function requires."""


class GroupMismatchError(EquivisionError):
    """Two groups do not fit together, or a group cannot act in the way that was asked for."""


class GridError(EquivisionError):
    """Size, stride, padding and kernel do not let the promised symmetry hold exactly on the pixel grid."""


class FrameError(EquivisionError):
    """An input has no frame, no finite set of poses that moves with it; or frames do not fit together."""


class ConfigError(EquivisionError):
    """An option, a name or a combination of options is not valid."""


class DataError(EquivisionError):
    """A file or a folder of data is missing, unreadable, truncated or inconsistent."""


class ExportError(EquivisionError):
    """A network cannot be frozen or exported, or gives other outputs afterwards."""


class MissingExtraError(EquivisionError, ImportError):
    """An optional dependency is not installed; the message holds the pip command that installs it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'equivision[{extra}]'"
        )
