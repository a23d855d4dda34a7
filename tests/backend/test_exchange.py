"""A request and its answer, with the application driven as a server would."""

import asyncio
from typing import Any

import pytest
from quart import Quart, request

from backend.eager import begun
from backend.exchange import Exchange


class Peer:
    """A client, as an ASGI application sees it."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST" if headers else "GET",
            "scheme": "http",
            "path": "/",
            "query_string": b"",
            "headers": [(b"host", b"here"), *headers],
        }
        self.says: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.told: list[dict[str, Any]] = []

    async def send(self, message: dict[str, Any]) -> None:
        self.told.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.told)


class Waiting:
    """An application whose answer waits."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.began = asyncio.Event()
        self.cancelled = False
        self.app = _app()
        self.app.add_url_rule("/", view_func=self.answer)

    async def answer(self) -> str:
        self.began.set()
        try:
            await self.goes_on.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "done"


def _app() -> Quart:
    app = Quart(__name__, static_folder=None)
    app.asgi_http_class = Exchange
    app.config["RESPONSE_TIMEOUT"] = None
    return app


async def test_what_waits_for_nothing_is_answered_without_a_task_or_an_ear_for_the_client() -> None:
    app, peer = _app(), Peer()

    @app.get("/")
    async def answer() -> bytes:
        return b"no body: " + b"".join([piece async for piece in request.body])

    assert begun(app.asgi_app(peer.scope, peer.says.get, peer.send)) is None  # type: ignore[arg-type]
    assert peer.body == b"no body: "
    assert len(asyncio.all_tasks()) == 1


async def test_a_body_that_comes_in_pieces_is_read_whole() -> None:
    app, peer = _app(), Peer((b"content-length", b"6"))

    @app.post("/")
    async def answer() -> bytes:
        return await request.get_data(as_text=False)

    serving = asyncio.create_task(app.asgi_app(peer.scope, peer.says.get, peer.send))  # type: ignore[arg-type]
    for piece, more in ((b"abc", True), (b"def", False)):
        await asyncio.sleep(0)
        peer.says.put_nowait({"type": "http.request", "body": piece, "more_body": more})
    async with asyncio.timeout(10):
        await serving
    assert peer.body == b"abcdef"


async def test_an_answer_that_waits_is_given_up_when_its_client_leaves() -> None:
    waiting, peer = Waiting(), Peer()
    serving = asyncio.create_task(waiting.app.asgi_app(peer.scope, peer.says.get, peer.send))  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        await waiting.began.wait()
        peer.says.put_nowait({"type": "http.disconnect"})
        await serving
    assert waiting.cancelled
    assert not peer.told
    assert not serving.cancelled()
    assert serving.cancelling() == 0


async def test_an_answer_that_waited_is_sent_and_nobody_listens_any_more() -> None:
    waiting, peer = Waiting(), Peer()
    serving = asyncio.create_task(waiting.app.asgi_app(peer.scope, peer.says.get, peer.send))  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        await waiting.began.wait()
        waiting.goes_on.set()
        await serving
        listening = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*listening, return_exceptions=True)
    assert all(task.cancelled() for task in listening)
    assert peer.body == b"done"


async def test_a_server_that_ends_takes_the_answers_with_it() -> None:
    waiting, peer = Waiting(), Peer()
    serving = asyncio.create_task(waiting.app.asgi_app(peer.scope, peer.says.get, peer.send))  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        await waiting.began.wait()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
    assert waiting.cancelled
