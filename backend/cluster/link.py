"""The way of events to Redis and back: three tasks, each over a connection of its own.

What fails is told once, and tried again until it works; what was on its way then is sent again,
which Redis takes for what it is.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from backend.bus import HELD
from backend.cluster import outbox
from backend.cluster.bus import SharedBus, Waiting
from backend.cluster.keys import BLOCK, PAUSE, Keys
from backend.cluster.log import Log
from backend.history import History
from backend.problems import Problem
from backend.sinks.redis import connected
from backend.tasks import end

log = logging.getLogger(__name__)

BATCH = 100
"""Durable events sent at a time."""


class Link:
    """Begins at once. Lives on the event loop."""

    def __init__(self, url: str, keys: Keys, bus: SharedBus, history: History) -> None:
        self._url = url
        self._keys = keys
        self._bus = bus
        self._history = history
        self._tasks = [
            asyncio.create_task(self._again("read", self._read)),
            asyncio.create_task(self._again("send", self._send)),
            asyncio.create_task(self._again("listen", self._listen)),
        ]

    async def close(self) -> None:
        await end(self._tasks)

    async def _again(self, part: str, go: Callable[[Redis], Awaitable[None]]) -> None:
        while True:
            redis = connected(self._url)
            try:
                await redis.ping()  # type: ignore[misc]
                await go(redis)
            except Exception as error:  # Whatever the driver raises.
                self._bus.note(part, str(error) or type(error).__name__)
            finally:
                await redis.aclose()
            await asyncio.sleep(PAUSE)

    async def _read(self, redis: Redis) -> None:
        stream, bus = Log(redis, self._keys), self._bus
        if not bus.joined.is_set() and not bus.seq:
            await self._begin(stream)
        until = await stream.tail()
        while True:
            self._bus.note("read", None)
            if bus.taken >= until and not bus.joined.is_set():
                bus.joined.set()
                log.info("cluster: joined at %d", until)
            for entry in await stream.follow(bus.taken):
                bus.arrive(entry)
            await bus.drain()  # No more is taken than can be told.

    async def _begin(self, stream: Log) -> None:
        """Find where to begin: with what clients may resume after, and with what was left behind.

        What was left behind and is in the stream already comes by on the way.
        """
        after = await stream.before_newest(HELD)
        try:
            left = await self._history.ask(outbox.left_behind, self._bus.server_id)
        except Problem as problem:
            log.warning("cluster: what was left behind can't be read: %s", problem)
            left = []
        for one in left:
            self._bus.adopt(one)
        self._bus.start_after(min([after, *(one.after for one in left)]))

    async def _send(self, redis: Redis) -> None:
        stream, bus = Log(redis, self._keys), self._bus
        await bus.joined.wait()
        bus.send_again()
        while True:
            bus.wake.clear()
            await self._send_live(redis)
            await self._send_forgotten(redis, stream)
            while waiting := bus.unsent(BATCH):
                await self._send_some(stream, waiting)
            bus.note("send", None)
            await bus.wake.wait()

    async def _send_some(self, stream: Log, waiting: list[Waiting]) -> None:
        if written := [one.put_down for one in waiting if one.put_down]:
            await asyncio.wait(written)
        origin, floor = waiting[0].origin, max(self._bus.floor, self._bus.taken)
        added = await stream.add(origin, floor, [(one.n, one.text) for one in waiting])
        for one in waiting:
            one.sent = True
        if not added and origin != self._bus.server_id:
            self._bus.drop(waiting[0])

    async def _send_live(self, redis: Redis) -> None:
        live = [self._bus.live.popleft() for _ in range(len(self._bus.live))]
        for text in live:
            await redis.publish(self._keys.live, f"{self._bus.server_id} {text}")

    async def _send_forgotten(self, redis: Redis, stream: Log) -> None:
        if numbers := sorted(self._bus.unforgotten):
            await stream.forget(numbers)
            await redis.publish(self._keys.live, f"{self._bus.server_id} {json.dumps(numbers)}")
            self._bus.unforgotten.difference_update(numbers)

    async def _listen(self, redis: Redis) -> None:
        async with redis.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(self._keys.live)
            while True:
                message = await channel.get_message(timeout=BLOCK)
                self._bus.note("listen", None)
                if message:
                    self._take(message["data"].decode())

    def _take(self, told: str) -> None:
        origin, _, text = told.partition(" ")
        if origin == self._bus.server_id:
            return
        if text.startswith("["):
            self._bus.forget_here(frozenset(json.loads(text)))
        else:
            self._bus.arrive_live(text)
