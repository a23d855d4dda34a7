"""OpenAI from one end to the other: a real server, the real SDK, real sound, a wire to cut."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from common.client import Client
from common.events import Error, Event, SessionStopped, SpeechEnded, Transcription
from tests.ends.speech import Listening, finals, partials
from tests.openai_loopback import KEY, Answer, Loopback, openai_loopback
from tests.openai_protocol import words
from tests.running import SOUNDS, Running, running

ONE = SOUNDS / "jarvis-turn-the-lights-off.flac"
THREE = ("hello-world", "one-two-three", "turn-the-lights-on")


@pytest.fixture
def openai() -> Iterator[Loopback]:
    with openai_loopback() as loopback:
        yield loopback
        assert loopback.broken == []


@pytest.fixture
def server(openai: Loopback) -> Iterator[Running]:
    with running(environment={**openai.environment, "LOG_LEVEL": "DEBUG"}) as process:
        yield process
        process.stop()
    for secret in (KEY, "Authorization", "input_audio_buffer", "fLaC"):
        assert secret not in process.log


def config(path: object, **transcription: Any) -> dict[str, Any]:
    """Play a file as a microphone hears it."""
    return {
        "audio": {"source": f"file:{path}"},
        "transcription": {"engine": "openai", "partial_interval": 0.2, **transcription},
    }


def is_partial(event: Event) -> bool:
    return isinstance(event, Transcription) and not event.is_final


def is_final(event: Event) -> bool:
    return isinstance(event, Transcription) and event.is_final


def is_over(event: Event) -> bool:
    return isinstance(event, SessionStopped)


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Return a file of several utterances, a second apart."""
    pause = np.zeros(16_000, np.int16)
    sounds = [soundfile.read(SOUNDS / f"{name}.flac", dtype="int16")[0] for name in THREE]
    path = tmp_path / "several.wav"
    parts = [part for sound in sounds for part in (sound, pause)]
    soundfile.write(path, np.concatenate(parts), 16_000)
    return path


@pytest.fixture
async def listening(client: Client) -> AsyncIterator[Listening]:
    return await Listening.to(client, levels=False)


async def test_partials_come_while_somebody_speaks_and_then_a_final(
    openai: Loopback, client: Client, listening: Listening
) -> None:
    await client.start(custom_config=config(ONE))
    assert (await client.status()).engine.model == "gpt-live-transcribe"
    events = await listening.until(is_over)
    (final,) = finals(events)
    assert final.text == " ".join(words(openai.streamed))
    assert (final.engine, final.stable) == ("openai", len(final.text))
    grown = [partial.text for partial in partials(events)]
    assert grown
    assert all(final.text.startswith(text) for text in grown)
    assert (openai.connections, openai.uploads) == (1, [])


async def test_a_cut_in_mid_utterance_loses_nothing(
    openai: Loopback, client: Client, listening: Listening
) -> None:
    await client.start(custom_config=config(ONE))
    events = await listening.until(is_partial)
    openai.cut()
    events += await listening.until(lambda event: isinstance(event, SpeechEnded))
    openai.mend()
    events += await listening.until(is_over)
    (final,) = finals(events)
    (upload,) = openai.uploads
    assert final.text == " ".join(words(upload["seconds"]))
    assert final.engine == "openai"
    assert not [event for event in events if isinstance(event, Error)]


async def test_what_the_network_loses_is_read_by_the_fallback(
    openai: Loopback, client: Client, listening: Listening, several: Path
) -> None:
    await client.start(custom_config=config(several, fallback="pocketsphinx"))
    events = await listening.until(is_partial)
    openai.cut()
    events += await listening.until(is_over)
    spoken = finals(events)
    assert [final.engine for final in spoken] == ["pocketsphinx"] * len(THREE)
    (told,) = [event for event in events if isinstance(event, Error)]
    assert told.recoverable
    assert "can't be reached" in told.details
    assert "pocketsphinx" in told.details
    openai.mend()
    await client.start(custom_config=config(ONE, fallback="pocketsphinx"))
    (final,) = finals(await listening.until(is_over))
    assert final.engine == "openai"


async def test_without_a_fallback_what_is_lost_is_told_with_the_cure(
    openai: Loopback, client: Client, listening: Listening
) -> None:
    openai.realtime = "absent"
    await client.start(custom_config=config(ONE))
    openai.always = Answer(401, "invalid_api_key", f"Incorrect API key provided: {KEY}")
    events = await listening.until(is_over)
    (told,) = [event for event in events if isinstance(event, Error)]
    assert "refuses the key in OPENAI_API_KEY" in told.details
    assert KEY not in told.details
    assert not finals(events)
