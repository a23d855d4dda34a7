"""What the tests of the whole have in common: sound to send, and events to wait for."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytest
import soundfile

from common.client import Client
from common.events import Event, Level, SessionStopped, Transcription
from common.stream import AudioUpload, EventStream
from tests.running import SOUNDS, SPEECH, TINY

WHISPER: dict[str, Any] = {
    "transcription": {
        "engine": "mlx_whisper",
        "model": str(TINY),
        "language": "en",
        "carry_over": 0.0,
    }
}
"""The real MLX engine with the small test model, which loses words over a context: whether one
is there depends on whether the utterance before has been read in time."""
SPHINX: dict[str, Any] = {"transcription": {"engine": "pocketsphinx", "partials": False}}
"""The embedded engine."""
BESIDES = {"audio", "source", "profile"}
"""What history tells of an utterance besides its event."""
DEMO = SOUNDS / "demo.flac"
SENTENCES = (SOUNDS / "demo.txt").read_text().split("\n")[:-1]

needs_speech = pytest.mark.skipif(
    not SPEECH.is_dir(), reason="no recordings of real speech on this machine"
)


def pcm(path: Path, seconds: float | None = None) -> bytes:
    """Return a 16 kHz file's samples as bytes, its first seconds only if told so."""
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 16000
    return bytes(samples[: int(seconds * rate) if seconds else None].astype("<i2").tobytes())


def silence(seconds: float) -> bytes:
    """Return a faint hiss, as a quiet room gives."""
    noise = np.random.default_rng(1).normal(0, 3, int(seconds * 16000))
    return bytes(noise.astype("<i2").tobytes())


async def send(upload: AudioUpload, sound: bytes, piece: int = 1024) -> None:
    for start in range(0, len(sound), piece):
        await upload.send(sound[start : start + piece])


async def heard(client: Client, sound: bytes, config: dict[str, Any], **how: Any) -> list[Event]:
    """Stream the sound to a session of its own; return all of its events."""
    async with client.audio(custom_config=config, **how) as upload:
        await send(upload, sound)
        await upload.stop()
        events = [event async for event in upload]
    assert isinstance(events[-1], SessionStopped)
    return events


def finals(events: list[Event]) -> list[Transcription]:
    return [e for e in events if isinstance(e, Transcription) and e.is_final]


def partials(events: list[Event]) -> list[Transcription]:
    return [e for e in events if isinstance(e, Transcription) and not e.is_final]


async def first(stream: EventStream) -> Event:
    """Return the first event, and close the stream."""
    async with aclosing(cast("AsyncGenerator[Event]", aiter(stream))) as events:
        return await anext(events)


class Listening:
    """A client of the event stream that has been welcomed, collecting in the background."""

    made: ClassVar[list["Listening"]] = []

    def __init__(self, stream: EventStream) -> None:
        self._events = cast("AsyncGenerator[Event]", aiter(stream))
        self.made.append(self)

    @classmethod
    async def end_all(cls) -> None:
        while cls.made:
            await cls.made.pop()._events.aclose()

    @classmethod
    async def to(cls, client: Client, **how: Any) -> "Listening":
        listening = cls(client.events(**how))
        welcome = await anext(listening._events)
        assert welcome.event == "welcome"
        return listening

    async def until(self, wanted: Callable[[Event], bool], seconds: float = 60) -> list[Event]:
        events: list[Event] = []
        async with asyncio.timeout(seconds):
            async for event in self._events:
                events.append(event)
                if wanted(event):
                    return events
        raise AssertionError("the stream ended")


def talking(levels: int) -> Callable[[Event], bool]:
    """Return what is true once somebody has spoken for so many levels, 64 ms each."""
    heard = 0

    def is_enough(event: Event) -> bool:
        nonlocal heard
        heard += isinstance(event, Level) and event.speaking
        return heard >= levels

    return is_enough
