"""WebSockets at the ASGI line: the test plays Hypercorn and the peer behind it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from backend import sockets
from backend.parts import Parts
from backend.problems import bad_request
from backend.routes.audio import serve_audio
from backend.routes.events import serve_events
from backend.security import Pace
from backend.settings import Settings
from backend.sockets import Endpoint, Message, Socket, Sockets
from backend.subscription import BACKLOG
from common.events import Error

PATH = "/api/v1/ws"


class Peer:
    """What the other end sent, and what it was sent."""

    def __init__(self, *frames: str | bytes, stays: bool = False) -> None:
        self.sent: list[Message] = []
        self.reads = True
        self.stuck = asyncio.Event()
        """A frame was sent that it didn't read."""
        self._told = asyncio.Event()
        self._coming: asyncio.Queue[Message] = asyncio.Queue()
        self._coming.put_nowait({"type": "websocket.connect"})
        for frame in frames:
            self.say(frame)
        if not stays:
            self.leave()

    def say(self, frame: str | bytes) -> None:
        kind = "text" if isinstance(frame, str) else "bytes"
        self._coming.put_nowait({"type": "websocket.receive", kind: frame})

    def leave(self) -> None:
        self._coming.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def receive(self) -> Message:
        return await self._coming.get()

    async def send(self, message: Message) -> None:
        if not self.reads:
            self.stuck.set()
            await asyncio.Event().wait()
        self.sent.append(message)
        self._told.set()

    async def until(self, wanted: Callable[["Peer"], bool]) -> None:
        async with asyncio.timeout(20):
            while not wanted(self):
                self._told.clear()
                await self._told.wait()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(one["text"]) for one in self.sent if one["type"] == "websocket.send"]

    @property
    def code(self) -> int | None:
        return next((one["code"] for one in self.sent if one["type"] == "websocket.close"), None)

    @property
    def refusal(self) -> dict[str, Any]:
        """The answer to the handshake."""
        start, body = self.sent
        told: dict[str, Any] = json.loads(body["body"])
        assert start["status"] == told["status_code"]
        return told


def scope(query: bytes = b"", path: str = PATH, **headers: str) -> Message:
    told = [(b"host", b"localhost"), *((k.encode(), v.encode()) for k, v in headers.items())]
    return {
        "type": "websocket",
        "path": path,
        "query_string": query,
        "headers": told,
        "client": ("127.0.0.1", 1),
        "subprotocols": [],
    }


def serving(endpoint: Endpoint, settings: Settings | None = None, rate: float = 0) -> Sockets:
    async def inner(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "passed on", "scope": scope})

    return Sockets(inner, settings or Settings(), Pace(rate), {PATH: endpoint})


async def echo(socket: Socket) -> None:
    await socket.accept()
    while True:
        await socket.text(str(await socket.next()))


async def never(socket: Socket) -> None:
    raise AssertionError("nobody is to come in")


async def test_what_is_no_socket_of_ours_is_passed_on() -> None:
    for strange in ({"type": "http", "path": PATH}, scope(path="/api/v1/other")):
        peer = Peer()
        await serving(never)(strange, peer.receive, peer.send)
        assert [one["type"] for one in peer.sent] == ["passed on"]


async def test_a_socket_is_served_until_its_peer_leaves() -> None:
    peer = Peer("one", b"two")
    await serving(echo)(scope(), peer.receive, peer.send)
    assert [one.get("text") for one in peer.sent] == [None, "one", "b'two'"]
    assert peer.code is None


@pytest.mark.parametrize(
    ("settings", "rate", "headers", "status"),
    [
        (Settings(auth_enabled=True, auth_token="secret"), 0, {}, 401),
        (Settings(), 0, {"origin": "http://evil.example"}, 403),
        (Settings(), 0.1, {}, 429),
    ],
)
async def test_who_may_not_come_in_is_told_so_before_the_handshake(
    settings: Settings, rate: float, headers: dict[str, str], status: int
) -> None:
    peer = Peer()
    await serving(never, settings, rate)(scope(**headers), peer.receive, peer.send)
    assert peer.refusal["status_code"] == status


