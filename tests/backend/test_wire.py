"""A wire over a transport that is played; over a real one in tests/ends/test_fanout.py."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import Enum
from math import inf
from types import SimpleNamespace
from typing import Any, cast

import pytest
from websockets.frames import Close, Frame, Opcode
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import CloseConnection, TextMessage

from backend import wire as module
from backend.wire import ANSWER, FULL, PING, SILENT, Wire, found, text_frame

HELLO = text_frame("hello")


class State(Enum):
    """What Hypercorn's stream may be."""

    CONNECTED = 1
    CLOSED = 2


class Stream:
    """Of Hypercorn's stream what a wire knows."""

    def __init__(self) -> None:
        self.connection = Connection(ConnectionType.SERVER)
        self.state = State.CONNECTED
        self.taken = asyncio.Event()
        self.send: Callable[[Any], Awaitable[None]]

    async def handle(self, event: Any) -> None:
        await self.taken.wait()


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.waiting = 0
        self.lost = False
        self.aborted = asyncio.Event()
        self.protocol: asyncio.BaseProtocol = asyncio.Protocol()

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.lost

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.lost = True
        self.aborted.set()


@pytest.fixture
async def stream() -> Stream:
    return Stream()


@pytest.fixture
async def transport() -> Transport:
    return Transport()


@pytest.fixture
async def wire(stream: Stream, transport: Transport) -> Wire:
    return Wire(stream, transport)


def test_a_long_text_is_one_whole_frame() -> None:
    text = "é" * 70_000
    parsed = Connection(ConnectionType.CLIENT)
    parsed.receive_data(text_frame(text))
    got = [event for event in parsed.events() if isinstance(event, TextMessage)]
    assert "".join(event.data for event in got) == text
    assert got[-1].message_finished


@pytest.mark.parametrize("length", [0, 1, 125, 126, 0xFFFF, 0x10000])
def test_a_text_of_any_length_is_framed_as_websockets_does(length: int) -> None:
    whole = Frame(Opcode.TEXT, bytes(length)).serialize(mask=False)
    assert text_frame("\0" * length) == whole


async def test_a_frame_is_written_as_it_is(wire: Wire, transport: Transport) -> None:
    wire.write(HELLO)
    assert transport.written == [HELLO]


async def test_a_transport_that_is_not_known_has_no_short_way(wire: Wire) -> None:
    assert wire.send() is None


@pytest.fixture
async def near() -> AsyncIterator[socket.socket]:
    """The socket of `short`, whose peer reads nothing."""
    near, far = socket.socketpair()
    near.setblocking(False)
    yield near
    far.close()


