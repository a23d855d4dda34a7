from textual.app import App, ComposeResult

from tui.widgets.listing import Listing


class Low(App[None]):
    """A list that there is no room for."""

    CSS = "Listing { height: 0; border: none; }"

    def compose(self) -> ComposeResult:
        yield Listing("one", "two")


async def test_pages_of_what_is_not_shown_are_turned_without_harm() -> None:
    async with Low().run_test() as pilot:
        listing = pilot.app.query_one(Listing)
        listing.highlighted = 0
        await pilot.press("pagedown", "pageup")
        assert listing.highlighted == 0


async def test_pages_are_turned() -> None:
    app = Low()
    async with app.run_test() as pilot:
        listing = app.query_one(Listing)
        listing.styles.height = 2
        await pilot.pause()
        listing.highlighted = 0
        await pilot.press("pagedown")
        assert listing.highlighted == 1
        await pilot.press("pageup")
        assert listing.highlighted == 0
