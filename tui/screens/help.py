"""What the keys do and what the signs mean."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.text import MUTED
from tui.widgets.transcript import MARKS, UNFINISHED, UNMEASURED

Pair = tuple[str, str]

SIGNS: tuple[Pair, ...] = (
    *((sign, f"a final; how sure the engine was: {meaning}") for _, sign, _, meaning in MARKS),
    (UNMEASURED, "a final from an engine that doesn't measure how sure it is"),
    (UNFINISHED, "a partial: dim words may change, brighter ones won't"),
    ("━┃", "loudness in dBFS, 0 is the loudest there is, and the highest peak lately"),
    ("speech", "how likely the sound is speech, 0 to 1"),
)
OTHER_KEYS: tuple[Pair, ...] = (
    ("↑ ↓ pgup pgdn home", "scroll back; the newest words wait for end"),
    ("mouse", "drag to select words, double click selects all; hold shift for the terminal's own"),
    ("ctrl+p", "every command by name, themes too"),
)


def rows(title: str, pairs: Iterable[Pair]) -> Content:
    """Return a titled list of signs or keys with their meaning."""
    lines = [Content.styled(title, "bold $text-primary")]
    lines += [
        Content.assemble((f"  {sign}", "bold"), (f"\n      {meaning}", MUTED))
        if len(sign) > 8
        else Content.assemble((f"  {sign:<8}", "bold"), (meaning, MUTED))
        for sign, meaning in pairs
    ]
    return Content("\n").join(lines)


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
            Static(rows("Keys", self._keys)),
            Static(rows("Moving and selecting", OTHER_KEYS)),
            Static(rows("Signs", SIGNS)),
        )
        page.border_title = "Help"
        page.border_subtitle = "esc back"
        yield page

    def action_leave(self) -> None:
        self.dismiss(None)
