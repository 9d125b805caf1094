"""Plain text for a console."""

from collections.abc import Sequence


def grid(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, ruled: bool = True) -> str:
    """Columns for a console: the first ``left`` to the left, the others to the right; a rule below the header."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    rule = [line(["-" * w for w in widths])] if ruled else []
    return "\n".join([line(header), *rule, *map(line, rows)])
