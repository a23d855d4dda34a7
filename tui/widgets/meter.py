"""How loud it is, on a scale that never moves, and whether it is speech."""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from common.events import Level
from tui.text import FAINT, MUTED

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
VALUE = 9
"""Cells after a bar."""

_LEVEL_ZONES = ((LOUD, "$success"), (TOO_LOUD, "$warning"), (1.0, "$error"))


def cell_of(dbfs: float, width: int) -> int:
    """Return the cell, from 0, of a bar of `width` cells in which a level lies."""
    share = (dbfs - QUIETEST) / -QUIETEST
    return round(min(1.0, max(0.0, share)) * (width - 1))


def bar(share: float, width: int) -> tuple[str, str]:
    """Return the filled and the empty part of a bar, in half cells."""
    halves = round(min(1.0, max(0.0, share)) * width * 2)
    full = "━" * (halves // 2) + "╸" * (halves % 2)
    return full, "─" * (width - len(full))


def level_bar(rms: float, peak: float | None, width: int) -> Content:
    """Return the bar of the loudness with its zones, and the peak held on it."""
    filled = cell_of(rms, width) + 1 if rms > QUIETEST else 0
    held = cell_of(peak, width) if peak is not None and peak > QUIETEST else -1
    parts = []
    for cell in range(width):
        dbfs = QUIETEST - QUIETEST * cell / max(1, width - 1)
        zone = next(style for top, style in _LEVEL_ZONES if dbfs < top)
        if cell == held:
            parts.append(("┃", zone))
        elif cell < filled:
            parts.append(("━", zone))
        else:
            parts.append(("─", "$surface-lighten-2"))
    return Content.assemble(*parts)


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
        self.border_title = "Sound"
        self.peak: float | None = None
        """The peak held, in dBFS."""
        self._peaked = 0.0

    def watch_level(self, level: Level | None) -> None:
        if level is None:
            self.peak = None
        elif (
            self.peak is None
            or level.peak_dbfs >= self.peak
            or level.timestamp - self._peaked > HOLD
        ):
            self.peak = level.peak_dbfs
            self._peaked = level.timestamp

    def render(self) -> Content:
        width = max(4, self.size.width - LABEL - VALUE)
        rows = [self._lamp(), self._loudness(width)]
        if self.size.height >= 5:
            rows.append(Content.styled(" " * LABEL + ticks(width), FAINT))
        level = self.level
        rows.append(self._share("speech", level.speech if level else None, width))
        if self.size.height >= 6:
            rows.append(self._share("webrtc", level.webrtc if level else None, width))
            rows.append(self._share("silero", level.silero if level else None, width))
        return Content("\n").join(rows[: self.size.height])

    def _lamp(self) -> Content:
        if self.level is None:
            return Content.styled("nothing listens", FAINT)
        if self.level.speaking:
            return Content.styled("● speaking", "bold $text-success")
        return Content.styled("○ silent", MUTED)

    def _loudness(self, width: int) -> Content:
        level = self.level
        rms = level.rms_dbfs if level else QUIETEST
        value = f"{rms:5.0f} dB" if level and rms > -100 else "    - dB"
        return Content.assemble(
            _label("level"), level_bar(rms, self.peak, width), (f" {value}", MUTED)
        )

    def _share(self, name: str, share: float | None, width: int) -> Content:
        full, empty = bar(share or 0.0, width)
        value = f"{share:6.2f}" if share is not None else "     -"
        tone = "$primary" if name == "speech" else "$secondary"
        return Content.assemble(
            _label(name), (full, tone), (empty, "$surface-lighten-2"), (value, MUTED)
        )


def _label(name: str) -> tuple[str, str]:
    return f"{name:<{LABEL}}", MUTED
