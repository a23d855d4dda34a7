"""The line in which one types what to find."""

from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static


class FindLine(Horizontal):
    """Opens under the transcript; what is typed is found at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape",
            "leave",
            "Leave",
            id="find.leave",
            tooltip="Find nothing any more",
        ),
        Binding("up", "step(-1)", "Previous", id="find.up", show=False, tooltip="The place before"),
        Binding("down", "step(1)", "Next", id="find.down", show=False, tooltip="The place after"),
    ]

    class Typed(Message):
        """What is looked for has changed."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class Stepped(Message):
        """Another place is wanted."""

        def __init__(self, step: int) -> None:
            self.step = step
            super().__init__()

    class Closed(Message):
        """One is done with typing. `kept` keeps what was found."""

        def __init__(self, kept: bool) -> None:
            self.kept = kept
            super().__init__()

    typed = getters.query_one(Input)
    count = getters.query_one("#count", Static)

    def compose(self) -> ComposeResult:
        yield Static("find", id="label")
        yield Input(compact=True, select_on_focus=True)
        yield Static("", id="count", markup=False)

    def open(self) -> None:
        """Show the line and type into it."""
        self.display = True
        # At once: `focus` does so later, and the next key may be here before.
        self.screen.set_focus(self.typed)

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        self.post_message(self.Typed(message.value))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.action_keep()

    def action_keep(self) -> None:
        self._close(bool(self.typed.value))

    def action_leave(self) -> None:
        self.typed.value = ""
        self._close(False)

    def _close(self, kept: bool) -> None:
        self.display = False
        self.screen.set_focus(None)
        self.post_message(self.Closed(kept))

    def action_step(self, step: int) -> None:
        self.post_message(self.Stepped(step))
