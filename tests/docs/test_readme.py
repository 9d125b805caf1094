"""What README and the documentation show is run: Python pages as scripts, commands through their parsers."""

import contextlib
import importlib
import importlib.util
import io
import re
import shlex
import sys
import tomllib
import types
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import torch
import yaml

from tests.docs._pages import PAGES, README, ROOT, blocks, commands, name_of, run_batteries, script

WITH_PYTHON = [page for page in PAGES if page == README or blocks(page.read_text(encoding="utf-8"), "python")]
COMMANDS = [(name_of(page), command) for page in PAGES for command in commands(page.read_text(encoding="utf-8"))]


def test_readme_shows_python_and_commands() -> None:
    text = README.read_text(encoding="utf-8")
    assert blocks(text, "python"), "README.md has no ```python block"
    assert any(command.startswith("make ") for command in commands(text)), "README.md shows no make target"


def shown_outputs(text: str) -> list[str]:
    """The ```text blocks that directly follow a Python block which prints."""
    found, before = [], None
    for block in blocks(text, "python", "text", "bash", "console", "yaml"):
        if block.language == "text" and before is not None and "print(" in before.text:
            found.append(block.text)
        before = block if block.language == "python" else None
    return found


def contains(printed: str, shown: str) -> bool:
    """Whether something was printed as shown, line breaks aside; ``...`` stands for anything."""
    parts = [re.escape(" ".join(part.split())) for part in shown.split("...")]
    return re.search(".*".join(parts), " ".join(printed.split())) is not None


@pytest.mark.costly(1)  # every one
@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_python_on_the_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.read_text(encoding="utf-8")
    assert blocks(text, "python"), f"{name_of(page)} has no ```python block"
    module = types.ModuleType(f"page_{page.stem.replace('-', '_')}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module.__name__, module)  # so that its classes can be pickled
    printed = io.StringIO()
    code = compile(script(text), str(page), "exec")
    with torch.random.fork_rng(), contextlib.redirect_stdout(printed):
        torch.manual_seed(314159)  # nobody's seed: what a page shows may hang on its own only
        exec(code, module.__dict__)
    for shown in shown_outputs(text):
        assert contains(printed.getvalue(), shown), f"{name_of(page)} shows\n{shown}\nbut prints\n{printed.getvalue()}"
    run_batteries(module)


class ParsedError(Exception):
    """The command line was understood; nothing more is wanted."""


def stop(*_: object) -> NoReturn:
    raise ParsedError


def check_equivision(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse a command line of ``equivision`` without running it."""
    from equivision import cli

    if arguments and arguments[0] in ("--help", "--version"):
        return
    command, *rest = arguments
    assert command in cli.COMMANDS, f"there is no command {command!r}"
    module = importlib.import_module(f"equivision.cli.{cli.COMMANDS[command][0]}")
    if hasattr(module, "_runs"):  # a run that is named need not be there
        Path("run.yaml").write_text(yaml.safe_dump({"data": {"class_path": "equivision.data.DigitsDataModule"}}))
        configuration_of = module._runs.configuration_of
        known = any(re.match(r"(-c|--config|--data)(=|$)", argument) for argument in rest)
        replacement = configuration_of if known else lambda _: Path("run.yaml")
        monkeypatch.setattr(module._runs, "configuration_of", replacement)
    if hasattr(module, "TrainingCLI"):
        if command == "fit" and "--resume" not in rest:
            monkeypatch.setattr(module._runs, "configuration_of", lambda _: None)
        monkeypatch.setattr(module.TrainingCLI, "_set_seed", lambda _: None)
        monkeypatch.setattr(module.TrainingCLI, "before_instantiate_classes", stop)
        with pytest.raises(ParsedError):
            module.TrainingCLI(command, rest)
    elif command in ("audit", "export"):
        module._parser(command, rest).parse_args(rest)
    elif command in ("predict", "cost"):
        module._parser(command).parse_args(rest)
    else:
        assert not rest


def check_make(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """All targets are in the Makefile."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [argument for argument in arguments if "=" not in argument]
    assert wanted
    assert set(wanted) <= set(targets), f"the Makefile has no target {set(wanted) - set(targets)}"


def check_python(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The script or module is there."""
    if arguments[0] == "-m":
        assert importlib.util.find_spec(arguments[1]), f"there is no module {arguments[1]}"
    else:
        assert (ROOT / arguments[0]).is_file(), f"there is no file {arguments[0]}"


def check_pip(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Constraints are there, extras are in pyproject.toml."""
    assert arguments[0] == "install"
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    if "-c" in arguments:
        assert (ROOT / arguments[arguments.index("-c") + 1]).is_file()
    extras = re.findall(r"\[([\w,]+)\]", " ".join(arguments))
    assert set(",".join(extras).split(",") if extras else ()) <= set(known)


def check_torchrun(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What it starts is the command line."""
    at = arguments.index("-m")
    assert arguments[at + 1] == "equivision.cli"
    check_equivision(arguments[at + 2 :], monkeypatch)


def check_source(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The virtual environment that the Makefile and the first page make."""
    assert arguments == [".venv/bin/activate"]


CHECKS: dict[str, Callable[[list[str], pytest.MonkeyPatch], None]] = {
    "equivision": check_equivision,
    "make": check_make,
    "python": check_python,
    "pip": check_pip,
    "torchrun": check_torchrun,
    "source": check_source,
}


@pytest.mark.costly(1)  # every one
@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[f"{page}: {command}" for page, command in COMMANDS])
def test_command_is_real(page: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks((ROOT / page).read_text(encoding="utf-8"), "yaml"):
        if block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
    if (ROOT / "recipes").is_dir():
        (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    words = shlex.split(command, comments=True)
    while re.match(r"\w+=", words[0]):  # variables of the environment
        words.pop(0)
    program = words[0].removeprefix(".venv/bin/")
    assert program in CHECKS, f"{page} shows {command!r}: teach this test what {program} is"
    CHECKS[program](words[1:], monkeypatch)


def test_wrong_commands_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match="no target"):
        check_make(["nonsense"], monkeypatch)
    with pytest.raises(AssertionError, match="no command"):
        check_equivision(["nonsense"], monkeypatch)
    with pytest.raises(AssertionError, match="no file"):
        check_python(["nonsense.py"], monkeypatch)
    with pytest.raises(AssertionError):
        check_pip(["install", "equivision[nonsense]"], monkeypatch)
    with pytest.raises(ValueError, match="nonsense"):
        check_equivision(["fit", "--data", "DigitsDataModule", "--nonsense", "1"], monkeypatch)


def test_output_is_compared() -> None:
    text = "```python\nprint('a  b')\n```\n\n```text\na b\n```\n"
    assert shown_outputs(text) == ["a b\n"]
    assert contains("x a\nb y", "a b")
    assert contains("from 1 to 9", "from ... to 9")
    assert not contains("a c", "a b")
