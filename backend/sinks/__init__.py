"""Readers of history outside: a webhook, Redis, PostgreSQL. Each begins where it left off."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from backend.bus import Bus
from backend.history import History
from backend.problems import not_found
from backend.settings import Settings
from backend.sinks import places
from backend.sinks.feed import Feed, Sink
from backend.sinks.postgres import Postgres
from backend.sinks.redis import RedisChannel, RedisStream
from backend.sinks.webhook import Webhook
from backend.tasks import end
from common.sinks import Letter, SinkStatus


class Sinks:
    """Those that the settings name. Lives on the event loop."""

    def __init__(self, settings: Settings, history: History, bus: Bus) -> None:
        self._history = history
        self._feeds = [Feed(sink, history) for sink in _made(settings, history.origin)]
        running: list[Coroutine[Any, Any, None]] = [feed.run() for feed in self._feeds]
        if settings.redis_url and not settings.cluster and self._feeds:
            running.append(RedisChannel(settings.redis_url, settings.redis_prefix, bus).run())
        self._tasks = [asyncio.get_running_loop().create_task(one) for one in running]

    async def close(self) -> None:
        """Stop; what wasn't delivered is when the server is up again."""
        await end(self._tasks)

    def status(self) -> list[SinkStatus]:
        """Return how far each has come, as counted last."""
        return [feed.status() for feed in self._feeds]

    async def refresh(self) -> list[SinkStatus]:
        """Return how far each has come now."""
        for feed in self._feeds:
            await feed.refresh()
        return self.status()

    async def letters(self, name: str) -> list[Letter]:
        """Return what a sink did not take. Raises `Problem` 404 or 503."""
        self._find(name)
        return await self._history.read(places.letters, name)

    async def requeue(self, name: str) -> int:
        """Have what a sink did not take tried again; return how much. Raises `Problem`."""
        feed = self._find(name)
        count = await self._history.ask(places.requeue, name)
        feed.wake()
        return count

    def _find(self, name: str) -> Feed:
        for feed in self._feeds:
            if feed.sink.name == name:
                return feed
        known = ", ".join(feed.sink.name for feed in self._feeds) or "none"
        raise not_found(f"there is no sink {name[:40]!r}; there are: {known}", "Sink not found")


def _made(settings: Settings, origin: str) -> list[Sink]:
    if not settings.history:
        return []
    made: list[Sink] = []
    if settings.webhook_url:
        patience = settings.webhook_hours * 3600
        made.append(Webhook(settings.webhook_url, settings.webhook_secret, origin, patience))
    if settings.redis_url and not settings.cluster:  # A cluster has it all in its own stream.
        made.append(RedisStream(settings.redis_url, settings.redis_prefix))
    if settings.postgres_url:
        made.append(Postgres(settings.postgres_url, origin))
    return made
