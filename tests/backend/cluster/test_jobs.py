"""Recordings by way of a real Redis: read by who is free, finished for the dead, answered once."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import IO

import pytest
from redis.asyncio import Redis

from backend.cluster import jobs, worker
from backend.cluster.jobs import Asking
from backend.cluster.keys import Keys
from backend.cluster.worker import Read, Worker
from backend.problems import Problem, missing, unreadable_audio
from backend.recordings import Job
from backend.sinks.redis import connected
from common.api import Transcript
from common.profile import TranscriptionPart, VadPart
from tests.backend.history.made import until
from tests.outside import Outside, needs_redis, redis_server

pytestmark = needs_redis

KEYS = Keys("stt:test")
JOB = Job(transcription=TranscriptionPart(), vad=VadPart(), format=None, longest=60)


def reads(name: str) -> Read:
    """Return what answers with its own name and what it was given."""

    async def read(job: Job, file: IO[bytes]) -> Transcript:
        text = f"{name}: {file.read().decode()}"
        return Transcript(text=text, duration=1, engine=name, processing_seconds=0)

    return read


class Stuck:
    """Takes a recording and never ends."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.ended = asyncio.Event()

    async def read(self, job: Job, file: IO[bytes]) -> Transcript:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        raise AssertionError


@asynccontextmanager
async def working(redis: Outside, name: str, read: Read) -> AsyncIterator[Worker]:
    made = Worker(f"redis://127.0.0.1:{redis.port}", KEYS, name, read)
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def asking(redis: Outside) -> AsyncIterator[Callable[[str], Awaitable[Transcript | None]]]:
    async with connected(f"redis://127.0.0.1:{redis.port}") as client:
        made = Asking(client, KEYS)
        yield lambda said: made.ask(JOB, io.BytesIO(said.encode()))


async def is_tidy(redis: Outside) -> bool:
    """Whether nothing is left of any job."""
    async with Redis(port=redis.port) as direct:
        pending = (await direct.xpending(KEYS.jobs, "servers"))["pending"]
        left = await direct.keys(f"{KEYS.prefix}:job:*")
        return not pending and not left and not await direct.xlen(KEYS.jobs)


async def test_each_recording_is_answered_with_its_own_words() -> None:
    with redis_server() as redis:
        async with (
            working(redis, "one", reads("one")) as one,
            working(redis, "two", reads("two")) as two,
            asking(redis) as ask,
        ):
            answers = await asyncio.gather(*(ask(str(number)) for number in range(20)))
            for number, answer in enumerate(answers):
                assert answer
                assert answer.text == f"{answer.engine}: {number}"

            async def done() -> int:
                return one.done + two.done

            await until(done, lambda count: count == 20)
            assert await is_tidy(redis)


async def test_a_busy_server_leaves_recordings_to_a_free_one() -> None:
    stuck = Stuck()
    with redis_server() as redis:
        async with working(redis, "busy", stuck.read) as busy, asking(redis) as ask:
            waiting = [asyncio.create_task(ask("for ever")) for _ in range(worker.HANDS)]

            async def taken() -> int:
                return busy.busy

            await until(taken, lambda count: count == worker.HANDS)
            async with working(redis, "free", reads("free")):
                answers = await asyncio.gather(*(ask("now") for _ in range(5)))
                assert {answer.text for answer in answers if answer} == {"free: now"}
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_dead_servers_job_is_done_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "DEAD", 0.2)
    stuck = Stuck()
    with redis_server() as redis:
        async with asking(redis) as ask:
            async with working(redis, "dying", stuck.read):
                answer = asyncio.create_task(ask("hello"))
                await stuck.began.wait()
            async with working(redis, "heir", reads("heir")):
                transcript = await answer
                assert transcript
                assert transcript.text == "heir: hello"
                assert await is_tidy(redis)


async def test_a_slow_servers_job_stays_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "DEAD", 0.5)
    monkeypatch.setattr(worker, "BEAT", 0.05)
    begun = asyncio.Event()

    async def slowly(job: Job, file: IO[bytes]) -> Transcript:
        begun.set()
        await asyncio.sleep(2.5)  # The others look every two seconds.
        return await reads("slow")(job, file)

    with redis_server() as redis:
        async with working(redis, "slow", slowly), asking(redis) as ask:
            answer = asyncio.create_task(ask("hello"))

            await begun.wait()
            async with working(redis, "greedy", reads("greedy")) as greedy:
                transcript = await answer
                assert transcript
                assert transcript.text == "slow: hello"
                assert not greedy.done


