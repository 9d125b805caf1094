"""The demonstration behind `make demo`: an ordinary and an equivariant network on digits lying at every angle.

Both have the same number of parameters and see the same 1,197 training images (scikit-learn's digits, each turned by
its own angle) in the same order. Prints one table and writes the audit of both networks as one page.
"""

import argparse
import logging
import time
import warnings
from pathlib import Path

import lightning
import torch
from torch.utils.flop_counter import FlopCounterMode

import equivision as ev
from equivision.audit import write_html
from equivision.data import DigitsDataModule
from equivision.tasks import ClassificationTask

C4 = ev.groups.cyclic(4)
NETS = {"plain CNN": ("z2cnn", 20), "p4 CNN": ("p4cnn", 10)}
TESTS = ("upright", "rotated", "rotated90")
COLUMNS = ("network", "upright", "rotated", "90 degrees", "equiv. error", "parameters", "MACs", "s/epoch")


def train(name: str, width: int, epochs: int) -> tuple[torch.nn.Module, dict[str, float], float]:
    """Train and test one network: the network, its test metrics, seconds an epoch."""
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
    return task.model.eval(), metrics, seconds


def macs(model: torch.nn.Module, image: torch.Tensor) -> int:
    """Multiplications for one image: half the floating-point operations that torch counts."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image)
    return counter.get_total_flops() // 2


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows as text, the first column flush left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join((str.rjust if i else str.ljust)(cell, widths[i]) for i, cell in enumerate(row)).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("runs/demo"), help="folder of the audit page")
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    data = DigitsDataModule(test_variants=["upright"], batch_size=200)
    images, labels = next(iter(data.test_dataloader()[0]))
    rows: list[tuple[str, ...]] = [COLUMNS]
    reports = {}
    for name, (model, width) in NETS.items():
        print(f"Training the {name} for {arguments.epochs} epochs on rotated digits")
        net, found, seconds = train(model, width, arguments.epochs)
        reports[name] = ev.audit(net, images, labels=labels, group=C4)
        error = max(float(e) for e in ev.testing.equivariance_error(net, images, group=C4).values())
        accuracies = (f"{100 * found[f'test/accuracy/{variant}']:.1f} %" for variant in TESTS)
        size = f"{sum(p.numel() for p in net.parameters()):,}"
        rows.append((name, *accuracies, f"{error:.0e}", size, f"{macs(net, images[:1]) / 1e6:.1f} M", f"{seconds:.1f}"))

    print("\nAccuracy on 400 test digits after training on rotated digits; both networks of equal size:\n")
    print(table(rows))
    page = arguments.output / "audit.html"
    write_html(reports, page)
    print(f"\nThe audit of both networks, to open in a browser: {page.resolve()}")


if __name__ == "__main__":
    main()
