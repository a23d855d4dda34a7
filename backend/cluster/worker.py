"""A server's hands for recordings: it takes one when it is free, and says that it is at it."""

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from backend.cluster.jobs import ANSWER, ANSWERED, GROUP, Outcome
from backend.cluster.keys import BLOCK, PAUSE, Keys
from backend.problems import Problem, ours
from backend.recordings import Job
from backend.sinks.redis import connected
from backend.tasks import end
from common.api import Transcript

log = logging.getLogger(__name__)

HANDS = 2
"""Recordings that a server reads at a time: one is cut up while the engine is at the other."""
BEAT = 2.5
"""Seconds between two signs that a job is being worked at."""
DEAD = 10.0
"""Seconds without one after which the job is another server's."""
TRIES = 3
"""Servers that may die of a job before it is given up."""
GONE = 3_600_000
"""Milliseconds after which a server that holds nothing is struck off the group."""

Read = Callable[[Job, IO[bytes]], Awaitable[Transcript]]


@dataclass(frozen=True)
class Task:
    """A job in this server's hands."""

    entry: bytes
    """Its id in the stream."""
    name: str
    job: str
    """JSON of `Job`."""


class Worker:
    """Begins at once. Lives on the event loop."""

    def __init__(self, url: str, keys: Keys, me: str, read: Read) -> None:
        self.done = 0
        """Jobs that were answered."""
        self._url = url
        self._keys = keys
        self._me = me
        self._read = read
        self._hands = asyncio.Semaphore(HANDS)
        self._doing: dict[bytes, asyncio.Task[None]] = {}
        self._redis = connected(url)
        self._answer = self._redis.register_script(ANSWER)
        self._taking = asyncio.create_task(self._take_on_and_on())

    @property
    def busy(self) -> int:
        """How many jobs are being read."""
        return len(self._doing)

    async def leave(self, seconds: float) -> None:
        """Take no more; wait, for so long at most, until what was taken is done."""
        await end([self._taking])
        if self._doing:
            await asyncio.wait(self._doing.values(), timeout=seconds)

    async def close(self) -> None:
        """Let go: what isn't done is another's."""
        await end([self._taking, *self._doing.values()])
        await self._redis.aclose()

    async def _take_on_and_on(self) -> None:
        while True:
            redis = connected(self._url)
            try:
                await self._join(redis)
                while True:
                    await self._take_one(redis)
            except Exception as error:  # Whatever the driver raises; the link tells of it.
                log.debug("cluster: no jobs: %s", error)
            finally:
                await redis.aclose()
            await asyncio.sleep(PAUSE)

    async def _join(self, redis: Redis) -> None:
        """Make the group if there is none, and strike off who has gone."""
        try:
            await redis.xgroup_create(self._keys.jobs, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        for one in await redis.xinfo_consumers(self._keys.jobs, GROUP):
            if not one["pending"] and one["idle"] > GONE:
                await redis.xgroup_delconsumer(self._keys.jobs, GROUP, one["name"])

    async def _take_one(self, redis: Redis) -> None:
        await self._hands.acquire()
        task = None
        try:
            task = await self._of_the_dead(redis) or await self._next(redis)
            if task and task.entry not in self._doing:
                doing = asyncio.create_task(self._do(task))
                self._doing[task.entry] = doing
                doing.add_done_callback(partial(self._finish, task.entry))
            else:
                task = None
        finally:
            if task is None:
                self._hands.release()

    def _finish(self, entry: bytes, _: object) -> None:
        self._doing.pop(entry, None)
        self._hands.release()

    async def _next(self, redis: Redis) -> Task | None:
        """Wait a moment for a new job."""
        found: Any = await redis.xreadgroup(
            GROUP, self._me, {self._keys.jobs: ">"}, count=1, block=int(BLOCK * 1000)
        )
        return _task(found[0][1]) if found else None

    async def _of_the_dead(self, redis: Redis) -> Task | None:
        """Return a job of which nothing was heard for long."""
        # With ids alone nothing is counted as delivered: one of our own may be among them, of which
        # nothing was heard while this machine slept.
        entries: Any = await redis.xautoclaim(
            self._keys.jobs, GROUP, self._me, int(DEAD * 1000), count=1, justid=True
        )
        if not entries or entries[0] in self._doing:
            return None
        task = _task(await redis.xclaim(self._keys.jobs, GROUP, self._me, 0, entries))
        if task is None:
            return None
        pending: Any = await redis.xpending_range(self._keys.jobs, GROUP, task.entry, task.entry, 1)
        log.warning("cluster: a job of a server that is gone is taken over: %s", task.name)
        if pending and pending[0]["times_delivered"] > TRIES:
            await self._answer_with(task, _given_up())
            return None
        return task

    async def _do(self, task: Task) -> None:
        try:
            data: Any = await self._redis.get(self._keys.audio(task.name))
            outcome = await self._outcome(task, data) if data else None
            if outcome is None:  # Nobody waits for it.
                await self._redis.xack(self._keys.jobs, GROUP, task.entry)
                await self._redis.xdel(self._keys.jobs, task.entry)
                return
            answered = await self._answer_with(task, outcome)
            self.done += answered
        except Exception as error:  # Whatever the driver raises: then it is another's.
            log.warning("cluster: a job isn't answered: %s", error)

    async def _outcome(self, task: Task, data: bytes) -> Outcome | None:
        """Read a recording; return None if nobody waits for it any more."""
        reading = asyncio.ensure_future(
            self._read(Job.model_validate_json(task.job), io.BytesIO(data))
        )
        beating = asyncio.create_task(self._beat(task, reading))
        try:
            return Outcome(transcript=await reading)
        except Problem as problem:
            return Outcome.of(problem)
        except asyncio.CancelledError:
            if not beating.done():  # It isn't the job that is unwanted, but this server.
                raise
            return None
        except Exception as error:
            log.exception("cluster: a job failed")
            return Outcome.of(ours(error, debug=False))
        finally:
            beating.cancel()
            reading.cancel()

    async def _beat(self, task: Task, reading: "asyncio.Future[Transcript]") -> None:
        """Say that the job is being worked at, until nobody waits for it."""
        while True:
            await asyncio.sleep(BEAT)
            try:
                await self._redis.xclaim(
                    self._keys.jobs, GROUP, self._me, 0, [task.entry], justid=True
                )
                if not await self._redis.exists(self._keys.audio(task.name)):
                    break
            except Exception as error:  # The next one may be heard.
                log.debug("cluster: a sign of life was lost: %s", error)
        reading.cancel()

    async def _answer_with(self, task: Task, outcome: Outcome) -> int:
        """Answer, unless another did; return how many answers were given."""
        keys = [self._keys.jobs, self._keys.audio(task.name), self._keys.answer(task.name)]
        told: list[Any] = [GROUP, task.entry, outcome.model_dump_json(), ANSWERED]
        return int(await self._answer(keys=keys, args=told))


def _task(entries: Any) -> Task | None:
    """Return the job of an entry, None if it was deleted."""
    if not entries or not entries[0][1]:
        return None
    entry, fields = entries[0]
    return Task(entry, fields[b"name"].decode(), fields[b"job"].decode())


def _given_up() -> Outcome:
    return Outcome(
        status=500,
        error="Recording given up",
        details=f"{TRIES} servers stopped while they read it; try it in parts, or encoded anew",
        given_up=True,
    )
