"""The console against the real server: real speech becomes words on its screen."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from common.client import Client
from tests.ends.speech import DEMO, SENTENCES, WHISPER, pcm, send
from tests.running import ROOT, Running, running
from tests.tui.loopback import screen_text, until
from tui.app import Console
from tui.screens.choose import ChooseProfile

PLAYING: dict[str, Any] = {**WHISPER, "audio": {"source": f"file:{DEMO}"}}


@pytest.fixture
def server() -> Iterator[Running]:
    """A server of its own for each test: what another said would be on the screen."""
    with running() as process:
        yield process


async def test_a_partial_becomes_a_final_in_its_place(server: Running, client: Client) -> None:
    app = Console(server.url)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.state.connected and app.state.engine is not None)
        entries = app.home.transcript.entries
        sound = pcm(DEMO, 5.4)[int(2.3 * 16000) * 2 :]
        async with client.audio(custom_config=WHISPER) as upload:
            await send(upload, sound[: 2 * 28000])
            await until(pilot, lambda: any(entry.kind == "partial" for entry in entries), 60)
            assert entries.said() == []
            await send(upload, sound[2 * 28000 :])
            await upload.stop()
            await until(pilot, lambda: entries.said() == [SENTENCES[1]], 60)
        assert not any(entry.kind == "partial" for entry in entries)


async def test_it_shows_what_the_server_hears(server: Running, client: Client) -> None:
    app = Console(server.url)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.state.connected and app.state.engine is not None)
        await client.start(custom_config=PLAYING)
        said = app.home.transcript.entries.said
        await until(pilot, lambda: said()[:2] == SENTENCES[:2], 60)
        level = app.home.meter.level
        assert level is not None
        assert -100 <= level.rms_dbfs <= 0
        shown = screen_text(app)
        assert "mlx_whisper · ready" in shown
        assert "asked for by name" in shown
        assert "● listening 0:" in shown
        assert "demo.flac" in shown

        await pilot.press("s")
        await until(pilot, lambda: "○ stopped" in screen_text(app), 60)
        assert not (await client.status()).running


async def test_what_cannot_start_is_told_with_its_cure(server: Running, client: Client) -> None:
    app = Console(server.url)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: app.state.connected and app.state.engine is not None)
        async with httpx.AsyncClient(base_url=server.url) as http:
            config = {"audio": {"source": "file:/nowhere.wav"}}
            saved = await http.put("/api/v1/system/profiles/nowhere", json=config)
            assert saved.status_code == 200
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, ChooseProfile))
        places = [profile.name for profile in (await client.profiles()).profiles]
        await pilot.press(*["down"] * places.index("nowhere"), "enter")
        await until(pilot, lambda: app.state.wanted == "nowhere")
        await pilot.press("s")
        await until(pilot, lambda: "does not exist" in screen_text(app), 30)
        assert not (await client.status()).running


async def test_a_server_that_leaves_is_awaited(server: Running) -> None:
    app = Console(server.url)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.state.connected)
        assert await asyncio.to_thread(server.stop) == 0
        await until(pilot, lambda: "reconnecting in" in screen_text(app), 30)


@pytest.mark.timeout(300)
async def test_plain_prints_a_line_per_final(server: Running, client: Client) -> None:
    # Beside other tests a server may take longer to answer than the default allows.
    console = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui", "--plain", "--once", "--wait", "60", "--url", server.url),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert console.stderr
    assert console.stdout
    told = b""
    while b"engine: " not in told:
        line = await asyncio.wait_for(console.stderr.readline(), 60)
        assert line, f"it ended:\n{told.decode()}"
        told += line
    await client.start(custom_config=PLAYING)
    lines = [await asyncio.wait_for(console.stdout.readline(), 60) for _ in range(2)]
    assert [line.decode().strip() for line in lines] == SENTENCES[:2]
    await client.stop()
    rest, errors = await asyncio.wait_for(console.communicate(), 60)
    assert console.returncode == 0
    assert b"listening stopped" in errors
    assert all(line.strip() for line in rest.splitlines())
