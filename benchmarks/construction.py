"""How long does it take to build a network? Peers need seconds for one of this size.

python -m benchmarks construction [--quick]
"""

import equivision as ev
from benchmarks._measure import Measured, Part, answer, interleave, summary


def measure(rounds: int) -> dict[str, Measured]:
    """Networks of the default sizes, built again and again."""
    contestants = {
        "resnet18 C1": lambda: ev.create_model("resnet18", group="C1"),
        "resnet18 C4": lambda: ev.create_model("resnet18", group="C4"),
        "resnet18 D4": lambda: ev.create_model("resnet18", group="D4"),
        "resnet18 D8": lambda: ev.create_model("resnet18", group="D8"),
        "e2cnn C8": lambda: ev.create_model("e2cnn"),
        "e2cnn SO2": lambda: ev.create_model("e2cnn", group="SO2"),
        "harmonic_cnn SO2": lambda: ev.create_model("harmonic_cnn"),
        "p4cnn": lambda: ev.create_model("p4cnn"),
    }
    return {"construction": summary(interleave(contestants, rounds=rounds), baseline="resnet18 C1")}


def parts(quick: bool) -> dict[str, Part]:
    """One part."""
    return {"construction": lambda: measure(2 if quick else 15)}


def main() -> None:
    answer("construction", __doc__, parts)


if __name__ == "__main__":
    main()
