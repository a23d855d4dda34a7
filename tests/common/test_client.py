"""The client's requests, and what it makes of answers; the test plays the network."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.client import Broken, Client, Closed, Refused, Unauthorized, Unreachable

Answer = tuple[int, Any]


class Server:
    """What was asked, and what is answered."""

    def __init__(self) -> None:
        self.answer: Answer = (200, {})
        self.asked: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        status, body = self.answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(status, content=content)

    @property
    def path(self) -> str:
        return self.asked[-1].url.raw_path.decode()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with Client("http://studio.local:8000/", token="s3cret") as made:
        # The last step before the network: everything of the client and of httpx is real.
        made._http._transport = httpx.MockTransport(server)
        yield made


STARTED = {
    "status": "success",
    "message": "",
    "data": {"started": True, "session_id": "a", "profile": "p", "active_features": []},
}
REFUSED = {"error": "Conflict", "details": "stop it first", "status_code": 409, "timestamp": ""}


async def test_the_token_goes_with_every_request(client: Client, server: Server) -> None:
    server.answer = (200, {"version": "1", "connections": 0, "uptime": 1})
    assert (await client.health()).status == "healthy"
    (asked,) = server.asked
    assert str(asked.url) == "http://studio.local:8000/health"
    assert asked.headers["authorization"] == "Bearer s3cret"


async def test_a_start_says_what_it_was_told_and_waits_as_long_as_it_takes(
    client: Client, server: Server
) -> None:
    server.answer = (200, STARTED)
    started = await client.start("p", {"vad": {"sensitivity": 0.7}}, restart=True)
    assert started.session_id == "a"
    (asked,) = server.asked
    assert json.loads(asked.content) == {
        "profile": "p",
        "custom_config": {"vad": {"sensitivity": 0.7}},
        "restart": True,
    }
    assert asked.extensions["timeout"]["read"] is None
    assert asked.extensions["timeout"]["connect"] == 10


@pytest.mark.parametrize("name", ["../../etc", "a/b?c=d", "ü#"])
async def test_a_name_stays_one_part_of_the_path(client: Client, server: Server, name: str) -> None:
    server.answer = (200, {"name": name, "builtin": False, "config": {}})
    await client.profile(name)
    assert server.path.startswith("/api/v1/system/profiles/")
    assert server.path.count("/") == 5
    assert "?" not in server.path


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (409, REFUSED, Refused, "Conflict: stop it first"),
        (401, {**REFUSED, "status_code": 401}, Unauthorized, "stop it first"),
        (502, b"<html>Bad gateway</html>", Refused, "HTTP 502: <html>Bad gateway"),
        (200, b"<html>a router's page</html>", Broken, "no speech-to-text server"),
        (200, {"status": "success", "message": "", "data": {}}, Broken, "data.started"),
    ],
)
async def test_whatever_is_answered_is_told_in_the_clients_own_errors(
    client: Client, server: Server, status: int, body: Any, kind: type[Exception], words: str
) -> None:
    server.answer = (status, body)
    with pytest.raises(kind, match=words) as caught:
        await client.start("p")
    if isinstance(caught.value, Refused):
        assert caught.value.status_code == status


async def test_a_recording_goes_as_it_is_with_its_type_and_only_the_wishes_made(
    client: Client, server: Server, tmp_path: Path
) -> None:
    server.answer = (
        200,
        {"text": "hi", "duration": 1, "engine": "e", "processing_seconds": 0, "new_field": 1},
    )
    file = tmp_path / "talk.FLAC"
    file.write_bytes(b"fLaC...")
    assert (await client.transcribe(file, words=True)).text == "hi"
    assert server.path == "/api/v1/transcription/transcribe?words=true"
    assert server.asked[-1].content == b"fLaC..."
    assert server.asked[-1].headers["content-type"] == "audio/flac"
    await client.transcribe(b"\0\0", content_type="audio/L16", language="en")
    assert server.path == "/api/v1/transcription/transcribe?language=en"
    assert server.asked[-1].headers["content-type"] == "audio/L16"


@pytest.mark.parametrize(
    ("url", "socket"),
    [
        ("http://a:1/", "ws://a:1/api/v1/ws"),
        ("https://a", "wss://a/api/v1/ws"),
        ("http://a/stt/", "ws://a/stt/api/v1/ws"),
    ],
)
async def test_the_sockets_are_where_the_server_is(url: str, socket: str) -> None:
    async with Client(url) as client:
        assert list(client.events()._urls) == [socket]


async def test_only_what_was_wished_for_is_in_the_streams_query(client: Client) -> None:
    assert client.events()._query == {}
    stream = client.events(["transcription", "error"], session="s", levels=False, since=7)
    assert stream._query == {"events": "transcription,error", "session": "s", "levels": "false"}
    assert stream.seq == 7


async def test_an_upload_that_no_server_takes_is_refused_at_once(client: Client) -> None:
    with pytest.raises(ValueError, match="sample_rate"):
        client.audio(sample_rate=1)


async def test_who_knows_several_servers_asks_the_next_while_one_is_gone(server: Server) -> None:
    gone = {"one", "two"}

    async def network(request: httpx.Request) -> httpx.Response:
        if request.url.host in gone:
            raise httpx.ConnectError("nobody listens there")
        return await server(request)

    async with Client(["http://one", "http://two/stt/"]) as client:
        client._http._transport = httpx.MockTransport(network)
        server.answer = (200, {"version": "1", "connections": 0, "uptime": 1})
        with pytest.raises(Unreachable):
            await client.health()
        gone.remove("two")
        for _ in range(2):
            await client.health()
            assert str(server.asked[-1].url) == "http://two/stt/health"
    assert client.url == "http://two/stt"
    with pytest.raises(ValueError, match="no server"):
        Client([])


async def test_what_may_have_been_heard_is_not_asked_of_another_server() -> None:
    asked = []

    async def network(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        raise httpx.ReadError("it broke off")

    async with Client(["http://one", "http://two"]) as client:
        client._http._transport = httpx.MockTransport(network)
        with pytest.raises(Unreachable):
            await client.start()
    assert asked == ["one"]


async def test_a_client_that_is_closed_says_so() -> None:
    client = Client("http://127.0.0.1:9")
    await client.aclose()
    with pytest.raises(Closed, match="this client is closed"):
        await client.status()
