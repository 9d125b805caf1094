"""How redundant the filters of P4CNN are before and after training: figure 2 of the paper.

    python papers/separable-2021/redundancy.py             # seeds 0 to 2, from the checkpoints of run.py
    python papers/separable-2021/redundancy.py --check     # only says whether redundancy.md is up to date
    python docs/figures/make_figures.py                    # draws docs/figures/redundancy.svg from the results

A network that run.py has not trained yet is trained first. Writes results-redundancy/<run>.json and the table of
redundancy.md.
"""

import argparse
import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import torch
from run import EPOCHS, TRAIN_IMAGES, Run, train

import equivision as ev
from equivision.analysis import filter_redundancy, random_redundancy, redundancy
from equivision.tasks import ClassificationTask

HERE = Path(__file__).parent
RESULTS = HERE / "results-redundancy"
START, END = "<!-- table: start -->", "<!-- table: end -->"


def networks(run: Run, checkpoint: Path) -> tuple[torch.nn.Module, torch.nn.Module]:
    """The network as the seed draws it, and as training left it."""
    lightning.seed_everything(run.seed, verbose=False)
    before = ClassificationTask(run.net, width=run.width)
    return before.model, ClassificationTask.load_from_checkpoint(checkpoint).model


def shuffled(weight: torch.Tensor) -> float:
    """Mean ratio when the numbers of each filter set lie in random order: what their distribution alone gives."""
    generator = torch.Generator().manual_seed(0)
    rows = weight.detach().flatten(2)
    order = torch.rand(rows.shape, generator=generator).argsort(-1)
    return float(filter_redundancy(rows.gather(-1, order).view_as(weight)).mean())


def measure(run: Run, checkpoint: Path) -> dict[str, Any]:
    """The ratios of every filter set of layers 2 to 7, before and after."""
    before, after = networks(run, checkpoint)
    layers = []
    for number, (old, new) in enumerate(zip(redundancy(before).layers, redundancy(after).layers, strict=True), 2):
        order = ev.groups.parse(new.group).order
        layers.append(
            {
                "layer": number,
                "name": new.name,
                "kernel_size": new.kernel_size,
                "random_normal": round(random_redundancy(order, new.kernel_size), 4),
                "random_uniform": round(random_redundancy(order, new.kernel_size, distribution="uniform"), 4),
                "before": [round(ratio, 4) for ratio in old.ratios],
                "after": [round(ratio, 4) for ratio in new.ratios],
                "after_shuffled_mean": round(shuffled(after.get_submodule(new.name).get_parameter("weight")), 4),
            }
        )
    epochs = int(torch.load(checkpoint, weights_only=True)["epoch"]) + 1
    return {**asdict(run), "epochs": epochs, "layers": layers, "torch": torch.__version__, "equivision": ev.__version__}


def table() -> str:
    """Means over all filter sets of all seeds, layer by layer."""
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    lines = [
        "| layer | kernel | before | after | after, shuffled | random, uniform | random, Gaussian | sets |",
        "|---" * 8 + "|",
    ]
    for layers in zip(*(result["layers"] for result in results), strict=True):
        first = layers[0]
        means = [statistics.mean(ratio for layer in layers for ratio in layer[when]) for when in ("before", "after")]
        means += [statistics.mean(layer["after_shuffled_mean"] for layer in layers)]
        means += [first["random_uniform"], first["random_normal"]]
        cells = [str(first["layer"]), "x".join(map(str, first["kernel_size"])), *(f"{mean:.3f}" for mean in means)]
        lines.append(f"| {' | '.join(cells)} | {sum(len(layer['after']) for layer in layers)} |")
    seeds, epochs = len(results), sorted({result["epochs"] for result in results})
    return "\n".join([*lines, "", f"Seeds: {seeds}. Epochs: {epochs}. Single runs: `results-redundancy/*.json`."])


def write_table(*, only_check: bool) -> None:
    page = HERE / "redundancy.md"
    text = page.read_text()
    before, rest = text.split(START)
    _, after = rest.split(END)
    new = f"{before}{START}\n{table()}\n{END}{after}"
    if only_check:
        sys.exit(
            0 if new == text else "redundancy.md is not up to date: run python papers/separable-2021/redundancy.py"
        )
    page.write_text(new)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="networks (default: 3)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of a network that is not trained yet")
    parser.add_argument("--checkpoints", default=None, help="trained networks elsewhere; {seed} stands for the seed")
    parser.add_argument("--check", action="store_true", help="only compare the table with the results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.check:
        RESULTS.mkdir(exist_ok=True)
        for seed in range(arguments.seeds):
            run = Run("p4cnn", 10, "rotated", TRAIN_IMAGES, seed)
            pattern = arguments.checkpoints or str(run.checkpoints / "last.ckpt")
            checkpoint = Path(pattern.format(seed=seed))
            if not checkpoint.exists() and arguments.checkpoints is None:
                print(f"{run.name}: training", flush=True)
                train(run, arguments.epochs)
            result = measure(run, checkpoint)
            (RESULTS / f"{run.name}.json").write_text(json.dumps(result) + "\n")
            print(f"{run.name}: measured", flush=True)
    write_table(only_check=arguments.check)


if __name__ == "__main__":
    main()
