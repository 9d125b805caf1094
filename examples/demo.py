"""The demonstration behind `make demo`: an ordinary and an equivariant network on digits lying at every angle.

Both have the same number of parameters and see the same 1,197 training images (scikit-learn's digits, each turned by
its own angle) in the same order. Prints one table and writes the audit of both networks as one page.
"""

import argparse
import json
import logging
import os
import platform
import time
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch

import equivision as ev
from equivision.audit import write_html
from equivision.data import DigitsDataModule
from equivision.tasks import ClassificationTask

C4 = ev.groups.cyclic(4)
NETS = {"plain CNN": ("z2cnn", 20), "p4 CNN": ("p4cnn", 10)}
TESTS = ("upright", "rotated", "rotated90")


def train(name: str, width: int, epochs: int) -> tuple[torch.nn.Module, dict[str, float], float]:
    """Train and test one network: the network, its test accuracies, seconds an epoch."""
    lightning.seed_everything(0, verbose=False)
    data = DigitsDataModule(train_variant="rotated", test_variants=TESTS, batch_size=64)
    task = ClassificationTask(name, width=width, milestones=[epochs * 3 // 4])
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    start = time.perf_counter()
    trainer.fit(task, datamodule=data)
    seconds = (time.perf_counter() - start) / epochs
    metrics = {key: float(value) for part in trainer.test(task, data, verbose=False) for key, value in part.items()}
    return task.model.eval(), {variant: metrics[f"test/accuracy/{variant}"] for variant in TESTS}, seconds


def rows(networks: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The table of the results, header first."""
    head = ("network", "upright", "rotated", "90 degrees", "equivariance error", "parameters", "MACs", "s / epoch")
    return [
        head,
        *(
            (
                network["name"],
                *(f"{100 * network['accuracy'][variant]:.1f} %" for variant in TESTS),
                f"{network['equivariance_error']:.0e}",
                f"{network['parameters']:,}",
                f"{network['macs'] / 1e6:.1f} M",
                f"{network['seconds_per_epoch']:.1f}",
            )
            for network in networks
        ),
    ]


def table(cells: list[tuple[str, ...]]) -> str:
    """Rows as text, the first column flush left."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join((str.rjust if i else str.ljust)(c, widths[i]) for i, c in enumerate(row)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("runs/demo"), help="folder of the results")
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    data = DigitsDataModule(test_variants=["upright"], batch_size=200)
    images, labels = next(iter(data.test_dataloader()[0]))
    networks, trained = [], {}
    for name, (model, width) in NETS.items():
        print(f"Training the {name} for {arguments.epochs} epochs on rotated digits")
        net, accuracy, seconds = train(model, width, arguments.epochs)
        trained[name] = net
        networks.append(
            {
                "name": name,
                "accuracy": accuracy,
                "parameters": sum(p.numel() for p in net.parameters()),
                "macs": ev.cost(net, images.shape[1:]).macs,
                "seconds_per_epoch": round(seconds, 2),
            }
        )

    print("Auditing both")
    shown = ev.audit(trained["plain CNN"], images, group=C4, angles=(), layers=False).worst[0].index
    reports = {name: ev.audit(net, images, labels=labels, group=C4, picture=shown) for name, net in trained.items()}
    for network in networks:
        network["equivariance_error"] = reports[network["name"]].max_error

    print("\nAccuracy on 400 test digits, after training on rotated digits:\n")
    print(table(rows(networks)))
    arguments.output.mkdir(parents=True, exist_ok=True)
    versions = {"torch": torch.__version__, "python": platform.python_version(), "cores": os.cpu_count()}
    results = {"epochs": arguments.epochs, "networks": networks, **versions}
    (arguments.output / "demo.json").write_text(json.dumps(results, indent=1) + "\n")
    page = arguments.output / "audit.html"
    write_html(reports, page)
    print(f"\nThe audit of both networks, to open in a browser: {page.resolve()}")


if __name__ == "__main__":
    main()
