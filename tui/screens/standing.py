"""Screens that something may still be told to when they have gone."""

from typing import cast

from textual import messages
from textual.events import Event
from textual.message import Message
from textual.screen import Screen


class Standing:
    """A screen that does and hears of nothing more once it goes, as all do when the console ends.

    Its widgets go before it: what its workers found out, or a widget posted, would be shown in
    them. To be a base before the one that is a widget.
    """

    def _on_prune(self) -> None:
        screen = cast("Screen[object]", self)
        screen.workers.cancel_node(screen)  # Textual would do it when the widgets have gone.

    async def _on_message(self, message: Message) -> None:
        screen = cast("Screen[object]", self)
        gone = screen.is_mounted and not screen.children
        if not gone or isinstance(message, Event) or type(message).__module__ == messages.__name__:
            await super()._on_message(message)  # type: ignore[misc]
