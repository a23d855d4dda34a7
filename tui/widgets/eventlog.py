"""Everything the server tells, a line an event: only the lines on screen are drawn."""

import time
from collections import deque
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from common.events import Event, Level
from tui.text import one_line
from tui.wrapping import cells

KEPT = 2000
"""Events that are kept."""
NARROW = 60
"""Cells below which the words need the room of the clock."""
BASE = {"event", "timestamp", "seq", "session_id"}
TONES = {
    "error": "fault",
    "transcription": "words",
    "session_started": "change",
    "session_stopped": "change",
    "system_status": "change",
}


def told(event: Event) -> str:
    """Return an event's own fields in a line."""
    fields = event.model_dump(mode="json", exclude=BASE, exclude_none=True)
    return one_line("  ".join(f"{name}={_short(value)}" for name, value in fields.items()))


def _short(value: object) -> object:
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def matches(event: Event, words: Sequence[str]) -> bool:
    """Whether every word stands in the event; those with a minus before them must not.

    Levels are many and say little: they are left out unless they are asked for.
    """
    if isinstance(event, Level) and "level" not in words:
        return False
    if not words:
        return True
    line = f"{event.event} {event.session_id or ''} {told(event)}".lower()
    return all(
        word[1:] not in line if word.startswith("-") and len(word) > 1 else word in line
        for word in words
    )


class EventLog(ScrollView, can_focus=True):
    """Follows its end unless one goes back; may be paused."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--time",
        "log--name",
        "log--words",
        "log--change",
        "log--fault",
        "log--plain",
        "log--marked",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Back", id="log.back", show=False, tooltip="Mark the one before"),
        Binding("down", "move(1)", "On", id="log.on", show=False, tooltip="Mark the one after"),
        Binding(
            "pageup",
            "move(-20)",
            "Page back",
            id="log.page_back",
            show=False,
            tooltip="Twenty events back",
        ),
        Binding(
            "pagedown",
            "move(20)",
            "Page on",
            id="log.page_on",
            show=False,
            tooltip="Twenty events on",
        ),
        Binding(
            "end",
            "follow",
            "Follow",
            id="log.follow",
            show=False,
            tooltip="Mark the newest event and follow",
        ),
        Binding(
            "enter", "open", "Show", id="log.open", tooltip="Show the marked event as it was sent"
        ),
    ]

    class Opened(Message):
        """An event is to be shown whole."""

        def __init__(self, event: Event) -> None:
            self.event = event
            super().__init__()

    paused: reactive[bool] = reactive(False)
    marked: reactive[int] = reactive(-1)
    """Which event is marked, by its place among those shown."""
    following: reactive[bool] = reactive(True)

    def __init__(self) -> None:
        super().__init__()
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._waiting: deque[Event] = deque(maxlen=KEPT)
        self.shown: list[Event] = []
        self._words: tuple[str, ...] = ()

    def add(self, event: Event) -> None:
        """Take an event in; while paused it waits."""
        if self.paused:
            self._waiting.append(event)
            self._tell()
            return
        self._events.append(event)
        if matches(event, self._words):
            self.shown.append(event)
            if len(self.shown) > KEPT + KEPT // 4:
                self._drop(len(self.shown) - KEPT)
            self._grown()

    def filter(self, text: str) -> None:
        """Show only events in which all these words stand."""
        self._words = tuple(text.lower().split())
        self.shown = [event for event in self._events if matches(event, self._words)]
        self.following = True
        self._grown()

    def watch_paused(self, paused: bool) -> None:
        if not paused:
            waiting, self._waiting = list(self._waiting), deque(maxlen=KEPT)
            for event in waiting:
                self.add(event)
        self._tell()

    def action_move(self, steps: int) -> None:
        """Mark another event."""
        self.marked = min(max(0, self.marked + steps), len(self.shown) - 1)
        self.following = self.marked >= len(self.shown) - 1
        self._keep_in_sight()

    def action_follow(self) -> None:
        self.following = True
        self._grown()

    def action_open(self) -> None:
        if 0 <= self.marked < len(self.shown):
            self.post_message(self.Opened(self.shown[self.marked]))

    def on_resize(self) -> None:
        self._grown()

    def on_click(self, event: Click) -> None:
        place = event.y + self.scroll_offset.y
        if 0 <= place < len(self.shown):
            self.marked = place
            self.following = False
            if event.chain > 1:
                self.action_open()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        place = y + self.scroll_offset.y
        if not 0 <= place < len(self.shown):
            return Strip.blank(width, self.rich_style)
        strip = Strip(self._segments(self.shown[place], width))
        strip = strip.crop(0, width).adjust_cell_length(width, self.rich_style)
        if place != self.marked or not self.has_focus:
            return strip
        marked = Style(bgcolor=self.get_component_rich_style("log--marked").bgcolor)
        return Strip(Segment.apply_style(strip, post_style=marked), width)

    def _segments(self, event: Event, width: int) -> list[Segment]:
        clock = time.strftime("%H:%M:%S", time.localtime(event.timestamp))
        tone = TONES.get(event.event, "plain")
        name = one_line(event.event)
        text = told(event)
        if cells(text) > width:
            text = text[:width]
        style = self.get_component_rich_style
        return [
            *([] if width < NARROW else [Segment(f"{clock} ", style("log--time"))]),
            Segment(f"{name:<17} ", style("log--fault" if tone == "fault" else "log--name")),
            Segment(text, style(f"log--{tone}")),
        ]

    def _drop(self, count: int) -> None:
        del self.shown[:count]
        self.marked = max(0, self.marked - count)
        if not self.following:
            self.scroll_to(y=max(0, self.scroll_offset.y - count), animate=False)

    def _grown(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self.shown))
        if self.following:
            self.marked = len(self.shown) - 1
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        self.refresh()

    def _keep_in_sight(self) -> None:
        height = self.scrollable_content_region.height
        top = round(self.scroll_offset.y)
        if self.marked < top:
            self.scroll_to(y=self.marked, animate=False, immediate=True)
        elif self.marked >= top + height:
            self.scroll_to(y=self.marked - height + 1, animate=False, immediate=True)

    def _tell(self) -> None:
        waiting = f" · {len(self._waiting)} wait" if self._waiting else ""
        self.border_subtitle = f"paused{waiting}" if self.paused else ""
