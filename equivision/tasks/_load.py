"""A checkpoint as the task that wrote it."""

from pathlib import Path
from typing import Any

from equivision.errors import DataError
from equivision.tasks._base import TASK, TaskBase
from equivision.tasks._checkpoint import read_checkpoint
from equivision.tasks._classification import ClassificationTask
from equivision.tasks._segmentation import SegmentationTask
from equivision.tasks._tracking import TrackingTask

_TASKS: dict[str, type[TaskBase]] = {
    task.__name__: task for task in (ClassificationTask, SegmentationTask, TrackingTask)
}


def task_class(checkpoint: dict[str, Any], path: str | Path) -> type[TaskBase]:
    """The class of the task that wrote a checkpoint; one of old that does not say it is a classification.

    Raises:
        DataError: it was another task than one of ours.
    """
    name = checkpoint.get(TASK, ClassificationTask.__name__)
    if name not in _TASKS:
        raise DataError(
            f"checkpoint {path} was written by the task {name!r}: load it with that class, "
            f"{name}.load_from_checkpoint; here only {', '.join(_TASKS)} are known"
        )
    return _TASKS[name]


def load_task(path: str | Path, **options: Any) -> Any:
    """The task of a checkpoint, whichever it is, with its weights, in evaluation mode.

    Args:
        path: a checkpoint of ``equivision fit``.
        **options: as of ``load_from_checkpoint``, such as ``map_location`` or ``model``.

    Returns:
        A :class:`ClassificationTask`, :class:`SegmentationTask` or :class:`TrackingTask`.

    Raises:
        DataError: the file cannot be read, or was written by another task.
        ConfigError: model is missing, or an argument is not known.
    """
    return task_class(read_checkpoint(path), path).load_from_checkpoint(path, **options)
