"""``equivision discover``: which symmetry do labelled images have?"""

from dataclasses import replace
from pathlib import Path

import lightning

from equivision.cli._parser import DATA_MODULES, TrainingParser
from equivision.cli._runs import check_writable
from equivision.cli._screen import complain, quiet, say
from equivision.data import ImageData, ImageDataModule, pool
from equivision.discovery import PLANE, Trial, discover
from equivision.errors import ConfigError


class _Parser(TrainingParser):
    modules = DATA_MODULES
    instead = ""


def _parser(command: str) -> TrainingParser:
    parser = _Parser(
        prog=f"equivision {command}",
        description="Find out which symmetry labelled images have: small networks for each candidate are trained on "
        "parts of the training and validation images of --data, and compared on the rest. Writes discovery.json and "
        "discovery.html, and keeps every training in an SQL database: a search that was stopped goes on, and several "
        "processes may work on one. Halfway, a training is stopped if it is in the weaker half of those that came as "
        "far before it (asynchronous successive halving): who is stopped depends on the order of the trials, and may "
        "differ in a search that is shared. Candidates that then come near to the best one are trained to the end "
        "after all. Scores of candidates that were stopped in most seeds are in brackets, below the others.",
    )
    add = parser.add_argument
    text = "Separated by commas, as in C1,left-right,C4: C_n, D_n, left-right, up-down, scale, learned, or S_n for "
    text += "channels that may be exchanged."
    add("--candidates", type=list[str] | str, default=",".join(PLANE), help=text)
    add("--budget", type=int, default=300, help="Steps of each training that is not stopped early.")
    add("--seeds", type=int, default=3, help="Number of splits and initialisations.")
    add("--train_size", type=float, default=0.7, help="Images to train on, or below 1 their share.")
    add("--parameters", type=int, default=25_000, help="Of each network, about.")
    add("--invariance", type=float, default=0.1, help="Weight of what the data says against a symmetry.")
    add("--complexity", type=float, default=0.005, help="Weight of each bit of the order.")
    add("--output", type=str, default="discovery", help="Folder to write to.")
    text = "SQLite file or URL of a database; by default discovery.db in the folder."
    add("--storage", type=str | None, default=None, help=text)
    add("--name", type=str, default="discovery", help="Of the search in the storage.")
    add("--device", type=str | None, default=None, help="cpu, cuda, ... ; by default cuda where there is one.")
    parser.add_subclass_arguments(lightning.LightningDataModule, "data", required=True, fail_untyped=False)
    return parser


def run(command: str, arguments: list[str]) -> int:
    """Search, write, and show the scores."""
    with quiet():
        parser = _parser(command)
        options = parser.parse_args(arguments)
        folder = Path(options.output)
        check_writable(folder, "--output", is_folder=True)
        found = discover(
            labelled_images(parser.instantiate_classes(options)["data"]), candidates=_listed(options.candidates),
            budget=options.budget, seeds=options.seeds, train_size=options.train_size, parameters=options.parameters,
            invariance=options.invariance, complexity=options.complexity,
            storage=options.storage or folder / "discovery.db", name=options.name, device=options.device,
            on_trial=_report,
        )  # fmt: skip
        written = found.to_json(folder / "discovery.json"), found.to_html(folder / "discovery.html")
    say(found.table())
    say(f"\nwritten to {' and '.join(map(str, written))}")
    return 0


def _listed(given: list[str] | str) -> list[str]:
    """Names separated by commas, or the list that they are in a recipe."""
    return given.split(",") if isinstance(given, str) else given


def _report(trial: Trial) -> None:
    end = "" if trial.finished else f", stopped after {trial.steps} steps"
    complain(f"{trial.candidate}, seed {trial.seed}: {100 * trial.accuracy:.1f} %{end}", "trained")


def labelled_images(module: lightning.LightningDataModule) -> ImageData:
    """The training and validation images of a data module, moved as it moves them for training.

    Raises:
        ConfigError: its images are not in memory.
    """
    if not isinstance(module, ImageDataModule):
        raise ConfigError(
            f"{type(module).__name__} is no ImageDataModule: discovery needs images in memory; in Python, call "
            "equivision.discover with images and class numbers"
        )
    module.prepare_data()
    parts = [part for part in (module.splits.train, module.splits.val) if part is not None]
    moved = [replace(part, images=module.train_variant.apply(part.images, part.index)) for part in parts]
    return moved[0] if len(moved) == 1 else pool(*moved)
