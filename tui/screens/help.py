"""What the keys do and what the signs mean."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

Pair = tuple[str, str]

OTHER_KEYS: tuple[Pair, ...] = (
    ("↑ ↓", "scroll back, as page up and home do; end returns"),
    ("mouse", "drag to select words, double click for all of them"),
    ("ctrl+p", "every command by name, and the themes"),
)


def rows(title: str, pairs: Iterable[Pair]) -> Iterator[Widget]:
    """Yield a titled list of signs or keys with their meaning."""
    yield Static(title, classes="title")
    for sign, meaning in pairs:
        yield Horizontal(
            Static(sign, classes="sign", markup=False),
            Static(meaning, classes="meaning", markup=False),
        )


class HelpScreen(ModalScreen[None]):
    """Made from the bindings themselves, so that it is never wrong about them."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,question_mark,f1,q",
            "leave",
            "Back",
            id="help.leave",
            key_display="esc",
            tooltip="Close the help",
        ),
    ]

    def __init__(self, keys: Iterable[Pair], signs: Iterable[Pair] = ()) -> None:
        """`keys` and `signs` are those of the place that is explained, with their meaning."""
        super().__init__()
        self._keys = tuple(keys)
        self._signs = tuple(signs)

    def compose(self) -> ComposeResult:
        page = VerticalScroll(
            *rows("Keys", self._keys),
            *rows("Moving and selecting", OTHER_KEYS),
            *(rows("Signs", self._signs) if self._signs else ()),
        )
        page.border_title = "Help"
        page.border_subtitle = "esc back"
        yield page

    def action_leave(self) -> None:
        self.dismiss(None)
