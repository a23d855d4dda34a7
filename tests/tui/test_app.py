import gc
import re

import pytest
from textual.timer import Timer

from common.api import SessionFigures, WakeWordStatus
from common.events import Error, SystemStatus, WakeWord, WakeWordTimeout
from tests.tui.loopback import Loopback, connected, level, said, screen_text, until
from tui.app import Console
from tui.screens.choose import ChooseProfile
from tui.screens.help import HelpScreen


async def test_the_first_paint_does_not_wait_for_the_network() -> None:
    app = Console("http://127.0.0.1:9")
    async with app.run_test():
        assert "Transcript" in screen_text(app)
        assert app.home.transcript.has_focus


async def test_it_shows_the_servers_state(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(120, 36)) as pilot:
        await connected(pilot, server)
        await until(pilot, lambda: "mlx_whisper is not installed" in screen_text(app))
        shown = screen_text(app)
        assert f"● 127.0.0.1:{server.port}" in shown
        assert "pocketsphinx · ready" in shown
        assert "vad-triggered" in shown
        assert re.search(r"● listening 1:2\d · microphone", shown)


async def test_a_lost_connection_counts_down_and_is_resumed(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        server.tell(said("before", "u1"))
        await until(pilot, lambda: "before" in screen_text(app))
        await server.close()
        await until(pilot, lambda: "reconnecting in 2 s" in screen_text(app), 20)
        assert "press r to try now" in screen_text(app)
        server.tell(said("meanwhile", "u2"))
        await server.open()
        await pilot.press("r")
        await until(pilot, lambda: "meanwhile" in screen_text(app))
        assert server.queries[-1]["since"] == "1"
        assert app.home.transcript.entries.said() == ["before", "meanwhile"]


async def test_a_wrong_token_is_told_with_its_cure_and_not_tried_for_ever(
    server: Loopback,
) -> None:
    server.token = "right"
    app = Console(server.url, "wrong")
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "refused" in screen_text(app))
        shown = screen_text(app)
        assert "wrong or missing token" in shown
        assert "--token TOKEN" in shown
        assert app.state.link.state == "connecting"
        assert not server.queries
        server.token = None
        await pilot.press("r")
        await connected(pilot, server)
        assert "refused" not in screen_text(app)


async def test_the_right_token_opens_the_door(server: Loopback) -> None:
    server.token = "right"
    async with Console(server.url, "right").run_test() as pilot:
        await connected(pilot, server)


async def test_s_stops_and_starts(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(120, 30)) as pilot:
        await connected(pilot, server)
        server.tell(level())
        await until(pilot, lambda: app.home.meter.level is not None)
        await pilot.press("s")
        await until(pilot, lambda: "○ stopped" in screen_text(app))
        assert app.home.meter.level is None
        await until(pilot, lambda: not app.state.doing)
        await pilot.press("s")
        await until(pilot, lambda: "● listening" in screen_text(app))
        assert [verb for verb, _ in server.asked] == ["stop", "start"]


async def test_a_second_press_does_not_ask_twice(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        await pilot.press("s", "s", "s")
        await until(pilot, lambda: not app.state.doing)
        verbs = [verb for verb, _ in server.asked]
        assert verbs[:1] == ["stop"]
        assert "stop" not in verbs[1:2]


async def test_a_refusal_is_told_as_text(server: Loopback) -> None:
    server.running = False
    server.refusal = (503, "no microphone [/]", "plug one in [@click=app.quit]here[/]")
    app = Console(server.url)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await connected(pilot, server)
        await pilot.press("s")
        await until(pilot, lambda: "no microphone [/]" in screen_text(app))
        assert "plug one in [@click=app.quit]here[/]" in screen_text(app)
        assert not app.state.doing


async def test_a_server_that_is_away_is_told_when_asked_for_something() -> None:
    app = Console("http://127.0.0.1:9")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "start failed" in screen_text(app))


async def test_a_profile_is_chosen_for_the_next_start(server: Loopback) -> None:
    server.running = False
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, ChooseProfile))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "wake-word · from the next start" in screen_text(app))
        assert not server.asked
        await pilot.press("s")
        await until(pilot, lambda: app.state.running)
        assert server.asked[0][1]["profile"] == "wake-word"


async def test_a_profile_chosen_while_listening_restarts(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, ChooseProfile))
        await pilot.press("end", "enter")
        await until(pilot, lambda: app.state.profile == "mine")
        verb, body = server.asked[0]
        assert (verb, body["profile"], body["restart"]) == ("start", "mine", True)


