import time

from common.api import SessionInfo, Status
from common.events import (
    AudioStatus,
    EngineStatus,
    ModelProgress,
    SessionStarted,
    SessionStopped,
    SystemStatus,
    WakeWord,
    WakeWordTimeout,
    Welcome,
)
from common.link import Link
from tests.tui.loopback import said
from tui.folding import after, known
from tui.state import State, linked, recovery, source_name

READY = EngineStatus(name="pocketsphinx", state="ready")


def status(*sessions: SessionInfo, running: bool = True) -> Status:
    return Status(
        version="1",
        uptime=1,
        running=running,
        profile="mine",
        active_features=[],
        active_connections=1,
        sessions=list(sessions),
        engine=READY,
        audio=AudioStatus(),
    )


def session(name: str, source: str) -> SessionInfo:
    return SessionInfo(session_id=name, source=source, started=50, audio_seconds=1, finals=0)


def test_a_session_that_starts_is_shown_as_running() -> None:
    event = SessionStarted(session_id="s", source="microphone", profile="mine", timestamp=100)
    state = after(event, State(skew=5))
    assert (state.running, state.session_id, state.profile, state.started) == (
        True,
        "s",
        "mine",
        105,
    )


def test_the_sound_of_the_listening_is_known_until_it_ends() -> None:
    gone = AudioStatus(device="Mic", gone=True, fault="gone")
    state = after(SystemStatus(running=True, audio=gone), State(session_id="s"))
    assert state.audio == gone
    assert known(State(), status().model_copy(update={"audio": gone})).audio == gone
    assert after(SessionStopped(session_id="s", reason="stopped"), state).audio is None


def test_only_the_end_of_a_fault_is_a_recovery() -> None:
    gone = AudioStatus(device="Mic", gone=True, fault="gone")
    silent = AudioStatus(device="Mic", silent=True, fault="zeros")
    well = AudioStatus(device="Headset")
    assert recovery(gone, well) == "the microphone Headset is back"
    assert recovery(silent, well) == "there is sound again"
    pairs = [(None, well), (well, well), (well, gone), (silent, gone), (gone, None), (gone, gone)]
    assert not any(recovery(*pair) for pair in pairs)


def test_a_session_that_a_client_feeds_is_not_the_servers_own() -> None:
    state = after(SessionStarted(session_id="x", source="stream"), State())
    assert state == State(sources={"x": "stream"})
    assert known(State(), status(session("x", "upload"))).session_id is None


def test_a_session_is_called_by_its_source_or_by_its_clients_name() -> None:
    drawn, other = "0123456789ab", "ba9876543210"
    state = State(sources={"s": "microphone", "f": "file:/x/talk.wav", drawn: "stream"})
    names = [state.speaker(one) for one in ("s", "f", "kitchen", drawn, other, None)]
    assert names == ["microphone", "talk.wav", "kitchen", "stream 0123", "earlier", "earlier"]


def test_a_wake_word_is_waited_after_until_its_time_is_over() -> None:
    heard = WakeWord(wake_word="jarvis", confidence=0.9, timeout=5, timestamp=100, session_id="s")
    state = after(heard, State(skew=2, session_id="s"))
    assert (state.wake, state.wake_until) == ("jarvis", 107)
    assert after(WakeWordTimeout(), state).wake_until is None
    assert after(said("yes", session_id="s"), state).wake == ""


def test_a_partial_alone_changes_nothing() -> None:
    state = State(session_id="s1")
    assert after(said("hel", final=False), state) is state


def test_another_sessions_end_leaves_ours_running() -> None:
    state = State(running=True, session_id="s")
    assert after(SessionStopped(session_id="x", reason="ended"), state) == state
    over = after(SessionStopped(session_id="s", reason="ended"), state)
    assert (over.running, over.session_id) == (False, None)


def test_the_servers_status_tells_what_we_missed() -> None:
    state = known(State(skew=2), status(session("x", "stream"), session("s", "file:/a.wav")))
    assert (state.session_id, state.source, state.started) == ("s", "file:/a.wav", 52)
    assert state.engine == READY


def test_a_stopped_server_has_no_session() -> None:
    state = State(running=True, session_id="s", started=1.0, wake="jarvis")
    over = after(SystemStatus(running=False), state)
    assert (over.session_id, over.started, over.wake) == (None, None, "")


def test_progress_lasts_until_the_model_is_ready() -> None:
    loading = ModelProgress(model="tiny", stage="load")
    state = after(loading, State())
    assert state.progress == loading
    assert after(SystemStatus(running=True, engine=READY), state).progress is None
    assert after(ModelProgress(model="tiny", stage="ready"), state).progress is None


def test_a_wake_word_is_remembered_until_somebody_speaks_or_nobody_does() -> None:
    state = after(
        WakeWord(wake_word="jarvis", confidence=1, timeout=5), State(session_id="s1", running=True)
    )
    assert state.wake == "jarvis"
    assert after(WakeWordTimeout(), state).wake == ""
    assert after(said("hello", final=False), state).wake == ""


def test_only_finals_tell_the_latency() -> None:
    state = after(said("hel", final=False, latency=9.0), State())
    assert state.latency is None
    assert after(said("hello", latency=0.25), state).latency == 0.25


def test_the_clocks_difference_is_taken_from_the_welcome() -> None:
    welcome = Welcome(
        protocol=1, version="1", server_id="a", running=False, timestamp=time.time() - 60
    )
    assert 59 < after(welcome, State()).skew < 65


def test_a_connection_ends_a_refusal() -> None:
    assert linked(State(refusal="no"), Link("connecting")).refusal == "no"
    assert linked(State(refusal="no"), Link("up")).connected


def test_a_file_is_called_by_its_name() -> None:
    assert source_name("file:/long/way/to/a.wav") == "a.wav"
    assert source_name("microphone") == "microphone"
