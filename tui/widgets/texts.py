"""A list of texts: a line each, and one more that is empty for the next."""

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input


class Texts(Vertical):
    """An emptied line is left out; what is typed into the last one makes another beneath it."""

    class Edited(Message):
        """A text was changed, added or emptied."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__()
        self._texts = list(texts)

    def compose(self) -> ComposeResult:
        for text in (*self._texts, ""):
            yield _line(text)

    @property
    def value(self) -> list[str]:
        """The texts that are there."""
        lines = [line.value for line in self.query(Input)] if self.is_mounted else self._texts
        return [text for text in (line.strip() for line in lines) if text]

    async def write(self, texts: Sequence[str]) -> None:
        """Hold these texts instead."""
        await self.query(Input).remove()
        await self.mount_all(_line(text) for text in (*texts, ""))
        self.post_message(self.Edited())

    @on(Input.Changed)
    def _changed(self, message: Input.Changed) -> None:
        message.stop()
        if self.query(Input).last().value.strip():
            self.mount(_line(""))
        self.post_message(self.Edited())


def _line(text: str) -> Input:
    return Input(text, placeholder="" if text else "one more", compact=True)
