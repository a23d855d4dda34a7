"""How Listen looks, and what opens from it: pictures compared with those approved.

pytest tests/tui/test_looks.py --snapshot-update    # after looking at what has changed
"""

from collections.abc import Iterator

import pytest
from syrupy.assertion import SnapshotAssertion

from common.api import SessionFigures, TranscriptionStatus
from common.events import Error, Event, SessionStarted, WakeWord
from common.link import Link
from tests.tui.loopback import ENGINE, NOON, level, said
from tests.tui.pictures import Still, album
from tui.state import State

pytestmark = pytest.mark.usefixtures("same_time_and_place", "told")

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


async def test_listen(snapshot: SnapshotAssertion) -> None:
    async with album(Still(LISTENING, [*TALK, *loudness()]), snapshot) as shown:
        await shown.shows("listening")
        await shown.after("found", "slash", *"the")
        await shown.after("picked", "escape", "up", "up", "v", "up")
        await shown.after("one session alone", "escape", "right_square_bracket")


async def test_where_nothing_was_said(snapshot: SnapshotAssertion) -> None:
    states = {
        "stopped": State(url=LISTENING.url, link=Link("up"), version="0.1.0", engine=ENGINE),
        "away": State(url=LISTENING.url, link=Link("connecting")),
        "refused": State(url=LISTENING.url, refusal="wrong or missing token"),
    }
    async with album(Still(LISTENING), snapshot) as shown:
        for name, state in states.items():
            shown.app.state = state
            await shown.shows(name)


async def test_what_opens_from_listen(snapshot: SnapshotAssertion) -> None:
    async with album(Still(LISTENING, TALK), snapshot) as shown:
        for name, key in (("filter", "f"), ("help", "question_mark"), ("export", "e")):
            await shown.after(name, key)
            await shown.back()
        await shown.after("profile", "p")
        await shown.back()
        await shown.after("doctor", "d")
