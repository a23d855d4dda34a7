"""A real Redis, stopped and started again: the stream has each final once, in order."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from backend.sinks import feed
from tests.backend.history.made import final
from tests.backend.sinks.made import Speaking, life, until_it_is
from tests.outside import Outside, needs_redis, redis_server

pytestmark = needs_redis


async def entries(server: Outside) -> list[tuple[str, dict[str, str]]]:
    async with Redis(port=server.port, decode_responses=True) as redis:
        found: Any = await redis.xrange("stt:finals")
        return list(found)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_what_is_said_while_it_is_down_comes_afterwards_in_order_and_once(
    tmp_path: Path, how: int
) -> None:
    with redis_server() as server:
        told = {"redis_url": f"redis://127.0.0.1:{server.port}"}
        async with life(tmp_path, **told) as (sinks, bus, _):
            await until_it_is(sinks, "up")
            speaking = Speaking(bus)
            async with speaking.on_and_on():
                await asyncio.sleep(0.2)
                for _ in range(2):
                    server.stop(how)
                    status = await until_it_is(sinks, "failing")
                    assert status.fault
                    await asyncio.to_thread(server.start)
                    await until_it_is(sinks, "up")
            await until_it_is(sinks, "up", lag=0)
            last = bus.seq
        found = await entries(server)
    assert [fields["text"] for _, fields in found] == speaking.texts
    assert found[-1][0] == f"{last}-0"
    assert [json.loads(fields["event"])["seq"] for _, fields in found] == [
        int(name.partition("-")[0]) for name, _ in found
    ]


async def test_a_delivery_that_was_not_heard_of_is_not_there_twice(tmp_path: Path) -> None:
    with redis_server() as server:
        told = {"redis_url": f"redis://127.0.0.1:{server.port}"}
        async with life(tmp_path, **told) as (sinks, bus, history):
            await until_it_is(sinks, "up")
            await Speaking(bus).say(5)
            place = (await until_it_is(sinks, "up", lag=0)).seq
            assert place is not None
            # As if the server had been killed before it wrote down how far it was.
            await history.write(_set_back, place - 3)
        async with life(tmp_path, **told) as (sinks, bus, _):
            await until_it_is(sinks, "up", lag=0)
            await Speaking(bus).say(1)
            await until_it_is(sinks, "up", lag=0)
        assert len(await entries(server)) == 6


def _set_back(connection: Any, seq: int) -> None:
    connection.execute("UPDATE places SET seq = ?", (seq,))


async def test_a_stream_that_another_writes_to_is_a_fault_and_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "FIRST_PAUSE", 0.01)
    with redis_server() as server:
        async with Redis(port=server.port) as redis:
            await redis.xadd("stt:finals", {"text": "a stranger"}, id=f"{2**60}-0")
        told = {"redis_url": f"redis://127.0.0.1:{server.port}"}
        async with life(tmp_path, **told) as (sinks, bus, _):
            await until_it_is(sinks, "up")
            await Speaking(bus).say(1)
            status = await until_it_is(sinks, "failing", lag=1)
            assert "STT_SERVER_REDIS_PREFIX" in (status.fault or "")


async def test_live_events_go_to_a_channel_partials_too(tmp_path: Path) -> None:
    with redis_server() as server:
        told = {"redis_url": f"redis://127.0.0.1:{server.port}", "redis_prefix": "mine:"}
        async with (
            life(tmp_path, **told) as (sinks, bus, _),
            Redis(port=server.port, decode_responses=True) as redis,
            redis.pubsub() as channel,
        ):
            await until_it_is(sinks, "up")
            assert bus.connections == 0, "the channel is no client"
            await channel.subscribe("mine:events")
            partial = final("he", "u").model_copy(update={"is_final": False})
            texts: list[str] = []
            async with asyncio.timeout(20):
                while texts[-2:] != ["he", "hello"]:
                    bus.publish(partial)
                    message = await channel.get_message(timeout=0.05)
                    if message and message["type"] == "message" and not texts:
                        bus.publish(final("hello", "u"))
                    if message and message["type"] == "message":
                        said = json.loads(message["data"])
                        texts = [*texts, said["text"]][-2:] if said["text"] else texts


async def test_a_missing_package_is_told_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "redis.asyncio", None)
    async with life(tmp_path, redis_url="redis://127.0.0.1:1") as (sinks, _, _):
        status = await until_it_is(sinks, "failing")
        assert "realtime-mlx-stt[sinks]" in (status.fault or "")


async def test_it_ends_at_once_in_the_middle_of_it_all(tmp_path: Path) -> None:
    with redis_server() as server:
        told = {"redis_url": f"redis://127.0.0.1:{server.port}"}
        for number in range(8):
            async with life(tmp_path, redis_prefix=f"{number}:", **told) as (sinks, bus, _):
                async with Speaking(bus).on_and_on(2000):
                    await until_it_is(sinks, "up")
                    # The driver sometimes takes a cancelling for an answer that didn't come.
                    await asyncio.wait_for(sinks.close(), 5)
                assert all(task.done() for task in sinks._tasks)
