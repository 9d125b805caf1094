"""A very small SVG writer: the same drawing gives the same bytes on every machine."""

from html import escape
from pathlib import Path

import numpy as np

INK, MUTED, LINE, PAPER, CELL = "#1f2937", "#64748b", "#cbd5e1", "#ffffff", "#eef2f7"
GOOD, BAD = "#15803d", "#b91c1c"
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

#: One colour for each element of D4, in the order of the elements: rotations blue, reflections orange.
ELEMENT_COLOURS = ("#0b3558", "#1c6ba0", "#3f9bd0", "#85c3e6", "#7c2d12", "#c2540a", "#ea8626", "#f3b15f")

Point = tuple[float, float]


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else str(int(value))


def blend(low: str, high: str, share: float) -> str:
    """A colour between two others."""
    ends = [np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) for colour in (low, high)]
    red, green, blue = np.rint(ends[0] + share * (ends[1] - ends[0])).astype(int).tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"


def text_on(colour: str) -> str:
    """Ink or white, whichever can be read on a colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else PAPER


class Drawing:
    """Shapes on a white card; coordinates in pixels, y downwards."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self.parts: list[str] = []
        self.rect((0.5, 0.5), (width - 1, height - 1), fill=PAPER, stroke=LINE, radius=10)

    def _add(self, tag: str, content: str | None = None, **attributes: float | str | None) -> None:
        pairs = (
            f'{name.replace("_", "-")}="{value if isinstance(value, str) else _number(value)}"'
            for name, value in attributes.items()
            if value is not None
        )
        opened = f"<{tag} {' '.join(pairs)}"
        self.parts.append(f"{opened}/>" if content is None else f"{opened}>{content}</{tag}>")

    def rect(
        self, at: Point, size: Point, *, fill: str, stroke: str | None = None, radius: float = 0, width: float = 1
    ) -> None:
        """A rectangle by its upper left corner."""
        self._add(
            "rect", x=at[0], y=at[1], width=size[0], height=size[1], fill=fill, stroke=stroke,
            stroke_width=width if stroke else None, rx=radius or None,
        )  # fmt: skip

    def text(
        self,
        at: Point,
        words: str,
        *,
        size: float = 14,
        fill: str = INK,
        anchor: str = "middle",
        bold: bool = False,
        mono: bool = False,
    ) -> None:
        """One line of text; ``at`` is on its baseline."""
        self._add(
            "text", escape(words), x=at[0], y=at[1], font_size=size, fill=fill,
            text_anchor=anchor if anchor != "start" else None, font_weight="600" if bold else None,
            font_family=MONO if mono else None,
        )  # fmt: skip

    def line(self, start: Point, end: Point, *, stroke: str = MUTED, width: float = 1.5, dashed: bool = False) -> None:
        """A straight line."""
        self._add(
            "line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], stroke=stroke, stroke_width=width,
            stroke_dasharray="5 4" if dashed else None,
        )  # fmt: skip

    def circle(
        self, at: Point, radius: float, *, fill: str = "none", stroke: str | None = None, width: float = 2
    ) -> None:
        """A disk or a ring."""
        self._add(
            "circle", cx=at[0], cy=at[1], r=radius, fill=fill, stroke=stroke, stroke_width=width if stroke else None
        )

    def path(
        self,
        commands: str,
        *,
        stroke: str | None = None,
        width: float = 1.5,
        fill: str = "none",
        dashed: bool = False,
    ) -> None:
        """Any path."""
        self._add(
            "path", d=commands, fill=fill, stroke=stroke, stroke_width=width if stroke else None,
            stroke_dasharray="5 4" if dashed else None,
        )  # fmt: skip

    def arrow(
        self,
        start: Point,
        end: Point,
        *,
        stroke: str = MUTED,
        width: float = 2,
        through: tuple[Point, Point] | None = None,
    ) -> None:
        """An arrow, straight or bent by two control points."""
        last = through[1] if through else start
        direction = np.subtract(end, last) / np.hypot(*np.subtract(end, last))
        side = np.array([-direction[1], direction[0]])
        neck = np.array(end) - 9 * direction
        if through:
            bend = " ".join(f"{_number(x)} {_number(y)}" for x, y in (*through, tuple(neck)))
            self.path(f"M{_number(start[0])} {_number(start[1])} C{bend}", stroke=stroke, width=width)
        else:
            self.line(start, (float(neck[0]), float(neck[1])), stroke=stroke, width=width)
        corners = [np.array(end), neck + 4.5 * side, neck - 4.5 * side]
        points = " L".join(f"{_number(float(x))} {_number(float(y))}" for x, y in corners)
        self.path(f"M{points}Z", fill=stroke)

    def pixels(self, at: Point, values: np.ndarray, cell: float, colour: str, *, background: str = CELL) -> None:
        """An image with entries from 0 (background) to 1 (colour)."""
        rows, columns = values.shape
        self.rect(at, (columns * cell, rows * cell), fill=background)
        for row, column in np.argwhere(values > 0).tolist():
            corner = (at[0] + column * cell, at[1] + row * cell)
            self.rect(corner, (cell, cell), fill=blend(background, colour, float(values[row, column])))
        lines = [f"M{_number(at[0] + i * cell)} {_number(at[1])}v{_number(rows * cell)}" for i in range(1, columns)]
        lines += [f"M{_number(at[0])} {_number(at[1] + i * cell)}h{_number(columns * cell)}" for i in range(1, rows)]
        self.path("".join(lines), stroke=PAPER, width=1)
        self.rect(at, (columns * cell, rows * cell), fill="none", stroke=LINE)

    def save(self, path: Path) -> None:
        """Write the file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_number(self.width)} {_number(self.height)}" '
            f'width="{_number(self.width)}" height="{_number(self.height)}" font-family="{SANS}" role="img">'
        )
        body = "\n".join(self.parts)
        path.write_text(f"{head}\n<title>{escape(self.title)}</title>\n{body}\n</svg>\n", encoding="utf-8")
