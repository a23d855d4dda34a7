import pytest

from common.events import (
    AudioStatus,
    Error,
    SessionStarted,
    SessionStopped,
    SystemStatus,
    WakeWord,
    WakeWordTimeout,
)
from common.link import Link
from tests.tui.loopback import Loopback, connected, level, said, screen_text, until
from tui.app import Console
from tui.screens.listen import GAP, hint
from tui.sieve import Sieve
from tui.state import State


async def test_recent_words_are_shown_once_however_often_it_reconnects(server: Loopback) -> None:
    server.recent = [said("one", "r1"), said("two", "r2")]
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        await until(pilot, lambda: "two" in screen_text(app))
        server.recent.append(said("three", "r3"))
        server.drop()
        await until(pilot, lambda: len(server.queries) == 2)
        await until(pilot, lambda: "three" in screen_text(app))
        assert app.home.transcript.entries.said() == ["one", "two", "three"]
        assert GAP not in screen_text(app)


async def test_a_gap_is_told_honestly(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        server.tell(said("before"))
        await until(pilot, lambda: "before" in screen_text(app))
        server.gap = True
        server.recent = [said("after", "u2")]
        server.drop()
        await until(pilot, lambda: "after" in screen_text(app))
        shown = screen_text(app)
        assert shown.index("before") < shown.index(GAP) < shown.index("after")


async def test_every_final_arrives_among_many_levels_and_partials(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        for number in range(300):
            server.tell(level())
            server.tell(said("par", str(number), final=False))
            server.tell(said(f"final {number}", str(number)))
        await until(pilot, lambda: len(app.home.transcript.entries.said()) == 300, 60)
        assert app.home.transcript.entries.said() == [f"final {n}" for n in range(300)]


async def test_what_happens_between_the_words_is_remarked(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        server.tell(SessionStarted(session_id="s2", source="file:/x/[b].wav", profile="mine"))
        server.tell(WakeWord(wake_word="jarvis", confidence=0.93, timeout=5))
        server.tell(WakeWordTimeout())
        server.tell(SessionStopped(session_id="s2", reason="ended"))
        await until(pilot, lambda: "listening ended" in screen_text(app))
        shown = screen_text(app)
        assert "listening to [b].wav with mine" in shown
        assert "wake word “jarvis” (0.93)" in shown
        assert "nobody spoke after the wake word" in shown


async def test_a_microphone_that_goes_is_told_and_so_is_its_return(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(size=(120, 30)) as pilot:
        await connected(pilot, server)
        server.tell(level(-50))
        gone = AudioStatus(device="Mic", gone=True, fault="it is gone")
        server.tell(Error(error="Microphone gone", details="it is gone"))
        server.tell(SystemStatus(running=True, audio=gone))
        await until(pilot, lambda: "waiting for the microphone" in screen_text(app))
        assert "Microphone gone: it is gone" in screen_text(app)
        assert app.home.meter.level is None
        server.tell(SystemStatus(running=True, audio=AudioStatus(device="Mic", gone=False)))
        await until(pilot, lambda: "the microphone Mic is back" in screen_text(app))
        assert "waiting for the microphone" not in screen_text(app)


async def test_the_meter_shows_the_servers_own_session_only(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        server.tell(level(-50))
        server.tell(level(-1, session_id="somebody else's"))
        server.tell(said("marker"))
        await until(pilot, lambda: "marker" in screen_text(app))
        assert app.home.meter.level is not None
        assert app.home.meter.level.rms_dbfs == -50


async def test_c_copies_the_selection_or_else_the_last_utterance(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test(notifications=True) as pilot:
        await connected(pilot, server)
        await pilot.press("c")
        await until(pilot, lambda: "nothing to copy" in screen_text(app))
        server.tell(said("first words"))
        server.tell(said("last words", "u2"))
        await until(pilot, lambda: "last words" in screen_text(app))
        await pilot.press("c")
        assert app.clipboard == "last words"
        app.home.transcript.text_select_all()
        await pilot.press("c")
        assert app.clipboard == "first words\nlast words"


async def test_capital_c_copies_all_that_was_said(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        server.tell(said("first"))
        server.tell(said("second", "u2"))
        server.tell(said("not yet", "u3", final=False))
        await until(pilot, lambda: "not yet" in screen_text(app))
        await pilot.press("C")
        assert app.clipboard == "first\nsecond"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State(), "No connection"),
        (State(refusal="wrong or missing token"), "--token TOKEN"),
        (State(link=Link("up")), "start listening"),
        (State(link=Link("up"), running=True), "Listening"),
    ],
)
def test_an_empty_transcript_tells_what_to_do(state: State, words: str) -> None:
    text, keys = hint(state, Sieve())
    assert words in text + str(keys)
