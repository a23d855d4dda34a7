"""Two servers and a Redis: one is killed, and its clients and its work go on at the other."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.client import Client
from common.events import Event, Transcription, Welcome
from common.problems import ClientError
from common.stream import EventStream
from tests.backend.history.made import until
from tests.ends.speech import SPHINX, Listening, finals, heard, pcm, send, silence
from tests.outside import needs_redis, redis_server
from tests.running import SOUNDS, Running, running

pytestmark = needs_redis

SAID = pcm(SOUNDS / "hello-world.flac") + silence(1) + pcm(SOUNDS / "turn-the-lights-on.flac")
CONFIG: dict[str, Any] = {**SPHINX, "vad": {"min_silence_duration": 0.2}}
REPEATED = 4
STATUS = "/api/v1/system/status"


@contextmanager
def servers(port: int, count: int = 2, **more: str) -> Iterator[list[Running]]:
    """Run servers of one cluster, each on folders of its own."""
    told = {
        "STT_SERVER_REDIS_URL": f"redis://127.0.0.1:{port}",
        "STT_SERVER_CLUSTER": "studio",
        "STT_SERVER_MAX_REQUESTS": "0",
        **more,
    }
    with ExitStack() as stack:
        yield [stack.enter_context(running(environment=told)) for _ in range(count)]


async def test_a_client_of_one_hears_the_sessions_of_the_other() -> None:
    with redis_server() as redis, servers(redis.port) as (one, two):
        async with Client(one.url) as at_one, Client(two.url) as at_two:
            here = await Listening.to(at_one, levels=False)
            there = await Listening.to(at_two, levels=False)
            told = await heard(at_one, SAID, CONFIG)
            last = told[-1].seq
            seen = [await each.until(lambda e: e.seq == last) for each in (here, there)]
            assert len(finals(told)) >= 2
            for events in seen:
                numbered = [event for event in events if event.seq is not None]
                assert numbered == [event for event in told if event.seq is not None]
            status = await at_two.status()
            assert status.cluster
            assert (status.cluster.name, status.cluster.state) == ("studio", "up")
            assert not status.sessions
            async with httpx.AsyncClient(base_url=one.url) as http:
                metrics = (await http.get("/metrics")).text
            assert "stt_cluster_up 1.0" in metrics
            assert "stt_cluster_round_trip_seconds" in metrics


class Following:
    """A client that knows both servers, and what it was told from its start."""

    def __init__(self, stream: EventStream) -> None:
        self.welcomes: list[Welcome] = []
        self.finals: list[Transcription] = []
        self._stream = stream

    @classmethod
    @asynccontextmanager
    async def of(cls, client: Client) -> AsyncIterator["Following"]:
        following = cls(client.events(levels=False))
        task = asyncio.create_task(following._follow())
        try:
            yield following
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self) -> None:
        async for event in self._stream:
            if isinstance(event, Welcome):
                self.welcomes.append(event)
            self.finals += finals([event])

    async def have(self, count: int) -> None:
        async def look() -> int:
            return len(self.finals)

        await until(look, lambda seen: seen >= count)


async def speak_on_and_on(url: str, said: list[Event]) -> None:
    """Speak to a server until it is gone; add what it told."""
    try:
        async with Client(url) as client:
            while True:
                async with client.audio(custom_config=CONFIG) as upload:

                    async def listen(upload: Any = upload) -> None:
                        async for event in upload:
                            said.append(event)  # noqa: PERF401 - what came before the end counts

                    listening = asyncio.create_task(listen())
                    await send(upload, SAID, 8192)
                    await upload.stop()
                    await listening
    except (ClientError, OSError):
        pass


async def test_who_was_with_a_killed_server_resumes_on_the_other() -> None:
    with redis_server() as redis, servers(redis.port) as (one, two):
        said_there: list[Event] = []
        said_here: list[Event] = []
        async with (
            Client([one.url, two.url]) as hopping,
            Client(two.url) as staying,
            Following.of(hopping) as hopped,
            Following.of(staying) as stayed,
        ):
            await until(_ready(hopped, stayed), bool)
            speaking = asyncio.create_task(speak_on_and_on(one.url, said_there))
            there = asyncio.create_task(speak_on_and_on(two.url, said_here))
            await hopped.have(8)
            one.stop(signal.SIGKILL)
            await speaking
            before = len(hopped.finals)
            await hopped.have(before + 4)
            two.stop(signal.SIGTERM)
            await there
        assert [welcome.server_id for welcome in hopped.welcomes[:2]] == [
            hopped.welcomes[0].server_id,
            stayed.welcomes[0].server_id,
        ]
        assert not any(welcome.gap for welcome in hopped.welcomes)
        begin = min(final.seq or 0 for final in hopped.finals)
        everything = [final for final in stayed.finals if (final.seq or 0) >= begin]
        count = min(len(everything), len(hopped.finals))
        assert hopped.finals[:count] == everything[:count], "none missing, none twice"
        told = {final.seq for final in finals(said_there)}
        assert told <= {final.seq for final in stayed.finals}


def _ready(*all_: Following) -> Any:
    async def look() -> bool:
        return all(one.welcomes for one in all_)

    return look


async def test_an_upload_in_a_killed_servers_hands_is_finished_by_another(tmp_path: Path) -> None:
    big = tmp_path / "big.pcm"
    big.write_bytes(b"".join([SAID, silence(1)] * REPEATED))
    with redis_server() as redis, servers(redis.port, 3) as (one, two, three):
        running_servers = {one: "", two: "", three: ""}
        async with Client(three.url) as client, httpx.AsyncClient(timeout=110) as http:

            async def upload() -> dict[str, Any]:
                answer = await http.post(
                    f"{three.url}/api/v1/transcription/transcribe",
                    content=big.read_bytes(),
                    headers={"Content-Type": "audio/L16"},
                )
                assert answer.status_code == 200, answer.text
                result: dict[str, Any] = answer.json()
                return result

            async def at_it() -> list[Running]:
                found = []
                for server in running_servers:
                    status = (await http.get(server.url + STATUS)).json()
                    found += [server] * status["cluster"]["jobs"]
                return found

            await client.health()
            # One after the other, until one is read by a server that it didn't come in at.
            for _ in range(10):
                asked = asyncio.create_task(upload())
                reading = (await until(at_it, bool))[0]
                if reading is not three:
                    break
                await asked
            else:
                raise AssertionError("the others take none")
            reading.stop(signal.SIGKILL)
            assert not asked.done()
            del running_servers[reading]
            heir = (await until(at_it, bool))[0]
            assert heir is not reading
            transcript = await asked
            assert len(transcript["segments"]) >= REPEATED
            assert "taken over" in heir.log


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"STT_SERVER_CLUSTER": "studio"}, "STT_SERVER_REDIS_URL"),
        ({"STT_SERVER_CLUSTER": "a b", "STT_SERVER_REDIS_URL": "redis://h"}, "STT_SERVER_CLUSTER"),
    ],
)
def test_a_cluster_that_cant_be_stops_the_start(told: dict[str, str], words: str) -> None:
    with running(environment=told, wait=False) as server:
        assert server.wait() != 0
        assert words in server.log


async def test_a_server_that_never_reached_redis_sends_its_clients_elsewhere() -> None:
    told = {"STT_SERVER_REDIS_URL": "redis://127.0.0.1:1", "STT_SERVER_CLUSTER": "studio"}
    with running(environment=told) as server:
        async with Client(server.url) as client, httpx.AsyncClient(base_url=server.url) as http:
            links: list[Any] = []
            stream = client.events()
            stream.on_link = links.append
            task = asyncio.create_task(anext(aiter(stream)))

            async def refused() -> list[str]:
                return [link.reason for link in links if link.state == "waiting"]

            assert "503" in (await until(refused, bool))[0]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            status = await client.status()
            assert status.cluster
            assert status.cluster.state == "failing"
            report = await client.doctor()
            (found,) = [one for one in report.findings if one.name == "cluster"]
            assert found.state == "fault"
            body = {"Content-Type": "audio/L16"}
            answer = await http.post(
                "/api/v1/transcription/transcribe", content=SAID, headers=body, timeout=60
            )
            assert answer.status_code == 200, "it reads by itself"
