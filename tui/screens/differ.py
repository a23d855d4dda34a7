"""What differs between two profiles: a line a setting."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.fields import Field, shown
from tui.screens.dialog import Dialog
from tui.text import FAINT, MUTED, one_line

Difference = tuple[Field, Any, Any]


def lines(told: Sequence[Difference]) -> Iterator[Content]:
    """Yield a line a setting: its name, what it was and what it is."""
    for field, before, after in told:
        yield Content.assemble(
            (".".join(field.path), "bold"),
            "  ",
            (_worded(field, before), "$text-error"),
            (" → ", FAINT),
            (_worded(field, after), "$text-success"),
        )


def _worded(field: Field, value: Any) -> str:
    return one_line(shown(field, value)) or "none"


class DifferScreen(Dialog[None]):
    """Shows the differences until it is left."""

    CSS_PATH = "differ.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,q,f8",
            "leave",
            "Back",
            id="differ.leave",
            key_display="esc",
            tooltip="Close the list of differences",
        ),
    ]

    def __init__(self, title: str, told: Sequence[Difference]) -> None:
        super().__init__()
        self._title = title
        self._told = told

    def compose(self) -> ComposeResult:
        none = Content.styled("Nothing differs.", MUTED)
        page = VerticalScroll(*(Static(line) for line in lines(self._told) or ()))
        if not self._told:
            page = VerticalScroll(Static(none))
        page.border_title = Content(one_line(self._title))
        page.border_subtitle = "esc back"
        yield page

    def action_leave(self) -> None:
        self.dismiss(None)
