"""The code blocks of a Markdown page."""

import re
import textwrap
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from equivision.testing import LayerBattery

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)(?P<options>[^\n]*)\n(?P<text>.*?)^(?P=indent)```\s*$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A fenced block: language, what follows it on the line of the fence, text, and the line it begins on."""

    language: str
    options: str
    text: str
    line: int

    @property
    def title(self) -> str:
        """The file name that is shown above the block, or nothing."""
        match = re.search(r'title="([^"]+)"', self.options)
        return match[1] if match else ""


def blocks(text: str, *languages: str) -> list[Block]:
    """All blocks in these languages."""
    found = (
        Block(m["language"], m["options"], textwrap.dedent(m["text"]), text.count("\n", 0, m.start("text")) + 1)
        for m in _FENCE.finditer(text)
    )
    return [block for block in found if block.language in languages]


def script(text: str) -> str:
    """The Python blocks of a page as one script, every line at the number that it has in the page."""
    lines: list[str] = []
    for block in blocks(text, "python"):
        lines += [""] * (block.line - 1 - len(lines)) + block.text.splitlines()
    return "\n".join(lines) + "\n"


def commands(text: str) -> list[str]:
    """The commands in the bash and console blocks of a page, one a line."""
    found = []
    for block in blocks(text, "bash", "console"):
        joined = block.text.replace("\\\n", " ").splitlines()
        if block.language == "console":
            joined = [line.removeprefix("$ ") for line in joined if line.startswith("$ ")]
        found += [part.strip() for line in joined for part in line.split(" && ") if part.strip()]
    return [command for command in found if not command.startswith("#")]


def name_of(page: Path) -> str:
    """The path of a page, for the names of tests."""
    return str(page.relative_to(ROOT))


def run_batteries(module: ModuleType) -> int:
    """Run the tests of the batteries in a module, all but the slow compilation, and count them."""
    done = 0
    for battery in vars(module).values():
        if isinstance(battery, type) and issubclass(battery, LayerBattery) and battery is not LayerBattery:
            for name in dir(battery):
                if name.startswith("test_") and name != "test_compile":
                    getattr(battery(), name)()
                    done += 1
    return done
