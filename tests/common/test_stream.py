"""The client's sockets, against a real WebSocket server that the test speaks for."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.frames import CloseCode

from common.client import Client, Link, Refused, Unauthorized, Unreachable
from common.events import (
    Event,
    SessionStarted,
    SessionStopped,
    SystemStatus,
    Transcription,
    Welcome,
    encode,
)
from common.stream import EventStream

Script = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def speaking(*scripts: Script) -> AsyncIterator[tuple[str, list[dict[str, list[str]]]]]:
    """A server whose n-th connection is led by the n-th script, the last one from then on."""
    queries: list[dict[str, list[str]]] = []

    async def lead(connection: ServerConnection) -> None:
        assert connection.request is not None
        queries.append(parse_qs(urlsplit(connection.request.path).query))
        await scripts[min(len(queries), len(scripts)) - 1](connection)

    async with serve(lead, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}", queries


def welcome(seq: int = 0, server: str = "one") -> str:
    return encode(Welcome(protocol=1, version="1", server_id=server, seq=seq, running=False))


def final(seq: int) -> str:
    text = f"number {seq}"
    event = Transcription(text=text, is_final=True, utterance_id=f"u{seq}", start=0, end=1, seq=seq)
    return encode(event)


def says(*texts: str, stay: bool = False) -> Script:
    async def script(connection: ServerConnection) -> None:
        for text in texts:
            await connection.send(text)
        if stay:
            await connection.wait_closed()

    return script


async def finals(stream: EventStream, count: int) -> list[int | None]:
    numbers: list[int | None] = []
    async for event in stream:
        if isinstance(event, Transcription):
            numbers.append(event.seq)
            if len(numbers) == count:
                return numbers
    raise AssertionError("the stream ended")


async def test_a_stream_that_breaks_off_resumes_without_a_gap_or_a_repeat() -> None:
    async with (
        speaking(
            says(welcome(), final(1), final(2)),
            says(welcome(4), final(2), final(3), final(4)),
        ) as (url, queries),
        Client(url) as client,
    ):
        assert await finals(client.events(), 4) == [1, 2, 3, 4]
    assert "since" not in queries[0]
    assert queries[1]["since"] == ["2"]


async def test_a_stream_goes_on_at_another_server_when_one_is_gone() -> None:
    async with speaking(says(welcome(2), final(3), final(4), stay=True)) as (there, queries):
        async with speaking(says(welcome(), final(1), final(2))) as (here, _):
            client = Client([here, there])
            stream = client.events()
            assert await finals(stream, 2) == [1, 2]
        async with client:
            assert await finals(stream, 2) == [3, 4]
    assert queries[0]["since"] == ["2"]


async def test_sound_goes_to_a_server_that_is_there() -> None:
    async with speaking(says(final(1))) as (gone, _):
        pass
    started = encode(SessionStarted(source="stream", session_id="s", seq=1))
    async with (
        speaking(says(started, stay=True)) as (there, queries),
        Client([gone, there]) as client,
        client.audio() as upload,
    ):
        assert upload.session_id == "s"
        assert len(queries) == 1


async def test_another_server_counts_anew() -> None:
    async with (
        speaking(
            says(welcome(900), final(901)),
            says(welcome(5, "two"), final(5), final(6), stay=True),
        ) as (url, _),
        Client(url) as client,
    ):
        assert await finals(client.events(), 3) == [901, 5, 6]


async def test_each_pause_is_told_with_its_end_and_can_be_cut_short() -> None:
    links: list[Link] = []
    async with speaking(says(welcome()), says(welcome(), final(1))) as (url, _):
        async with Client(url) as client:
            stream = client.events()

            def note(link: Link) -> None:
                links.append(link)
                if link.state == "waiting":
                    asyncio.get_running_loop().call_soon(stream.retry_now)

            stream.on_link = note
            await finals(stream, 1)
    assert [link.state for link in links] == ["connecting", "up", "waiting", "connecting", "up"]
    assert links[2].retry_at is not None
    assert links[2].reason


async def test_a_wrong_token_ends_the_stream_with_the_reason() -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(HTTPStatus.UNAUTHORIZED, "no")

    async with serve(says(), "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with Client(f"http://127.0.0.1:{port}", token="wrong") as client:
            with pytest.raises(Unauthorized):
                await anext(aiter(client.events()))


async def test_garbage_is_no_reason_to_give_up() -> None:
    async with speaking(says("garbage"), says(welcome(), final(1))) as (url, _):
        async with Client(url) as client:
            assert await finals(client.events(), 1) == [1]


async def test_a_server_of_the_future_is_refused_plainly() -> None:
    future = encode(Welcome(protocol=99, version="9", server_id="x", seq=0, running=False))
    async with speaking(says(future)) as (url, _), Client(url) as client:
        with pytest.raises(Refused, match="update the client"):
            await anext(aiter(client.events()))


async def test_what_to_leave_out_is_asked_for() -> None:
    async with speaking(says(welcome(), final(1))) as (url, queries), Client(url) as client:
        events = client.events(["transcription"], session="kitchen", levels=False, since=0)
        await finals(events, 1)
    assert queries[0] == {
        "events": ["transcription"],
        "session": ["kitchen"],
        "levels": ["false"],
        "since": ["0"],
    }


async def test_an_upload_gives_its_session_events_until_it_stops() -> None:
    async def server(connection: ServerConnection) -> None:
        hello = await connection.recv()
        assert '"sample_rate":8000' in str(hello)
        await connection.send('{"event":"session_started","session_id":"me","source":"stream"}')
        sound = await connection.recv()
        assert sound == b"\0\0" * 10
        assert await connection.recv() == '{"command":"stop"}'
        await connection.send(final(1))
        await connection.send(encode(SessionStopped(reason="stopped")))

    got: list[Event] = []
    async with speaking(server) as (url, _):
        async with Client(url) as client, client.audio(sample_rate=8000) as upload:
            assert upload.session_id == "me"
            await upload.send(b"\0\0" * 10)
            await upload.stop()
            got = [event async for event in upload]
    assert [event.event for event in got] == ["session_started", "transcription", "session_stopped"]


MANY = [final(number) for number in range(1, 201)]


async def test_who_leaves_a_stream_is_answered_however_much_waits() -> None:
    async with speaking(says(welcome(), *MANY, stay=True)) as (url, _), Client(url) as client:
        stream = client.events()
        async with aclosing(cast("AsyncGenerator[Event]", aiter(stream))) as events:
            assert (await anext(events)).event == "welcome"
            socket = stream._socket
            assert socket is not None
            while not socket.recv_messages.paused:  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert socket.close_code == CloseCode.NORMAL_CLOSURE


async def test_who_leaves_an_upload_is_answered_however_much_comes() -> None:
    async def server(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"event":"session_started","session_id":"me","source":"stream"}')
        await connection.recv()
        await says(*MANY, stay=True)(connection)

    async with speaking(server) as (url, _), Client(url) as client:
        async with client.audio() as upload:
            await upload.send(b"\0\0")
        assert upload._socket.close_code == CloseCode.NORMAL_CLOSURE


async def test_a_refused_upload_says_why() -> None:
    async def server(connection: ServerConnection) -> None:
        await connection.recv()
        error = '{"event":"error","error":"Not found","details":"no such profile","recoverable":0}'
        await connection.send(error)
        await connection.close(1008)

    async with speaking(server) as (url, _), Client(url) as client:
        with pytest.raises(Refused, match="no such profile"):
            async with client.audio("nothing"):
                pass


async def test_nobody_there_is_unreachable() -> None:
    async with speaking(says()) as (url, _):
        pass
    async with Client(url) as client:
        with pytest.raises(Unreachable):
            await client.health()
        with pytest.raises(Unreachable):
            async with client.audio():
                pass


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://a", "http://x:99999", ""])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="not a server's address"):
        Client(url)


def test_events_without_fields_of_their_own_are_events() -> None:
    assert SystemStatus(running=False).event == "system_status"


async def test_two_restarts_of_an_idle_server_are_no_reason_to_give_up() -> None:
    anew = [says(welcome(7, "one")), says(welcome(3, "two")), says(welcome(2, "three"))]
    async with speaking(*anew, says(welcome(2, "three"), final(3), stay=True)) as (url, queries):
        async with Client(url) as client:
            stream = client.events()
            stream.on_link = lambda link: stream.retry_now() if link.state == "waiting" else None
            assert await finals(stream, 1) == [3]
    assert [query.get("since") for query in queries] == [None, ["7"], ["0"], ["0"]]


async def test_a_number_from_elsewhere_hides_nothing() -> None:
    async with speaking(says(welcome(3), final(1), final(2), final(3), stay=True)) as (url, _):
        async with Client(url) as client:
            assert await finals(client.events(since=10**15), 3) == [1, 2, 3]


async def test_the_round_trip_is_told_and_the_pong_is_no_event() -> None:
    async def script(connection: ServerConnection) -> None:
        await connection.send(welcome())
        assert await connection.recv() == '{"command":"ping"}'
        await connection.send('{"event":"pong","timestamp":1}')
        await connection.send(final(1))
        await connection.wait_closed()

    async with speaking(script) as (url, _), Client(url) as client:
        stream = client.events()
        await stream.ping()  # Nobody is there yet.
        times: list[float] = []
        stream.on_round_trip = times.append
        events: list[Event] = []
        async for event in stream:
            events.append(event)
            if isinstance(event, Welcome):
                await stream.ping()
            else:
                break
        assert [event.event for event in events] == ["welcome", "transcription"]
        assert len(times) == 1
        assert 0 <= times[0] < 5
