from tests.tui.loopback import Loopback, connected, screen_text, until
from tui.app import Console
from tui.commands import explained
from tui.screens.listen import ListenScreen
from tui.widgets.transcript import Transcript


async def test_every_binding_is_in_the_palette() -> None:
    app = Console("http://127.0.0.1:9")
    async with app.run_test() as pilot:
        await pilot.pause()
        offered = {active.binding.id for active in explained(app.home)}
        bound = {binding.id for binding in (*ListenScreen.BINDINGS, *Transcript.BINDINGS)}
        assert bound <= offered


async def test_a_command_is_found_by_its_name_and_obeyed(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 40)) as pilot:
        await connected(pilot, server)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Find words in the transcript" in screen_text(app))
        await pilot.press(*"start the")
        await until(pilot, lambda: "Start/stop" in screen_text(app))
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: bool(server.asked))
        assert server.asked[0][0] == "stop"
