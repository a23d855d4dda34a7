"""The last seconds of loudness as a drawing of dots. Pure."""

from collections import deque
from collections.abc import Sequence

SECONDS = 10.0
"""How far back it goes."""
DOTS = 4
"""Dots of a cell, from its lower end up; a cell is two dots wide."""
_LEFT = (0x40, 0x04, 0x02, 0x01)
_RIGHT = (0x80, 0x20, 0x10, 0x08)
"""The bits of a braille pattern, from the lowest dot up."""


class History:
    """What was measured in the last `SECONDS`."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, float, bool]] = deque()

    def add(self, at: float, share: float, speaking: bool) -> None:
        """Keep how loud it was (0 to 1) at a time (in seconds), and whether somebody spoke."""
        if self._kept and at < self._kept[-1][0]:
            self._kept.clear()  # The clock was set back.
        self._kept.append((at, share, speaking))
        while self._kept[0][0] < at - SECONDS:
            self._kept.popleft()

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def columns(self, count: int) -> list[tuple[float, bool] | None]:
        """Return the loudest and whether somebody spoke in each of so many stretches of time.

        The newest comes last. Stretches begin at fixed times, so that what was drawn moves on
        without flickering; one in which nothing was measured is as the one before.
        """
        columns: list[tuple[float, bool] | None] = [None] * count
        if not self._kept:
            return columns
        per_second = count / SECONDS
        newest = int(self._kept[-1][0] * per_second)
        for at, share, speaking in self._kept:
            column = count - 1 - (newest - int(at * per_second))
            if column >= 0:
                before = columns[column] or (0.0, False)
                columns[column] = max(share, before[0]), speaking or before[1]
        for column in range(1, count):
            columns[column] = columns[column] or columns[column - 1]
        return columns


def braille(heights: Sequence[float | None], rows: int) -> list[str]:
    """Return a filled drawing, two columns a cell, highest row first.

    What was measured has a dot at least; None has none.
    """
    dots = [
        0 if height is None else max(1, round(min(1.0, max(0.0, height)) * rows * DOTS))
        for height in heights
    ]
    dots += [0] * (len(dots) % 2)
    lines = []
    for row in reversed(range(rows)):
        full = [min(DOTS, max(0, height - row * DOTS)) for height in dots]
        pairs = zip(full[::2], full[1::2], strict=True)
        lines.append("".join(_cell(left, right) for left, right in pairs))
    return lines


def _cell(left: int, right: int) -> str:
    return chr(0x2800 + sum(_LEFT[:left]) + sum(_RIGHT[:right]))
