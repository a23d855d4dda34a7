"""What was said: only the lines on screen are drawn, by hand, and never as markup."""

import time
from itertools import pairwise
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.events import Resize
from textual.geometry import Offset, Size
from textual.reactive import reactive, var
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from common.events import Transcription
from tui.text import one_line
from tui.widgets.entries import Entries, Entry
from tui.wrapping import wrap

ROOM_FOR_TIME = 56
"""Cells from which a line has room for the time."""

MARKS = (
    (0.8, "●", "high", "80 % sure or more"),
    (0.5, "◐", "middle", "50 % sure or more"),
    (0.0, "○", "low", "less sure"),
)
"""Confidence from which a mark is shown, the mark, its style and its meaning."""
UNMEASURED = "·"
UNFINISHED = "…"


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


class Transcript(ScrollView, can_focus=True):
    """Utterances and remarks on an endless page that follows its end, unless scrolled back."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "transcript--time",
        "transcript--high",
        "transcript--middle",
        "transcript--low",
        "transcript--final",
        "transcript--partial",
        "transcript--stable",
        "transcript--note",
        "transcript--fault",
        "transcript--hint",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "end",
            "follow",
            "Follow",
            id="transcript.follow",
            show=False,
            tooltip="Go to the newest words and stay there",
        ),
    ]

    following: reactive[bool] = reactive(True, repaint=False)
    """Whether the newest words are kept in sight."""
    unseen: var[int] = var(0)
    """Finals that came while scrolled back."""
    hint: reactive[str] = reactive("")
    """Shown while nothing has been said."""

    def __init__(self) -> None:
        super().__init__()
        self.entries = Entries()
        self._strips: LRUCache[int, Strip] = LRUCache(1024)

    def hear(self, event: Transcription) -> None:
        """Show what was said; a final replaces its partial in place."""
        height = self.entries.height
        index = self.entries.place(event)
        if index is None:
            return
        self._forget(self.entries.top(index), max(height, self.entries.height))
        if event.is_final and not self.following and self.entries[index].text:
            self.unseen += 1
        self._grown()

    def remark(self, text: str, *, fault: bool = False, at: float | None = None) -> None:
        """Put a line between the utterances."""
        at = time.time() if at is None else at
        self.entries.append(Entry("fault" if fault else "note", one_line(text), at))
        self._grown()

    def action_follow(self) -> None:
        self.following = True
        self.scroll_end(animate=False, immediate=True, x_axis=False)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected words, without times and marks or the breaks of lines."""
        if not len(self.entries):
            return None
        first = selection.start or Offset(0, 0)
        last = selection.end or Offset(1 << 30, max(0, self.entries.height - 1))
        texts = []
        for index in range(self.entries.find(first.y), self.entries.find(last.y) + 1):
            entry = self.entries[index]
            top = self.entries.top(index)
            start = self._within(entry, first.y - top, first.x)
            end = self._within(entry, last.y - top, last.x)
            if text := entry.text[start:end]:
                texts.append(text)
        return "\n".join(texts), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self._strips.clear()
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.following = round(new_value) >= self.max_scroll_y

    def watch_following(self, following: bool) -> None:
        if following:
            self.unseen = 0
        self._tell()

    def watch_unseen(self) -> None:
        self._tell()

    def on_resize(self, event: Resize) -> None:
        width = self.scrollable_content_region.width
        if width - self._gutter(width) != self.entries.width:
            self._rewrap(width)
        if self.following:
            self.action_follow()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if not len(self.entries):
            return self._hint_line(y, width)
        line = y + self.scroll_offset.y
        if line >= self.entries.height:
            return Strip.blank(width, self.rich_style)
        strip = self._strips.get(line)
        if strip is None:
            strip = self._strips[line] = self._draw(line, width)
        return strip

    def _rewrap(self, width: int) -> None:
        # What was at the top of the page stays there; offsets of a selection would not.
        top = self.entries.find(self.scroll_offset.y) if len(self.entries) else 0
        following = self.following
        self.entries.rewrap(width - self._gutter(width))
        self._strips.clear()
        self.screen.clear_selection()
        self.virtual_size = Size(width, self.entries.height)
        if following:
            self.action_follow()
        elif len(self.entries):
            self.scroll_to(y=self.entries.top(top), animate=False)
        self.refresh()

    def _grown(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, self.entries.height)
        if self.following:
            self.action_follow()
        self.refresh()

    def _forget(self, first: int, end: int) -> None:
        for line in range(first, end):
            self._strips.discard(line)

    def _tell(self) -> None:
        new = f"{self.unseen} new · " if self.unseen else ""
        self.border_subtitle = "" if self.following else f"{new}end to follow"

    def _gutter(self, width: int) -> int:
        return 11 if width >= ROOM_FOR_TIME else 2

    def _within(self, entry: Entry, row: int, x: int) -> int:
        """Return the offset into the text for a place on the entry's lines."""
        if row < 0:
            return 0
        if row >= len(entry.lines):
            return len(entry.text)
        start, end = entry.lines[row]
        gutter = self._gutter(self.scrollable_content_region.width)
        return min(end, start + max(0, x - gutter))

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"transcript--{name}")

    def _draw(self, line: int, width: int) -> Strip:
        index = self.entries.find(line)
        entry = self.entries[index]
        row = line - self.entries.top(index)
        start, end = entry.lines[row]
        segments = self._margin(entry, row, width)
        cuts = {start, end, *self._selected(line, entry, row)}
        if entry.kind == "partial":
            cuts.add(min(max(entry.stable, start), end))
        edges = sorted(cuts)
        for left, right in pairwise(edges):
            style = self._text_style(entry, left, line, row)
            segments.append(Segment(entry.text[left:right], style))
        # Blank cells get no offset: a click there means the end of the line.
        return Strip(segments).apply_offsets(0, line).adjust_cell_length(width, self.rich_style)

    def _margin(self, entry: Entry, row: int, width: int) -> list[Segment]:
        gutter = self._gutter(width)
        if row:
            return [Segment(" " * gutter, self.rich_style)]
        sign, style = mark(entry)
        segments = [Segment(f"{sign} ", self._style(style))]
        if gutter > 2:
            clock = time.strftime("%H:%M:%S ", time.localtime(entry.at))
            segments.insert(0, Segment(clock, self._style("time")))
        return segments

    def _selected(self, line: int, entry: Entry, row: int) -> tuple[int, ...]:
        """Return where in the entry's text the selected part of a line starts and ends."""
        selection = self.text_selection
        span = selection.get_span(line) if selection else None
        if span is None:
            return ()
        left, right = span
        return (
            self._within(entry, row, left),
            self._within(entry, row, 1 << 30 if right == -1 else right),
        )

    def _text_style(self, entry: Entry, at: int, line: int, row: int) -> Style:
        kind = "stable" if entry.kind == "partial" and at < entry.stable else entry.kind
        style = self._style(kind)
        chosen = self._selected(line, entry, row)
        if chosen and chosen[0] <= at < chosen[1]:
            style += self.screen.get_component_rich_style("screen--selection")
        return style

    def _hint_line(self, y: int, width: int) -> Strip:
        lines: list[str] = []
        for paragraph in self.hint.split("\n"):
            lines += [paragraph[a:b] for a, b in wrap(paragraph, width - 4)]
        row = y - max(0, (self.size.height - len(lines)) // 2)
        if not 0 <= row < len(lines):
            return Strip.blank(width, self.rich_style)
        left = " " * max(0, (width - cell_len(lines[row])) // 2)
        style = self._style("hint")
        strip = Strip([Segment(left + lines[row], style)])
        return strip.adjust_cell_length(width, self.rich_style)
