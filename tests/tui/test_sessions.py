"""The place of the sessions, on a real server: every key of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.api import ConfigureRequest, SessionFigures
from common.client import Client
from common.events import Level
from tests.ends.speech import DEMO, SPHINX, Listening
from tests.running import SOUNDS, Running, running
from tests.tui.loopback import until
from tests.tui.real import SOON, answer, console, gone, on, paste, seen
from tui.app import Console
from tui.feed import Feed
from tui.screens.ask import AskText
from tui.screens.confirm import Confirm
from tui.screens.listen import ListenScreen
from tui.screens.pick import Pick
from tui.screens.sessions import SessionsScreen, described, figures
from tui.sounds import SoundFault

PLAYING: dict[str, Any] = {"audio": {"source": f"file:{DEMO}"}}


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as process:
        yield process


@pytest.fixture
async def client(server: Running) -> AsyncIterator[Client]:
    async with Client(server.url) as made:
        await made.configure(ConfigureRequest.model_validate(SPHINX["transcription"]))
        yield made
        if await made.sessions():
            await made.stop()


def test_a_session_is_told_with_what_it_measured_and_nothing_else() -> None:
    session = SessionFigures(
        session_id="[/]",
        source="file:/a/b.wav",
        profile="[b]x",
        audio_seconds=75,
        finals=3,
        waiting_seconds=0,
        lost_seconds=0,
    )
    assert list(figures(session)) == ["heard 1:15 · 3 finals"]
    line = described(session, None, own=True).plain
    assert line.startswith("● b.wav · [b]x")
    assert "[/]" in line
    busy = session.model_copy(
        update={
            "waiting_seconds": 2.5,
            "latency_p50": 0.5,
            "latency_p95": 1.25,
            "real_time_factor": 0.1,
            "lost_seconds": 1.5,
            "overruns": 2,
        }
    )
    assert list(figures(busy)) == [
        "heard 1:15 · 3 finals · 2.5 s wait",
        "latency 0.50 s, p95 1.25 s · real-time factor 0.10",
        "1.5 s lost · 2 overruns",
    ]


async def test_it_says_what_can_be_done_while_nothing_listens(
    server: Running, client: Client
) -> None:
    async with console(server, "3") as pilot:
        await seen(pilot, "Nothing listens.", "this machine's microphone")
        await pilot.press("x")
        await seen(pilot, "Nothing listens.")


async def test_a_file_of_the_server_is_listened_to_watched_and_stopped(
    server: Running, client: Client
) -> None:
    async with console(server, "3") as pilot:
        await pilot.press("f")
        await on(pilot, AskText)
        await answer(pilot, str(DEMO))
        await seen(pilot, "demo.flac · vad-triggered the server's own", "heard 0:0")
        screen = pilot.app.screen
        assert isinstance(screen, SessionsScreen)
        await until(pilot, lambda: screen._sessions[0].audio_seconds > 2, SOON)
        await pilot.press("x")
        await seen(pilot, "Nothing listens.")
        assert await client.sessions() == []


async def test_a_path_that_the_server_lacks_is_told(server: Running, client: Client) -> None:
    async with console(server, "3") as pilot:
        await pilot.press("f")
        await on(pilot, AskText)
        await answer(pilot, "/no/such.wav")
        await seen(pilot, "Audio source not available")


async def test_s_starts_and_stops_the_servers_own(server: Running, client: Client) -> None:
    await client.start(custom_config=PLAYING)
    async with console(server, "3") as pilot:
        await seen(pilot, "the server's own")
        await pilot.press("s")
        await seen(pilot, "Nothing listens.")


async def test_every_session_is_stopped_at_once(server: Running, client: Client) -> None:
    await client.start(custom_config=PLAYING)
    await client.open_session(session_id="second")
    async with console(server, "3") as pilot:
        await seen(pilot, "the server's own", "second")
        await pilot.press("X")
        await seen(pilot, "Nothing listens.")


async def test_enter_goes_to_the_words_of_a_session(server: Running, client: Client) -> None:
    await client.open_session(session_id="second")
    async with console(server, "3") as pilot:
        await seen(pilot, "second")
        await pilot.press("enter")
        await on(pilot, ListenScreen)
        app = pilot.app
        assert isinstance(app, Console)
        assert app.home.sieve.speaker == "second"


async def test_a_file_of_this_machine_is_sent_and_transcribed(
    server: Running, client: Client
) -> None:
    async with console(server, "3") as pilot:
        app = pilot.app
        assert isinstance(app, Console)
        await pilot.press("l")
        await on(pilot, AskText)
        await paste(pilot, str(SOUNDS / "none.flac"))
        await seen(pilot, "there is no such file")
        await answer(pilot, str(SOUNDS / "hello-world.flac"))
        entries = app.home.transcript.entries

        def named() -> list[str]:
            return [app.state.speaker(entry.session_id) for entry in entries.finals()]

        await until(
            pilot, lambda: any(one.startswith("hello-world.flac-") for one in named()), SOON
        )
        await seen(pilot, "Nothing listens.")
        # The server lets go of the session a moment before the stream is closed on both sides.
        await until(pilot, lambda: not app.seen["sessions"].busy)


async def test_a_file_that_is_no_sound_is_told(
    server: Running, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("no sound")
    async with console(server, "3") as pilot:
        await pilot.press("l")
        await on(pilot, AskText)
        await answer(pilot, str(path))
        await seen(pilot, "No sound here", "WAV, FLAC, OGG or MP3?")


class Endless:
    """A microphone that hears faint noise for as long as one likes."""

    name, rate, channels, seconds, lost = "microphone here", 16000, 1, None, 0.0
    closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.032)
            yield b"\1\0\2\0" * 256

    async def close(self) -> None:
        self.closed = True


async def test_leaving_asks_while_this_console_still_sends(
    server: Running, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Endless()

    async def microphone() -> Endless:
        return made

    monkeypatch.setattr("tui.screens.sessions.microphone", microphone)
    async with console(server, "3") as pilot:
        await pilot.press("h")
        await seen(pilot, "microphone here, from this console", "sent 0:0")
        await pilot.press("q")
        await on(pilot, Confirm)
        await seen(pilot, "still sends sound to the server: microphone here")
        await pilot.press("n")
        await on(pilot, SessionsScreen)
        await pilot.press("x")
        await gone(pilot, "from this console")
        assert made.closed
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)


async def test_a_stream_that_is_ended_on_the_server_ends_here_too(
    server: Running, client: Client
) -> None:
    made = Endless()
    listening = await Listening.to(client)
    feed = Feed(client, made, None)
    sending = asyncio.create_task(feed.run())
    *_, heard = await listening.until(lambda event: isinstance(event, Level))
    assert heard.session_id
    await client.close_session(heard.session_id)
    async with asyncio.timeout(SOON):
        await sending
    assert made.closed
    await Listening.end_all()


async def test_a_machine_without_a_microphone_says_so(
    server: Running, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def microphone() -> Endless:
        raise SoundFault("no microphone [/] can be opened here")

    monkeypatch.setattr("tui.screens.sessions.microphone", microphone)
    async with console(server, "3") as pilot:
        await pilot.press("h")
        await seen(pilot, "no microphone [/] can be opened here")


async def test_a_device_is_chosen_from_the_servers_list_or_it_is_said_why_not(
    server: Running, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from common.api import Device

    async def devices(self: Client) -> list[Device]:
        return [Device(id=7, name="USB [/]", channels=2, sample_rate=48000, default=True)]

    asked: list[Any] = []

    async def start(self: Client, *given: Any, **how: Any) -> None:
        asked.append((given, how))

    async with console(server, "3") as pilot:
        await pilot.press("d")
        await until(
            pilot,
            lambda: isinstance(pilot.app.screen, Pick) or bool(pilot.app._notifications),
            SOON,
        )
        if isinstance(pilot.app.screen, Pick):
            await pilot.press("escape")
            await on(pilot, SessionsScreen)
        monkeypatch.setattr(Client, "devices", devices)
        monkeypatch.setattr(Client, "start", start)
        await pilot.press("d")
        await on(pilot, Pick)
        await seen(pilot, "USB [/]", "2 channels, 48000 Hz · default")
        await pilot.press("enter")
        await until(pilot, lambda: bool(asked))
        assert asked == [
            ((None, {"audio": {"source": "microphone", "device": 7}}), {"restart": True})
        ]
