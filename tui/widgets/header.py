"""The line on top: where one is, where one can go, and whether the server hears us."""

import math
import time
from typing import Literal

from textual.content import Content
from textual.events import Click
from textual.reactive import reactive

from tui.places import PLACES, Place
from tui.state import State
from tui.text import FAINT, MUTED, one_line
from tui.widgets.ticking import Ticking

Part = tuple[str, str]
"""Text and style."""
Form = Literal["wide", "close", "numbers", "here"]
FORMS: tuple[Form, ...] = ("wide", "close", "numbers", "here")
"""How the places are shown, where there is less and less room."""


def address(url: str) -> str:
    """Return a server's address without what goes without saying."""
    return url.partition("://")[2] if url.startswith("http://") else url


def link_words(state: State, now: float) -> list[Part]:
    """Return what the connection is like, the longest way to say it first. `now` is monotonic."""
    link, url = state.link, one_line(state.url)
    if state.refusal:
        return [(f"✗ refused · {state.refusal} · r to try again", "$text-error")]
    if link.state == "up":
        took = f" · {state.round_trip * 1000:.0f} ms" if state.round_trip is not None else ""
        names = (f" connected to {url}{took}", f" {address(url)}{took}", took[2:], took[3:], "")
        return [(f"●{name}", "$text-success") for name in names]
    if link.state == "waiting":
        seconds = max(0, math.ceil((link.retry_at or now) - now))
        why = f" · {one_line(link.reason)}" if link.reason else ""
        text = f"○ reconnecting in {seconds} s … press r to try now"
        return [(text + why, "$text-warning"), (text, "$text-warning")]
    return [(f"◌ connecting to {url} …", "$text-warning")]


class Header(Ticking):
    """A tab for each place, unless there is news of the connection that need the room."""

    # Often enough for the seconds of a countdown to look even.
    PERIOD = 0.25

    state: reactive[State] = reactive(State)

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place
        self._tabs: list[tuple[Place, list[Part]]] = []
        """What stands for each place, as drawn last."""

    def watch_state(self, state: State) -> None:
        self.ticking = state.link.state == "waiting" and not state.refusal

    def render(self) -> Content:
        width = self.size.width
        words = link_words(self.state, time.monotonic())
        for form in FORMS:
            self._tabs = [(place, self._tab(place, form)) for place in PLACES]
            tabs = Content.assemble(*(part for _, parts in self._tabs for part in parts))
            room = width - tabs.cell_length
            fitting = [word for word in words if Content(word[0]).cell_length <= room]
            if fitting:
                gap = " " * (room - Content(fitting[0][0]).cell_length)
                return Content.assemble(tabs, gap, fitting[0])
        self._tabs = []
        return Content.assemble(words[-1]).truncate(width, ellipsis=True)

    def on_click(self, event: Click) -> None:
        edge = 0
        for place, parts in self._tabs:
            edge += sum(len(text) for text, _ in parts)
            if event.x < edge:
                self.app.switch_mode(place.name)
                return

    def _tab(self, place: Place, form: Form) -> list[Part]:
        """Return what stands for a place: its number, and its name where there is room."""
        here = place.name == self._place
        if not here and form == "here":
            return []
        key = (f"{place.key} ", "bold $text-primary" if here else FAINT)
        if not here and form == "numbers":
            return [(f"{place.key} ", MUTED)]
        gap = "  " if form == "wide" or (here and form != "close") else " "
        return [key, (f"{place.title}{gap}", "bold $text-primary" if here else MUTED)]
