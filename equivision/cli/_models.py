"""``equivision models``."""

import inspect

from equivision import models
from equivision.cli._screen import Parser, say


def run(command: str, arguments: list[str]) -> int:
    """List the models with their arguments; those that are named, with their sizes too."""
    parser = Parser(
        prog=f"equivision {command}",
        description="List the models and their arguments, as they are by default. Those that you name are built, to "
        "count their parameters.",
    )
    parser.add_argument("names", nargs="*", metavar="name", help="what to build; by default all are listed, none built")
    named = parser.parse_args(arguments).names
    for name in named or models.list_models():
        size = f"{sum(p.numel() for p in models.create_model(name).parameters()):>12,} parameters" if named else ""
        factory = getattr(models, name)
        defaults = {key: parameter.default for key, parameter in inspect.signature(factory).parameters.items()}
        say(f"{name:<16}{size}   {(inspect.getdoc(factory) or '').splitlines()[0]}")
        say(f"{'':<16}{', '.join(f'{key}={value}' for key, value in defaults.items())}")
    return 0