@pytest.fixture
async def short(stream: Stream, near: socket.socket) -> AsyncIterator[Wire]:
    """A wire over asyncio's own transport, which says when the short way is over."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_accepted_socket(Ended, near)
    yield Wire(stream, transport)
    transport.abort()
    await protocol.ended.wait()


class Ended(asyncio.Protocol):
    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()


async def test_there_is_a_short_way_until_something_is_in_it(short: Wire) -> None:
    stirs: list[str] = []
    send = short.send()
    short.disturbed = lambda: stirs.append("")
    assert send
    assert send(HELLO) == len(HELLO)
    short.write(bytes(4 << 20))
    assert (len(stirs), short.send()) == (1, None)


async def test_the_short_way_is_over_while_the_client_is_heard_and_after_the_close(
    short: Wire, stream: Stream
) -> None:
    stirs: list[str] = []
    short.disturbed = lambda: stirs.append("")
    hearing = asyncio.create_task(stream.handle(TextMessage(data="")))
    await asyncio.sleep(0)
    assert (len(stirs), short.send()) == (1, None)
    stream.taken.set()
    await hearing
    assert short.send()
    short.close(1012, "leaving")
    assert (len(stirs), short.send()) == (2, None)
    short.forget()


async def test_the_short_way_to_a_socket_that_was_closed_fails(
    short: Wire, near: socket.socket
) -> None:
    send = short.send()
    short.abort()
    async with asyncio.timeout(5):
        while near.fileno() >= 0:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert send
    with pytest.raises(OSError) as failed:  # noqa: PT011
        send(HELLO)
    assert failed.value.errno == errno.EBADF


async def test_what_is_over_the_bound_is_not_taken(wire: Wire, transport: Transport) -> None:
    transport.waiting = FULL
    assert wire.take(HELLO)
    transport.waiting += 1
    assert not wire.take(HELLO)
    assert transport.written == [HELLO]


async def test_nothing_is_written_to_a_connection_that_is_lost(
    wire: Wire, transport: Transport
) -> None:
    transport.lost = True
    wire.write(HELLO)
    wire.close(1012, "leaving")
    wire.forget()
    assert transport.written == []


async def test_nothing_follows_our_close(wire: Wire, transport: Transport) -> None:
    wire.close(1013, "too slow")
    wire.write(HELLO)
    wire.close(1012, "leaving")
    wire.beat(wire.heard + SILENT + 1)
    wire.forget()
    close = Frame(Opcode.CLOSE, Close(1013, "too slow").serialize()).serialize(mask=False)
    assert transport.written == [close]


async def test_the_answer_to_our_close_is_not_answered(wire: Wire, stream: Stream) -> None:
    wire.close(1013, "too slow")
    wire.forget()
    client = Connection(ConnectionType.CLIENT)
    stream.connection.receive_data(client.send(CloseConnection(1013)))
    assert len(list(stream.connection.events())) == 1
    assert stream.connection.state is not ConnectionState.REMOTE_CLOSING
    assert stream.state is State.CLOSED


async def test_nothing_follows_the_answer_to_a_clients_close(
    wire: Wire, stream: Stream, transport: Transport
) -> None:
    client = Connection(ConnectionType.CLIENT)
    stream.connection.receive_data(client.send(CloseConnection(1000)))
    assert len(list(stream.connection.events())) == 1
    wire.write(HELLO)
    assert transport.written == []


async def test_who_does_not_end_it_is_dropped(
    wire: Wire, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAST", 0.01)
    wire.close(1013, "too slow")
    await asyncio.wait_for(transport.aborted.wait(), 5)


async def test_who_ended_it_is_forgotten(
    wire: Wire, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: list[asyncio.TimerHandle] = []
    loop = asyncio.get_running_loop()
    real = loop.call_later
    monkeypatch.setattr(loop, "call_later", lambda *a: later.append(real(*a)) or later[-1])
    wire.close(1013, "too slow")
    wire.forget()
    assert later[0].cancelled()
    assert stream.handle.__func__ is Stream.handle


async def test_a_silent_client_is_asked_once_and_dropped_without_an_answer(
    wire: Wire, transport: Transport
) -> None:
    asked = wire.heard + SILENT + 1
    wire.beat(wire.heard + SILENT)
    assert transport.written == []
    wire.beat(asked)
    wire.beat(asked + ANSWER)
    assert transport.written == [PING]
    assert not transport.lost
    wire.beat(asked + ANSWER + 1)
    assert transport.lost


async def test_nobody_is_dropped_unasked_though_we_stood_still(
    wire: Wire, transport: Transport
) -> None:
    wire.beat(wire.heard + 10 * (SILENT + ANSWER))
    assert not transport.lost
    assert transport.written == [PING]


async def test_who_answers_and_never_says_a_word_stays(
    wire: Wire, stream: Stream, transport: Transport
) -> None:
    stream.taken.set()
    for _ in range(5):
        wire.beat(wire.heard + SILENT + 1)
        await cast("Stream", stream).handle("a pong")
        wire.beat(wire.heard)
    assert transport.written == [PING] * 5
    assert not transport.lost


class Behind:
    """What Hypercorn has behind a stream: the client's bytes that nobody took yet."""

    def __init__(self, stream: Stream, transport: Transport) -> None:
        self.connection = SimpleNamespace(buffer=bytearray())
        self.reader = asyncio.StreamReader()
        transport.protocol = asyncio.StreamReaderProtocol(self.reader)
        stream.send = self.send

    async def send(self, event: Any) -> None:
        raise AssertionError("not to be called")


async def test_sound_has_a_way_of_its_own_and_is_a_sign_of_life(
    wire: Wire, stream: Stream, transport: Transport
) -> None:
    behind = Behind(stream, transport)
    wire.open_inward()
    assert wire.intake
    assert transport.protocol is wire.intake
    later = wire.heard + SILENT + 1
    wire.beat(later)
    assert wire.heard == later
    wire.beat(later + SILENT + 1)
    assert transport.written == [PING]
    wire.intake.connection_lost(None)
    assert behind.reader.at_eof()


@pytest.mark.parametrize("where", ["reader", "connection"])
async def test_who_speaks_before_the_handshake_goes_the_public_way(
    wire: Wire, stream: Stream, transport: Transport, where: str
) -> None:
    behind = Behind(stream, transport)
    if where == "reader":
        behind.reader.feed_data(b"early")
    else:
        behind.connection.buffer += b"early"
    before = transport.protocol
    wire.open_inward()
    assert wire.intake is None
    assert transport.protocol is before


async def test_what_we_do_not_take_is_no_silence_of_the_clients(
    wire: Wire, stream: Stream, transport: Transport
) -> None:
    handling = asyncio.create_task(stream.handle("sound"))
    await asyncio.sleep(0)
    assert wire.heard == inf
    wire.beat(asyncio.get_running_loop().time() + 1e6)
    assert transport.written == []
    stream.taken.set()
    await handling
    assert wire.heard < inf


async def test_where_hypercorn_is_another_nothing_is_found() -> None:
    async def send(message: dict[str, Any]) -> None:
        raise AssertionError("not to be called")

    class Other:
        send = None

        async def app_send(self, message: dict[str, Any]) -> None:
            raise AssertionError("not to be called")

    assert found(send) is None
    assert found(Other().app_send) is None
