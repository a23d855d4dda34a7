"""A real PostgreSQL, stopped and started again: a row a final, in order."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.backend.history.made import final, say
from tests.backend.sinks.made import Speaking, life, until_it_is
from tests.outside import Outside, needs_postgres, postgres_server

pytestmark = needs_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Outside]:
    with postgres_server() as running:
        yield running


def url(server: Outside) -> str:
    return f"postgresql://stt:s3cret@127.0.0.1:{server.port}/postgres"


async def rows(server: Outside, origin: str) -> list[Any]:
    connection = await asyncpg.connect(url(server))
    try:
        query = "SELECT * FROM stt.utterances WHERE origin = $1 ORDER BY seq"
        return list(await connection.fetch(query, origin))
    finally:
        await connection.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_what_is_said_while_it_is_down_comes_afterwards_in_order_and_once(
    server: Outside, tmp_path: Path, how: int
) -> None:
    async with life(tmp_path, postgres_url=url(server)) as (sinks, bus, history):
        await until_it_is(sinks, "up")
        speaking = Speaking(bus)
        async with speaking.on_and_on():
            await asyncio.sleep(0.2)
            server.stop(how)
            status = await until_it_is(sinks, "failing")
            assert "s3cret" not in status.model_dump_json()
            await asyncio.to_thread(server.start)
            await until_it_is(sinks, "up")
        await until_it_is(sinks, "up", lag=0)
        found = await rows(server, history.origin)
    assert [row["text"] for row in found] == speaking.texts
    assert json.loads(found[0]["event"])["seq"] == found[0]["seq"]


async def test_it_begins_with_all_of_history_and_takes_odd_text(
    server: Outside, tmp_path: Path
) -> None:
    async with life(tmp_path) as (_, bus, _):
        await say(bus, "before", "nul \0 and \U0001f600 and '; DROP TABLE")
    async with life(tmp_path, postgres_url=url(server)) as (sinks, bus, history):
        bus.publish(final("after", confidence=0.5, language="en"))
        await bus.settle()
        await until_it_is(sinks, "up", lag=0)
        found = await rows(server, history.origin)
    assert [row["text"] for row in found][::2] == ["before", "after"]
    assert "\0" not in found[1]["text"]
    assert (found[2]["confidence"], found[2]["language"]) == (0.5, "en")


async def test_a_delivery_that_was_not_heard_of_is_not_there_twice(
    server: Outside, tmp_path: Path
) -> None:
    async with life(tmp_path, postgres_url=url(server)) as (sinks, bus, history):
        await Speaking(bus).say(5)
        await until_it_is(sinks, "up", lag=0)
        await history.write(lambda connection: connection.execute("DELETE FROM places").rowcount)
    async with life(tmp_path, postgres_url=url(server)) as (sinks, _, history):
        await until_it_is(sinks, "up", lag=0)
        assert len(await rows(server, history.origin)) == 5
