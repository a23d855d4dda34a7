"""The wake word, end to end: a real server, a real engine, spoken words."""

from typing import Any

import numpy as np
import pytest
import soundfile

from common.client import Client
from common.events import Event, WakeWord, WakeWordTimeout
from tests.ends import speech
from tests.ends.speech import WHISPER, finals
from tests.running import SOUNDS, Running, running

JARVIS, LIGHTS, TIME = "jarvis-turn-the-lights-off", "turn-the-lights-on", "what-time-is-it"


async def heard(server: Running, names: list[str], **wake_word: Any) -> list[Event]:
    """Play sounds to the server's own listening, a second apart; return what it told."""
    pause = np.zeros(round(1.2 * 16000), np.int16)
    sounds = [soundfile.read(SOUNDS / f"{name}.flac", dtype="int16")[0] for name in names]
    whole = np.concatenate([part for sound in sounds for part in (pause, sound)] + [pause] * 2)
    config = {
        "transcription": {**WHISPER["transcription"], "auto_start": False},
        "wake_word": {"enabled": True, "detector": "transcript", **wake_word},
    }
    async with Client(server.url) as client:
        return await speech.heard(client, whole.tobytes(), config, profile="wake-word")


@pytest.fixture(scope="module")
def server() -> Any:
    with running() as server:
        yield server


async def test_only_what_follows_the_word_is_told(server: Running) -> None:
    events = await heard(server, [TIME, JARVIS, LIGHTS])
    assert [final.text for final in finals(events)] == ["turn the lights off"]
    (woken,) = [event for event in events if isinstance(event, WakeWord)]
    assert (woken.wake_word, woken.timeout) == ("jarvis", 30)
    assert 0.5 < woken.confidence <= 1


async def test_an_answer_may_follow_without_the_word(server: Running) -> None:
    events = await heard(server, [TIME, JARVIS, LIGHTS], follow_up=5)
    assert [final.text for final in finals(events)] == ["turn the lights off", "turn the lights on"]


async def test_nobody_answers_in_time(server: Running) -> None:
    config = {
        "transcription": {**WHISPER["transcription"], "auto_start": False},
        "wake_word": {"enabled": True, "detector": "transcript", "follow_up": 0.5},
    }
    told: list[str] = []
    async with Client(server.url) as client, client.audio(custom_config=config) as upload:
        await speech.send(upload, speech.pcm(SOUNDS / f"{JARVIS}.flac") + speech.silence(1))
        async for event in upload:
            told += [event.event] if isinstance(event, WakeWord | WakeWordTimeout) else []
            if speech.finals([event]):
                await speech.send(upload, speech.silence(2))
                await upload.stop()
    assert told == ["wake_word", "wake_word_timeout"]
