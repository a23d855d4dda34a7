"""What the keys do and what the signs mean."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import Static

from tui.screens.dialog import Dialog
from tui.wrapping import wrap

Pair = tuple[str, str]

OTHER_KEYS: tuple[Pair, ...] = (
    ("pgup home", "scroll back; end returns"),
    ("tab", "to the next thing that keys work on"),
    ("mouse", "drag to select words; nothing needs it"),
    ("ctrl+p", "every command by name, and the themes"),
    ("ctrl+q", "leave at once"),
)


class Pairs(Widget):
    """Signs or keys with their meaning. One widget for all: one a row takes far longer to open."""

    DEFAULT_CSS = "Pairs { height: auto; }"
    LEFT = 11
    """Cells before the meanings."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        super().__init__()
        self._pairs = tuple(pairs)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(list(self._lines(width)))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.size.width))

    def _lines(self, width: int) -> Iterator[Content]:
        for sign, meaning in self._pairs:
            label = sign + " " * max(1, self.LEFT - cell_len(sign))
            room = max(10, width - self.LEFT)
            for number, (start, end) in enumerate(wrap(meaning, room)):
                left = " " * self.LEFT if number else label
                yield Content.assemble((left, "bold $foreground"), meaning[start:end])


def rows(title: str, pairs: Iterable[Pair]) -> Iterator[Widget]:
    """Yield a titled list of signs or keys with their meaning."""
    yield Static(title, classes="title")
    yield Pairs(pairs)


class HelpScreen(Dialog[None]):
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

    def __init__(
        self, keys: Iterable[Pair], signs: Iterable[Pair] = (), title: str = "Help", about: str = ""
    ) -> None:
        """
        Args:
            keys: those of the place that is explained, with what they do.
            signs: what is drawn there, with what it means.
            title: what the place is called.
            about: what it is for.

        """
        super().__init__()
        self._keys = tuple(keys)
        self._signs = tuple(signs)
        self._title = title
        self._about = about

    def compose(self) -> ComposeResult:
        page = VerticalScroll(
            *([Static(self._about, classes="about", markup=False)] if self._about else ()),
            *rows("Keys", self._keys),
            *rows("Everywhere", OTHER_KEYS),
            *(rows("Signs", self._signs) if self._signs else ()),
        )
        page.border_title = self._title
        page.border_subtitle = "esc back"
        yield page

    def action_leave(self) -> None:
        self.dismiss(None)
