"""Sinks of a real server: what REST, the metrics and the doctor tell, and what nothing tells."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.client import Client
from tests.backend.history.made import until
from tests.backend.sinks.made import Receiver, receiving
from tests.ends.speech import SPHINX, finals, heard, pcm, silence
from tests.ends.test_refusals import is_fault
from tests.running import SOUNDS, Running, running

SINKS = "/api/v1/system/sinks"
SAID = pcm(SOUNDS / "hello-world.flac") + silence(1) + pcm(SOUNDS / "turn-the-lights-on.flac")


@asynccontextmanager
async def posting(folder: Path) -> AsyncIterator[tuple[Receiver, Running, httpx.AsyncClient]]:
    async with receiving() as receiver:
        told = {
            "STT_SERVER_DATA_DIR": str(folder),
            "STT_SERVER_WEBHOOK_URL": receiver.url,
            "STT_SERVER_WEBHOOK_SECRET": "hush-hush",
            "STT_SERVER_REDIS_URL": "redis://:pass-word@127.0.0.1:1/0",
            "LOG_LEVEL": "DEBUG",
        }
        with running(environment=told) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
                yield receiver, server, http


async def by_name(http: httpx.AsyncClient) -> dict[str, Any]:
    return {one["name"]: one for one in (await http.get(SINKS)).json()["sinks"]}


async def test_what_is_said_gets_there_and_how_that_goes_is_told(tmp_path: Path) -> None:
    async with posting(tmp_path) as (receiver, server, http):
        async with Client(server.url) as client:
            said = finals(await heard(client, SAID, SPHINX))

        async def taken() -> list[str]:
            return receiver.texts

        assert await until(taken, lambda texts: len(texts) == len(said)) == [
            final.text for final in said
        ]

        async def sinks() -> dict[str, Any]:
            return await by_name(http)

        now = await until(
            sinks, lambda now: now["webhook"]["lag"] == 0 and now["redis"]["state"] == "failing"
        )
        assert now["webhook"]["state"] == "up"
        assert now["webhook"]["seq"] == said[-1].seq
        assert now["redis"]["fault"]
        metrics = (await http.get("/metrics")).text
        assert 'stt_sink_up{sink="webhook"} 1.0' in metrics
        assert 'stt_sink_up{sink="redis"} 0.0' in metrics
        assert f'stt_sink_lag{{sink="redis"}} {len(said)}.0' in metrics
        report = (await http.get("/api/v1/system/doctor")).text
        assert "webhook" in report
        status = (await http.get("/api/v1/system/status")).text
        everything = f"{now} {metrics} {report} {status} {server.log}"
        for secret in ("hush-hush", "pass-word", "s3cret"):
            assert secret not in everything
        assert (await http.get(f"{SINKS}/webhook/letters")).json() == {"letters": []}
        requeued = (await http.post(f"{SINKS}/webhook/requeue")).json()
        assert requeued["data"] == {"requeued": 0}
        is_fault(await http.get(f"{SINKS}/kafka/letters"), 404, "webhook")


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("WEBHOOK_URL", "example.org/s3cret", "http://"),
        ("REDIS_URL", "http://s3cret@host", "redis://"),
        ("POSTGRES_URL", "postgresql://", "postgresql://"),
        ("WEBHOOK_SECRET", "whsec_s3cret!", "base64"),
    ],
)
def test_a_bad_url_stops_the_start_without_being_told(
    variable: str, value: str, words: str
) -> None:
    with running(environment={f"STT_SERVER_{variable}": value}, wait=False) as server:
        assert server.wait() != 0
        assert f"STT_SERVER_{variable}" in server.log
        assert words in server.log
        assert "s3cret" not in server.log


def test_sinks_want_history() -> None:
    told = {"STT_SERVER_HISTORY": "false", "STT_SERVER_REDIS_URL": "redis://localhost"}
    with running(environment=told, wait=False) as server:
        assert server.wait() != 0
        assert "STT_SERVER_HISTORY" in server.log
