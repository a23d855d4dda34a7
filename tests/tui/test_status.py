import pytest
from textual.app import App, ComposeResult

from common.events import AudioStatus, EngineStatus, ModelProgress
from common.link import Link
from tests.tui.loopback import ENGINE
from tui.state import State
from tui.widgets.status import (
    Status,
    duration,
    engine_rows,
    profile_row,
    progress_words,
    session_row,
    speed_row,
)

UP = Link("up")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-3, "0:00"), (7.9, "0:07"), (754, "12:34"), (3723, "1:02:03")]
)
def test_a_duration_is_read_like_a_clock(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_the_engine_is_shown_with_its_reason() -> None:
    shown = [text for _, text, _ in engine_rows(State(engine=ENGINE))]
    assert shown == [
        "pocketsphinx · ready",
        "en-us",
        "auto: mlx_whisper is not installed here",
    ]


def test_a_model_on_its_way_shows_how_far_it_is() -> None:
    loading = ModelProgress(model="whisper-tiny", stage="download", done=25, total=100)
    state = State(engine=EngineStatus(name="mlx_whisper", state="loading"), progress=loading)
    assert progress_words(state) == "download 25% · whisper-tiny"
    assert progress_words(State()) == ""
    assert engine_rows(state)[1][1] == "download 25% · whisper-tiny"


def test_the_session_tells_how_long_it_listens_and_to_what() -> None:
    state = State(link=UP, running=True, source="file:/x/a.wav", started=10)
    assert session_row(state, 75)[1] == "● listening 1:05 · a.wav"
    assert session_row(State(link=UP), 75)[1] == "○ stopped"
    assert session_row(State(), 75)[1] == "◌ not connected"
    assert session_row(State(doing="stopping"), 75)[1] == "stopping …"


def test_a_microphone_that_is_gone_or_silent_is_shown_where_it_listens() -> None:
    gone = AudioStatus(device="Mic", silent=False, gone=True, fault="gone")
    silent = AudioStatus(device="Mic", silent=True, gone=False, fault="zeros")
    well = AudioStatus(device="Mic", silent=False, gone=False)
    rows = [
        session_row(State(link=UP, running=True, source="microphone", started=10, audio=audio), 75)
        for audio in (gone, silent, well, AudioStatus(silent=True))
    ]
    assert [text for _, text, _ in rows] == [
        "◌ waiting for the microphone to come back",
        "● listening 1:05 · microphone · only digital silence",
        "● listening 1:05 · microphone",
        "● listening 1:05 · microphone",
    ]
    warning, fine = "$text-warning", "$text-success"
    assert [tone for *_, tone in rows] == [warning, warning, fine, fine]


def test_a_chosen_profile_is_told_apart_from_the_one_in_use() -> None:
    assert profile_row(State(profile="a", wanted="b"))[1] == "b · from the next start"
    assert profile_row(State(profile="a", wanted="a"))[1] == "a"


def test_latency_is_unknown_until_a_final_came() -> None:
    assert speed_row(State())[1] == "-"
    assert speed_row(State(latency=0.314))[1] == "0.31 s"


class Alone(App[None]):
    def compose(self) -> ComposeResult:
        yield Status()


async def test_the_clock_runs_only_while_there_is_something_to_count() -> None:
    async with Alone().run_test() as pilot:
        status = pilot.app.query_one(Status)
        assert not status.ticking
        status.state = State(link=Link("up"), running=True)
        assert status.ticking
        status.state = State(link=Link("up"))
        assert not status.ticking


async def test_a_reason_is_text_in_the_tooltip_too() -> None:
    async with Alone().run_test() as pilot:
        status = pilot.app.query_one(Status)
        status.state = State(engine=EngineStatus(name="x", reason="[/] [b]because"))
        await pilot.pause()
        assert str(status.tooltip) == "[/] [b]because"
