"""The place of the diagnostics: charts, the log, and every key."""

from common.api import SessionFigures, TranscriptionStatus
from common.events import SessionStarted
from tests.tui.loopback import ENGINE, Loopback, connected, said, screen_text, until
from tests.tui.real import gone, on, seen
from tui.app import Console
from tui.screens.diagnostics import DiagnosticsScreen, slowest
from tui.screens.doctor import DoctorScreen
from tui.screens.raw import RawScreen, pretty


def figures(*factors: float | None, queue: int = 0) -> TranscriptionStatus:
    sessions = [
        SessionFigures(
            session_id=str(place),
            source="microphone",
            audio_seconds=1,
            finals=1,
            waiting_seconds=0,
            lost_seconds=0,
            real_time_factor=factor,
        )
        for place, factor in enumerate(factors)
    ]
    return TranscriptionStatus(engine=ENGINE, queue_depth=queue, sessions=sessions)


def test_the_slowest_session_counts() -> None:
    assert slowest(figures()) is None
    assert slowest(figures(None, 0.2, 1.5)) == 1.5


async def test_charts_show_latency_of_finals_speed_and_queue(server: Loopback) -> None:
    server.figures = figures(0.25, queue=3)
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        await pilot.press("5")
        server.tell(said("hello", latency=0.75))
        server.tell(said("hell", "u2", final=False, latency=9))
        await seen(pilot, "0.75 s", "0.25", "─ 3 ─")


async def test_the_log_is_filtered_paused_and_opened_with_keys(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        await pilot.press("5")
        await on(pilot, DiagnosticsScreen)
        screen = app.screen
        assert isinstance(screen, DiagnosticsScreen)
        server.tell(said("hello [/] there"))
        server.tell(SessionStarted(source="stream", session_id="x"))
        await seen(pilot, "hello [/] there", "source=stream")
        await pilot.press("slash")
        await pilot.press(*"hello", "enter")
        await gone(pilot, "source=stream")
        await pilot.press("escape")
        await seen(pilot, "source=stream")
        await pilot.press("p")
        server.tell(said("meanwhile", "u2"))
        await seen(pilot, "paused · 1 wait")
        await pilot.press("space")
        await seen(pilot, "meanwhile")
        await pilot.press("enter")
        await on(pilot, RawScreen)
        await seen(pilot, '"text": "meanwhile"', '"is_final": true')
        await pilot.press("c")
        assert '"text": "meanwhile"' in app.clipboard
        await pilot.press("escape", "d")
        await on(pilot, DoctorScreen)


async def test_raw_text_is_never_markup_nor_control(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 40)) as pilot:
        await app.push_screen(RawScreen(said("[@click=app.quit]x[/] \x1b[31m ж 漢")))
        await until(pilot, lambda: "[@click=app.quit]x[/]" in screen_text(app))
        assert "\x1b" not in screen_text(app)


def test_the_json_is_the_events_own() -> None:
    assert '"event": "session_started"' in pretty(SessionStarted(source="x"))


async def test_nothing_is_asked_again_while_nothing_listens(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        await pilot.press("5")
        await on(pilot, DiagnosticsScreen)
        screen = app.screen
        assert isinstance(screen, DiagnosticsScreen)
        await until(pilot, lambda: bool(screen._queue.values))
        assert not screen._clock._active.is_set()
