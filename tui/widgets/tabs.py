"""One line of tabs: everything, and a tab for each session that has been heard."""

from rich.cells import cell_len
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.text import MUTED, one_line

ALL = "all"


class SpeakerTabs(Widget):
    """Shown only where there is more than one speaker to choose from."""

    class Chosen(Message):
        """A tab was chosen. `speaker` is None for all."""

        def __init__(self, speaker: str | None) -> None:
            self.speaker = speaker
            super().__init__()

    speakers: reactive[tuple[str, ...]] = reactive(())
    chosen: reactive[str | None] = reactive(None)
    """None for all."""

    def watch_speakers(self, speakers: tuple[str, ...]) -> None:
        self.display = len(speakers) > 1

    def step(self, step: int) -> None:
        """Choose the tab beside the chosen one, around the end."""
        tabs = [None, *self.speakers]
        self._choose(tabs[(tabs.index(self.chosen) + step) % len(tabs)])

    def render(self) -> Content:
        """Draw as many tabs as fit, with the chosen one among them."""
        width, parts = self.size.width, self._labels()
        first = 0
        at = [None, *self.speakers].index(self.chosen)
        while first < at and sum(cell_len(part) for part in parts[first : at + 1]) > width:
            first += 1
        drawn = [
            (part, "bold $text-primary underline" if index == at else MUTED)
            for index, part in enumerate(parts)
            if index >= first
        ]
        return Content.assemble(*(_spaced(*one) for one in drawn)).truncate(width, ellipsis=True)

    def on_click(self, event: Click) -> None:
        edge = 0
        for speaker, part in zip([None, *self.speakers], self._labels(), strict=True):
            edge += cell_len(part) + 2
            if event.x < edge:
                self._choose(speaker)
                return

    def _choose(self, speaker: str | None) -> None:
        self.chosen = speaker
        self.post_message(self.Chosen(speaker))

    def _labels(self) -> list[str]:
        return [ALL, *(one_line(speaker) for speaker in self.speakers)]


def _spaced(text: str, style: str) -> Content:
    return Content.assemble(" ", (text, style), " ")
