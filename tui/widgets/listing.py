"""A list of things to choose from."""

from textual.widgets import OptionList


class Listing(OptionList):
    """Textual's, which ends the app when a page is turned of what there is no room to show."""

    def action_page_up(self) -> None:
        if self.scrollable_content_region:
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        if self.scrollable_content_region:
            super().action_page_down()  # type: ignore[no-untyped-call]
