"""Screens that end with an answer."""

from typing import Any, TypeVar, cast

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen

Answer = TypeVar("Answer")


class Ending:
    """A screen that ends once: of a key that comes twice, Textual's `dismiss` would take what is
    beneath, too. To be the first base, and no widget: styles come from the first that is one.
    """

    def dismiss(self, result: Any = None) -> AwaitComplete:
        if cast("Screen[Any]", self).is_active:
            return cast("AwaitComplete", super().dismiss(result))  # type: ignore[misc]
        return AwaitComplete()


class Dialog(Ending, ModalScreen[Answer]):
    """Stands before everything else until it is answered."""
