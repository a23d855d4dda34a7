"""How loud it is, on a scale that never moves, and whether it is speech."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.text import FAINT, MUTED
from tui.widgets.history import History, braille

if TYPE_CHECKING:
    from common.events import Level

QUIETEST = -60.0
"""dBFS at the left end of the scale; 0, the loudest, is at its right end."""
LOUD = -18.0
"""dBFS from which the bar warns."""
TOO_LOUD = -6.0
"""dBFS from which it is about to clip."""
HOLD = 1.5
"""Seconds for which the highest peak stays marked."""
LABEL = 8
"""Cells before a bar."""
VALUE = 8
"""Cells after a bar."""
REST = "$foreground 20%"
"""The style of a bar's empty part."""

_LEVEL_ZONES = ((LOUD, "$success"), (TOO_LOUD, "$warning"), (1.0, "$error"))
_ROWS = {
    1: "level",
    2: "level speech",
    3: "past level speech",
    4: "past past level speech",
    5: "past past level ticks speech",
    6: "past past level speech webrtc silero",
    7: "past past level ticks speech webrtc silero",
    8: "past past past level ticks speech webrtc silero",
}
"""What is shown where there is room for so many rows."""

Part = tuple[str, str]
"""Text and style."""


def share_of(dbfs: float) -> float:
    """Return where on the scale a level lies, 0 to 1."""
    return min(1.0, max(0.0, (dbfs - QUIETEST) / -QUIETEST))


def cell_of(dbfs: float, width: int) -> int:
    """Return the cell, from 0, of a bar of `width` cells in which a level lies."""
    return round(share_of(dbfs) * (width - 1))


def share_bar(share: float, mark: float | None, width: int, style: str) -> Content:
    """Return a bar from 0 to 1 in half cells, with a line where the threshold is."""
    halves = round(min(1.0, max(0.0, share)) * width * 2)
    cells = [("━", style)] * (halves // 2) + [("╸", style)] * (halves % 2)
    cells += [("─", REST)] * (width - len(cells))
    if mark is not None:
        cells[round(min(1.0, max(0.0, mark)) * (width - 1))] = ("│", "$foreground")
    return joined(cells)


def level_bar(rms: float, peak: float | None, floor: float | None, width: int) -> Content:
    """Return the bar of the loudness with its zones, the peak held, and the room's own noise."""
    filled = cell_of(rms, width) + 1 if rms > QUIETEST else 0
    cells = []
    for cell in range(width):
        dbfs = QUIETEST - QUIETEST * cell / max(1, width - 1)
        zone = next(style for top, style in _LEVEL_ZONES if dbfs < top)
        cells.append(("━", zone) if cell < filled else ("─", REST))
    if floor is not None and floor > QUIETEST:
        cells[cell_of(floor, width)] = ("┊", MUTED)
    if peak is not None and peak > QUIETEST:
        at = cell_of(peak, width)
        zone = next(style for top, style in _LEVEL_ZONES if peak < top)
        cells[at] = ("┃", zone)
    return joined(cells)


def joined(cells: list[Part]) -> Content:
    """Return cells as text, with as few changes of style as can be."""
    runs = groupby(cells, key=lambda cell: cell[1])
    return Content.assemble(*(("".join(text for text, _ in run), style) for style, run in runs))


def ticks(width: int) -> str:
    """Return the numbers under the bar, as many as there is room for."""
    step = next((step for step in (10, 20, 30) if width * step / 60 >= 6), 60)
    line = [" "] * (width + 2)
    for number in range(round(QUIETEST), 1, step):
        text = str(number)
        start = max(0, cell_of(number, width) - len(text) // 2)
        line[start : start + len(text)] = text
    return "".join(line).rstrip()


class Meter(Widget):
    """The levels of what the server hears. Redrawn when one comes; it has no clock."""

    level: reactive[Level | None] = reactive(None)
    """None while nothing listens."""

    def __init__(self) -> None:
        super().__init__()
        self.peak: float | None = None
        """The peak held, in dBFS."""
        self.history = History()
        self._peaked = 0.0
        self._lit: bool | None = None
        self.border_title = self._lamp()

    def watch_level(self, level: Level | None) -> None:
        if level is None:
            self.peak = None
            self.history.clear()
        else:
            self._keep(level)
        lit = level.speaking if level else None
        if lit != self._lit:
            self._lit = lit
            self.border_title = self._lamp()
        self.border_subtitle = self._numbers()

    def _keep(self, level: Level) -> None:
        self.history.add(level.timestamp, share_of(level.rms_dbfs), level.speaking)
        stale = level.timestamp - self._peaked > HOLD
        if self.peak is None or level.peak_dbfs >= self.peak or stale:
            self.peak = level.peak_dbfs
            self._peaked = level.timestamp

    def render(self) -> Content:
        names = _ROWS[max(1, min(self.size.height, max(_ROWS)))].split()
        past = iter(self._past(names.count("past")))
        rows = [next(past) if name == "past" else self._row(name) for name in names]
        return Content("\n").join(rows)

    def _row(self, name: str) -> Content:
        level, bar = self.level, max(4, self.size.width - LABEL - VALUE)
        match name:
            case "level":
                return self._loudness(bar)
            case "ticks":
                return Content.styled(" " * LABEL + ticks(bar), FAINT)
            case "speech":
                threshold = level.threshold if level else None
                return self._share("speech", level.speech if level else None, bar, threshold)
            case _:
                return self._share(name, getattr(level, name) if level else None, bar)

    def _lamp(self) -> Content:
        if self.level is None:
            return Content.assemble("Sound ", ("· nothing listens", MUTED))
        if self.level.speaking:
            return Content.assemble("Sound ", ("● speaking", "bold $text-success"))
        return Content.assemble("Sound ", ("○ silent", MUTED))

    def _numbers(self) -> str:
        floor = self.level.noise_floor_dbfs if self.level else None
        parts = [("peak", self.peak), ("room", floor)]
        shown = [f"{name} {dbfs:.0f}" for name, dbfs in parts if dbfs is not None and dbfs > -100]
        return f"{' · '.join(shown)} dBFS" if shown else ""

    def _past(self, rows: int) -> list[Content]:
        if not rows:
            return []
        width = max(1, self.size.width)
        columns = self.history.columns(width * 2)
        lines = braille([column and column[0] for column in columns], rows)
        styles = [
            "$success" if any(c and c[1] for c in columns[at : at + 2]) else "$foreground 35%"
            for at in range(0, width * 2, 2)
        ]
        return [joined(list(zip(line, styles, strict=True))) for line in lines]

    def _loudness(self, width: int) -> Content:
        level = self.level
        rms = level.rms_dbfs if level else QUIETEST
        value = f"{rms:4.0f} dB" if level and rms > -100 else "   - dB"
        floor = level.noise_floor_dbfs if level else None
        bar = level_bar(rms, self.peak, floor, width)
        return Content.assemble(_label("level"), bar, (f" {value}", MUTED))

    def _share(
        self, name: str, share: float | None, width: int, threshold: float | None = None
    ) -> Content:
        value = f"{share:{VALUE}.2f}" if share is not None else f"{'-':>{VALUE}}"
        tone = "$primary" if name == "speech" else "$secondary"
        bar = share_bar(share or 0.0, threshold, width, tone)
        return Content.assemble(_label(name), bar, (value, MUTED))


def _label(name: str) -> Part:
    return f"{name:<{LABEL}}", MUTED
