"""The server's own listening, within the test's process, to a microphone made up."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from backend.hearing import Block
from backend.meters import exposition
from backend.parts import Parts
from backend.problems import Problem
from backend.settings import Settings
from common.events import Error, Event, SystemStatus
from tests.backend.sources.made_up import Fake, fake

__all__ = ["fake"]

SPHINX = {"transcription": {"engine": "pocketsphinx"}, "audio": {"device": "front", "channel": 2}}


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    made = Parts.of(Settings(history=False))
    yield made
    await made.sessions.leave(5)
    await made.close()


class Told:
    """What the bus has told."""

    def __init__(self, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[Event] = []
        self._changed = asyncio.Event()
        publish = parts.bus.publish

        def keep(event: Event) -> None:
            publish(event)
            self.events.append(event)
            self._changed.set()

        monkeypatch.setattr(parts.bus, "publish", keep)

    async def until(self, wanted: Callable[[Event], bool]) -> Event:
        async with asyncio.timeout(20):
            while not any(wanted(event) for event in self.events):
                self._changed.clear()
                await self._changed.wait()
        return next(event for event in self.events if wanted(event))


def metric(parts: Parts) -> str:
    lines = exposition(parts).decode().splitlines()
    return next(line for line in lines if line.startswith("stt_overruns_total"))


async def test_lost_sound_is_in_the_figures_and_metrics_and_told(
    fake: Fake, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(parts, monkeypatch)
    session = await parts.sessions.start(None, SPHINX)
    assert metric(parts) == "stt_overruns_total 0.0"
    fake.streams[0].give(7, 7, overflow=True)
    error = await told.until(lambda event: isinstance(event, Error))
    assert isinstance(error, Error)
    assert error.recoverable
    assert error.error == "Sound lost"
    assert session.figures().overruns == 1
    assert metric(parts) == "stt_overruns_total 1.0"
    await parts.sessions.stop()
    assert metric(parts) == "stt_overruns_total 1.0"


async def test_silence_of_the_chosen_channel_is_told_once_and_its_end_in_the_status(
    fake: Fake, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(parts, monkeypatch)
    session = await parts.sessions.start(None, SPHINX)
    for _ in range(40_000):
        fake.streams[0].give(100, 0)
    await told.until(lambda event: isinstance(event, SystemStatus) and is_silent(event) is True)
    (error,) = [event for event in told.events if isinstance(event, Error)]
    assert "only channel 2" in error.details
    assert session.audio_status().fault == error.details
    told.events.clear()
    fake.streams[0].give(0, 100)
    await told.until(lambda event: isinstance(event, SystemStatus) and is_silent(event) is False)
    assert session.audio_status().fault is None
    assert not [event for event in told.events if isinstance(event, Error)]


def is_silent(status: SystemStatus) -> bool | None:
    return status.audio.silent if status.audio else None


async def test_a_session_is_tuned_in_the_order_of_its_sound(fake: Fake, parts: Parts) -> None:
    session = await parts.sessions.start(None, SPHINX)
    seen: list[float] = []
    hear = session.hear

    def listen(block: Block) -> None:
        hear(block)
        detector = session._segmenter.detector
        seen.append(detector.start if detector else 0.0)

    session.hear = listen  # type: ignore[method-assign]
    fake.streams[0].give(100, 100)
    await parts.sessions.tune(session.session_id, {"vad": {"sensitivity": 0.0}})
    fake.streams[0].give(100, 100)
    await parts.sessions.stop()
    assert seen[0] == pytest.approx(0.3)
    assert seen[-1] == pytest.approx(0.54)
    assert session.profile.vad.sensitivity == 0


async def test_what_cannot_be_tuned_is_refused_and_nothing_changes(
    fake: Fake, parts: Parts
) -> None:
    session = await parts.sessions.start(None, SPHINX)
    before = session.profile
    for changes, status, words in [
        ({"audio": {"device": "rear"}, "vad": {"sensitivity": 0.1}}, 409, "restart"),
        ({"wake_word": {"sensitivity": 0.1}}, 409, "wake_word.sensitivity"),
        ({"vad": {"sensitivity": 7}}, 400, "vad.sensitivity"),
        ({"vad": {"loud": 7}}, 400, "vad.loud"),
        ({"transcription": {"engine": "openai"}}, 503, "openai"),
    ]:
        with pytest.raises(Problem, match=words) as told:
            await parts.sessions.tune(session.session_id, changes)
        assert told.value.status == status
    assert session.profile == before
    with pytest.raises(Problem) as told:
        await parts.sessions.tune("nobody", {})
    assert told.value.status == 404
