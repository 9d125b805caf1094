"""The command ``equivision``.

Each subcommand imports what it needs: ``equivision --version`` and ``equivision models`` do not load Lightning.
"""

import difflib
import importlib
import os
import sys
from collections.abc import Sequence

from equivision.cli._screen import complain, explain, say

#: Subcommand: (module with a function ``run(command, arguments)``, one line for the help).
COMMANDS = {
    "fit": ("_fit", "train a network"),
    "validate": ("_fit", "measure a trained network on the validation images"),
    "test": ("_fit", "measure a trained network on every variant of the test images"),
    "predict": ("_predict", "classify a folder of pictures, as a CSV file"),
    "track": ("_track", "follow a target through videos, as boxes, scores and contact sheets"),
    "audit": ("_audit", "prove or disprove the symmetry of a network, as an HTML page"),
    "discover": ("_discover", "find out which symmetry labelled images have"),
    "export": ("_export", "write a trained network as an ONNX file, checked"),
    "cost": ("_cost", "count parameters, multiplications and memory of a network"),
    "models": ("_models", "list the models"),
}

_EXAMPLES = """\
examples:
  equivision fit --data DigitsDataModule --trainer.max_epochs 5
  equivision fit --config recipes/digits-p4cnn.yaml
  equivision fit --config recipes/digits-p4cnn.yaml --resume
  equivision test --run_dir runs/digits-p4cnn
  equivision predict --ckpt_path runs/digits-p4cnn/checkpoints/best.ckpt --images FOLDER --output predictions.csv
  equivision audit --ckpt_path runs/digits-p4cnn/checkpoints/best.ckpt --group C4 --output report.html
  equivision discover --data DigitsDataModule --candidates C1,left-right,C4 --output symmetry
  equivision export --run_dir runs/digits-p4cnn --output digits.onnx
  equivision track --run_dir runs/tracking-re_siamfc --sequences FOLDER --rotate 0.5 --output tracks
  equivision cost p4cnn --width 10 --input_size 1 28 28
"""


def usage() -> str:
    """The text of ``equivision --help``."""
    lines = [f"  {name:<10}{text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: equivision <command> [options]",
            "",
            "Equivariant vision networks: train, measure, prove.",
            "",
            "commands (equivision <command> --help):",
            *lines,
            "",
            "options:",
            "  --version    show the version",
            "  --traceback  show where an error arose (or set EQUIVISION_TRACEBACK=1)",
            "",
            _EXAMPLES.rstrip(),
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for errors that the user can mend, 130 when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    traceback = "--traceback" in given or os.environ.get("EQUIVISION_TRACEBACK", "") not in ("", "0")
    given = [argument for argument in given if argument != "--traceback"]
    if not given or given[0] in ("-h", "--help"):
        say(usage())
        return 0
    if given[0] == "--version":
        from equivision import __version__

        say(f"equivision {__version__}")
        return 0
    if given[0] not in COMMANDS:
        close = difflib.get_close_matches(given[0], COMMANDS, 1)
        complain(f"there is no command {given[0]!r}: choose {f'{close[0]!r}' if close else ', '.join(COMMANDS)}")
        return 2
    try:
        command = importlib.import_module(f"equivision.cli.{COMMANDS[given[0]][0]}")
        return command.run(given[0], given[1:])
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:  # the reader of the output has left, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        message = None if traceback else explain(error)
        if message is None:
            raise
        complain(message)
        return 2
