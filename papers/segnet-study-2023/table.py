"""Write the tables of README.md from the results; ``--check`` only says whether they are up to date.

Results come in one by one while the queue runs. Which of them the tables show is written down in published.json.
"""

from pathlib import Path

from _networks import FEW, STUDY, UNETS, Network
from _runs import tables as shared
from run import MASKS, SIZES, VARIANTS

HERE = Path(__file__).parent
Results = shared.Results


def chosen(results: Results, mask: str, network: str, images: int | None = None) -> Results:
    """All seeds of one kind of run."""
    return [run for run in results if (run["mask"], run["network"], run["images"]) == (mask, network, images)]


def percent(runs: Results, variant: str, score: str = "image_iou") -> str:
    """A score in %, mean and standard deviation over seeds."""
    if not runs:
        return "not run yet"
    found = [run["train_scores"] if variant == "train" else run["scores"][variant] for run in runs]
    return shared.spread([100 * one[score] for one in found])


def error(runs: Results, network: Network) -> str:
    """The largest change of the logits under the network's group, or C4 for a plain one, in float64."""
    if not runs:
        return "-"
    group = network.arguments.get("group", "C4")
    return f"{max(run['equivariance_error'][group]['float64'] for run in runs):.0e}"


def main_table(results: Results, mask: str) -> list[str]:
    """Tables 3 and 4 of the study, and U-Nets."""
    columns = ["network", "parameters", "study's score, test / turned", "score", "score, turned", "IoU, training"]
    columns += ["IoU", "IoU, turned", "IoU, any angle", "change of logits", "seconds an epoch", "seeds", "hours"]
    lines = shared.head(columns)
    for network in (*STUDY, *UNETS):
        runs = chosen(results, mask, network.name)
        size = f"{runs[0]['parameters']:,}" if runs else "-"
        cells = [network.name, size, " / ".join(network.study)]
        cells += [percent(runs, variant, "score") for variant in VARIANTS[:2]]
        cells += [percent(runs, variant) for variant in ("train", *VARIANTS)]
        speed = shared.spread([run["seconds_per_epoch"] for run in runs]) if runs else "-"
        hours = f"{sum(run['hours'] for run in runs):.2f}" if runs else "-"
        lines.append(shared.line([*cells, error(runs, network), speed, str(len(runs)), hours]))
    return lines


def curve(results: Results, mask: str) -> list[str]:
    """IoU by the number of labelled images."""
    lines = shared.head(["network", *(f"{size} images" for size in SIZES), "seeds"])
    for network in FEW:
        runs = {size: chosen(results, mask, network, size) for size in SIZES}
        cells = [percent(runs[size], "quarters") for size in SIZES]
        lines.append(shared.line([network, *cells, str(min(map(len, runs.values())))]))
    return lines


def text(results: Results) -> str:
    """All tables as Markdown."""
    parts = []
    for mask in MASKS:
        title = f"**Tables 3 and 4, the {mask} of white blood cells instead of PH2's lesions**: scores and IoU in %"
        parts += [title, "", *main_table(results, mask), ""]
    parts += ["**By the number of labelled images**: IoU of the nucleus in %, turned test images", ""]
    parts += [*curve(results, "nucleus"), ""]
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    parts.append(f"Runs: {len(results)}. torch {versions}. Single runs: `results/*.json`.")
    return "\n".join(parts)


if __name__ == "__main__":
    shared.write_or_check(HERE, text)
