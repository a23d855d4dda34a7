"""Lists of things to choose from."""

from typing import Any, cast

from textual.widgets import OptionList
from textual.widgets._select import SelectOverlay


class Paged:
    """Turns pages of what is shown only: Textual's list ends the app where there is no room for it,
    or not yet. To be the first base, and no widget: styles come from the first that is one.
    """

    def action_page_up(self) -> None:
        if cast("OptionList", self).scrollable_content_region:
            cast("Any", super()).action_page_up()

    def action_page_down(self) -> None:
        if cast("OptionList", self).scrollable_content_region:
            cast("Any", super()).action_page_down()


class Listing(Paged, OptionList):
    """A list on a screen."""


class Overlay(Paged, SelectOverlay):
    """The list that a choice opens."""
