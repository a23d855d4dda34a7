"""Sinks that are away for a while under load: does everything arrive afterwards, in order, once?

    python -m benchmarks.sinks [SECONDS]

A hundred finals a second go to a real Redis and a real PostgreSQL, which are stopped (SIGTERM and
SIGINT) and started again after so long, 60 by default, and to a webhook that answers 500 meanwhile.
"""

import asyncio
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
from redis.asyncio import Redis

from backend.history import History
from backend.sinks import Sinks
from common.sinks import SinkStatus
from tests.backend.sinks.made import Speaking, life, receiving
from tests.outside import Outside, postgres_server, redis_server


async def main(seconds: float) -> int:
    """Return the exit code: 1 if anything is missing, there twice or out of order."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        redis = stack.enter_context(redis_server())
        postgres = stack.enter_context(postgres_server())
        url = f"postgresql://stt@127.0.0.1:{postgres.port}/postgres"
        async with receiving() as receiver:
            told = {
                "webhook_url": receiver.url,
                "redis_url": f"redis://127.0.0.1:{redis.port}",
                "postgres_url": url,
            }
            async with life(Path(folder), **told) as (sinks, bus, history):
                await _until(sinks, lambda one: one.state == "up")
                speaking = Speaking(bus)
                async with speaking.on_and_on(100):
                    await asyncio.sleep(2)
                    receiver.status = 500
                    redis.stop(signal.SIGTERM)
                    postgres.stop(signal.SIGINT)
                    await asyncio.sleep(seconds)
                    lags = {one.name: one.lag for one in await sinks.refresh()}
                    receiver.status = 200
                    redis.start()
                    postgres.start()
                    began = time.monotonic()
                    await _until(sinks, lambda one: one.state == "up" and one.lag < 100)
                    caught_up = time.monotonic() - began
                    await asyncio.sleep(1)
                await _until(sinks, lambda one: one.lag == 0)
                arrived = {
                    "webhook": receiver.texts,
                    "redis": await _in_redis(redis),
                    "postgres": await _in_postgres(url, history),
                }
    print(f"{seconds:g} s away, {len(speaking.texts)} finals; waiting at the end of it: {lags}")
    print(f"caught up {caught_up:.1f} s after they were back")
    for name, texts in arrived.items():
        verdict = "all, in order, once" if texts == speaking.texts else "NOT what was said"
        print(f"{name}: {len(texts)} arrived: {verdict}")
    return int(any(texts != speaking.texts for texts in arrived.values()))


async def _until(sinks: Sinks, true: Any) -> None:
    async with asyncio.timeout(300):
        while True:
            found: list[SinkStatus] = await sinks.refresh()
            if all(true(one) for one in found):
                return
            await asyncio.sleep(0.1)


async def _in_redis(server: Outside) -> list[str]:
    async with Redis(port=server.port, decode_responses=True) as redis:
        found: Any = await redis.xrange("stt:finals")
        return [fields["text"] for _, fields in found]


async def _in_postgres(url: str, history: History) -> list[str]:
    connection = await asyncpg.connect(url)
    query = "SELECT text FROM stt.utterances WHERE origin = $1 ORDER BY seq"
    try:
        return [row["text"] for row in await connection.fetch(query, history.origin)]
    finally:
        await connection.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)))
