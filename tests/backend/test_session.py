"""One session on its own: prepared, started, stopped, and what it tells on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from backend.bus import Bus
from backend.desks import Desks
from backend.hearing.ears import Ears, Inlet
from backend.hearing.spotters import WakeError
from backend.meters import Meters
from backend.session import Session
from backend.sources import Source, SourceError
from backend.sources.stream import StreamSource
from common.events import Error, Event, Level, SessionStopped
from common.profile import Profile, parse
from tests.ends.speech import pcm
from tests.running import SOUNDS

SPHINX: dict[str, Any] = {"transcription": {"engine": "pocketsphinx"}}
HELLO = pcm(SOUNDS / "hello-world.flac")


class Room:
    """What a session needs around it, and what it told."""

    def __init__(self) -> None:
        self.bus, self.ears = Bus(), Ears()
        self.desks = Desks(self.bus)
        self.told: list[Event] = []
        self._changed = asyncio.Event()
        publish = self.bus.publish

        def keep(event: Event) -> None:
            self.told.append(event)
            publish(event)
            self._changed.set()

        self.bus.publish = keep  # type: ignore[method-assign]

    async def session(self, source: Source, config: dict[str, Any] | None = None) -> Session:
        profile: Profile = parse({**SPHINX, **(config or {})})
        taken = await self.desks.take(profile.transcription)
        return Session("s", "mine", profile, source, taken, self.bus, Meters(), self.desks)

    async def until(self, wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not wanted():
                self._changed.clear()
                await self._changed.wait()

    @property
    def story(self) -> list[str]:
        kinds = [event.event for event in self.told if not isinstance(event, Level)]
        return [kind for kind in kinds if kind != "model_progress"]


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    made = Room()
    yield made
    await asyncio.to_thread(made.ears.close)
    await made.desks.close()


async def test_what_was_fed_is_read_before_the_session_has_stopped(room: Room) -> None:
    source = StreamSource(16_000)
    session = await room.session(source)
    await session.prepare()
    assert room.story == []  # Only what is sure to listen is told of.
    await session.start(room.ears)
    assert await source.feed(HELLO)
    await session.stop()
    assert session.done.is_set()
    assert room.story[0] == "session_started"
    assert room.story[-2:] == ["transcription", "session_stopped"]
    assert {event.session_id for event in room.told if event.event != "model_progress"} == {"s"}
    assert session.info().finals == session.figures().finals == 1
    assert session.info().audio_seconds == pytest.approx(len(HELLO) / 32_000, abs=0.04)
    assert session.lost_seconds == 0
    assert not await source.feed(HELLO)


async def test_stopping_twice_stops_once(room: Room) -> None:
    session = await room.session(StreamSource(16_000))
    await session.prepare()
    await session.start(room.ears)
    await asyncio.gather(session.stop("idle"), session.stop("idle"))
    await session.stop("disconnected")
    (stopped,) = [event for event in room.told if isinstance(event, SessionStopped)]
    assert stopped.reason == "idle"


async def test_half_a_sample_at_the_end_is_told(room: Room) -> None:
    source = StreamSource(16_000)
    session = await room.session(source)
    await session.prepare()
    await session.start(room.ears)
    await source.feed(b"\0\0\0")
    await session.stop()
    (error,) = [event for event in room.told if isinstance(event, Error)]
    assert "within a sample" in error.details


async def test_what_cannot_be_prepared_tells_nobody(room: Room) -> None:
    word = {"enabled": True, "detector": "pocketsphinx", "words": ["schnurzel"]}
    session = await room.session(StreamSource(16_000), {"wake_word": word})
    with pytest.raises(WakeError, match="schnurzel"):
        await session.prepare()
    assert room.story == []


class Unplugged(StreamSource):
    """A source that is there when it is asked, and gone when it is started."""

    def start(self, inlet: Inlet) -> None:
        raise SourceError("it was pulled out")


async def test_a_source_that_fails_to_start_has_failed_and_stopped(room: Room) -> None:
    session = await room.session(Unplugged(16_000))
    await session.prepare()
    with pytest.raises(SourceError, match="pulled out"):
        await session.start(room.ears)
    assert room.story == ["session_started", "session_stopped"]
    stopped = room.told[-1]
    assert isinstance(stopped, SessionStopped)
    assert stopped.reason == "failed"


async def test_a_source_that_breaks_off_says_why_after_its_last_words(room: Room) -> None:
    source = StreamSource(16_000)
    session = await room.session(source)
    await session.prepare()
    await session.start(room.ears)
    await source.feed(HELLO)
    source.end(SourceError("the cable broke"))
    await asyncio.wait_for(session.done.wait(), 30)
    assert room.story[-1] == "session_stopped"
    (error,) = [event for event in room.told if isinstance(event, Error)]
    assert (error.details, error.recoverable) == ("the cable broke", False)
    assert session.info().finals == 1


async def test_a_flush_ends_what_is_being_said_and_the_session_goes_on(room: Room) -> None:
    source = StreamSource(16_000)
    session = await room.session(source)
    await session.prepare()
    await session.start(room.ears)
    for count in (1, 2):
        await source.feed(HELLO)
        session.flush_soon()
        await room.until(lambda count=count: session.info().finals == count)
    await session.stop()
    assert room.story.count("session_stopped") == 1
