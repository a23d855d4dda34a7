"""One of a few, on one line: the arrows go from one to the next."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.text import MUTED, one_line


class Chooser(Widget, can_focus=True):
    """Shows the chosen one between two arrows."""

    DEFAULT_CSS = """
    Chooser { height: 1; }
    Chooser:focus { background: $primary 20%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "left", "step(-1)", "Before", id="chooser.before", show=False, tooltip="The one before"
        ),
        Binding(
            "right,space", "step(1)", "Next", id="chooser.next", show=False, tooltip="The next one"
        ),
    ]

    chosen: reactive[int] = reactive(0, init=False)
    """Its index."""

    class Changed(Message):
        """Another one was chosen."""

        def __init__(self, chooser: "Chooser") -> None:
            self.chooser = chooser
            super().__init__()

    def __init__(self, names: Sequence[str], name: str) -> None:
        super().__init__(id=name)
        self._names = names

    def watch_chosen(self) -> None:
        self.post_message(self.Changed(self))

    def render(self) -> Content:
        name = one_line(self._names[self.chosen])
        return Content.assemble(("◂ ", MUTED), name, (" ▸", MUTED))

    def on_click(self) -> None:
        self.action_step(1)

    def action_step(self, step: int) -> None:
        self.chosen = (self.chosen + step) % len(self._names)
