"""Redis: finals to a stream, where each is once; live events, partials too, to a channel."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from backend.bus import Bus
from backend.secret import without_secrets
from backend.sinks.feed import NotNow
from backend.sinks.places import Said
from backend.subscription import TooSlow, Wanted
from common.events import parse

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

TIMEOUT = 5.0
"""Seconds for an answer."""
KEPT = 1_000_000
"""Finals, about, that the stream keeps."""
PAUSE = 1.0
"""Seconds after which live events are tried anew."""


class Missing(Exception):
    """A package isn't installed. The text says how to get it."""


class RedisStream:
    """An entry ``SEQ-0`` a final: Redis itself takes no number twice, nor out of order."""

    name = "redis"
    batch = 500
    whole = False
    patience = float("inf")

    def __init__(self, url: str, prefix: str) -> None:
        self.target = f"{without_secrets(url)}, stream {prefix}finals"
        self._url = url
        self._stream = f"{prefix}finals"
        self._redis: Redis | None = None

    async def open(self) -> None:
        """Connect. Raises `Missing`, or what redis-py does."""
        self._redis = connected(self._url)
        await self._redis.ping()  # type: ignore[misc]

    async def close(self) -> None:
        if self._redis:
            await self._redis.aclose()

    async def deliver(self, finals: Sequence[Said]) -> None:
        """Add finals to the stream. Raises what redis-py does, or `NotNow`."""
        assert self._redis
        from redis.exceptions import ResponseError

        async with self._redis.pipeline(transaction=False) as pipe:
            for said in finals:
                fields: Any = _fields(said)
                pipe.xadd(self._stream, fields, id=f"{said.seq}-0", maxlen=KEPT, approximate=True)
            results = await pipe.execute(raise_on_error=False)
        for said, result in zip(finals, results, strict=True):
            if isinstance(result, ResponseError) and "equal or smaller" in str(result):
                await self._expect(said)
            elif isinstance(result, Exception):
                raise result

    async def _expect(self, said: Said) -> None:
        """See that the final is in the stream already: its delivery was not heard of."""
        assert self._redis
        name = f"{said.seq}-0"
        if not await self._redis.xrange(self._stream, name, name):
            raise NotNow(
                f"the stream {self._stream} has newer entries than ours: another server writes to "
                "it; set STT_SERVER_REDIS_PREFIX"
            )


class RedisChannel:
    """Every event to whoever subscribes now; nothing is kept for those who don't."""

    def __init__(self, url: str, prefix: str, bus: Bus) -> None:
        self._url = url
        self._channel = f"{prefix}events"
        self._bus = bus

    async def run(self) -> None:
        """Publish what happens, until cancelled or the server leaves."""
        while not self._bus.closed.is_set():
            try:
                await self._publish()
            except TooSlow:
                log.warning("redis: live events come faster than it takes them; some are left out")
            except Missing:
                return  # Told by the stream.
            except Exception as error:  # Whatever the driver raises; the stream tells of it.
                log.debug("redis: no live events: %s", error)
                await asyncio.sleep(PAUSE)

    async def _publish(self) -> None:
        redis = connected(self._url)
        try:
            await redis.ping()  # type: ignore[misc]
            with self._bus.subscribe(Wanted(), within=True) as subscription:
                async for text in subscription:
                    await redis.publish(self._channel, text)
        finally:
            await redis.aclose()


def connected(url: str) -> "Redis":
    """Return a client, which connects when it is first used. Raises `Missing`."""
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise Missing("redis is not installed: pip install 'realtime-mlx-stt[sinks]'") from error
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        # Trying again is ours: a second XADD of the driver's own would look like a stranger's.
        retry=Retry(NoBackoff(), 0),
    )


def _fields(said: Said) -> dict[str, str]:
    event = parse(said.event)
    return {
        "session_id": event.session_id or "",
        "text": getattr(event, "text", ""),
        "event": said.event,
    }
