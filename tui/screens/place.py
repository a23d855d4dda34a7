"""What all places have in common: the line on top, the keys that work everywhere, the footer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from tui.screens.standing import Standing
from tui.state import State
from tui.widgets.header import Header
from tui.widgets.keyline import KeyLine

if TYPE_CHECKING:
    from common.events import Event
    from tui.app import Console


class PlaceScreen(Standing, Screen[None]):
    """One of `tui.places.PLACES`: yields its widgets in `contents`.

    The app sets `state` and calls `hear` with every event (of levels and partials with the
    newest), also while the place is out of sight but has been shown once. A place asks the server
    through ``self.app.client`` in workers of its own, which post messages to it, and tells the
    user of faults with ``self.app.tell``.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (64, "-broad")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (11, "-low"), (20, "-tall")]
    ABOUT: ClassVar[str] = ""
    """What the place is for, for the help."""
    SIGNS: ClassVar[tuple[tuple[str, str], ...]] = ()
    """What is drawn here and what it means, for the help."""

    if TYPE_CHECKING:
        app = getters.app(Console)
    state: reactive[State] = reactive(State)

    def compose(self) -> ComposeResult:
        yield Header(self.name or "").data_bind(PlaceScreen.state)
        yield from self.contents()
        yield KeyLine()

    @property
    def busy(self) -> str:
        """Return what would be broken off if one left now; empty if nothing would."""
        return ""

    def contents(self) -> Iterable[Widget]:
        """Yield what the place shows between the line on top and the footer."""
        return ()

    def take(self, events: Iterable[Event]) -> None:
        """Take in what the server told since the last time."""
        for event in events:
            self.hear(event)

    def hear(self, event: Event) -> None:
        """Take in what the server told: every event, levels included."""
