"""The engine is switched while somebody speaks: every utterance is read, and read once."""

from collections.abc import Callable
from typing import Any

from common.client import Client
from common.events import Error, Event, SessionStopped, SpeechEnded
from tests.ends.speech import DEMO, SPHINX, WHISPER, Listening, finals, talking

PLAYED: dict[str, Any] = {"audio": {"source": f"file:{DEMO}"}}
"""As fast as it was spoken, for longer than any engine takes to load."""


def ended(event: Event) -> bool:
    return isinstance(event, SessionStopped)


def read_by(engine: str, count: int) -> Callable[[Event], bool]:
    """Return what is true once an engine has read so many utterances."""
    read = 0

    def is_enough(event: Event) -> bool:
        nonlocal read
        read += any(final.engine == engine for final in finals([event]))
        return read >= count

    return is_enough


async def configure(client: Client, part: dict[str, Any]) -> None:
    answer = await client._http.post("/api/v1/transcription/configure", json=part, timeout=60)
    assert answer.status_code == 200, answer.text


def check_each_is_read_once(events: list[Event]) -> None:
    said = finals(events)
    spoken = [event.end for event in events if isinstance(event, SpeechEnded)]
    assert [final.end for final in said] == spoken
    assert len({final.utterance_id for final in said}) == len(said)
    assert not any(isinstance(event, Error) for event in events)


async def test_an_engine_switched_in_mid_speech_loses_no_utterance(client: Client) -> None:
    listening = await Listening.to(client)
    await client.load_model("pocketsphinx")
    await client.start(custom_config={**SPHINX, **PLAYED})
    events = await listening.until(read_by("pocketsphinx", 1))
    events += await listening.until(talking(6))
    await configure(client, WHISPER["transcription"])
    events += await listening.until(read_by("mlx_whisper", 2))
    await client.stop()
    events += await listening.until(ended)
    check_each_is_read_once(events)
    engines = [final.engine for final in finals(events)]
    assert engines == sorted(engines, reverse=True), "it switched once"


async def test_an_engine_switched_to_and_fro_reads_each_utterance_once(client: Client) -> None:
    listening = await Listening.to(client)
    embedded = {"engine": "pocketsphinx", "model": None, "partials": False}
    await client.start(custom_config={"transcription": embedded, **PLAYED})
    events: list[Event] = []
    for part in (WHISPER["transcription"], embedded, WHISPER["transcription"]):
        events += await listening.until(talking(4))
        await configure(client, part)
    events += await listening.until(read_by("mlx_whisper", 1))
    await client.stop()
    events += await listening.until(ended)
    check_each_is_read_once(events)


async def test_a_start_with_another_engine_leaves_the_configured_model_out(client: Client) -> None:
    await configure(client, WHISPER["transcription"])
    listening = await Listening.to(client)
    await client.start(custom_config={**SPHINX, **PLAYED})
    await listening.until(read_by("pocketsphinx", 1))
    await client.stop()
