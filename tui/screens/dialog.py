"""Screens that end with an answer."""

from typing import Any, TypeVar, cast

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen

from tui.screens.standing import Standing

Answer = TypeVar("Answer")


class Ending(Standing):
    """A screen that ends once: of a key that comes twice, Textual's `dismiss` would take what is
    beneath, too. To be the first base, and no widget: styles come from the first that is one.
    """

    _answers: tuple[Any, ...] = ()
    """Given while something covered the screen: the first counts as soon as nothing does."""

    def dismiss(self, result: Any = None) -> AwaitComplete:
        screen = cast("Screen[Any]", self)
        if screen.is_active:
            return cast("AwaitComplete", super().dismiss(result))  # type: ignore[misc]
        if screen in screen.app.screen_stack:
            self._answers += (result,)
        return AwaitComplete()

    def on_screen_resume(self) -> None:
        if self._answers:
            self.dismiss(self._answers[0])


class Dialog(Ending, ModalScreen[Answer]):
    """Stands before everything else until it is answered."""
