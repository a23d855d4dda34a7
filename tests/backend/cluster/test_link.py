"""A real Redis between servers: one order, one numbering, nothing lost and nothing twice."""

import asyncio
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis

from backend.bus import HELD
from backend.history import search
from common.events import Error, Level, SystemStatus, Transcription
from tests.backend.cluster.made import Hearing, member, says, seen, until_failing
from tests.backend.history.made import final, until
from tests.outside import needs_redis, redis_server

pytestmark = needs_redis


def partial(text: str, utterance: str) -> Transcription:
    return Transcription(
        text=text, is_final=False, utterance_id=utterance, session_id="a", start=0, end=1
    )


async def test_all_servers_tell_the_same_in_the_same_order(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with (
            member(tmp_path / "a", redis.port) as (_, a, a_history),
            member(tmp_path / "b", redis.port) as (_, b, b_history),
            Hearing.to(a) as at_a,
            Hearing.to(b) as at_b,
        ):
            said = []
            for number in range(20):
                said += says(a, "a", 5, number * 5)
                said += says(b, "b", 5, number * 5)
                await asyncio.sleep(0)
            told = await at_a.have(200)
            assert await at_b.have(200) == told
            numbers = [seq for seq, _ in told]
            assert numbers == list(range(a.seq - 199, a.seq + 1))
            assert sorted(text for _, text in told) == sorted(said)
            for name, history in (("a", a_history), ("b", b_history)):
                mine = [text for _, text in told if text.startswith(name)]
                assert mine == [f"{name} {number}" for number in range(100)]
                events, _ = await history.told(0, a.seq + 1, 1000)
                kept = [Transcription.model_validate_json(text) for text in events]
                assert [(one.seq, one.text) for one in kept] == [
                    one for one in told if one[1].startswith(name)
                ]
            assert a.round_trip is not None
            assert a.round_trip < 5


async def test_a_partial_is_told_elsewhere_and_not_after_its_final(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with (
            member(tmp_path / "a", redis.port) as (_, a, _history),
            member(tmp_path / "b", redis.port) as (_, b, _history_b),
            Hearing.to(b) as at_b,
        ):

            async def heard() -> list[str]:
                a.publish(partial("hel", "u"))  # Until both listen.
                return [e.text for e in at_b.events if isinstance(e, Transcription)]

            await until(heard, bool)
            a.publish(final("hello", "u", "a"))
            await at_b.have(1)
            b.arrive_live(partial("hell", "u").model_dump_json(exclude={"seq"}))
            b.arrive_live(partial("next", "v").model_dump_json(exclude={"seq"}))
            a.publish(final("end", "v", "a"))
            await at_b.have(2)
            texts = [e.text for e in at_b.events if isinstance(e, Transcription)]
            assert "hell" not in texts
            assert texts[-3:] == ["hello", "next", "end"]


async def test_what_is_this_servers_alone_stays_here(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with (
            member(tmp_path / "a", redis.port) as (_, a, _history),
            member(tmp_path / "b", redis.port) as (_, b, _history_b),
            Hearing.to(a) as at_a,
            Hearing.to(b) as at_b,
        ):
            a.publish(SystemStatus(running=True, session_id="a"))
            a.publish(Error(error="Disk full", details="…"))
            a.publish(Error(error="Source failed", details="…", session_id="a"))
            says(a, "a", 1)
            await at_a.have(1)
            await at_b.have(1)
            assert [e.event for e in at_b.events] == ["error", "transcription"]
            assert [e.event for e in at_a.events] == [
                "system_status",
                "error",
                "error",
                "transcription",
            ]
            assert [e.seq is None for e in at_a.events] == [True, True, False, False]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_redis_that_stops_and_starts_loses_nothing_and_repeats_nothing(
    tmp_path: Path, how: signal.Signals
) -> None:
    with redis_server() as redis:
        async with (
            member(tmp_path / "a", redis.port) as (cluster, a, _),
            member(tmp_path / "b", redis.port) as (_, b, _history),
            Hearing.to(a) as at_a,
            Hearing.to(b) as at_b,
        ):
            stopping = asyncio.Event()

            async def speak() -> int:
                count = 0
                while not stopping.is_set():
                    says(a, "a", 1, count)
                    says(b, "b", 1, count)
                    count += 1
                    await asyncio.sleep(0.002)
                return count

            speaking = asyncio.create_task(speak())
            for round_ in range(2):
                await at_b.have(50 * (round_ + 1))
                redis.stop(how)
                await asyncio.gather(until_failing(a), until_failing(b))
                assert cluster.status().state == "failing"
                async with asyncio.timeout(5):
                    await a.settle()  # It doesn't wait for Redis: what matters is on disk.
                assert cluster.status().waiting
                await asyncio.to_thread(redis.start)
                await asyncio.gather(until_failing(a, False), until_failing(b, False))
            stopping.set()
            count = await speaking
            told = await at_a.have(2 * count)
            assert await at_b.have(2 * count) == told
            for name in ("a", "b"):
                mine = [text for _, text in told if text.startswith(name)]
                assert mine == [f"{name} {number}" for number in range(count)]
            numbers = [seq or 0 for seq, _ in told]
            assert numbers == sorted(set(numbers))
            for hearing in (at_a, at_b):
                faults = [e for e in hearing.events if isinstance(e, Error)]
                assert len(faults) == 2, "each time it is told once"


async def test_partials_go_on_for_its_own_clients_without_redis(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with (
            member(tmp_path / "a", redis.port) as (_, a, _history),
            Hearing.to(a) as hearing,
        ):
            redis.stop()
            await until_failing(a)
            a.publish(partial("still", "u"))
            await until(seen(lambda: hearing.events[-1].event), lambda e: e == "transcription")


async def test_what_a_killed_server_left_behind_is_told_once_when_it_is_back(
    tmp_path: Path,
) -> None:
    with redis_server() as redis:
        async with member(tmp_path / "b", redis.port) as (_, b, _history), Hearing.to(b) as at_b:
            async with member(tmp_path / "a", redis.port) as (_, a, history):
                says(a, "a", 3)
                await a.settle()
                redis.stop()
                await until_failing(a)
                says(a, "a", 3, 3)
                await a.settle()  # On disk; then it ends, as if killed.
            await asyncio.to_thread(redis.start)
            assert len(await at_b.have(3)) == 3
            for _ in range(2):
                async with member(tmp_path / "a", redis.port) as (_, a, history):
                    told = await at_b.have(6)
                    await until(seen(lambda: len(a.waiting)), lambda left: left == 0)
                    says(a, "a", 1, 6)
                    await a.settle()
                    kept, _ = await history.told(0, 2**60, 100)
            assert [text for _, text in told][:6] == [f"a {number}" for number in range(6)]
            told = await at_b.have(8)
            assert [text for _, text in told][6:] == ["a 6", "a 6"]
            assert [Transcription.model_validate_json(text).seq for text in kept] == [
                seq for seq, _ in told
            ]


async def test_what_redis_took_and_nobody_heard_of_is_not_there_twice(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with member(tmp_path / "a", redis.port) as (cluster, a, history), Hearing.to(a) as at:
            says(a, "a", 2)
            told = await at.have(2)
            # As if the connection had broken before the answer.
            assert await cluster.log.add(a.server_id, 0, [(1, "{}"), (2, "{}")]) == 0
            says(a, "a", 1, 2)
            assert [text for _, text in await at.have(3)] == ["a 0", "a 1", "a 2"]
            assert (await history.read(search.counts))[0] == 3
            assert told[0][0] is not None


async def test_who_resumes_is_told_what_memory_no_longer_holds(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with (
            member(tmp_path / "a", redis.port) as (_, a, _history),
            member(tmp_path / "b", redis.port) as (cluster, b, _history_b),
        ):
            says(a, "a", 30)
            await a.settle()
            await b.reach(a.seq)
            first = a.seq - 29
            assert not b.missing_since(first - 1)
            texts, whole = await cluster.told(first, first + 10, 100)
            assert whole
            assert [Transcription.model_validate_json(text).seq for text in texts] == list(
                range(first + 1, first + 10)
            )
            assert not (await cluster.told(first, first + 10, 5))[1], "too many"
            assert not (await cluster.told(first - 100, first, 5))[1], "never there"
            async with member(tmp_path / "c", redis.port) as (late, c, _history_c):
                assert c.seq == a.seq
                assert not c.missing_since(first)
                assert [one.text for one in c.recent] == [f"a {number}" for number in range(30)]
                assert HELD > 30
                await late.catch_up(c.seq)


async def test_what_is_deleted_is_forgotten_everywhere(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with (
            member(tmp_path / "a", redis.port) as (_, a, history),
            member(tmp_path / "b", redis.port) as (cluster, b, _history),
        ):
            says(a, "a", 3)
            await a.settle()
            await b.reach(a.seq)
            await until(seen(lambda: len(b.recent)), lambda held: held == 3)
            await history.delete(a.seq - 1)
            await until(seen(lambda: [one.text for one in b.recent]), lambda t: "a 1" not in t)
            texts, _ = await cluster.told(0, a.seq + 1, 10)
            assert [Transcription.model_validate_json(text).text for text in texts] == [
                "a 0",
                "a 2",
            ]


async def test_a_strangers_entry_is_passed_over(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with member(tmp_path / "a", redis.port) as (_, a, _h), Hearing.to(a) as hearing:
            async with Redis(port=redis.port) as direct:
                await direct.xadd("stt:test:events", {"text": "hi"}, id=f"{a.floor + 5}-0")
                await direct.xadd(
                    "stt:test:events",
                    {"origin": "x", "n": "1", "event": "no JSON"},
                    id=f"{a.floor + 6}-0",
                )
            says(a, "a", 1)
            assert await hearing.have(1) == [(a.floor + 7, "a 0")]


async def test_a_level_is_shared_five_times_a_second(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with (
            member(tmp_path / "a", redis.port) as (_, a, _h),
            member(tmp_path / "b", redis.port) as (_, b, _h2),
            Hearing.to(b) as at_b,
        ):
            level = Level(session_id="a", rms_dbfs=-20, peak_dbfs=-10, speech=1, speaking=True)

            async def heard() -> int:
                for _ in range(10):
                    a.publish(level)
                return sum(isinstance(e, Level) for e in at_b.events)

            assert await until(heard, lambda count: count >= 2) <= 3
