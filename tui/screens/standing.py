"""Screens that something may still be told to when they have gone."""

from typing import cast

from textual import messages
from textual.events import Event
from textual.message import Message
from textual.screen import Screen


class Standing:
    """A screen that hears of nothing once its widgets have gone, as they do while the app ends:
    what a worker or a widget posted just before would be shown in them. To be a base before the
    one that is a widget.
    """

    async def _on_message(self, message: Message) -> None:
        screen = cast("Screen[object]", self)
        gone = screen.is_mounted and not screen.children
        if not gone or isinstance(message, Event) or type(message).__module__ == messages.__name__:
            await super()._on_message(message)  # type: ignore[misc]
