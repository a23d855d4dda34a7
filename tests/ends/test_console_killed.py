"""``kill -9`` of the server while somebody speaks: the console comes back and has every final."""

import asyncio
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from common.client import Client
from common.history import Utterance
from common.problems import ClientError
from tests.ends.speech import SPHINX, pcm, send, silence
from tests.running import SOUNDS, running
from tests.tui.loopback import screen_text, until
from tui.app import Console
from tui.telling import ANEW, GAP
from tui.widgets.entries import Entry

LIVES = int(os.environ.get("STT_TEST_CONSOLE_LIVES", "3"))
"""How often the server is killed; 20 were tried before a release."""
CONFIG: dict[str, Any] = {**SPHINX, "vad": {"min_silence_duration": 0.2}}
"""The engine that is there soonest: it is the coming back that counts."""
SOON = 60.0
"""Seconds in which a server is up, and has read a few words, on a busy machine."""


@pytest.mark.timeout(120 + 40 * LIVES)
async def test_every_final_is_there_once_however_often_the_server_is_killed(
    tmp_path: Path,
) -> None:
    port = _free_port()
    app = Console(f"http://127.0.0.1:{port}")
    async with app.run_test(size=(110, 36), notifications=True) as pilot:
        for _ in range(LIVES):
            async with _served(pilot, tmp_path, port) as kill:
                before = len(_finals(app))
                await until(pilot, lambda before=before: len(_finals(app)) >= before + 2, SOON)
                kill()
                await until(pilot, lambda: "reconnecting in" in screen_text(app), SOON)
        async with _served(pilot, tmp_path, port, speaking=False):
            async with Client(app.state.url) as client:
                kept = [one async for one in client.history.search(order="oldest", limit=500)]
            await until(pilot, lambda: len(_finals(app)) >= len(kept), SOON)
            assert _differences(_finals(app), kept) == []
            assert len(kept) >= 2 * LIVES
            # Nothing that was told is missing, so nothing is said to be.
            texts = [entry.text for entry in app.home.transcript.entries]
            assert GAP not in texts
            assert texts.count(ANEW) == LIVES


async def test_what_nobody_kept_is_said_to_be_missing(tmp_path: Path) -> None:
    port = _free_port()
    app = Console(f"http://127.0.0.1:{port}")
    without = {"STT_SERVER_HISTORY": "false"}
    async with app.run_test(size=(110, 36), notifications=True) as pilot:
        async with _served(pilot, tmp_path, port, without) as kill:
            await until(pilot, lambda: len(_finals(app)) >= 1, SOON)
            kill()
            await until(pilot, lambda: "reconnecting in" in screen_text(app), SOON)
        said = [entry.text for entry in _finals(app)]
        async with _served(pilot, tmp_path, port, without, speaking=False):
            await until(pilot, lambda: GAP in screen_text(app), SOON)
            assert [entry.text for entry in _finals(app)] == said


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def _served(
    pilot: Pilot[None],
    home: Path,
    port: int,
    environment: dict[str, str] | None = None,
    speaking: bool = True,
) -> AsyncIterator[Any]:
    """Run a life of the server to which the console comes back; give what kills it."""
    folder = {"STT_SERVER_DATA_DIR": str(home), "STT_SERVER_MAX_REQUESTS": "0"}
    with running("--port", str(port), environment={**folder, **(environment or {})}) as server:
        app = pilot.app
        assert isinstance(app, Console)
        await until(pilot, lambda: app.state.connected, SOON)
        talk = asyncio.create_task(_talk(server.url)) if speaking else None
        try:
            yield lambda: server.process.send_signal(signal.SIGKILL)
        finally:
            if talk:
                talk.cancel()
                with suppress(asyncio.CancelledError, ClientError, OSError):
                    await talk


async def _talk(url: str) -> None:
    """Speak, one sentence after the other, for as long as the server lives."""
    sound = silence(0.2)
    for name in ("hello-world", "one-two-three", "what-time-is-it", "turn-the-lights-on"):
        sound += pcm(SOUNDS / f"{name}.flac") + silence(0.4)
    async with Client(url) as client:
        async with client.audio(custom_config=CONFIG) as upload:
            while True:
                await send(upload, sound, 8192)


def _finals(app: Console) -> list[Entry]:
    return app.home.transcript.entries.finals()


def _differences(shown: list[Entry], kept: list[Utterance]) -> list[str]:
    """Return what the page lacks, has twice or has otherwise than history; empty if nothing."""

    def counted(finals: list[Entry] | list[Utterance]) -> Counter[tuple[str | None, str, str]]:
        return Counter((one.session_id, one.utterance_id, one.text.strip()) for one in finals)

    on_page, in_history = counted(shown), counted(kept)
    missing = [f"missing: {key}" for key in (in_history - on_page).elements()]
    return missing + [f"too much: {key}" for key in (on_page - in_history).elements()]
