"""A history with sinks, somebody who speaks on and on, and a receiver of webhooks."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart, Response, request

from backend.bus import Bus
from backend.history import History
from backend.settings import Settings
from backend.sinks import Sinks
from common.sinks import SinkStatus
from tests.backend.history.made import final, until


class Speaking:
    """Finals that go on coming, and what they were."""

    def __init__(self, bus: Bus) -> None:
        self.texts: list[str] = []
        self._bus = bus

    async def say(self, count: int) -> None:
        """Say so much; return when it was told."""
        for _ in range(count):
            self._go_on()
        await self._bus.settle()

    def _go_on(self) -> None:
        text = f"number {len(self.texts)}"
        self.texts.append(text)
        self._bus.publish(final(text, f"s-{len(self.texts)}"))

    @asynccontextmanager
    async def on_and_on(self, a_second: int = 100) -> AsyncIterator[None]:
        """Speak for the length of an ``async with`` block."""

        async def speak() -> None:
            while True:
                self._go_on()
                await asyncio.sleep(1 / a_second)

        task = asyncio.create_task(speak())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._bus.settle()


@asynccontextmanager
async def life(folder: Path, **told: Any) -> AsyncIterator[tuple[Sinks, Bus, History]]:
    """A server's life, as far as it concerns sinks."""
    settings = Settings(data_dir=folder, **told)
    history = History(settings)
    bus = Bus(history.open(), history)
    history.tell, history.forgotten = bus.publish, bus.forget
    sinks = Sinks(settings, history, bus)
    try:
        yield sinks, bus, history
    finally:
        await sinks.close()
        await asyncio.to_thread(history.close)


async def until_it_is(sinks: Sinks, state: str, *, lag: int | None = None) -> SinkStatus:
    """Wait until the one sink is in a state, with so much waiting."""

    async def look() -> SinkStatus:
        (status,) = await sinks.refresh()
        return status

    return await until(look, lambda now: now.state == state and lag in (None, now.lag))


class Receiver:
    """Takes webhooks, or answers what it is told to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 204
        self.poison = ""
        """A text that is refused."""
        self.headers: dict[str, str] = {}
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.refused = 0

    @property
    def texts(self) -> list[str]:
        return [json.loads(body)["text"] for _, body in self.taken]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        status = self.status
        if self.poison and json.loads(body)["text"] == self.poison:
            status = 400
        if status < 300:
            self.taken.append((headers, body))
        else:
            self.refused += 1
        return status


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver of webhooks that listens."""
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    receiver = Receiver(f"http://127.0.0.1:{listener.getsockname()[1]}/hook?token=s3cret")
    app = Quart(__name__)

    @app.post("/hook")
    async def hook() -> Response:
        status = receiver.take(dict(request.headers), await request.get_data())
        return Response("", status, headers=receiver.headers)

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 0.2
    config.errorlog = None
    asked = asyncio.Event()
    serving = asyncio.create_task(serve(app, config, shutdown_trigger=asked.wait))  # type: ignore[arg-type]
    try:
        yield receiver
    finally:
        asked.set()
        await serving
