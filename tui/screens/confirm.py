"""One question, answered with yes or no."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui.screens.dialog import Dialog


class Confirm(Dialog[bool]):
    """Ends with whether it is to be done. Enter alone says no: what is lost doesn't come back."""

    CSS_PATH = "confirm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="confirm.yes", tooltip="Do it"),
        Binding(
            "n,escape,enter,q",
            "answer(False)",
            "No",
            id="confirm.no",
            key_display="n",
            tooltip="Leave everything as it is",
        ),
    ]

    def __init__(self, question: str, title: str, details: str = "") -> None:
        super().__init__()
        self._question = question
        self._title = title
        self._details = details

    def compose(self) -> ComposeResult:
        with Vertical() as page:
            page.border_title = self._title
            page.border_subtitle = "y yes · n no"
            yield Static(self._question, markup=False)
            if self._details:
                yield Static(self._details, id="details", markup=False)

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)
