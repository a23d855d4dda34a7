"""The microphone of the server's machine: a real virtual one, spoken into."""

import asyncio
from collections.abc import Callable

from common.client import Client
from common.events import Error, Event, SystemStatus, Transcription
from tests.ends.speech import WHISPER, Listening, finals
from tests.running import SOUNDS, running
from tests.virtual_microphone import VirtualMicrophone

HELLO = SOUNDS / "hello-world.flac"


def a_final(event: Event) -> bool:
    return isinstance(event, Transcription) and event.is_final


def audio(**fields: object) -> Callable[[Event], bool]:
    """Return what is true of a status whose audio is so."""

    def fits(event: Event) -> bool:
        told = event.audio if isinstance(event, SystemStatus) else None
        return told is not None and fields.items() <= told.model_dump().items()

    return fits


def errors(events: list[Event]) -> list[Error]:
    return [event for event in events if isinstance(event, Error)]


async def test_a_microphone_is_heard_unplugged_waited_for_and_heard_again(
    virtual_microphone: VirtualMicrophone,
) -> None:
    environment = virtual_microphone.environment
    with running("--debug", environment=environment) as server:
        async with Client(server.url) as client:
            listening = await Listening.to(client, levels=False)
            assert (await client.start(custom_config=WHISPER)).started
            await asyncio.to_thread(virtual_microphone.play, HELLO)
            events = await listening.until(a_final)
            assert [final.text for final in finals(events)] == ["hello world"]
            assert not errors(events)

            # The words said just before are delivered, then the loss is told.
            await asyncio.to_thread(virtual_microphone.play, HELLO)
            await asyncio.to_thread(virtual_microphone.unplug)
            events = await listening.until(audio(gone=True))
            (error,) = errors(events)
            assert error.recoverable
            assert "is gone; waiting for a microphone" in error.details
            if not finals(events):
                events = await listening.until(a_final)
            assert [final.text for final in finals(events)] == ["hello world"]
            status = await client.status()
            assert status.running
            assert status.audio.gone
            assert status.audio.fault == error.details

            await asyncio.to_thread(virtual_microphone.plug, 44_100, 2)
            events = await listening.until(audio(gone=False, fault=None))
            assert not errors(events)
            await asyncio.to_thread(virtual_microphone.play, HELLO)
            events = await listening.until(a_final)
            assert [final.text for final in finals(events)] == ["hello world"]

            await asyncio.to_thread(virtual_microphone.kill)
            await listening.until(audio(gone=True))
            async with asyncio.timeout(3):
                await client.stop()
            assert not (await client.status()).running
        assert server.stop() == 0
    assert "Microphone gone" in server.log
    # Of a busy machine ALSA tells overruns; of each look for what is gone it is to tell nothing.
    assert "Unable to connect" not in server.log


async def test_digital_silence_is_told_with_its_cure_and_so_is_its_end(
    virtual_microphone: VirtualMicrophone,
) -> None:
    with running(environment=virtual_microphone.environment) as server:
        async with Client(server.url) as client:
            listening = await Listening.to(client, levels=False)
            await client.start(custom_config=WHISPER)
            await asyncio.to_thread(virtual_microphone.mute, True)
            before = (await client.status()).sessions[0].audio_seconds
            events = await listening.until(audio(silent=True))
            (error,) = errors(events)
            assert error.recoverable
            assert "nothing but zeros" in error.details
            assert "audio.device" in error.details
            status = await client.status()
            assert status.sessions[0].audio_seconds - before < 2.5
            assert status.audio.silent
            assert status.audio.fault == error.details

            await asyncio.to_thread(virtual_microphone.mute, False)
            events = await listening.until(audio(silent=False, fault=None))
            assert not errors(events)
            await client.stop()
    assert "Only digital silence" in server.log
