import pytest
from textual.pilot import Pilot

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
from tui.screens.listen import hint
from tui.sieve import Sieve
from tui.state import State
from tui.telling import ANEW, GAP
from tui.widgets.tabs import SpeakerTabs


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


async def test_a_server_that_was_started_anew_is_told_and_another_connection_is_not(
    server: Loopback,
) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        server.drop()
        await until(pilot, lambda: len(server.queries) == 2)
        await connected(pilot, server)
        assert ANEW not in screen_text(app)
        server.server_id = "second"
        server.drop()
        await until(pilot, lambda: ANEW in screen_text(app))


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


async def talked(pilot: Pilot[None], server: Loopback, *texts: str) -> Console:
    """Have the server say some things; return the console that shows them."""
    app = pilot.app
    assert isinstance(app, Console)
    await connected(pilot, server)
    for number, text in enumerate(texts):
        server.tell(said(text, f"t{number}"))
    await until(pilot, lambda: len(app.home.transcript.entries.said()) >= len(texts))
    return app


async def test_slash_finds_and_n_goes_on(server: Loopback) -> None:
    async with Console(server.url).run_test(size=(80, 24)) as pilot:
        app = await talked(pilot, server, "one fish", "two fish", "red")
        await pilot.press("slash", *"Fish")
        await until(pilot, lambda: "2 of 2" in screen_text(app))
        await pilot.press("up")
        await until(pilot, lambda: "1 of 2" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "“Fish” 1 of 2" in screen_text(app))
        assert app.home.transcript.has_focus
        await pilot.press("n")
        await until(pilot, lambda: "“Fish” 2 of 2" in screen_text(app))
        await pilot.press("N")
        await until(pilot, lambda: "“Fish” 1 of 2" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "“Fish”" not in screen_text(app))


async def test_escape_in_the_find_line_finds_nothing_any_more(server: Loopback) -> None:
    async with Console(server.url).run_test(size=(80, 24)) as pilot:
        app = await talked(pilot, server, "one fish")
        await pilot.press("n", *"fish", "escape")
        await until(pilot, lambda: not app.home.find_line.display)
        assert app.home.transcript.search.text == ""
        assert app.home.transcript.has_focus


async def test_f_filters_and_says_so(server: Loopback) -> None:
    async with Console(server.url).run_test(size=(80, 24)) as pilot:
        app = await talked(pilot, server, "certain")
        server.tell(said("doubtful", "d", confidence=0.2))
        await until(pilot, lambda: "doubtful" in screen_text(app))
        await pilot.press("f")
        await until(pilot, lambda: "only what is sure" in screen_text(app))
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: "≥ 80 %" in screen_text(app))
        assert "doubtful" not in screen_text(app)
        server.tell(said("and more", "m", confidence=0.3))
        await until(pilot, lambda: len(app.home.transcript.entries.said()) == 3)
        assert "and more" not in screen_text(app)
        await pilot.press("C")
        assert app.clipboard == "certain"
        await pilot.press("f", "escape")
        assert app.home.sieve.sure == "high"


async def test_everything_filtered_out_is_told_apart_from_nothing_said(server: Loopback) -> None:
    async with Console(server.url).run_test(size=(80, 24)) as pilot:
        app = await talked(pilot, server, "certain")
        app.home.sieve = Sieve(sure="low", remarks=False)
        await until(pilot, lambda: "that the filter lets through" in screen_text(app))


async def test_each_session_has_its_tab(server: Loopback) -> None:
    async with Console(server.url).run_test(size=(80, 24)) as pilot:
        app = await talked(pilot, server, "indoors")
        assert not app.home.tabs.display
        server.tell(SessionStarted(session_id="kitchen", source="stream"))
        server.tell(said("outdoors", "k", session_id="kitchen"))
        await until(pilot, lambda: "all  microphone  kitchen" in screen_text(app))
        assert "kitchen    outdoors" in screen_text(app)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "outdoors" not in screen_text(app))
        await pilot.press("right")
        await until(pilot, lambda: "indoors" not in screen_text(app))
        await pilot.press("left_square_bracket", "left")
        await until(pilot, lambda: "indoors" in screen_text(app))
        assert app.home.sieve.speaker is None
        await pilot.click(SpeakerTabs, offset=(20, 0))
        await until(pilot, lambda: app.home.sieve.speaker == "kitchen")


async def test_picked_utterances_are_copied_and_let_go(server: Loopback) -> None:
    async with Console(server.url).run_test(size=(80, 24)) as pilot:
        app = await talked(pilot, server, "one", "two", "three")
        await pilot.press("up", "v", "up")
        await until(pilot, lambda: "2 picked · end to follow" in screen_text(app))
        await pilot.press("c")
        assert app.clipboard == "two\nthree"
        await pilot.press("escape")
        assert app.home.transcript.picked_entries() == []
        await pilot.press("end")
        await until(pilot, lambda: app.home.transcript.following)


async def test_e_offers_what_is_picked_first(server: Loopback) -> None:
    async with Console(server.url).run_test(size=(80, 24), notifications=True) as pilot:
        app = await talked(pilot, server, "one", "two")
        await pilot.press("up", "e")
        await until(pilot, lambda: "what is picked (1)" in screen_text(app))
        await pilot.press("ctrl+y")
        assert app.clipboard == "two\n"
        await until(pilot, lambda: "Copied 1 utterance as txt." in screen_text(app))


async def test_there_is_nothing_to_export_of_nothing(server: Loopback) -> None:
    async with Console(server.url).run_test(size=(80, 24), notifications=True) as pilot:
        app = await talked(pilot, server)
        await pilot.press("e")
        await until(pilot, lambda: "nothing to export" in screen_text(app))


async def test_another_server_begins_an_empty_page(server: Loopback) -> None:
    async with Console(server.url).run_test(size=(80, 24)) as pilot:
        app = await talked(pilot, server, "mine")
        await app.switch_server("http://127.0.0.1:9", None)
        await until(pilot, lambda: "No connection to http://127.0.0.1:9" in screen_text(app))
        assert "mine" not in screen_text(app)
