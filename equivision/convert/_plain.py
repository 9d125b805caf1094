"""What a frozen network may be made of."""

import sys

from torch import fx

from equivision.errors import ExportError


def check_plain(frozen: fx.GraphModule) -> None:
    """Check that a network needs nothing but torch to be loaded and run.

    Raises:
        ExportError: a module or a function comes from elsewhere.
    """
    for name, module in frozen.named_modules():
        kind = type(module)
        importable = getattr(sys.modules.get(kind.__module__), kind.__name__, None) is kind
        if name and not (kind.__module__.startswith("torch.") and importable):
            cure = "remove it with torch.nn.utils.parametrize.remove_parametrizations" if not importable else (
                "freeze the module that it wraps, or build it from torch.nn and equivision.nn"
            )  # fmt: skip
            raise ExportError(f"model cannot be frozen: {name} is a {kind.__name__} ({kind.__module__}): {cure}")
    for node in frozen.graph.nodes:
        home = getattr(node.target, "__module__", None) if node.op == "call_function" else None
        if home is not None and home.partition(".")[0] not in ("torch", "_operator", "operator", "builtins", "math"):
            raise ExportError(
                f"model cannot be frozen: it calls {node.target.__name__} of {home}, which is not part of torch: write "
                "it with torch functions"
            )
