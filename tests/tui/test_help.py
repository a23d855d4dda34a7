import pytest
from textual.app import App

from tests.tui.loopback import screen_text
from tui.screens.help import HelpScreen


@pytest.mark.parametrize("size", [(80, 24), (40, 20)])
async def test_it_fits_small_terminals(size: tuple[int, int]) -> None:
    app: App[None] = App()
    async with app.run_test(size=size) as pilot:
        app.push_screen(HelpScreen([("q", "leave [/]")]))
        await pilot.pause()
        assert "leave [/]" in screen_text(app)
        await pilot.press("end")
        await pilot.press("q")
        assert not isinstance(app.screen, HelpScreen)
