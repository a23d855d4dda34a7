"""A real server in the test's own process, on either of its ways to a client."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypercorn.asyncio import serve as hypercorn_serve
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from backend import serve
from backend.app import create_app
from backend.parts import Parts
from backend.settings import Settings


@dataclass
class Inside:
    """A server, seen from within."""

    port: int
    parts: Parts
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it to have the server leave."""

    @property
    def uri(self) -> str:
        return f"ws://127.0.0.1:{self.port}/api/v1/ws"


@asynccontextmanager
async def inside() -> AsyncIterator[Inside]:
    """Serve for the length of a ``with`` block, then leave as a signal would have it."""
    settings = Settings(port=0, history=False, max_requests=0)
    listener = serve.listen(settings)
    port = listener.getsockname()[1]
    app = create_app(settings)
    up, leaving = asyncio.Event(), asyncio.Event()

    async def until_asked() -> None:
        up.set()
        await leaving.wait()
        await serve._leave(app.extensions["stt"])

    config = serve._config(listener.detach())
    serving = asyncio.create_task(hypercorn_serve(app, config, shutdown_trigger=until_asked))
    await asyncio.wait_for(up.wait(), 20)
    try:
        yield Inside(port, app.extensions["stt"], leaving)
    finally:
        leaving.set()
        await asyncio.wait_for(serving, 20)


async def heard(client: ClientConnection) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(await asyncio.wait_for(client.recv(), 20))
    return event


async def closed(client: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """Return what still comes, and the code of the close."""
    rest = []
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            rest.append(await heard(client))
    return rest, caught.value.rcvd.code if caught.value.rcvd else None
