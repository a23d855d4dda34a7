"""Several servers that are one to their clients: Redis carries what each of them tells.

Any number of servers with the same `STT_SERVER_REDIS_URL` and `STT_SERVER_CLUSTER`, each with a
data folder of its own. Every server tells what all of them hear, under the same numbers, so that
a client resumes on any of them; recordings are read by whichever is free.
"""

import asyncio
from typing import TYPE_CHECKING

from backend.cluster.bus import SharedBus
from backend.cluster.keys import Keys
from backend.cluster.log import Entry, Log
from backend.problems import missing
from backend.settings import Settings
from backend.sinks.redis import connected
from common.api import ClusterStatus
from common.events import encode, parse

if TYPE_CHECKING:
    from backend.cluster.worker import Read
    from backend.history import History

PATIENCE = 5.0
"""Seconds that a client waits for a server that is behind the others."""


class Cluster:
    """What this server has to do with it. Lives on the event loop."""

    def __init__(
        self, settings: Settings, bus: SharedBus, history: "History", read: "Read | None" = None
    ) -> None:
        """Take part from now on.

        Args:
            settings: which Redis, and which cluster.
            bus: what is told here.
            history: what was said here.
            read: reads a recording here; None takes none.

        """
        from backend.cluster.jobs import Asking
        from backend.cluster.link import Link
        from backend.cluster.worker import Worker

        self.bus = bus
        self.name = settings.cluster
        keys = Keys(f"{settings.redis_prefix}{settings.cluster}")
        self._redis = connected(settings.redis_url)
        self.log = Log(self._redis, keys)
        self._link = Link(settings.redis_url, keys, bus, history)
        self.asking = Asking(self._redis, keys)
        self.worker = Worker(settings.redis_url, keys, bus.server_id, read) if read else None

    async def leave(self, seconds: float) -> None:
        """Take no more recordings; wait, for so long at most, for those in hand."""
        if self.worker:
            await self.worker.leave(seconds)

    async def close(self) -> None:
        """Take part no longer."""
        if self.worker:
            await self.worker.close()
        await self._link.close()
        await self._redis.aclose()

    def status(self) -> ClusterStatus:
        bus = self.bus
        state = "failing" if bus.fault else "up" if bus.joined.is_set() else "joining"
        return ClusterStatus(
            name=self.name,
            state=state,
            fault=bus.fault,
            waiting=len(bus.waiting),
            lost=bus.lost,
            round_trip=bus.round_trip,
            jobs=self.worker.busy if self.worker else 0,
        )

    async def catch_up(self, since: int | None) -> None:
        """Return once this server has told what its client has seen of another.

        Raises `Problem` 503 where that takes too long: the client tries another server.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                await self.bus.joined.wait()
                if since is not None and since > self.bus.seq and since <= await self.log.tail():
                    await self.bus.reach(since)
        except Exception as error:  # Whatever the driver raises, or it took too long.
            why = self.bus.fault or str(error) or "it is behind the others"
            raise missing(
                f"this server can't follow its cluster: {why}; try again, or another server",
                "Cluster can't be reached",
            ) from error

    async def told(self, after: int, below: int, limit: int) -> tuple[list[str], bool]:
        """Return the durable events between two numbers, and whether that is all."""
        try:
            found = await self.log.between(after, below, limit + 1)
            oldest = await self.log.oldest()
        except Exception:  # Whatever the driver raises; the link tells of it.
            return [], False
        whole = oldest is not None and oldest <= after + 1 and len(found) <= limit
        return [_numbered(entry) for entry in found[:limit] if entry.origin], whole


def _numbered(entry: Entry) -> str:
    return encode(parse(entry.event).model_copy(update={"seq": entry.seq}))
