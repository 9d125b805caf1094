"""How long does it take to build a network? Peers need seconds for one of this size."""

import torch

import equivision as ev
from benchmarks._measure import interleave, save, show, summary


def main() -> None:
    torch.manual_seed(0)
    contestants = {
        "resnet18 C1": lambda: ev.create_model("resnet18", group="C1"),
        "resnet18 C4": lambda: ev.create_model("resnet18", group="C4"),
        "resnet18 D4": lambda: ev.create_model("resnet18", group="D4"),
        "p4cnn": lambda: ev.create_model("p4cnn"),
    }
    measured = summary(interleave(contestants, rounds=15), baseline="resnet18 C1")
    show("construction", measured)
    print("written to", save("construction", {"construction": measured}))


if __name__ == "__main__":
    main()
