"""Choosing which part of the transcript is shown."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.screens.dialog import Dialog
from tui.sieve import SURENESS, Sieve
from tui.text import one_line
from tui.widgets.listing import Listing


class FilterScreen(Dialog[Sieve | None]):
    """Ends with what is wanted, or None when everything stays as it is."""

    CSS_PATH = "filter.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,f,q",
            "leave",
            "Back",
            id="filter.leave",
            key_display="esc",
            tooltip="Leave everything as it is",
        ),
    ]

    def __init__(self, now: Sieve, speakers: Sequence[str]) -> None:
        super().__init__()
        self._now = now
        self._wishes = list(_wishes(now, speakers))

    def compose(self) -> ComposeResult:
        listed = Listing(*(wish and Option(row(*wish)) for wish in self._wishes))
        listed.border_title = "Show"
        listed.border_subtitle = "enter choose · esc back"
        yield listed

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        chosen = [wish for wish in self._wishes if wish][message.option_index]
        self.dismiss(chosen[1])

    def action_leave(self) -> None:
        self.dismiss(None)


def row(text: str, wish: Sieve, chosen: bool) -> Content:
    """Return a wish as it is listed."""
    return Content(("● " if chosen else "○ ") + one_line(text))


def _wishes(now: Sieve, speakers: Sequence[str]) -> Iterator[tuple[str, Sieve, bool] | None]:
    """Yield each wish with its name and whether it is so now; None between its kinds."""
    for sure, (sign, name, _, _) in SURENESS.items():
        text = f"{name} ({sign})" if sign else name
        yield text, replace(now, sure=sure), sure == now.sure
    if len(speakers) > 1:
        yield None
        yield "of all sessions", replace(now, speaker=None), now.speaker is None
        for speaker in speakers:
            yield f"of {speaker}", replace(now, speaker=speaker), now.speaker == speaker
    yield None
    yield "with what happens in between", replace(now, remarks=True), now.remarks
    yield "words only", replace(now, remarks=False), not now.remarks
