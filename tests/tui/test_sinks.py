from common.sinks import SinkStatus
from tests.tui.loopback import Loopback, connected, screen_text, until
from tui.app import Console
from tui.widgets.sinks import line

UP = SinkStatus(name="webhook", target="http://x", state="up", seq=7, lag=0, delivered=3, letters=0)
AWAY = UP.model_copy(
    update={"name": "redis", "state": "failing", "fault": "[b]refused[/b]", "lag": 12}
)


def test_how_each_sink_does_is_a_line_of_plain_words() -> None:
    assert line([UP, AWAY]).plain == "sinks  ● webhook  ● redis 12 wait [b]refused[/b]  "
    assert "2 put aside" in line([UP.model_copy(update={"letters": 2})]).plain


async def test_it_is_shown_among_the_diagnostics_where_there_are_sinks(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        await pilot.press("5")
        await until(pilot, lambda: app.screen.name == "diagnostics")
        await pilot.pause()
        assert "sinks" not in screen_text(app)
        server.sinks = [UP, AWAY]
        app.screen.look()  # type: ignore[attr-defined]
        await until(pilot, lambda: "● redis 12 wait" in screen_text(app))
