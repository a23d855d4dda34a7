"""One event as the server sent it."""

import json
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from common.events import Event
from tui.screens.dialog import Dialog
from tui.text import printable


def pretty(event: Event) -> str:
    """Return the event's JSON, indented."""
    return json.dumps(event.model_dump(mode="json"), indent=2, ensure_ascii=False)


class RawScreen(Dialog[None]):
    """Shows it until it is left."""

    CSS_PATH = "differ.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,enter,q",
            "leave",
            "Back",
            id="raw.leave",
            key_display="esc",
            tooltip="Close the event",
        ),
        Binding("c", "copy", "Copy", id="raw.copy", tooltip="Copy the event's JSON"),
    ]

    def __init__(self, event: Event) -> None:
        super().__init__()
        self._json = pretty(event)
        self._title = event.event

    def compose(self) -> ComposeResult:
        lines = "\n".join(printable(line) for line in self._json.split("\n"))
        page = VerticalScroll(Static(Content(lines)))
        page.border_title = Content(printable(self._title))
        page.border_subtitle = "c copy · esc back"
        yield page

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._json)
        self.notify("Copied.", timeout=2)

    def action_leave(self) -> None:
        self.dismiss(None)
