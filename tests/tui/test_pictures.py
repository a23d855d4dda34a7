"""Pictures of the places, each in three sizes and themes: a change of how they look is seen."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from common.api import NamedProfile, Profiles, ProfileSummary, SessionFigures, TranscriptionStatus
from common.client import Client
from common.events import Error, Event, SessionStarted
from common.models import EngineInfo, Engines, ModelInfo, Models
from common.nearby import Nearby
from common.profile import BUILTIN, Profile
from common.stream import Link
from tests.running import ROOT
from tests.tui.loopback import ENGINE, NOON, level, said, screen_text, until
from tui import servers
from tui.app import Console
from tui.connection import Connected
from tui.screens.diagnostics import DiagnosticsScreen
from tui.screens.edit import EditScreen
from tui.screens.servers import ServersScreen
from tui.servers import Known
from tui.state import State

Snap = Callable[..., bool]

LOOKS = [
    ((80, 24), "textual-dark"),
    ((40, 24), "textual-light"),
    ((140, 40), "nord"),
]
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


class Still(Console):
    """A console that is told everything at once and then nothing more."""

    CSS_PATH = ROOT / "tui" / "app.tcss"

    def __init__(self, theme: str) -> None:
        super().__init__(STATE.url)
        self.theme = theme
        self.set_reactive(Connected.state, STATE)

    def follow(self) -> Any:
        return None


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the client know what stands above, without a server."""

    def answer(name: str, made: Any) -> None:
        async def give(self: Client, *given: object) -> Any:
            return made

        monkeypatch.setattr(Client, name, give)

    async def profile(self: Client, name: str) -> NamedProfile:
        config = BUILTIN.get(name, BUILTIN["noisy-room"]).model_dump(mode="json")
        return NamedProfile(name=name, builtin=name in BUILTIN, config=config)

    async def begin(self: object) -> None:
        return None

    answer("profiles", PROFILES)
    answer("figures", FIGURES)
    answer("engines", ENGINES)
    answer("models", MODELS)
    monkeypatch.setattr(Client, "profile", profile)
    monkeypatch.setattr("common.nearby.Lookout.begin", begin)
    monkeypatch.setattr("time.localtime", time.gmtime)


def picture(snap_compare: Snap, key: str, size: tuple[int, int], theme: str, then: Any) -> bool:
    async def before(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await pilot.pause()
        await then(pilot)
        await pilot.pause()

    return snap_compare(Still(theme), terminal_size=size, run_before=before)


async def nothing(pilot: Pilot[None]) -> None:
    await pilot.app.workers.wait_for_complete()


async def marked_last_but_one(pilot: Pilot[None]) -> None:
    await pilot.app.workers.wait_for_complete()
    await pilot.press("end", "up")
    await pilot.app.workers.wait_for_complete()


EVENTS: list[Event] = [
    SessionStarted(source="microphone", profile="noisy-room", timestamp=NOON),
    said("[/] the quick brown fox", "u1", latency=0.4),
    said("jumps over the lazy dog", "u2", latency=0.9),
    Error(error="Sound lost", details="1.5 s of its sound found no room", timestamp=NOON),
    said("漢字 and [b]more[/b]", "u3", latency=2.4),
]


async def events(pilot: Pilot[None]) -> None:
    await pilot.app.workers.wait_for_complete()
    screen = pilot.app.screen
    assert isinstance(screen, DiagnosticsScreen)
    screen.take(EVENTS)
    await pilot.press("up")


async def neighbors(pilot: Pilot[None]) -> None:
    await pilot.app.workers.wait_for_complete()
    near = [Nearby("kitchen-8000", "http://192.0.2.7:8000", "0.1.0", wants_token=True)]
    pilot.app.screen.post_message(ServersScreen.Seen(near))


async def edited(pilot: Pilot[None]) -> None:
    profile = Profile.model_validate({"description": "A [b]quiet[/b] room"})
    edit = EditScreen("studio", profile, saved=True)
    await pilot.app.push_screen(edit)
    await until(pilot, lambda: edit.form.whole)
    edit.hear(level(session_id=STATE.session_id))
    for field, text in (("vad-sensitivity", "7"), ("vad-pre_speech", "0.5")):
        edit.form.query_one(f"#{field} Input", Input).value = text
    field = edit.form.query_one("#vad-sensitivity Input", Input)
    field.cursor_blink = False
    await until(pilot, lambda: bool(edit.form.faults))
    await at_rest(pilot)
    # Only now is it known how high everything is, and so how far there is to scroll.
    field.focus()
    await until(pilot, lambda: field.has_focus)
    await at_rest(pilot)


async def at_rest(pilot: Pilot[None]) -> None:
    """Wait until nothing moves on the screen any more."""
    before = ""
    while (now := screen_text(pilot.app)) != before:
        before = now
        await pilot.pause(0.05)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_profiles(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert picture(snap_compare, "2", size, theme, marked_last_but_one)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_a_profiles_form(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert picture(snap_compare, "2", size, theme, edited)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_sessions(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert picture(snap_compare, "3", size, theme, nothing)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_models(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert picture(snap_compare, "4", size, theme, nothing)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_diagnostics(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert picture(snap_compare, "5", size, theme, events)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_servers(
    snap_compare: Snap, size: tuple[int, int], theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [Known("Studio", STATE.url, "keyring"), Known("Attic [/]", "http://attic:8000")]
    monkeypatch.setattr(servers, "load", lambda file: known)
    assert picture(snap_compare, "6", size, theme, neighbors)
