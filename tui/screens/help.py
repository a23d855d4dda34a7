"""What the keys do and what the signs mean."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from tui.widgets.transcript import MARKS, UNFINISHED, UNMEASURED

Pair = tuple[str, str]

SIGNS: tuple[Pair, ...] = (
    *((sign, f"a final; the engine was {meaning}") for _, sign, _, meaning in MARKS),
    (UNMEASURED, "a final from an engine that doesn't measure how sure it is"),
    (UNFINISHED, "a partial: dim words may change, brighter ones won't"),
    ("━┃", "loudness in dBFS, 0 the loudest, and the last peak"),
    ("speech", "how likely the sound is speech, 0 to 1"),
)
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

    def __init__(self, keys: Iterable[Pair]) -> None:
        """`keys` are the keys of the screen that is explained, with what they do."""
        super().__init__()
        self._keys = tuple(keys)

    def compose(self) -> ComposeResult:
        page = VerticalScroll(
            *rows("Keys", self._keys),
            *rows("Moving and selecting", OTHER_KEYS),
            *rows("Signs", SIGNS),
        )
        page.border_title = "Help"
        page.border_subtitle = "esc back"
        yield page

    def action_leave(self) -> None:
        self.dismiss(None)