async def test_a_server_that_slept_is_not_counted_as_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "DEAD", 0.01)  # As if nothing had run for long, again and again.
    monkeypatch.setattr(worker, "BLOCK", 0.02)
    stuck = Stuck()
    with redis_server() as redis:
        async with working(redis, "sleepy", stuck.read), asking(redis) as ask:
            answer = asyncio.create_task(ask("hello"))
            await stuck.began.wait()
            async with Redis(port=redis.port) as direct:

                async def looks() -> int:
                    return int((await direct.info("commandstats"))["cmdstat_xautoclaim"]["calls"])

                before = await looks()
                await until(looks, lambda count: count > before + 5)
                (job,) = await direct.xpending_range(KEYS.jobs, "servers", "-", "+", 10)
            assert job["times_delivered"] == 1
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)


async def test_a_job_that_ends_servers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "DEAD", 0.05)
    with redis_server() as redis:
        async with asking(redis) as ask:
            answer = asyncio.create_task(ask("poison"))
            for number in range(worker.TRIES):
                stuck = Stuck()
                async with working(redis, f"victim {number}", stuck.read):
                    await stuck.began.wait()
            async with working(redis, "last", reads("last")):
                with pytest.raises(Problem, match="given up") as caught:
                    await answer
                assert caught.value.status == 500
                assert await is_tidy(redis)


async def test_what_is_wrong_with_a_recording_is_told() -> None:
    async def refuse(job: Job, file: IO[bytes]) -> Transcript:
        raise unreadable_audio("no sound")

    with redis_server() as redis:
        async with working(redis, "one", refuse), asking(redis) as ask:
            with pytest.raises(Problem, match="no sound") as caught:
                await ask("noise")
            assert caught.value.status == 415


@pytest.mark.parametrize("fault", [missing("no such model here"), RuntimeError("a bug")])
async def test_what_one_server_lacks_is_read_where_it_came_in(fault: Exception) -> None:
    async def fail(job: Job, file: IO[bytes]) -> Transcript:
        raise fault

    with redis_server() as redis:
        async with working(redis, "one", fail), asking(redis) as ask:
            assert await ask("hello") is None


async def test_nobody_reads_on_for_somebody_who_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "BEAT", 0.05)
    stuck = Stuck()
    with redis_server() as redis:
        async with working(redis, "one", stuck.read) as one, asking(redis) as ask:
            answer = asyncio.create_task(ask("hello"))
            await stuck.began.wait()
            answer.cancel()
            await asyncio.wait_for(stuck.ended.wait(), 5)

            async def busy() -> int:
                return one.busy

            await until(busy, lambda count: not count)
            assert await is_tidy(redis)


async def test_without_redis_a_recording_is_read_here() -> None:
    with redis_server() as redis:
        async with asking(redis) as ask:
            answer = asyncio.create_task(ask("hello"))

            async def asked() -> int:
                async with Redis(port=redis.port) as direct:
                    return int(await direct.xlen(KEYS.jobs))

            await until(asked, bool)
            redis.stop()
            assert await asyncio.wait_for(answer, 10) is None
            assert await ask("hello") is None


async def test_too_large_a_recording_is_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LARGEST", 4)
    with redis_server() as redis:
        async with working(redis, "one", reads("one")), asking(redis) as ask:
            answer = await ask("1234")
            assert answer
            assert answer.text == "one: 1234"
            assert await ask("12345") is None


async def test_a_server_that_leaves_finishes_what_it_took() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait(job: Job, file: IO[bytes]) -> Transcript:
        begun.set()
        await go.wait()
        return await reads("one")(job, file)

    with redis_server() as redis:
        async with working(redis, "one", wait) as one, asking(redis) as ask:
            answer = asyncio.create_task(ask("hello"))
            await begun.wait()
            leaving = asyncio.create_task(one.leave(10))
            go.set()
            await leaving
            transcript = await answer
            assert transcript
            assert transcript.text == "one: hello"
