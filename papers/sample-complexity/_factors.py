"""From accuracies to the number of labels that an accuracy takes, and how many times as many another network takes."""

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

#: The accuracy at which labels are compared.
TARGET = 0.95


class Labels(NamedTuple):
    """How many labels it takes; ``side`` is ``"<"`` if the fewest are enough already, ``">"`` if the most are not."""

    number: float
    side: str = ""

    def __str__(self) -> str:
        return f"{self.side}{self.number:.0f}"


def needed(labels: Sequence[int], accuracy: Sequence[float], target: float = TARGET) -> Labels:
    """Where the accuracy first reaches the target, on a straight line over the logarithm of the labels."""
    best = [max(accuracy[: i + 1]) for i in range(len(accuracy))]
    if best[0] >= target:
        return Labels(labels[0], "<")
    for i in range(1, len(best)):
        if best[i] >= target:
            share = (target - best[i - 1]) / (best[i] - best[i - 1])
            return Labels(labels[i - 1] * (labels[i] / labels[i - 1]) ** share)
    return Labels(labels[-1], ">")


class Factor(NamedTuple):
    """How many times as many labels; ``side`` says that it is more or less than that."""

    value: float
    side: str = ""

    def __str__(self) -> str:
        return f"{self.side}{self.value:.1f}"


def factor(many: Labels, few: Labels) -> Factor | None:
    """``many`` divided by ``few``; None where nothing is known of it."""
    below = {"<": ">", ">": "<", "": ""}[few.side]  # dividing by less gives more
    if {many.side, below} == {"<", ">"}:
        return None
    return Factor(many.number / few.number, many.side or below)


def mean_accuracy(runs: Sequence[dict[str, Any]], training: str) -> list[float]:
    """Over the seeds, for each number of labels; empty where this was not trained."""
    found = [run["accuracy"][training] for run in runs if training in run["accuracy"]]
    return [statistics.mean(column) for column in zip(*found, strict=True)]