async def test_one_too_many_is_429_and_comes_in_once_another_has_left() -> None:
    served = serving(echo, Settings(max_connections=1))
    first, second, third = Peer(stays=True), Peer(), Peer("hello")
    serving_first = asyncio.create_task(served(scope(), first.receive, first.send))
    await first.until(lambda peer: bool(peer.sent))
    await served(scope(), second.receive, second.send)
    assert second.refusal["status_code"] == 429
    assert "STT_SERVER_MAX_CONNECTIONS" in second.refusal["details"]
    first.leave()
    await serving_first
    await served(scope(), third.receive, third.send)
    assert third.sent[-1]["text"] == "hello"


async def test_a_crash_is_1011_and_its_reason_stays_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def crash(socket: Socket) -> None:
        await socket.accept()
        raise RuntimeError("the key is 1234")

    peer = Peer()
    await serving(crash)(scope(), peer.receive, peer.send)
    assert peer.code == sockets.OUR_FAULT
    assert peer.events[0]["recoverable"] is False
    assert "1234" not in json.dumps(peer.events)
    assert "1234" in caplog.text


async def test_a_problem_after_the_handshake_is_an_event_and_a_close() -> None:
    async def refuse(socket: Socket) -> None:
        await socket.accept()
        raise bad_request("say it otherwise")

    peer = Peer()
    await serving(refuse)(scope(), peer.receive, peer.send)
    assert peer.events[0]["details"] == "say it otherwise"
    assert peer.code == sockets.POLICY


async def test_what_comes_after_the_close_is_read_away() -> None:
    async def close(socket: Socket) -> None:
        await socket.accept()
        await socket.close()

    peer = Peer(*["more"] * 100)
    await serving(close)(scope(), peer.receive, peer.send)
    assert peer.code == sockets.NORMAL
    assert peer._coming.empty()


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    made = Parts.of(Settings())
    yield made
    await made.sessions.leave(5)
    await made.close()


def events_of(parts: Parts) -> Sockets:
    return serving(lambda socket: serve_events(socket, parts))


@pytest.mark.parametrize(
    ("query", "word"),
    [
        (b"event=transcription", "event; there are: events, session"),
        (b"levels=maybe", "true or false"),
        (b"since=\xff\xfe", "whole number"),
        (b"events=weather", "weather"),
    ],
)
async def test_a_query_that_means_nothing_is_refused(parts: Parts, query: bytes, word: str) -> None:
    peer = Peer()
    await events_of(parts)(scope(query), peer.receive, peer.send)
    assert peer.refusal["status_code"] == 400
    assert word in peer.refusal["details"]


async def test_an_event_stream_tells_what_was_subscribed(parts: Parts) -> None:
    peer = Peer('{"command":"subscribe","events":["error"],"levels":false}', stays=True)
    serving_it = asyncio.create_task(events_of(parts)(scope(), peer.receive, peer.send))
    await peer.until(lambda peer: len(peer.events) == 2)
    welcome, subscribed = peer.events
    assert welcome["event"] == "welcome"
    assert (subscribed["events"], subscribed["levels"]) == (["error"], False)
    peer.leave()
    await serving_it
    assert parts.bus.connections == 0


async def test_who_sends_sound_and_never_reads_is_not_kept_for_ever(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.routes.audio.PATIENCE", 5)
    hello = {"session_id": "deaf", "custom_config": {"transcription": {"engine": "pocketsphinx"}}}
    peer = Peer(json.dumps(hello), stays=True)
    served = serving(lambda socket: serve_audio(socket, parts))
    serving_it = asyncio.create_task(served(scope(), peer.receive, peer.send))
    await peer.until(lambda peer: bool(peer.events))
    peer.reads = False
    session = parts.sessions.find("deaf")
    event = Error(session_id="deaf", error="e", details="d")
    parts.bus.publish(event)
    await peer.stuck.wait()
    for _ in range(BACKLOG + 1):
        parts.bus.publish(event)
    await asyncio.wait_for(session.done.wait(), 20)
    peer.reads = True
    peer.leave()
    serving_it.cancel()
    await asyncio.gather(serving_it, return_exceptions=True)
