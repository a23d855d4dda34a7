"""The engine is switched while somebody speaks: every utterance is read, and read once."""

from pathlib import Path
from typing import Any

import pytest
import soundfile

from common.client import Client
from common.events import Error, Event, SessionStopped, SpeechEnded
from tests.ends.speech import DEMO, SPHINX, WHISPER, Listening, finals, talking

SECONDS = 14
"""Of the demo; a file is played as fast as it was spoken."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    samples, rate = soundfile.read(DEMO, dtype="int16", frames=SECONDS * 16000)
    file: Path = tmp_path_factory.mktemp("sound") / "speech.wav"
    soundfile.write(file, samples, rate)
    return {"audio": {"source": f"file:{file}"}}


def ended(event: Event) -> bool:
    return isinstance(event, SessionStopped)


def ends(events: list[Event]) -> list[float]:
    return [event.end for event in events if isinstance(event, SpeechEnded)]


async def configure(client: Client, part: dict[str, Any]) -> None:
    answer = await client._http.post("/api/v1/transcription/configure", json=part, timeout=60)
    assert answer.status_code == 200, answer.text


async def test_an_engine_switched_in_mid_speech_loses_no_utterance(
    client: Client, played: dict[str, Any]
) -> None:
    listening = await Listening.to(client)
    await client.load_model("pocketsphinx")
    await client.start(custom_config={**SPHINX, **played})
    events = await listening.until(talking(6))
    await configure(client, WHISPER["transcription"])
    events += await listening.until(ended)
    said = finals(events)
    assert len(said) > 3
    assert [final.end for final in said] == ends(events)
    assert len({final.utterance_id for final in said}) == len(said)
    engines = [final.engine for final in said]
    assert engines[-1] == "mlx_whisper"
    assert engines == sorted(engines, reverse=True), "it switched once"
    assert not any(isinstance(event, Error) for event in events)


async def test_an_engine_switched_to_and_fro_reads_each_utterance_once(
    client: Client, played: dict[str, Any]
) -> None:
    listening = await Listening.to(client)
    embedded = {"engine": "pocketsphinx", "model": None, "partials": False}
    await client.start(custom_config={"transcription": embedded, **played})
    events: list[Event] = []
    for part in (WHISPER["transcription"], embedded, WHISPER["transcription"]):
        events += await listening.until(talking(4))
        await configure(client, part)
    events += await listening.until(ended)
    said = finals(events)
    assert [final.end for final in said] == ends(events)
    assert len({final.utterance_id for final in said}) == len(said)
    assert not any(isinstance(event, Error) for event in events)
