import subprocess
import sys
from pathlib import Path

import pytest

import equivision
from equivision.cli import COMMANDS, main
from equivision.cli._screen import explain, parser_message
from equivision.errors import ConfigError


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        assert main(arguments) == 0
        text = capsys.readouterr().out
        assert all(f"\n  {command}" in text for command in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"equivision {equivision.__version__}\n"


def test_models_are_listed_and_none_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(equivision.models, "create_model", None)
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n{name} " in f"\n{text}" for name in equivision.list_models())


def test_models_that_are_named_are_built_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "p4cnn", "z2cnn"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == ["p4cnn", "z2cnn"]
    assert "24,810 parameters" in lines[0]
    assert main(["models", "p5cnn"]) == 2
    assert "model 'p5cnn' is not known: choose one of" in capsys.readouterr().err


def test_unknown_commands_are_named_and_corrected(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["modles"]) == 2
    assert capsys.readouterr().err == "equivision: error: there is no command 'modles': choose 'models'\n"
    assert main(["xyz"]) == 2
    assert "choose fit, validate, test" in capsys.readouterr().err


def test_options_of_simple_commands_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--bogus"]) == 2
    assert "unrecognized arguments: --bogus (see equivision models --help)" in capsys.readouterr().err


def test_traceback_shows_where_an_error_arose(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["predict", "--ckpt_path", "nowhere.ckpt", "--images", "x"]
    assert main(arguments) == 2
    with pytest.raises(equivision.errors.DataError, match="there is no checkpoint"):
        main([*arguments, "--traceback"])
    monkeypatch.setenv("EQUIVISION_TRACEBACK", "1")
    with pytest.raises(equivision.errors.DataError, match="there is no checkpoint"):
        main(arguments)
    monkeypatch.setenv("EQUIVISION_TRACEBACK", "0")
    assert main(arguments) == 2


def test_our_own_mistakes_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(command: str, arguments: list[str]) -> int:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr("equivision.cli._models.run", broken)
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        main(["models"])


def test_interruption_and_a_reader_that_left(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def raises(error: BaseException) -> None:
        def run(command: str, arguments: list[str]) -> int:
            raise error

        monkeypatch.setattr("equivision.cli._models.run", run)

    raises(KeyboardInterrupt())
    assert main(["models"]) == 130
    assert "interrupted" in capfd.readouterr().err
    redirected = []
    monkeypatch.setattr("os.dup2", lambda source, target: redirected.append(target))
    raises(BrokenPipeError())
    assert main(["models"]) == 1
    assert redirected == [sys.stdout.fileno()]
    assert capfd.readouterr().err == ""


def test_explain_finds_the_error_behind_the_wrapping() -> None:
    wrapping = ValueError("Does not validate against any of the Union subtypes")
    wrapping.__cause__ = ConfigError("lr=-1: must be\n positive")
    assert explain(wrapping) == "lr=-1: must be positive"
    assert explain(ValueError("a mistake of ours")) is None
    assert explain(PermissionError(13, "Permission denied", "runs")) == "[Errno 13] Permission denied: 'runs'"


def test_messages_of_the_parser_become_one_line() -> None:
    text = """Parser key "model.width":
  Does not validate against any of the Union subtypes
  Subtypes: [<class 'int'>, <class 'NoneType'>]
  Errors:
    - Expected a <class 'int'>
    - Expected a <class 'NoneType'>
  Given value type: <class 'str'>
  Given value: x"""
    assert parser_message(text) == "--model.width: expected int, but got x"


def test_light_commands_do_not_load_lightning() -> None:
    code = (
        "import sys; from equivision.cli import main; main(['--version']); main(['models']); main(['--help']);"
        "main(['cost', 'p4cnn', '--input_size', '1', '28', '28']);"
        "print(sorted({'lightning', 'torchmetrics', 'jsonargparse', 'PIL', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_package_can_be_run_as_a_module() -> None:
    command = [sys.executable, "-m", "equivision.cli", "nonsense"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2], check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("equivision: error: there is no command 'nonsense'")
