"""How a figure went lately: a column a reading, on a scale that keeps to round numbers."""

from collections import deque
from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from tui.text import FAINT, MUTED

BLOCKS = " ▁▂▃▄▅▆▇█"
KEPT = 400
"""Readings that are kept: more than the widest terminal shows."""
STEPS = (1, 2, 5)


def scale(values: Sequence[float], least: float) -> float:
    """Return the round number at the top of the scale: 1, 2 or 5 times a power of ten."""
    most = max([*values, 0.0])
    top = least
    turn = 0
    while top < most:
        turn += 1
        top = least * STEPS[turn % 3] * 10 ** (turn // 3)
    return top


def columns(values: Sequence[float | None], top: float, height: int) -> list[str]:
    """Return the chart's rows, the highest first. What wasn't measured stays blank."""
    rows = []
    for row in reversed(range(height)):
        eighths = (
            0 if value is None else round(value / top * height * 8) - row * 8 for value in values
        )
        rows.append("".join(BLOCKS[min(8, max(0, part))] for part in eighths))
    if values and height:
        # A zero that was measured is told from what wasn't.
        last = zip(rows[-1], values, strict=True)
        rows[-1] = "".join(
            "▁" if cell == " " and value is not None else cell for cell, value in last
        )
    return rows


class Chart(Widget):
    """One figure. Redrawn when a reading comes; it has no clock."""

    def __init__(self, title: str, unit: str, *, least: float, warn: float) -> None:
        """
        Args:
            title: what is measured.
            unit: after the number.
            least: the top of the scale while all is well; 1, 2 or 5 times it from then on.
            warn: from where a reading is drawn as a warning.

        """
        super().__init__()
        self.border_title = title
        self._unit = unit
        self._least = least
        self._warn = warn
        self.values: deque[float | None] = deque(maxlen=KEPT)

    def take(self, value: float | None) -> None:
        """Take the next reading; None where there was nothing to measure."""
        self.values.append(value)
        known = [one for one in self.values if one is not None]
        last = f"{known[-1]:.2f}".rstrip("0").rstrip(".") if known else "-"
        self.border_subtitle = f"{last} {self._unit}".strip()
        self.refresh()

    def forget(self) -> None:
        """Begin anew."""
        self.values.clear()
        self.border_subtitle = ""
        self.refresh()

    def render(self) -> Content:
        label = 7
        width, height = max(1, self.size.width - label), self.size.height
        values = list(self.values)[-width:]
        top = scale([one for one in values if one is not None], self._least)
        rows = columns(values, top, height)
        lines = []
        for place, row in enumerate(rows):
            edge = f"{top:g}" if place == 0 else "0" if place == height - 1 else ""
            cells = [
                (cell, "$warning" if value is not None and value >= self._warn else "$primary")
                for cell, value in zip(row, values, strict=True)
            ]
            lines.append(Content.assemble((f"{edge:>{label - 1}} ", FAINT), *cells))
        return Content("\n").join(lines) if values else Content.styled("nothing yet", MUTED)
