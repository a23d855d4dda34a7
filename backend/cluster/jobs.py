"""Recordings that wait to be read: a Redis stream, taken from by whichever server is free.

The consumer group gives each job to one server, which says again and again that it is at it. A
job of which nothing is heard any more goes to another. It is answered once, whoever comes
first; the recording itself lies in a key that whoever asked keeps alive.
"""

import asyncio
import logging
import uuid
from typing import IO, Any

from pydantic import BaseModel
from redis.asyncio import Redis

from backend.cluster.keys import BLOCK, Keys
from backend.problems import Problem
from backend.recordings import Job
from common.api import Transcript

log = logging.getLogger(__name__)

GROUP = "servers"
LARGEST = 64 << 20
"""Bytes of a recording that goes by way of Redis; a larger one is read where it came in."""
ALIVE = 60
"""Seconds after which a recording is gone whose asker is."""
ANSWERED = 60
"""Seconds for which an answer may wait to be fetched."""

ANSWER = """
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[2])
redis.call('RPUSH', KEYS[3], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[4])
return 1
"""
"""KEYS: the jobs, the recording, the answer. ARGV: the group, the job's entry, what it came to, and
the seconds to keep that."""


class Outcome(BaseModel):
    """What a job came to: a transcript, or why there is none."""

    transcript: Transcript | None = None
    status: int = 200
    error: str = ""
    details: str = ""
    given_up: bool = False
    """Nobody should try again: it ended one server after the other."""

    @classmethod
    def of(cls, problem: Problem) -> "Outcome":
        return cls(status=problem.status, error=problem.error, details=problem.details)


class Asking:
    """The side of the server that an upload came in at."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def ask(self, job: Job, file: IO[bytes]) -> Transcript | None:
        """Have a recording read by whichever server is free.

        Returns None where it has to be read here: it is too large, Redis is away, or the server
        that took it lacks what this one may have. Raises `Problem` for what is wrong with the
        recording.
        """
        data = await asyncio.to_thread(file.read, LARGEST + 1)
        if len(data) > LARGEST:
            return None
        try:
            outcome = await self._outcome(uuid.uuid4().hex, job, data)
        except Exception as error:  # Whatever the driver raises.
            log.warning("cluster: a recording is read here: %s", error)
            return None
        if outcome is None or (outcome.status >= 500 and not outcome.given_up):
            log.warning(
                "cluster: a recording is read here: %s",
                outcome.details if outcome else "it is gone",
            )
            return None
        if outcome.transcript is None:
            raise Problem(outcome.status, outcome.error, outcome.details)
        return outcome.transcript

    async def _outcome(self, name: str, job: Job, data: bytes) -> Outcome | None:
        audio, answer = self._keys.audio(name), self._keys.answer(name)
        entry: Any = None
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(audio, data, ex=ALIVE)
                pipe.xadd(self._keys.jobs, {"name": name, "job": job.model_dump_json()})
                entry = (await pipe.execute())[1]
            while True:
                found: Any = await self._redis.blpop([answer], timeout=BLOCK)  # type: ignore[misc]
                if found is None and not await self._redis.expire(audio, ALIVE):
                    # Answered just now, or Redis has lost it.
                    found = (answer, await self._redis.lpop(answer))  # type: ignore[misc]
                    if found[1] is None:
                        return None
                if found:
                    entry = None
                    return Outcome.model_validate_json(found[1])
        finally:
            if entry:
                await self._give_up(entry, audio)

    async def _give_up(self, entry: Any, audio: str) -> None:
        """See that nobody reads what nobody waits for."""
        try:
            await self._redis.delete(audio)
            await self._redis.xdel(self._keys.jobs, entry)
        except Exception as error:  # It goes by itself after a while.
            log.debug("cluster: a recording stays a while: %s", error)
