"""What a server tells in the pictures of the console."""

from typing import Any

import pytest

from common.api import (
    Device,
    DoctorReport,
    Finding,
    NamedProfile,
    Profiles,
    ProfileSummary,
    SessionFigures,
    TranscriptionStatus,
)
from common.client import Client
from common.events import Error, Event, SessionStarted
from common.history import HistoryPage, Utterance
from common.link import Link
from common.models import EngineInfo, Engines, ModelInfo, Models
from common.nearby import Lookout
from common.past import History
from common.profile import BUILTIN
from tests.tui.loopback import ENGINE, NOON, said
from tui.state import State

STATE = State(
    url="http://studio.local:8000",
    link=Link("up"),
    version="9.9.9",
    running=True,
    profile="noisy-room",
    engine=ENGINE,
    session_id="9f3a61c2d07b",
    source="microphone",
)
PROFILES = Profiles(
    profiles=[
        *(
            ProfileSummary(name=name, description=one.description, builtin=True)
            for name, one in BUILTIN.items()
        ),
        ProfileSummary(name="studio", description="[b]mine[/b]", builtin=False),
        ProfileSummary(name="old", description="", builtin=False, fault="vad.sensitivity: …"),
    ],
    default="vad-triggered",
)
FIGURES = TranscriptionStatus(
    engine=ENGINE,
    queue_depth=1,
    sessions=[
        SessionFigures(
            session_id="9f3a61c2d07b",
            source="microphone",
            profile="noisy-room",
            audio_seconds=754.2,
            finals=93,
            waiting_seconds=0.0,
            lost_seconds=0.0,
            real_time_factor=0.12,
            latency_p50=0.42,
            latency_p95=0.9,
        ),
        SessionFigures(
            session_id="kitchen",
            source="stream",
            audio_seconds=12,
            finals=0,
            waiting_seconds=3.1,
            lost_seconds=1.5,
            overruns=2,
        ),
    ],
)
ENGINES = Engines(
    engines=[
        EngineInfo(name="mlx_whisper", installed=True, default_model="large-v3-turbo"),
        EngineInfo(name="pocketsphinx", installed=True, default_model="en-us"),
        EngineInfo(name="openai", installed=False, missing="set OPENAI_API_KEY and start again"),
    ],
    auto="mlx_whisper, model large-v3-turbo: Apple silicon",
)
MODELS = Models(
    models=[
        ModelInfo(
            name="large-v3-turbo",
            engine="mlx_whisper",
            repository="mlx-community/whisper-large-v3-turbo",
            installed=True,
            state="loaded",
            size_bytes=1_610_000_000,
            memory_bytes=1_710_000_000,
            in_use=1,
        ),
        ModelInfo(
            name="small",
            engine="mlx_whisper",
            repository="mlx-community/whisper-small-mlx",
            installed=False,
            state="downloading",
            done=192_000_000,
            total=481_000_000,
        ),
        ModelInfo(name="tiny", engine="mlx_whisper", installed=False, state="available"),
    ],
    cache="/home/me/.cache/huggingface/hub",
    free_bytes=81_000_000_000,
)
DEVICES = [
    Device(id=0, name="Built-in Microphone", channels=1, sample_rate=48000, default=True),
    Device(id=3, name="Interface [b]USB[/b]", channels=8, sample_rate=96000, default=False),
]
REPORT = DoctorReport(
    version="9.9.9",
    healthy=False,
    findings=[
        Finding(name="port", state="ok", found="0.0.0.0:8000 is free"),
        Finding(name="keys", state="note", found="OPENAI_API_KEY is not set"),
        Finding(name="keys", state="note", found="PORCUPINE_ACCESS_KEY is not set"),
        Finding(
            name="microphone",
            state="fault",
            found="Built-in Microphone gives nothing but zeros",
            cure="unmute it, or allow the terminal to use the microphone in the system's settings",
        ),
    ],
)
EVENTS: list[Event] = [
    SessionStarted(source="microphone", profile="noisy-room", timestamp=NOON),
    said("[/] the quick brown fox", "u1", latency=0.4),
    said("jumps over the lazy dog", "u2", latency=0.9),
    Error(error="Sound lost", details="1.5 s of its sound found no room", timestamp=NOON),
    said("漢字 and [b]more[/b]", "u3", latency=2.4),
]


def past(seq: int, text: str, **more: Any) -> Utterance:
    """Return what was said a number of minutes before noon."""
    fields = said(text, str(seq)).model_dump() | {"seq": seq, "timestamp": NOON + 60 * seq}
    return Utterance.model_validate(fields | {"session_id": "9f3a61c2d07b"} | more)


MICROPHONE = {"source": "microphone", "profile": "noisy-room"}
FILE = {"source": "file:/home/me/[b]talk.wav", "session_id": "0123456789ab"}
PAST = HistoryPage(
    utterances=[
        past(9, "Good morning. Is everything set for today?", **MICROPHONE, audio=True),
        past(8, "[/] and [@click=app.quit]x[/] are words, \x1b[31mlike others 🎉", **MICROPHONE),
        past(7, "日本語のテキストも、ここでは幅を間違えずに表示されます。" * 3, **MICROPHONE),
        past(5, "Hello from the kitchen.", session_id="kitchen", source="stream"),
        past(3, "Nobody knows any more who said this.", session_id="aaaaaaaaaaaa"),
        past(-900, "It was said on the evening before, and it was long: " * 4, **FILE),
        past(-901, "السلام عليكم", **FILE),
    ]
)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the client know what stands above, without a server."""

    def answer(name: str, made: Any, owner: type = Client) -> None:
        async def give(self: object, *given: object, **more: object) -> Any:
            return made

        monkeypatch.setattr(owner, name, give)

    async def profile(self: Client, name: str) -> NamedProfile:
        config = BUILTIN.get(name, BUILTIN["noisy-room"]).model_dump(mode="json")
        return NamedProfile(name=name, builtin=name in BUILTIN, config=config)

    answer("profiles", PROFILES)
    answer("figures", FIGURES)
    answer("engines", ENGINES)
    answer("models", MODELS)
    answer("devices", DEVICES)
    answer("doctor", REPORT)
    answer("sinks", [])
    answer("page", PAST, History)
    monkeypatch.setattr(Client, "profile", profile)
    answer("begin", None, Lookout)
