from tests.tui.loopback import PROFILES, Loopback, connected, screen_text, until
from tui.app import Console
from tui.screens.choose import ChooseProfile, described


def test_a_description_is_text() -> None:
    shown = described(PROFILES.profiles[1], PROFILES.default)
    assert str(shown) == "wake-word  built in\nWaits for [b]jarvis[/b]."


def test_the_default_is_marked() -> None:
    assert "default, built in" in str(described(PROFILES.profiles[0], PROFILES.default))


async def test_it_opens_on_the_profile_in_use(server: Loopback) -> None:
    server.profile = "wake-word"
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, ChooseProfile))
        await until(pilot, lambda: "Waits for [b]jarvis[/b]." in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.home)
        assert app.state.wanted == "wake-word"


async def test_escape_changes_nothing(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, ChooseProfile))
        await pilot.press("down", "escape")
        await until(pilot, lambda: app.screen is app.home)
        assert app.state.wanted is None
        assert not server.asked
