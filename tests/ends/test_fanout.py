"""Both ways to a client, its own transport and ASGI's ``send``, over real connections."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest
from websockets.asyncio.client import ClientConnection, connect

from backend import rounds, serve, sockets, subscription, wire
from backend.bus import Bus
from common.events import Level, Transcription
from tests.inside import Inside, closed, heard, inside

HANDSHAKE = (
    "GET /api/v1/ws?levels=false HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n"
)
LONG = "x" * 2000


@pytest.fixture(params=["direct", "public"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "public":
        monkeypatch.setattr(wire, "found", lambda send: None)
    name: str = request.param
    return name


@pytest.fixture
async def here(way: str) -> AsyncIterator[Inside]:
    async with inside() as server:
        yield server


def words(text: str, *, final: bool = True, utterance: str = "u") -> Transcription:
    return Transcription(text=text, is_final=final, utterance_id=utterance, start=0, end=1)


def told(bus: Bus, *texts: str) -> None:
    for text in texts:
        bus.publish(words(text))


async def until(client: ClientConnection, text: str) -> list[str]:
    """Return the transcripts until this one, which is the last."""
    texts: list[str] = []
    while not texts or texts[-1] != text:
        event = await heard(client)
        texts += [event["text"]] if event["event"] == "transcription" else []
    return texts


def small(here: Inside) -> socket.socket:
    """A socket that holds little, connected."""
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plug.connect(("127.0.0.1", here.port))
    plug.setblocking(False)
    return plug


async def raw(here: Inside) -> socket.socket:
    """A client of which nothing is read after the handshake."""
    plug, loop = small(here), asyncio.get_running_loop()
    await loop.sock_sendall(plug, HANDSHAKE.encode())
    assert b" 101 " in await loop.sock_recv(plug, 12 + 4)
    await so(lambda: here.parts.bus.connections)
    return plug


async def lazy(here: Inside, query: str = "") -> ClientConnection:
    """A client that reads nothing of itself: only what is asked for."""
    uri = f"{here.uri}?levels=false{query}"
    return await connect(uri, sock=small(here), max_queue=1, compression=None, proxy=None)


async def so(check: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not check():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_client_is_on_the_way_that_is_meant(here: Inside, way: str) -> None:
    async with connect(here.uri, proxy=None) as client:
        await heard(client)
        kept = [one._outlet for one in here.parts.bus._subscriptions]
        assert [type(outlet).__name__.lower() for outlet in kept] == [way]
        told(here.parts.bus, "a", "b")
        assert await until(client, "b") == ["a", "b"]
        # Unasked, by its own socket: an asyncio that keeps it elsewhere would be noticed here.
        assert bool(here.parts.bus._broad._sends) == (way == "direct")


async def test_the_welcome_is_first_then_the_past_then_what_is_new(here: Inside) -> None:
    bus = here.parts.bus
    told(bus, *"abcde")
    async with connect(f"{here.uri}?since={bus.first + 2}", proxy=None) as client:
        welcome = await heard(client)
        assert (welcome["event"], welcome["gap"]) == ("welcome", False)
        told(bus, "new")
        assert await until(client, "new") == ["c", "d", "e", "new"]


@pytest.mark.parametrize("many", [rounds.MANY, 1])
async def test_many_clients_are_told_everything_in_order(
    here: Inside, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "MANY", many)
    bus = here.parts.bus
    clients = [await connect(here.uri, proxy=None) for _ in range(20)]
    for client in clients:
        await heard(client)
    texts = [f"{number} é {LONG[: number % 300]}" for number in range(1000)]
    for number, text in enumerate(texts):
        told(bus, text)
        bus.publish(Level(rms_dbfs=-1, peak_dbfs=0, speech=0, speaking=False))
        if number % 50 == 0:
            await asyncio.sleep(0)
    for got in await asyncio.gather(*(until(client, texts[-1]) for client in clients)):
        assert got == texts
    for client in clients:
        await client.close()


async def test_commands_are_answered_between_events(here: Inside) -> None:
    async with connect(here.uri, proxy=None) as client:
        await heard(client)
        for number in range(20):
            told(here.parts.bus, str(number))
            await client.send('{"command":"ping"}')
            assert [(await heard(client))["event"] for _ in range(2)] == ["transcription", "pong"]
        latency = await (await client.ping())
        assert latency >= 0


async def test_who_asks_for_compression_gets_plain_frames_on_the_direct_way(
    here: Inside, way: str
) -> None:
    async with connect(here.uri, compression="deflate", proxy=None) as client:
        assert client.response
        agreed = client.response.headers.get("Sec-WebSocket-Extensions")
        assert agreed is None if way == "direct" else agreed.startswith("permessage-deflate")
        await heard(client)
        told(here.parts.bus, LONG, "short")
        assert await until(client, "short") == [LONG, "short"]


async def test_who_reads_again_finds_finals_and_only_the_newest_partial(here: Inside) -> None:
    bus = here.parts.bus
    client = await lazy(here)
    for number in range(400):
        bus.publish(words(f"partial {number} {LONG}", final=False, utterance="v"))
        if number % 4 == 0:
            told(bus, f"final {number}")
    told(bus, "last")
    got = [text.removesuffix(f" {LONG}") for text in await until(client, "last")]
    assert [text for text in got if text.startswith("final")] == [
        f"final {number}" for number in range(0, 400, 4)
    ]
    assert "partial 399" in got
    assert bus.dropped.partials > 100
    await client.close()


async def test_who_takes_nothing_is_closed_with_1013_and_resumes(here: Inside) -> None:
    bus, loop = here.parts.bus, asyncio.get_running_loop()
    client = await lazy(here)
    while not bus.depth:
        told(bus, LONG)
        await asyncio.sleep(0)
    began = loop.time()
    await so(lambda: bus.dropped.slow_clients)
    assert subscription.PATIENCE - 0.5 < loop.time() - began < subscription.PATIENCE + 5
    told(bus, "after the end")
    got, code = await closed(client)
    assert code == sockets.TRY_LATER
    seqs = [event["seq"] for event in got if event["event"] == "transcription"]
    async with connect(f"{here.uri}?since={seqs[-1]}", proxy=None) as back:
        assert not (await heard(back))["gap"]
        while not seqs or seqs[-1] < bus.seq:
            seqs.append((await heard(back))["seq"])
    assert seqs == list(range(bus.first + 1, bus.seq + 1))


async def test_who_never_reads_is_gone_soon_and_nobody_else_notices() -> None:
    async with inside() as here:
        bus = here.parts.bus
        plug = await raw(here)
        async with connect(here.uri, proxy=None) as other:
            await heard(other)
            while bus.depth < 10:
                told(bus, LONG)
                assert await until(other, LONG) == [LONG]
            await so(lambda: bus.connections == 1, 5)
            told(bus, "on we go")
            assert await until(other, "on we go") == ["on we go"]
        plug.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone has it")
async def test_who_never_reads_is_cut_off_by_the_kernel_where_we_cannot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve, "UNHEARD", 500)
    monkeypatch.setattr(wire, "found", lambda send: None)
    async with inside() as here:
        plug = await raw(here)
        while not here.parts.bus.dropped.slow_clients:
            told(here.parts.bus, LONG)
            await asyncio.sleep(0)
        await so(lambda: not here.parts.bus.connections)
        plug.close()


async def test_a_frozen_client_is_dropped_and_a_silent_one_that_answers_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "BEAT", 0.05)
    monkeypatch.setattr(wire, "SILENT", 0.1)
    monkeypatch.setattr(wire, "ANSWER", 1.0)
    async with inside() as here:
        plug = await raw(here)
        async with connect(here.uri, proxy=None, ping_interval=None) as quiet:
            await heard(quiet)
            await so(lambda: here.parts.bus.connections == 1)
            told(here.parts.bus, "still there")
            assert await until(quiet, "still there") == ["still there"]
        plug.close()


async def test_who_leaves_in_the_middle_does_no_harm(here: Inside) -> None:
    bus = here.parts.bus
    async with connect(here.uri, proxy=None) as other:
        await heard(other)
        for number in range(30):
            plug = socket.create_connection(("127.0.0.1", here.port))
            plug.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(plug, HANDSHAKE.encode())
            await loop.sock_recv(plug, 16)
            # With unread bytes this is a reset, without it an end of file.
            if number % 2:
                await loop.sock_recv(plug, 1 << 16)
            plug.close()
            told(bus, str(number))
        assert await until(other, "29") == [str(number) for number in range(30)]
        await so(lambda: told(bus, "x") or bus.connections == 1)


async def test_nothing_follows_the_close_of_a_client(here: Inside) -> None:
    loop = asyncio.get_running_loop()
    plug = await raw(here)
    await loop.sock_sendall(plug, b"\x88\x82\0\0\0\0\x03\xe8")
    data = b""
    while more := await asyncio.wait_for(loop.sock_recv(plug, 1 << 16), 20):
        data += more
        told(here.parts.bus, "late")
    plug.close()
    assert data.endswith(b"\x88\x02\x03\xe8")


async def test_leaving_tells_everyone_what_is_left_and_1012(here: Inside) -> None:
    clients = [await connect(here.uri, proxy=None) for _ in range(10)]
    for client in clients:
        await heard(client)
    told(here.parts.bus, "last words")
    here.leaving.set()
    for rest, code in await asyncio.gather(*(closed(client) for client in clients)):
        assert [event["text"] for event in rest] == ["last words"]
        assert code == sockets.RESTART


async def test_an_audio_socket_declines_compression_too(way: str, here: Inside) -> None:
    uri = here.uri.replace("/ws", "/audio")
    async with connect(uri, compression="deflate", proxy=None) as client:
        assert client.response
        assert ("Sec-WebSocket-Extensions" in client.response.headers) is (way == "public")
        await client.send(b"no hello")
        assert "first frame is text" in (await heard(client))["details"]
        assert (await closed(client))[1] == sockets.INVALID_DATA
