"""A question that stands before everything else: a text."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from tui.screens.dialog import Dialog
from tui.text import MUTED, one_line


class AskText(Dialog[str | None]):
    """Ends with a text that was found good, or None."""

    CSS_PATH = "ask.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="ask.leave", tooltip="Leave everything as it is"),
    ]

    def __init__(
        self,
        title: str,
        hint: str = "",
        text: str = "",
        *,
        fault: Callable[[str], str] = lambda text: "",
        secret: bool = False,
        empty: bool = False,
    ) -> None:
        """
        Args:
            title: what is asked.
            hint: how to answer.
            text: to begin with.
            fault: returns what is wrong with a text, or nothing.
            secret: show dots.
            empty: nothing is an answer, too.

        """
        super().__init__()
        self._title = title
        self._hint = hint
        self._text = text
        self._fault = fault
        self._secret = secret
        self._empty = empty

    def compose(self) -> ComposeResult:
        box = Vertical(
            Static(Content.styled(one_line(self._hint), MUTED), id="hint"),
            Input(self._text, password=self._secret, select_on_focus=False),
            Static(id="fault", markup=False),
        )
        box.border_title = Content(one_line(self._title))
        box.border_subtitle = "enter done · esc back"
        yield box

    def on_input_changed(self, message: Input.Changed) -> None:
        text = message.value.strip()
        self.query_one("#fault", Static).update(one_line(self._fault(text)) if text else "")

    def on_input_submitted(self, message: Input.Submitted) -> None:
        text = message.value.strip()
        if (text and not self._fault(text)) or (self._empty and not text):
            self.dismiss(text)

    def action_leave(self) -> None:
        self.dismiss(None)
