"""Lightning's command line around a task: run folders, resuming, checkpoints."""

import json
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import lightning
import yaml
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from equivision._files import atomic_write
from equivision._text import grid
from equivision.cli import _runs
from equivision.cli._parser import FROM_DATA, TrainingParser, from_data
from equivision.cli._pictures import leave_out_bad
from equivision.cli._progress import EpochBar
from equivision.cli._screen import complain, say
from equivision.errors import ConfigError, DataError
from equivision.models import list_models
from equivision.tasks import (
    ClassificationTask,
    RunRecorder,
    SafeCheckpointIO,
    SeedEachEpoch,
    keep_freed_memory,
    read_checkpoint,
)
from equivision.tasks._base import TaskBase
from equivision.tasks._load import task_class

#: Metrics in the table of equivision test; the file of --output holds all.
_SHOWN = ("accuracy", "iou", "dice", "image_iou", "score", "loss")
_TRAINER = {"max_epochs": 50, "log_every_n_steps": 10, "enable_model_summary": False, "num_sanity_val_steps": 0}


class TrainingCLI(LightningCLI):
    """Lightning's command line with one model class, run folders, and checkpoints that are safe.

    Args:
        command: ``fit``, ``validate`` or ``test``.
        arguments: what follows it on the command line.
    """

    task_class: type[TaskBase] = ClassificationTask
    #: Options of the task that follow the data.
    follows: tuple[str, ...] = FROM_DATA
    #: The metric that chooses the best epoch, and whether more of it is better.
    monitor: tuple[str, Literal["max", "min"]] = ("val/accuracy", "max")
    run_dir: Path
    recorder: RunRecorder
    checkpoint: dict[str, Any] | None = None
    path: Path | None = None

    def __init__(self, command: str, arguments: list[str]) -> None:
        self._command, self._given = command, arguments
        keep_freed_memory()
        measures = command != "fit" or "--resume" in arguments  # a run that is there
        configuration = _runs.configuration_of(arguments) if measures else None
        if configuration is not None:
            arguments = ["--config", str(configuration), *arguments]
        super().__init__(
            self.task_class,
            lightning.LightningDataModule,
            save_config_callback=None,
            trainer_defaults=_TRAINER,
            seed_everything_default=0,
            parser_kwargs={"prog": "equivision"},
            parser_class=TrainingParser,
            subclass_mode_data=True,
            args=[command, *arguments],
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Only the one that runs: building the parsers of all takes seconds."""
        return {
            "fit": {"fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule", "weights_only"}},
            "validate": {"validate": {"model", "dataloaders", "datamodule", "weights_only", "verbose"}},
            "test": {"test": {"model", "dataloaders", "datamodule", "weights_only", "verbose"}},
        }[self._command]

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options of run folders, and let the model follow the data."""
        text = "Folder of the run; by default runs/<data>-<model>."
        parser.add_argument("--run_dir", type=str | None, default=None, help=text)
        text = "Leave out pictures that cannot be read, and list them; the same as --data.skip_bad true."
        parser.add_argument("--skip-bad", "--skip_bad", action="store_true", help=text)
        if self._command == "fit":
            text = "Go on after the last complete epoch of the run in run_dir; start it if there is none."
            parser.add_argument("--resume", action="store_true", help=text)
            text = "Replace the run in run_dir."
            parser.add_argument("--overwrite", action="store_true", help=text)
        else:
            text = "Write the results to this JSON file too."
            parser.add_argument("--output", type=str | None, default=None, help=text)
        for name in self.follows:
            parser.link_arguments("data", f"model.{name}", compute_fn=from_data(name), apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, without Lightning's warning about arguments that do not come from ``sys.argv``."""
        self.config = parser.parse_args(args)
        config = self.config[self._command]
        if config.skip_bad:
            leave_out_bad(config.data)
        self._check_numbers(config)

    def _parse_ckpt_path(self) -> None:
        """Lightning's own way with checkpoints is not used; see before_instantiate_classes."""

    def before_instantiate_classes(self) -> None:
        """Find the folder and the checkpoint; to measure, take the model from the checkpoint."""
        config = self.config[self._command]
        self.run_dir = Path(config.run_dir or _runs.default_folder(config.data, config.model.model))
        if self._command == "fit":
            self._find_start(config)
            return
        if config.output:
            _runs.check_writable(Path(config.output), "--output")
        self.path = _runs.checkpoint_path(config.ckpt_path, self.run_dir)
        self.checkpoint = self._read(self.path)
        trained = self.checkpoint["hyper_parameters"]
        if trained.get("model") not in (None, *list_models()):  # the parser would import a class by that name
            raise ConfigError(
                f"checkpoint {self.path} was trained with the model {trained['model']!r}, which is not known here: "
                f"choose a checkpoint of {', '.join(list_models())}"
            )
        for name, value in trained.items():
            if any(re.match(rf"--model\.{name}(=|\.|$)", one) for one in self._given) and config.model[name] != value:
                raise ConfigError(
                    f"--model.{name} {config.model[name]}: checkpoint {self.path} was trained with {name}={value}, and "
                    "is measured as it was trained: leave the option out"
                )
            if name not in self.follows and not (name == "model" and value is None):
                config.model[name] = value

    def _read(self, path: Path) -> dict[str, Any]:
        """A checkpoint of this task."""
        checkpoint = read_checkpoint(path)
        wrote = task_class(checkpoint, path)
        if wrote is not self.task_class:
            raise ConfigError(
                f"checkpoint {path} was written by {wrote.__name__}, but this data is for {self.task_class.__name__}: "
                "use data of the kind that it was trained with"
            )
        return checkpoint

    def _check_numbers(self, config: Any) -> None:
        """Check numbers that neither the parser nor Lightning's trainer checks."""
        data = config.data.get("init_args") or {}
        for option, value, least, cure in (
            ("--data.num_workers", data.get("num_workers"), 0, "0 prepares the batches in the same process"),
            ("--seed_everything", config.get("seed_everything"), 0, "every whole number from 0 on is a seed"),
            ("--trainer.accumulate_grad_batches", config.trainer.accumulate_grad_batches, 1, "1 does without"),
        ):
            if isinstance(value, int) and value < least:
                raise ConfigError(f"{option} {value}: must be at least {least}; {cure}")

    def _find_start(self, config: Any) -> None:
        """Find the checkpoint to start from."""
        last = self.run_dir / "checkpoints" / "last.ckpt"
        if config.resume and (config.ckpt_path or config.overwrite):
            other = "ckpt_path" if config.ckpt_path else "overwrite"
            raise ConfigError(f"--resume contradicts --{other}: give one of them")
        if config.resume and not last.is_file():
            self._say(f"nothing to resume in {self.run_dir}: starting from the beginning")
        elif config.resume:
            self.path = last
            _runs.check_same(self.run_dir, self._options(config))
        elif config.ckpt_path:
            self.path = _runs.checkpoint_path(config.ckpt_path, self.run_dir)
        if self.path is not None:
            self.checkpoint = self._read(self.path)
            done, wanted = self.checkpoint["epoch"] + 1, config.trainer.max_epochs
            if wanted is not None and 0 <= wanted < done:
                raise ConfigError(
                    f"max_epochs={wanted}, but {self.path} holds {done} epochs already: give a larger number"
                )
        if config.overwrite and self.path is not None and self.path.resolve().is_relative_to(self.run_dir.resolve()):
            raise ConfigError(
                f"--overwrite would remove {self.path}, the checkpoint to start from: choose another run_dir"
            )

    def instantiate_classes(self) -> None:
        """Build data, model and trainer, and compare them with the checkpoint."""
        super().instantiate_classes()
        if self.checkpoint is not None:
            self._compare(self.checkpoint["hyper_parameters"])
        config = self.config[self._command]
        if (
            self._command == "fit"
            and not (config.resume or config.overwrite or config.trainer.fast_dev_run)
            and _is_first()
        ):
            _runs.check_free(self.run_dir)
        if self._command == "fit" and not config.trainer.fast_dev_run and _is_first():
            _runs.check_writable(self.run_dir, "--run_dir", is_folder=True)

    def _compare(self, trained: dict[str, Any]) -> None:
        names = ["num_classes", "class_names", "in_channels", "model", "group", "width", "model_args", "optimizer"]
        for name in names:
            now = self.model.hparams.get(name)
            if name in trained and trained[name] != now:
                source = "the data has" if name in self.follows else "the configuration says"
                raise ConfigError(
                    f"checkpoint {self.path} was trained with {name}={trained[name]}, but {source} {name}={now}: "
                    "use the data and the model that it was trained with"
                )

    def instantiate_trainer(self, **kwargs: Any) -> lightning.Trainer:
        """Build the trainer with the callbacks and plugins that a run needs."""
        settings = self._get(self.config_init, "trainer")
        callbacks = _as_list(settings.callbacks)
        if self._command == "fit":
            callbacks.append(SeedEachEpoch(_seed(self._get(self.config_init, "seed_everything"))))
            monitor, mode = self.monitor
            self.recorder = RunRecorder(self.run_dir, monitor=monitor, mode=mode, on_epoch=self._show_epoch)
            if settings.enable_checkpointing is not False:
                callbacks.append(self.recorder)
            if settings.logger in (None, True):
                kwargs["logger"] = self._tensorboard()
        else:
            kwargs |= {"logger": False, "enable_checkpointing": False}
        has_bar = settings.enable_progress_bar is not False and sys.stdout.isatty()
        if has_bar and settings.enable_progress_bar is None:
            callbacks.append(EpochBar())
        kwargs["enable_progress_bar"] = has_bar
        plugins = [*_as_list(settings.plugins), SafeCheckpointIO()]
        try:
            return super().instantiate_trainer(callbacks=callbacks, plugins=plugins, **kwargs)
        except (ValueError, TypeError, RuntimeError, ImportError, MisconfigurationException) as error:
            raise ConfigError(f"the trainer cannot be set up: {error}") from error

    def _tensorboard(self) -> TensorBoardLogger:
        purge = {} if self.checkpoint is None else {"purge_step": self.checkpoint["global_step"]}
        return TensorBoardLogger(self.run_dir, name="", version="tensorboard", default_hp_metric=False, **purge)

    def fit(self, model: TaskBase, datamodule: Any, ckpt_path: Any = None) -> None:
        """Train."""
        del ckpt_path  # self.path is what it means
        config = self.config["fit"]
        if self.checkpoint is not None and self.path is not None:
            model.load_weights(self.checkpoint, self.path)  # Lightning does it again; here it tells what does not fit
        self._announce()  # reads the data, so that nothing is removed or written if that fails
        self._try_a_picture()
        self._check_pictures()
        if _is_first() and not config.trainer.fast_dev_run:
            if not config.resume:
                _runs.clear(self.run_dir)
            self._save_configuration(config)
        try:
            self.trainer.fit(model, datamodule=datamodule, ckpt_path=self.path)
        except SystemExit:
            if not self.trainer.interrupted:
                raise
            self._say(
                f"interrupted; {len(self.recorder.rows)} epoch(s) are safe in {self.run_dir}: go on with --resume"
            )
            raise SystemExit(130) from None
        self._conclude()

    def _try_a_picture(self) -> None:
        """Move one picture as in training: what cannot be shall fail before an earlier run is removed."""
        dataset: Any = getattr(self.datamodule.train_dataloader(), "dataset", None)
        if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and len(dataset):
            dataset[0]

    def _check_pictures(self) -> None:
        """Warn where pictures for testing are drawn from a folder that is not what it was in training."""
        then = (self.checkpoint or {}).get(type(self.datamodule).__qualname__) or {}
        now = self.datamodule.state_dict()
        if then and now and then["root"] == now["root"] and then["trained"] != now["trained"] and _is_first():
            complain(
                f"{now['root']} does not hold the pictures that it held when {self.path} was trained, and it is drawn "
                "by lot which of them are tested: some of those may have been trained on. Keep pictures for testing in "
                "a folder of their own (train/ and test/)",
                "warning",
            )

    def _options(self, config: Any) -> dict[str, Any]:
        """All options as plain values."""
        return yaml.safe_load(self._parser("fit").dump(config, skip_none=False, skip_validation=True))

    def _save_configuration(self, config: Any) -> None:
        hidden = ("config", "resume", "overwrite", "ckpt_path", "skip_bad")
        kept = {name: value for name, value in self._options(config).items() if name not in hidden}
        kept["run_dir"] = str(self.run_dir)
        if config.resume and self.checkpoint is not None:  # the run goes on with the seed that it was started with
            kept["seed_everything"] = self.checkpoint["callbacks"]["SeedEachEpoch"]["seed"]
        with atomic_write(self.run_dir / "config.yaml", "w", encoding="utf-8") as file:
            yaml.safe_dump(kept, file, sort_keys=False)

    def _announce(self) -> None:
        described = self._describe_data()  # reads the data, before anything is said
        hparams = self.model.hparams
        given = ", ".join(f"{name} {hparams[name]}" for name in ("group", "width") if hparams[name] is not None)
        name = hparams["model"] or type(self.model.model).__name__
        parameters = sum(p.numel() for p in self.model.model.parameters())
        self._say(f"model  {name}{f' ({given})' if given else ''}, {parameters:,} parameters")
        self._say(f"data   {type(self.datamodule).__name__}: {described}")
        self._say(f"run    {self.run_dir}{f', continued from {self.path}' if self.path else ''}\n")

    def _describe_data(self) -> str:
        """How many images of which size there are."""
        hparams = self.model.hparams
        splits = getattr(self.datamodule, "splits", None)
        counts = [(part, getattr(splits, part, None)) for part in ("train", "val", "test")]
        sizes = ", ".join(f"{len(images):,} {part}" for part, images in counts if images is not None)
        size = "x".join(map(str, hparams["image_size"]))
        text = f"{size} pixels, {hparams['in_channels']} channel(s), {hparams['num_classes']} classes"
        return f"{f'{sizes} images of ' if sizes else ''}{text}"

    def _show_epoch(self, row: dict[str, int | float]) -> None:
        bar = self.trainer.progress_bar_callback
        write = say if bar is None else bar.print
        names = ["epoch", *(name for name in row if name.count("/") == 1), "lr", "seconds"]
        if not set(names) <= set(getattr(self, "_header", ())):  # validation may come later than the first epoch
            self._header = names
            write("  ".join(name.rjust(max(len(name), 7)) for name in names))
        total = self.trainer.max_epochs
        values = {"epoch": f"{row['epoch']}/{total}", "lr": f"{row['lr']:.2g}", "seconds": f"{row['seconds']:.1f}"}
        cells = [values.get(name) or (f"{row[name]:.4f}" if name in row else "-") for name in self._header]
        write("  ".join(c.rjust(max(len(n), 7)) for n, c in zip(self._header, cells, strict=True)))

    def _conclude(self) -> None:
        """Say what came out and what to do next."""
        best, rows = self.recorder.best, self.recorder.rows
        if self.trainer.global_step == 0:
            self._say(
                "\nnothing was trained: give --trainer.max_epochs of at least 1, and images for at least one batch"
            )
            return
        if self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            self._say("\nfast_dev_run: everything works; nothing was written")
        elif best is not None:
            shown = ", ".join(f"{name} {value:.4f}" for name, value in best.items() if name.startswith("val/"))
            self._say(f"\nbest of {len(rows)} epochs: {best['epoch']}{f' ({shown})' if shown else ''}")
            self._say(f"weights  {self.recorder.best_path}\nmetrics  {self.run_dir / 'metrics.csv'}")
            self._say(f"next     {self._next()}")

    def _next(self) -> str:
        """What to do after training."""
        return f"equivision test --run_dir {self.run_dir}"

    def validate(self, model: TaskBase, datamodule: Any, ckpt_path: Any = None) -> None:
        """Measure on the validation images."""
        del ckpt_path
        self._measure(self.trainer.validate, model, datamodule)

    def test(self, model: TaskBase, datamodule: Any, ckpt_path: Any = None) -> None:
        """Measure on every variant of the test images."""
        del ckpt_path
        self._measure(self.trainer.test, model, datamodule)

    def _measure(self, function: Callable[..., Any], model: TaskBase, datamodule: Any) -> None:
        assert self.checkpoint is not None  # noqa: S101 (before_instantiate_classes read it)
        assert self.path is not None  # noqa: S101
        model.load_weights(self.checkpoint, self.path)
        self._check_pictures()
        found = {
            name: value
            for part in function(model, datamodule=datamodule, verbose=False)
            for name, value in part.items()
        }
        if not found:
            raise DataError(f"{type(datamodule).__name__} has no images for equivision {self._command}: give it some")
        named = {tuple(name.split("/", 2)[1:]): value for name, value in found.items()}
        variants = list(dict.fromkeys(key[1:] for key in named))
        kinds = [kind for kind in _SHOWN if (kind, *variants[0]) in named]
        rows = [
            ["/".join(variant) or "validation", *(f"{named[(kind, *variant)]:.4f}" for kind in kinds)]
            for variant in variants
        ]
        self._say(f"{self.path} on {type(datamodule).__name__}\n")
        self._say(grid(["images", *kinds], rows, ruled=False))
        output = self.config[self._command].output
        if output and _is_first():
            with atomic_write(output, "w", encoding="utf-8") as file:
                file.write(json.dumps({"ckpt_path": str(self.path), "metrics": found}, indent=2) + "\n")
            self._say(f"\nwritten to {output}")

    @staticmethod
    def _say(text: str) -> None:
        if _is_first():
            say(text)


def _is_first() -> bool:
    """Whether this is the first of the processes that train together."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _seed(given: int | bool) -> int:
    return secrets.randbits(32) if isinstance(given, bool) else given
