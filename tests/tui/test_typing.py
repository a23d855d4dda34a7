"""Keys that come faster than the console answers: a fast typist's, or those of a slow machine."""

from textual.events import Key

from tests.tui.loopback import Loopback, connected, until
from tui.app import Console


def type_ahead(app: Console, *keys: str) -> None:
    """Press keys in one go, as a terminal hands them over."""
    for key in keys:
        character = {"slash": "/"}.get(key, key if len(key) == 1 else None)
        app.post_message(Key(key, character))


async def test_words_to_find_are_not_taken_for_orders(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        type_ahead(app, "slash", *"stop")
        await until(pilot, lambda: app.home.find_line.typed.value == "stop")
        await pilot.pause()
        assert server.asked == []


async def test_the_line_that_was_opened_can_be_closed_at_once(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        type_ahead(app, "slash", "escape")
        await pilot.pause()
        await pilot.press("slash", "b")
        await until(pilot, lambda: app.home.find_line.typed.value == "b")
        await pilot.press("escape")
        await until(pilot, lambda: not app.home.find_line.display)
        assert app.focused is app.home.transcript
        assert server.asked == []
