"""Docstrings of the package as Markdown. They are written for ``help()`` and the doctests, with some reStructuredText.

Converted are roles (``:class:`~a.b.C```, to links), examples (``>>>``, to code), simple tables and code blocks.
"""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|obj):`~?([\w.]+)`")
_LABEL = re.compile(r"^(Equivariance|Source): ", re.MULTILINE)
_SHAPE = re.compile(r"^Shape:\n +", re.MULTILINE)
_RULE = re.compile(r"^(=+)(?: +=+)+$")


def _link(match: re.Match[str]) -> str:
    path = match[1]
    return f"[`{path.rsplit('.', 1)[-1]}`][{path}]" if path.startswith("equivision.") else f"`{path}`"


def _examples(lines: list[str]) -> list[str]:
    """Fence the runs of lines that begin with ``>>>``, up to the next empty line."""
    result, inside = [], False
    for line in lines:
        starts = line.lstrip().startswith(">>>")
        if starts and not inside:
            result += ["", "```pycon"]
            inside = True
        elif inside and not line.strip():
            result += ["```"]
            inside = False
        result.append(line.strip() if starts else line)
    return [*result, "```"] if inside else result


def _tables(lines: list[str]) -> list[str]:
    """Simple tables of two columns."""
    result: list[str] = []
    width = 0
    for line in lines:
        rule = _RULE.match(line.strip())
        if rule and not width:
            width = len(rule[1])
            result += ["", "| | |", "|---|---|"]
        elif rule:
            width = 0
        elif width:
            result.append(f"| {line[:width].strip()} | {line[width:].strip()} |")
        else:
            result.append(line)
    return result


def _code_blocks(lines: list[str]) -> list[str]:
    result, inside = [], False
    for line in lines:
        opened = re.match(r"\s*\.\. code-block:: (\w+)", line)
        if opened:
            result.append(f"```{opened[1]}")
            inside = True
            continue
        if inside and line.strip() and not line.startswith("    "):
            while not result[-1].strip():
                result.pop()
            result += ["```", ""]
            inside = False
        result.append(line[4:] if inside else line)
    return [*result, "```"] if inside else result


def to_markdown(text: str) -> str:
    """The docstring as Markdown."""
    text = _SHAPE.sub("**Shape:** ", _LABEL.sub(r"**\1:** ", _ROLE.sub(_link, text)))
    return "\n".join(_examples(_code_blocks(_tables(text.split("\n")))))


class MarkdownDocstrings(griffe.Extension):
    """Rewrite every docstring of the package."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe for every object that it has collected."""
        if obj.docstring:
            obj.docstring.value = to_markdown(obj.docstring.value)
