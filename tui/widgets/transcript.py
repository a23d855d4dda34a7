"""What was said: only the lines on screen are drawn, by hand, and never as markup."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.events import Resize
from textual.geometry import Offset, Size
from textual.message import Message
from textual.reactive import reactive, var
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from tui.text import one_line
from tui.widgets import entries as listed
from tui.widgets.entries import Entries, Entry
from tui.widgets.pen import LONGEST_SPEAKER, Pen, hint_lines, strip
from tui.widgets.picking import Picked
from tui.widgets.search import Search

if TYPE_CHECKING:
    from common.events import Transcription


class Transcript(ScrollView, can_focus=True):
    """Utterances and remarks on an endless page that follows its end, unless scrolled back."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "transcript--time",
        "transcript--speaker",
        "transcript--high",
        "transcript--middle",
        "transcript--low",
        "transcript--final",
        "transcript--partial",
        "transcript--stable",
        "transcript--note",
        "transcript--fault",
        "transcript--cursor",
        "transcript--picked",
        "transcript--match",
        "transcript--here",
        "transcript--hint",
        "transcript--key",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "up",
            "pick(-1)",
            "Up",
            id="transcript.up",
            show=False,
            tooltip="Pick the utterance above",
        ),
        Binding(
            "down",
            "pick(1)",
            "Down",
            id="transcript.down",
            show=False,
            tooltip="Pick the utterance below",
        ),
        Binding(
            "v",
            "mark",
            "Select",
            id="transcript.mark",
            show=False,
            tooltip="Begin a range at the picked utterance, or end it",
        ),
        Binding(
            "end",
            "follow",
            "Follow",
            id="transcript.follow",
            show=False,
            tooltip="Go to the newest words and stay there",
        ),
    ]

    class Changed(Message):
        """What the page says of itself has changed: what is found, picked or out of sight."""

    following: reactive[bool] = reactive(True, repaint=False)
    """Whether the newest words are kept in sight."""
    unseen: var[int] = var(0)
    """Finals that came while scrolled back."""
    hint: reactive[str] = reactive("")
    """Shown while nothing has been said."""
    keys: reactive[tuple[tuple[str, str], ...]] = reactive(())
    """Shown under the hint: keys and what they do."""
    picked: reactive[Picked] = reactive(Picked, repaint=False)

    def __init__(self) -> None:
        super().__init__()
        self.entries = Entries()
        self.search = Search()
        self.speaker: Callable[[str | None], str] = lambda session_id: session_id or ""
        """Returns a session's name."""
        # A few screens of lines: a strip takes tens of kilobytes.
        self._strips: LRUCache[int, Strip] = LRUCache(256)
        # Asked for several times a line, and made anew each time.
        self._style = cache(self._made_style)
        self._pen = Pen(self._style)
        self._growing = 0
        self._height = 0

    def hear(self, event: Transcription) -> None:
        """Show what was said; a final replaces its partial in place."""
        height = self.entries.height
        index = self.entries.place(event)
        if index is None:
            return
        entry = self.entries[index]
        self.search.took(index, entry)
        self._forget(self.entries.top(index), max(height, self.entries.height))
        if event.is_final and not self.following and entry.height:
            self.unseen += 1
        self._grown()

    def remark(self, text: str, fault: bool = False, at: float | None = None) -> None:
        """Put a line between the utterances."""
        at = time.time() if at is None else at
        self.entries.append(Entry("fault" if fault else "note", one_line(text), at))
        self._grown()

    @contextmanager
    def growing(self) -> Iterator[None]:
        """Take in much at once: the page is measured anew only at the end."""
        self._growing += 1
        try:
            yield
        finally:
            self._growing -= 1
            if not self._growing:
                self._grown()

    def turn_to(self, entries: Entries) -> None:
        """Show another page, such as an empty one."""
        if entries.width != self.entries.width:
            entries.rewrap(self.entries.width)
        self.entries = entries
        self.search.again(self.entries)
        self._changed_everywhere()
        self.action_follow()

    def sift(self, shown: Callable[[Entry], bool]) -> None:
        """Show only some of the entries."""
        self.entries.sift(shown)
        self.search.again(self.entries)
        self._changed_everywhere()
        self.action_follow()

    def name_speakers(self, names: list[str]) -> None:
        """Show who spoke, where there is more than one; empty the column where there isn't."""
        width = min(LONGEST_SPEAKER, max(map(cell_len, names))) if len(names) > 1 else 0
        if width != self._pen.speaker_width:
            self._pen.speaker_width = width
            self._rewrap(self.scrollable_content_region.width)

    def look_for(self, text: str) -> None:
        """Highlight a text and go to its last place; an empty one ends it."""
        self.search.look_for(text, self.entries)
        self._redraw()
        if text and self.search.found:
            self.search.at = self.search.found[-1]
            self._show(self.search.at)
        self.post_message(self.Changed())

    def find(self, step: Literal[-1, 1]) -> None:
        """Go to the next or the previous place of the text that is looked for."""
        last = len(self.entries) if step < 0 else -1
        start = self.search.at if self.search.at is not None else last
        index = self.search.step(step, start)
        self._redraw()
        if index is not None:
            self._show(index)
        self.post_message(self.Changed())

    def picked_entries(self) -> list[Entry]:
        """Return the utterances picked with the keys."""
        return [self.entries[index] for index in self.picked.span if self.entries[index].is_said]

    def action_pick(self, step: Literal[-1, 1]) -> None:
        cursor = self.picked.cursor
        top = self.scroll_offset.y
        bottom = top + self.scrollable_content_region.height - 1
        if cursor is None or not top <= self.entries.top(cursor) <= bottom:
            edge = self.entries.find(bottom if step < 0 else top) if len(self.entries) else -1
            index = self.entries.near(edge, step)
        else:
            index = self.entries.near(cursor + step, step)
        if index is not None:
            self.picked = self.picked.moved(index)
            self.following = False
            self._show(index)

    def action_mark(self) -> None:
        if self.picked.cursor is None:
            self.action_pick(-1)
        self.picked = self.picked.marked()

    def action_follow(self) -> None:
        self.picked = Picked()
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
            if not entry.height:
                continue
            top = self.entries.top(index)
            start = self._within(entry, first.y - top, first.x)
            end = self._within(entry, last.y - top, last.x)
            if text := entry.text[start:end]:
                texts.append(text)
        return "\n".join(texts), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self._redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()
        self._style.cache_clear()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.picked.cursor is None:
            self.following = round(new_value) >= self.max_scroll_y

    def watch_following(self, following: bool) -> None:
        if following:
            self.unseen = 0
        self.post_message(self.Changed())

    def watch_unseen(self) -> None:
        self.post_message(self.Changed())

    def watch_picked(self) -> None:
        self._redraw()
        self.post_message(self.Changed())

    def on_resize(self, event: Resize) -> None:
        width = self.scrollable_content_region.width
        if width - self._pen.margin_width(width) != self.entries.width:
            self._rewrap(width)
        if self.following:
            self.scroll_end(animate=False, immediate=True, x_axis=False)

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if not self.entries.height:
            return self._hint_line(y, width)
        line = y + self.scroll_offset.y
        if line >= self.entries.height:
            return Strip.blank(width, self.rich_style)
        drawn = self._strips.get(line)
        if drawn is None:
            drawn = self._strips[line] = self._draw(line, width)
        return drawn

    def _rewrap(self, width: int) -> None:
        # What was at the top of the page stays there; offsets of a selection would not.
        top = self.entries.find(self.scroll_offset.y) if len(self.entries) else 0
        self.entries.rewrap(width - self._pen.margin_width(width))
        self._changed_everywhere()
        if self.following:
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        elif len(self.entries):
            self.scroll_to(y=self.entries.top(top), animate=False)

    def _changed_everywhere(self) -> None:
        if self.is_attached:
            self.screen.clear_selection()
        self._redraw()
        self._measure()

    def _redraw(self) -> None:
        self._strips.clear()
        self.refresh()

    def _measure(self) -> None:
        size = Size(self.scrollable_content_region.width, self.entries.height)
        if self.show_vertical_scrollbar and size.width == self.virtual_size.width:
            # The bar is there whatever the height: nothing has to be laid out anew.
            self.set_reactive(Transcript.virtual_size, size)
            self.vertical_scrollbar.window_virtual_size = size.height
        else:
            self.virtual_size = size

    def _grown(self) -> None:
        if self._growing:
            return
        if len(self.entries) > listed.MOST:
            self._let_go(listed.MOST // 10)
        self._measure()
        if self.following:
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        self.refresh()

    def _let_go(self, count: int) -> None:
        lines = self.entries.forget_oldest(count)
        self.picked = self.picked.after_forgetting(count)
        self.search.again(self.entries)
        self._changed_everywhere()
        if not self.following:
            self.scroll_to(y=max(0, self.scroll_offset.y - lines), animate=False)

    def _forget(self, first: int, end: int) -> None:
        # All that is kept is little beside what a long heap of events may have moved.
        if end - first > 1024:
            self._strips.clear()
        else:
            for line in range(first, end):
                self._strips.discard(line)

    def _show(self, index: int) -> None:
        """Scroll until an entry is seen whole."""
        top, height = self.entries.top(index), self.entries[index].height
        seen = self.scrollable_content_region.height
        first = self.scroll_offset.y
        if top < first:
            self.scroll_to(y=top, animate=False, immediate=True)
        elif top + height > first + seen:
            self.scroll_to(y=min(top, top + height - seen), animate=False, immediate=True)

    def _within(self, entry: Entry, row: int, x: int) -> int:
        """Return the offset into the text for a place on the entry's lines."""
        if row < 0:
            return 0
        if row >= len(entry.lines):
            return len(entry.text)
        start, end = entry.lines[row]
        margin = self._pen.margin_width(self.scrollable_content_region.width)
        return min(end, start + max(0, x - margin))

    def _made_style(self, name: str) -> Style:
        if name == "ground":
            return Style(bgcolor=self.rich_style.bgcolor)
        style = self.get_component_rich_style(f"transcript--{name}")
        # What is picked keeps its colors, on another ground.
        return Style(bgcolor=style.bgcolor) if name == "picked" else style

    def _draw(self, line: int, width: int) -> Strip:
        index = self.entries.find(line)
        entry = self.entries[index]
        row = line - self.entries.top(index)
        picked = index in self.picked
        segments = self._pen.draw(
            entry,
            row,
            width,
            picked=picked,
            speaker=self.speaker(entry.session_id),
            found=self.search.spans(entry.text),
            here=index == self.search.at,
            selected=self._selected(line, entry, row),
            selection=self.screen.get_component_rich_style("screen--selection"),
        )
        return strip(segments, line, width, self._style("picked" if picked else "ground"))

    def _selected(self, line: int, entry: Entry, row: int) -> tuple[int, int] | None:
        """Return where in the entry's text the selected part of a line starts and ends."""
        selection = self.text_selection
        span = selection.get_span(line) if selection else None
        if span is None:
            return None
        left, right = span
        return (
            self._within(entry, row, left),
            self._within(entry, row, 1 << 30 if right == -1 else right),
        )

    def _hint_line(self, y: int, width: int) -> Strip:
        style, key = self._style("hint"), self._style("key")
        lines = hint_lines(self.hint, self.keys, width - 4, style, key)
        row = y - max(0, (self.size.height - len(lines)) // 2)
        if not 0 <= row < len(lines):
            return Strip.blank(width, self.rich_style)
        taken = Segment.get_line_length(lines[row])
        left = Segment(" " * max(0, (width - taken) // 2), self.rich_style)
        return Strip([left, *lines[row]]).adjust_cell_length(width, self.rich_style)
