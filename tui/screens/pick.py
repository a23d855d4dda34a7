"""Choosing one of a few."""

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.screens.dialog import Dialog
from tui.text import MUTED, one_line
from tui.widgets.listing import Listing

Value = TypeVar("Value")


def offered(name: str, more: str = "") -> Content:
    """Return how a choice is shown: its name, and beneath it what else there is to say."""
    return Content.assemble(
        (one_line(name), "bold"), (f"\n{one_line(more)}" if more else "", MUTED)
    )


class Pick(Dialog[Value | None], Generic[Value]):
    """Ends with what was chosen, or None."""

    CSS_PATH = "choose.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,q",
            "leave",
            "Back",
            id="pick.leave",
            key_display="esc",
            tooltip="Leave everything as it is",
        ),
    ]

    def __init__(self, title: str, choices: Sequence[tuple[Content, Value]]) -> None:
        super().__init__()
        self._title = title
        self._choices = choices

    def compose(self) -> ComposeResult:
        listed = Listing(*(Option(shown) for shown, _ in self._choices))
        listed.border_title = Content(one_line(self._title))
        listed.border_subtitle = "enter choose · esc back"
        yield listed

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[message.option_index][1])

    def action_leave(self) -> None:
        self.dismiss(None)
