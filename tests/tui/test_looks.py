"""How the console looks: pictures of Listen and its dialogs, compared with those approved.

pytest tests/tui/test_looks.py --snapshot-update    # after looking at what has changed
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual.pilot import Pilot

from common.api import SessionFigures, TranscriptionStatus
from common.events import Error, Event, SessionStarted, WakeWord
from common.link import Link
from tests.running import ROOT
from tests.tui.loopback import ENGINE, NOON, level, said
from tui.app import Console
from tui.screens.export import ExportScreen
from tui.state import State

SIZES = [(80, 24), (40, 24), (160, 44)]
THEMES = ["textual-dark", "textual-light", "ansi-dark"]
Compare = Callable[..., bool]

FIGURES = TranscriptionStatus(
    engine=ENGINE,
    queue_depth=0,
    sessions=[
        SessionFigures(
            session_id="s1",
            source="microphone",
            audio_seconds=83,
            finals=4,
            waiting_seconds=0,
            lost_seconds=0,
            real_time_factor=0.21,
        )
    ],
)
LISTENING = State(
    url="http://studio.local:8000",
    link=Link("up"),
    version="0.1.0",
    running=True,
    profile="vad-triggered",
    engine=ENGINE,
    session_id="s1",
    source="microphone",
    started=NOON - 83,
    sources={"s1": "microphone", "kitchen": "stream"},
    latency=0.42,
    round_trip=0.002,
    up_since=NOON - 3600,
    figures=FIGURES,
)
TALK: list[Event] = [
    SessionStarted(session_id="s1", source="microphone", profile="vad-triggered", timestamp=NOON),
    said("Good morning. Is everything set for today?", "1", confidence=0.97),
    said("日本語のテキストも、ここでは幅を間違えずに表示されます。", "2", confidence=0.71),
    said("السلام عليكم", "3", confidence=0.9),
    said("[/] and [@click=app.quit]x[/] are words, \x1b[31mlike others 🎉", "4", confidence=0.31),
    said("Hello from the kitchen.", "5", session_id="kitchen", confidence=0.88),
    Error(error="Overrun", details="this machine was too busy for a moment", timestamp=NOON),
    WakeWord(wake_word="jarvis", confidence=0.93, timeout=5, session_id="s1", timestamp=NOON),
    said("Turn the lights on, please, and while you are at it close the window.", "6"),
    said("and this may still cha", "7", final=False, stable=18),
]


def loudness() -> Iterator[Event]:
    """Yield ten seconds of it, with somebody speaking now and then."""
    for number in range(150):
        speaking = number // 30 % 2 == 1
        rms = -50 + number % 5 + (24 + number % 9 if speaking else 0)
        yield level(
            rms,
            0.93 if speaking else 0.05,
            timestamp=NOON + number / 15,
            webrtc=float(speaking),
            silero=0.9 if speaking else 0.03,
            threshold=0.3,
            noise_floor_dbfs=-50,
        )


class Still(Console):
    """The console with nobody to follow."""

    CSS_PATH = ROOT / "tui" / "app.tcss"

    def __init__(self, state: State, events: list[Event], theme: str = THEMES[0]) -> None:
        super().__init__(state.url)
        self.theme = theme
        self._shown = state, events

    def follow(self) -> None:  # type: ignore[override]
        self.state, events = self._shown
        self.home.take(events)


@pytest.fixture(autouse=True)
def _same_time_and_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    still = SimpleNamespace(
        time=lambda: NOON, localtime=time.localtime, strftime=time.strftime, sleep=time.sleep
    )
    monkeypatch.setattr("tui.widgets.status.time", still)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_listening(size: tuple[int, int], theme: str, snap_compare: Compare) -> None:
    app = Still(LISTENING, [*TALK, *loudness()], theme)
    assert snap_compare(app, terminal_size=size)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("found", ["slash", *"the"]),
        ("picked", ["up", "up", "v", "up"]),
        ("filter", ["f"]),
        ("help", ["question_mark"]),
    ],
)
def test_what_a_key_opens(name: str, keys: list[str], snap_compare: Compare) -> None:
    assert snap_compare(Still(LISTENING, TALK), press=keys)


@pytest.mark.parametrize(
    "state",
    [
        State(url=LISTENING.url, link=Link("up"), version="0.1.0", engine=ENGINE),
        State(url=LISTENING.url, link=Link("connecting")),
        State(url=LISTENING.url, refusal="wrong or missing token"),
    ],
    ids=["stopped", "away", "refused"],
)
def test_where_nothing_was_said(state: State, snap_compare: Compare) -> None:
    assert snap_compare(Still(state, []))


def test_exporting(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    async def opened(pilot: Pilot[None]) -> None:
        screen = ExportScreen({"everything": [said("one")]}, Path("/home/me"))
        monkeypatch.setattr(screen, "_stem", "transcript")
        await pilot.app.push_screen(screen)

    assert snap_compare(Still(LISTENING, TALK), run_before=opened)
