"""Sound in by both ways, past ASGI and through it, over real connections."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from backend import serve, wire
from backend.session import Session
from backend.settings import Settings
from backend.sockets import NORMAL, Socket
from tests.inside import Inside, closed, heard, inside

HELLO = {
    "session_id": "stream",
    "custom_config": {
        "transcription": {"engine": "pocketsphinx", "partials": False},
        "vad": {"detector_type": "webrtc", "min_speech_duration": 5},
    },
}
SOUND = bytes(200 * 1024)
"""6.4 seconds, whole frames."""


@pytest.fixture(params=["direct", "public"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "public":
        monkeypatch.setattr(wire, "found", lambda send: None)
    name: str = request.param
    return name


@pytest.fixture
async def here(way: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Inside]:
    listen = serve.listen

    def small(settings: Settings) -> socket.socket:
        # Left alone the kernel keeps up to 32 MB of one who sends.
        listener = listen(settings)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        return listener

    monkeypatch.setattr(serve, "listen", small)
    async with inside() as server:
        yield server


@pytest.fixture
async def client(here: Inside) -> AsyncIterator[ClientConnection]:
    uri = here.uri.replace("/ws", "/audio")
    # Without a limit: one whose events wait reads nothing more, nor the answer to its close.
    async with connect(uri, compression=None, proxy=None, max_queue=None) as client:
        await client.send(json.dumps(HELLO))
        assert (await heard(client))["event"] == "session_started"
        yield client


async def test_a_client_is_on_the_way_that_is_meant(
    client: ClientConnection, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    close = Socket.close

    async def look(socket: Socket, *how: Any) -> None:
        seen.append(bool(socket.wire and socket.wire.intake))
        await close(socket, *how)

    monkeypatch.setattr(Socket, "close", look)
    await client.send('{"command":"stop"}')
    assert (await closed(client))[1] == NORMAL
    assert seen == [way == "direct"]


@pytest.mark.parametrize("piece", [1, 1023, 1024, 32_000, 100_000])
async def test_sound_in_pieces_of_any_length_is_all_heard(
    here: Inside, client: ClientConnection, piece: int
) -> None:
    session = here.parts.sessions.find("stream")
    sound = SOUND if piece > 1 else SOUND[:4096]
    for begin in range(0, len(sound), piece):
        await client.send(sound[begin : begin + piece])
    await client.send('{"command":"stop"}')
    events, code = await closed(client)
    assert events[-1]["event"] == "session_stopped"
    assert code == NORMAL
    assert session.figures().audio_seconds == len(sound) / 32_000


async def test_a_flush_keeps_its_place_amid_the_sound(
    client: ClientConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    hear, flush = Session.hear, Session.flush
    monkeypatch.setattr(Session, "hear", lambda *a: done.append("sound") or hear(*a))
    monkeypatch.setattr(Session, "flush", lambda *a: done.append("flush") or flush(*a))
    for _ in range(20):
        await client.send(bytes(1024))
        await client.send('{"command":"flush"}')
    await client.send('{"command":"stop"}')
    assert (await closed(client))[1] == NORMAL
    assert done == ["sound", "flush"] * 20 + ["flush"]


async def test_messages_in_parts_pings_and_nonsense_do_no_harm(
    here: Inside, client: ClientConnection
) -> None:
    session = here.parts.sessions.find("stream")
    await client.send(bytes(1024))
    assert await (await client.ping()) >= 0
    await client.send("nonsense")
    while (event := await heard(client))["event"] == "level":
        pass
    assert event["error"] == "Not understood"
    await client.send([bytes(1000), bytes(24)])
    await client.send(bytes(1024))
    assert await (await client.ping()) >= 0
    await client.send([bytes(512), bytes(512)])
    await client.send('{"command":"stop"}')
    events, code = await closed(client)
    assert (events[-1]["event"], code) == ("session_stopped", NORMAL)
    assert session.figures().audio_seconds == 4 * 0.032


async def test_a_text_that_is_none_ends_the_session(here: Inside, client: ClientConnection) -> None:
    session = here.parts.sessions.find("stream")
    await client.send(bytes(1024))
    await client.send(b"\xff\xff", text=True)
    await asyncio.wait_for(session.done.wait(), 20)
    assert session.figures().audio_seconds == 0.032


async def test_who_leaves_is_noticed(here: Inside, client: ClientConnection) -> None:
    session = here.parts.sessions.find("stream")
    await client.send(bytes(1025))
    assert await (await client.ping()) >= 0
    client.transport.abort()
    await asyncio.wait_for(session.done.wait(), 20)
    assert session._reason == "disconnected"
    assert session.figures().audio_seconds == 0.032


async def test_who_closes_is_answered(here: Inside, client: ClientConnection) -> None:
    session = here.parts.sessions.find("stream")
    for _ in range(50):
        await client.send(bytes(1024))
    await client.close()
    assert client.close_code == NORMAL
    await asyncio.wait_for(session.done.wait(), 20)
    assert session.figures().audio_seconds == 1.6


async def test_who_sends_more_than_can_be_heard_is_made_to_wait_and_loses_nothing(
    here: Inside, client: ClientConnection
) -> None:
    session = here.parts.sessions.find("stream")
    session._hold_back(1e9)
    sending = asyncio.create_task(_flood(client, 4 << 20))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(sending), 1)
    assert session.figures().audio_seconds == 0
    session._hold_back(0)
    await asyncio.wait_for(sending, 60)
    await client.send('{"command":"stop"}')
    events, code = await closed(client)
    assert (events[-1]["event"], code) == ("session_stopped", NORMAL)
    assert session.figures().audio_seconds == (4 << 20) / 32_000
    assert session.lost_seconds == 0


async def _flood(client: ClientConnection, size: int) -> None:
    for _ in range(size >> 14):
        await client.send(bytes(1 << 14))
