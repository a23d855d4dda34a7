"""Choosing one of a few things, each a line."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option


class Pick(ModalScreen[str | None]):
    """Ends with the first half of what was chosen, or None; the second half is what is shown."""

    CSS_PATH = "pick.tcss"
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

    def __init__(self, title: str, choices: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._title = title
        self._choices = choices

    def compose(self) -> ComposeResult:
        listed = OptionList(*(Option(Content(text)) for _, text in self._choices))
        listed.border_title = self._title
        listed.border_subtitle = "enter choose · esc back"
        listed.highlighted = 0
        yield listed

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[message.option_index][0])

    def action_leave(self) -> None:
        self.dismiss(None)
