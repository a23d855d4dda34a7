"""Servers of a cluster without their sockets: a history, a bus and its way to Redis each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from backend.bus import Bus
from backend.cluster import Cluster
from backend.cluster.bus import SharedBus
from backend.history import History
from backend.settings import Settings
from backend.subscription import Wanted
from common.events import Event, Transcription, parse
from tests.backend.history.made import final, until


@asynccontextmanager
async def member(
    folder: Path, port: int, *, wait: bool = True
) -> AsyncIterator[tuple[Cluster, SharedBus, History]]:
    """Take part in the cluster for the length of an ``async with`` block."""
    url = f"redis://127.0.0.1:{port}"
    settings = Settings(data_dir=folder, redis_url=url, cluster="test")
    history = History(settings)
    bus = SharedBus(history.open(), history)
    history.tell, history.forgotten = bus.publish, bus.forget
    cluster = Cluster(settings, bus, history)
    try:
        if wait:
            async with asyncio.timeout(20):
                await bus.joined.wait()
        yield cluster, bus, history
    finally:
        await cluster.close()
        await asyncio.to_thread(history.close)


class Hearing:
    """Collects what a bus tells."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    @classmethod
    @asynccontextmanager
    async def to(cls, bus: Bus) -> AsyncIterator["Hearing"]:
        hearing = cls()
        with bus.subscribe(Wanted()) as subscription:

            async def collect() -> None:
                async for text in subscription:
                    hearing.events.append(parse(text))

            task = asyncio.create_task(collect())
            try:
                yield hearing
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    @property
    def finals(self) -> list[Transcription]:
        return [e for e in self.events if isinstance(e, Transcription) and e.is_final]

    @property
    def told(self) -> list[tuple[int | None, str]]:
        """Number and text of each final."""
        return [(one.seq, one.text) for one in self.finals]

    async def have(self, count: int) -> list[tuple[int | None, str]]:
        """Wait for so many finals."""
        return await until(seen(lambda: self.told), lambda told: len(told) >= count)


Value = TypeVar("Value")


def seen(look: Callable[[], Value]) -> Callable[[], Awaitable[Value]]:
    """Return what `until` may look with."""

    async def looked() -> Value:
        return look()

    return looked


async def until_failing(bus: SharedBus, failing: bool = True) -> None:
    await until(seen(lambda: bus.fault is not None), lambda now: now is failing)


def says(bus: Bus, name: str, count: int, first: int = 0) -> list[str]:
    """Publish so many finals; return their texts."""
    texts = [f"{name} {number}" for number in range(first, first + count)]
    for text in texts:
        bus.publish(final(text, text, name))
    return texts
