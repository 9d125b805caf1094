"""``equivision models``."""

import inspect

from equivision import models
from equivision.cli._screen import Parser, say


def run(command: str, arguments: list[str]) -> int:
    """List the models with their sizes and arguments."""
    parser = Parser(prog=f"equivision {command}", description="List the models, as they are by default.")
    parser.parse_args(arguments)
    for name in models.list_models():
        factory = getattr(models, name)
        parameters = sum(p.numel() for p in factory().parameters())
        defaults = {key: parameter.default for key, parameter in inspect.signature(factory).parameters.items()}
        say(f"{name:<10}{parameters:>12,} parameters   {(inspect.getdoc(factory) or '').splitlines()[0]}")
        say(f"{'':<10}{', '.join(f'{key}={value}' for key, value in defaults.items())}")
    return 0
