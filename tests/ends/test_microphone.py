"""The microphone of the server's machine: a real virtual one, spoken into."""

import asyncio

from common.client import Client
from common.events import SessionStarted, SessionStopped, Transcription
from tests.ends.speech import WHISPER, Listening, finals
from tests.running import SOUNDS, running
from tests.virtual_microphone import VirtualMicrophone


async def test_words_spoken_into_the_microphone_are_told(
    virtual_microphone: VirtualMicrophone,
) -> None:
    with running(environment=virtual_microphone.environment) as server:
        async with Client(server.url) as client:
            listening = await Listening.to(client)
            started = await client.start(custom_config=WHISPER)
            assert started.started
            sound = SOUNDS / "hello-world.flac"
            await asyncio.to_thread(virtual_microphone.play, sound)
            events = await listening.until(
                lambda event: isinstance(event, Transcription) and event.is_final
            )
            assert [final.text for final in finals(events)] == ["hello world"]
            sources = [event.source for event in events if isinstance(event, SessionStarted)]
            assert sources == ["microphone"]
            assert (await client.status()).audio.device

            await asyncio.to_thread(virtual_microphone.unplug)
            events = await listening.until(lambda event: isinstance(event, SessionStopped))
            assert events[-1].model_dump()["reason"] == "failed"
            assert any(event.event == "error" for event in events)
            await client.health()
