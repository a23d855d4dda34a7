"""A server that is killed while people speak, again and again, and what its clients saw."""

import asyncio
import random
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from common.client import Client
from common.events import Event, Transcription, Welcome, parse
from common.problems import ClientError
from tests.ends.speech import BESIDES, SPHINX, pcm, send, silence
from tests.running import SOUNDS, Running, running

SPEAKERS = 3
LISTENERS = 4
SPOKEN = ("hello-world", "one-two-three", "what-time-is-it", "turn-the-lights-on")
CONFIG: dict[str, Any] = {**SPHINX, "vad": {"min_silence_duration": 0.2}}
"""The engine that is there soonest: it is the killing that counts."""


@dataclass
class Seen:
    """What clients saw over all lives of the server."""

    finals: dict[int, Transcription] = field(default_factory=dict)
    """By their numbers."""
    conflicts: list[str] = field(default_factory=list)
    """What contradicts what was seen or promised before."""
    first: int | None = None
    """The newest number when the first client came."""
    last: int = 0
    """The newest number when the last life began."""

    def take(self, final: Transcription) -> None:
        assert final.seq is not None
        before = self.finals.setdefault(final.seq, final)
        if before != final:
            self.conflicts.append(f"{final.seq} was {before.text!r}, then {final.text!r}")


async def live_and_be_killed(home: Path, seen: Seen, rng: random.Random, finals: int) -> None:
    """Let a server live until clients saw so many finals, and a moment more.

    Who saw the last life resumes in this one, and must be told all of its finals.
    """
    environment = {"STT_SERVER_DATA_DIR": str(home), "STT_SERVER_MAX_REQUESTS": "0"}
    with running(environment=environment) as server:
        await _resume(server, seen)
        enough = asyncio.Event()
        before = len(seen.finals)

        def count() -> None:
            if len(seen.finals) - before >= finals:
                enough.set()

        async with asyncio.TaskGroup() as group:
            listeners = [await _connected(server) for _ in range(LISTENERS)]
            busy = [group.create_task(_listen(one, seen, count)) for one in listeners]
            busy += [group.create_task(_speak(server, seen, rng.random())) for _ in range(SPEAKERS)]
            busy += [group.create_task(_search(server))]
            async with asyncio.timeout(110):
                await enough.wait()
            await asyncio.sleep(rng.uniform(0, 0.1))  # Wherever it is then.
            server.stop(signal.SIGKILL)


async def _resume(server: Running, seen: Seen) -> None:
    since = seen.last or None
    expected = sorted(number for number in seen.finals if number > seen.last)
    socket = await connect(
        f"ws{server.url.removeprefix('http')}/api/v1/ws?levels=false&since={since or 0}",
        proxy=None,
        max_size=None,
    )
    async with socket:
        welcome = parse(await socket.recv())
        assert isinstance(welcome, Welcome)
        seen.first = seen.first or welcome.seq
        told: list[int] = []
        if since:
            if welcome.gap:
                seen.conflicts.append(f"there is a gap after {since}")
            told = [_number(parse(await socket.recv())) for _ in range(welcome.from_history)]
        missing = set(expected) - set(told)
        if missing or told != sorted(set(told)):
            seen.conflicts.append(f"resumed with {told}, expected {expected}")
        seen.last = welcome.seq or 0


def _number(event: Event) -> int:
    assert isinstance(event, Transcription)
    assert event.seq is not None
    return event.seq


async def _connected(server: Running) -> ClientConnection:
    url = f"ws{server.url.removeprefix('http')}/api/v1/ws?events=transcription"
    return await connect(url, proxy=None, max_size=None)


async def _listen(socket: ClientConnection, seen: Seen, count: Any) -> None:
    try:
        while True:
            event = parse(await socket.recv())
            if isinstance(event, Transcription) and event.is_final:
                seen.take(event)
                count()
    except ConnectionClosed:
        pass


async def _speak(server: Running, seen: Seen, shift: float) -> None:
    sound = silence(0.3 * shift)
    for name in SPOKEN:
        sound += pcm(SOUNDS / f"{name}.flac") + silence(0.4)
    try:
        async with Client(server.url) as client:
            while True:
                async with client.audio(custom_config=CONFIG) as upload:
                    hearing = asyncio.create_task(_hear(upload, seen))
                    await send(upload, sound, 8192)
                    await upload.stop()
                    await hearing
    except (ClientError, OSError, InvalidHandshake):
        pass


async def _hear(upload: Any, seen: Seen) -> None:
    async for event in upload:
        if isinstance(event, Transcription) and event.is_final:
            seen.take(event)


async def _search(server: Running) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        try:
            while True:
                await http.get("/api/v1/history/utterances", params={"q": "hello", "limit": 5})
                await asyncio.sleep(0.02)
        except httpx.HTTPError:
            pass


async def compare(home: Path, seen: Seen) -> list[str]:
    """Return what history lacks, has twice or has otherwise than clients saw it."""
    faults = list(seen.conflicts)
    with running(environment={"STT_SERVER_DATA_DIR": str(home)}) as server:
        async with Client(server.url) as client:
            kept = [said async for said in client.history.search(order="oldest", limit=500)]
            sessions = (await client.history.sessions(limit=1000)).sessions
    numbers = [said.seq for said in kept]
    if numbers != sorted(set(numbers)):
        faults.append("the numbers don't grow")
    names = [(said.session_id, said.utterance_id) for said in kept]
    faults += [f"{name} is there twice" for name in set(names) if names.count(name) > 1]
    by_number = {said.seq: said for said in kept}
    for number, final in seen.finals.items():
        said = by_number.get(number)
        if said is None:
            faults.append(f"{number} {final.text!r} is missing")
        elif said.model_dump(exclude=BESIDES) != final.model_dump():
            faults.append(f"{number} was {final}, is {said}")
    faults += [f"{one.session_id} never ended" for one in sessions if one.ended is None]
    return faults
