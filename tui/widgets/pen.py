"""Draws a line of the transcript: never from markup, each cell with the offset of its text."""

import time
from collections.abc import Callable, Iterable
from itertools import pairwise

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.widgets.entries import Entry
from tui.wrapping import wrap

ROOM_FOR_TIME = 56
"""Cells from which a line has room for the time."""
LONGEST_SPEAKER = 14
"""Cells for a speaker's name."""

MARKS = (
    (0.8, "●", "high", "80 % sure or more"),
    (0.5, "◐", "middle", "50 % sure or more"),
    (0.0, "○", "low", "less sure"),
)
"""Confidence from which a mark is shown, the mark, its style and its meaning."""
UNMEASURED = "·"
UNFINISHED = "…"
PICKED = "▌"

Spans = list[tuple[int, int]]


def mark(entry: Entry) -> tuple[str, str]:
    """Return an entry's mark and the style of the mark: how sure the engine was."""
    if entry.kind == "partial":
        return UNFINISHED, "partial"
    if entry.kind in ("note", "fault"):
        return " ", entry.kind
    if entry.confidence is None:
        return UNMEASURED, "time"
    for least, sign, style, _ in MARKS[:-1]:
        if entry.confidence >= least:
            return sign, style
    return MARKS[-1][1], MARKS[-1][2]


def fitted(name: str, width: int) -> str:
    """Return a name that takes exactly so many cells, cut with a sign where it is longer."""
    if cell_len(name) > width:
        while cell_len(name) > width - 1:
            name = name[:-1]
        name += "…"
    return name + " " * (width - cell_len(name))


class Pen:
    """Knows how wide the margin is and what it holds."""

    def __init__(self, style: Callable[[str], Style]) -> None:
        """`style` returns the style of a part by its name, such as ``time``."""
        self._style = style
        self.speaker_width = 0
        """Cells for the speaker's name; 0 shows none."""

    def margin_width(self, width: int) -> int:
        """Return the cells before the text, on a page of a width."""
        if width < ROOM_FOR_TIME:
            return 3
        return 12 + (self.speaker_width + 1 if self.speaker_width else 0)

    def draw(
        self,
        entry: Entry,
        row: int,
        width: int,
        *,
        picked: bool,
        speaker: str,
        found: Spans,
        here: bool,
        selected: tuple[int, int] | None,
        selection: Style,
    ) -> list[Segment]:
        """Return one line of an entry.

        Args:
            entry: what is drawn.
            row: which of its lines.
            width: of the page, in cells.
            picked: the cursor or the range is on it.
            speaker: who said it.
            found: where the text that is looked for stands.
            here: it is the match that was gone to.
            selected: the part selected with the mouse, as offsets into the text.
            selection: that part's style.

        """
        start, end = entry.lines[row]
        ground = self._style("picked" if picked else "ground")
        segments = self._margin(entry, row, width, picked, speaker)
        cuts = {start, end, *(selected or ()), *(edge for span in found for edge in span)}
        if entry.kind == "partial":
            cuts.add(entry.stable)
        edges = sorted(cut for cut in cuts if start <= cut <= end)
        for left, right in pairwise(edges):
            style = self._style(self._kind(entry, left)) + ground
            if any(a <= left < b for a, b in found):
                style += self._style("here" if here else "match")
            if selected and selected[0] <= left < selected[1]:
                style += selection
            segments.append(Segment(entry.text[left:right], style))
        return segments

    def _kind(self, entry: Entry, at: int) -> str:
        return "stable" if entry.kind == "partial" and at < entry.stable else entry.kind

    def _margin(
        self, entry: Entry, row: int, width: int, picked: bool, speaker: str
    ) -> list[Segment]:
        ground = self._style("picked" if picked else "ground")
        cursor = Segment(PICKED if picked else " ", self._style("cursor") + ground)
        blank = self.margin_width(width) - 1
        if row:
            return [cursor, Segment(" " * blank, ground)]
        sign, style = mark(entry)
        segments = [cursor]
        if blank > 2:
            clock = time.strftime("%H:%M:%S ", time.localtime(entry.at))
            segments.append(Segment(clock, self._style("time") + ground))
        segments.append(Segment(f"{sign} ", self._style(style) + ground))
        if blank > 11:
            name = "" if entry.kind in ("note", "fault") else speaker
            text = fitted(name, self.speaker_width) + " "
            segments.append(Segment(text, self._style("speaker") + ground))
        return segments


def strip(segments: list[Segment], line: int, width: int, filler: Style) -> Strip:
    """Return a line's segments as a strip of a width, with offsets for the mouse.

    Blank cells get no offset: a click there means the end of the line.
    """
    return Strip(segments).apply_offsets(0, line).adjust_cell_length(width, filler)


def hint_lines(
    hint: str, keys: Iterable[tuple[str, str]], width: int, style: Style, key: Style
) -> list[list[Segment]]:
    """Return the lines of a hint, and under it keys with what they do, one below the other."""
    lines = [
        [Segment(paragraph[start:end], style)]
        for paragraph in hint.split("\n")
        for start, end in wrap(paragraph, width)
    ]
    keys = list(keys)
    longest = max((len(does) for _, does in keys), default=0)
    return lines + [
        [Segment(f"{name}  ", key), Segment(does.ljust(longest), style)] for name, does in keys
    ]