async def test_an_error_event_is_told_and_written_down(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        server.tell(Error(error="Source failed", details="[/] unplugged", recoverable=False))
        await until(pilot, lambda: "Source failed: [/] unplugged" in screen_text(app))
        assert any(note.title == "Source failed" for note in app._notifications)


async def test_a_change_elsewhere_is_seen_here(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        server.tell(SystemStatus(running=False, profile="mine"))
        await until(pilot, lambda: "○ stopped" in screen_text(app))


@pytest.mark.parametrize("key", ["question_mark", "f1"])
async def test_help_opens_and_closes(server: Loopback, key: str) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert "Copy everything that is shown" in screen_text(app)
        await pilot.press("escape")
        assert app.screen is app.home


async def test_q_leaves() -> None:
    app = Console("http://127.0.0.1:9")
    async with app.run_test() as pilot:
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 0


@pytest.mark.parametrize("size", [(80, 24), (40, 20), (40, 10), (20, 6), (300, 60)])
async def test_every_size_shows_the_newest_words(server: Loopback, size: tuple[int, int]) -> None:
    app = Console(server.url)
    async with app.run_test(size=size) as pilot:
        await connected(pilot, server)
        for number in range(80):
            server.tell(said(f"n {number}", str(number)))
        server.tell(level(webrtc=1.0, silero=0.3))
        await until(pilot, lambda: "n 79" in screen_text(app))
        assert all(len(line) <= size[0] for line in screen_text(app).split("\n"))


async def test_a_window_made_narrow_still_shows_everything(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(120, 30)) as pilot:
        await connected(pilot, server)
        server.tell(said("a sentence that is long enough to be broken at forty columns"))
        await until(pilot, lambda: "forty columns" in screen_text(app))
        await pilot.resize_terminal(40, 24)
        await until(pilot, lambda: app.home.has_class("-narrow"))
        for word in ("forty", "speech", "session", "profile", "engine"):
            await until(pilot, lambda word=word: word in screen_text(app))


async def test_it_comes_back_however_often_the_server_goes(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        for life in range(20):
            server.tell(said(f"before {life}", f"a{life}"))
            server.drop()
            server.tell(said(f"during {life}", f"b{life}"))
            await until(pilot, lambda life=life: len(server.queries) >= life + 2, 20)
            await until(pilot, lambda: app.state.connected, 20)
        expected = [f"{when} {life}" for life in range(20) for when in ("before", "during")]
        await until(pilot, lambda: len(app.home.transcript.entries.said()) == 40)
        assert app.home.transcript.entries.said() == expected


async def test_figures_are_asked_for_while_it_listens_and_not_otherwise(server: Loopback) -> None:
    server.running = False
    app = Console(server.url)
    async with app.run_test(size=(120, 36)) as pilot:
        await connected(pilot, server)
        await until(pilot, lambda: app.state.round_trip is not None)
        assert "ms" in screen_text(app).split("\n")[0]
        asked = server.asked_figures
        app._figures_asked = -100.0
        server.tell(level())
        server.tell(said("marker"))
        await until(pilot, lambda: "marker" in screen_text(app))
        assert server.asked_figures == asked
        server.running = True
        figures = SessionFigures(
            session_id="s1",
            source="microphone",
            audio_seconds=9,
            finals=1,
            waiting_seconds=0,
            lost_seconds=1.25,
            overruns=2,
            real_time_factor=0.21,
        )
        server.figures = server.figures.model_copy(update={"sessions": [figures]})
        server.tell(SystemStatus(running=True, profile="mine"))
        server.drop()
        await until(pilot, lambda: "0.21 of real time" in screen_text(app), 20)
        assert "1.2 s lost · 2 overruns" in screen_text(app)


async def test_the_wake_word_counts_down(server: Loopback) -> None:
    server.wake_word = WakeWordStatus(detector="x", reason="", words=["jarvis"], awake=False)
    app = Console(server.url)
    async with app.run_test(size=(120, 36)) as pilot:
        await connected(pilot, server)
        await until(pilot, lambda: "waits for “jarvis”" in screen_text(app))
        server.tell(WakeWord(wake_word="jarvis", confidence=0.9, timeout=7.5, session_id="s1"))
        await until(pilot, lambda: "heard “jarvis” · speak within 8 s" in screen_text(app))
        await until(pilot, lambda: "speak within 6 s" in screen_text(app))
        server.tell(WakeWordTimeout(session_id="s1"))
        await until(pilot, lambda: "waits for “jarvis”" in screen_text(app))


@pytest.mark.parametrize("place", ["1", "2", "3", "4", "6", "7"])
async def test_no_clock_runs_while_nothing_changes(server: Loopback, place: str) -> None:
    # In Diagnostics each second is a column more of the charts.
    server.running = False
    app = Console(server.url)
    async with app.run_test(size=(120, 36)) as pilot:
        await connected(pilot, server)
        await until(pilot, lambda: app.state.round_trip is not None)
        await pilot.press(place)

        def going() -> list[Timer]:
            widgets = (app, app.home, *app.home.query("*"), app.screen, *app.screen.query("*"))
            return [
                timer
                for widget in widgets
                for timer in widget._timers
                if timer._active.is_set() and timer.name != "auto-refresh"
            ]

        await until(pilot, lambda: not going())


async def test_without_colors_the_marks_still_tell(
    server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        server.tell(said("certain", confidence=0.9))
        server.tell(said("doubtful", "u2", confidence=0.2))
        await until(pilot, lambda: "○ doubtful" in screen_text(app))
        await pilot.press("up")
        await until(pilot, lambda: "▌" in screen_text(app))
        styles = [s.style for strip in app.screen._compositor.render_strips() for s in strip]
        colors = {style.color.triplet for style in styles if style and style.color}
        assert all(triplet and len(set(triplet)) == 1 for triplet in colors)


async def test_the_cycle_collector_leaves_alone_what_was_loaded(
    server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Console, "is_headless", False)
    try:
        async with Console(server.url).run_test() as pilot:
            await connected(pilot, server)
            assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
