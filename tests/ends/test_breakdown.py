"""The engine's process is killed while people speak: nothing that was said is lost."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from common.client import Client
from common.events import Error, Event, SpeechEnded
from tests.ends.speech import DEMO, SENTENCES, WHISPER, finals, pcm, send
from tests.running import running, workers

pytest.importorskip("mlx_whisper", reason="mlx_whisper is not installed here")
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="there is no /proc")


async def test_an_engine_that_is_killed_in_mid_speech_costs_no_words() -> None:
    with running() as server:
        async with (
            Client(server.url) as client,
            client.audio(custom_config=WHISPER) as upload,
        ):
            (worker,) = workers(server)
            os.kill(worker, signal.SIGSTOP)  # What is asked of it now is not answered.
            await send(upload, pcm(DEMO, 9.0))
            events: list[Event] = []
            async with asyncio.timeout(60):
                async for event in upload:
                    events.append(event)
                    if isinstance(event, SpeechEnded):
                        break
            os.kill(worker, signal.SIGKILL)
            await upload.stop()
            events += [event async for event in upload]
            assert workers(server) != [worker]
        said = [final.text for final in finals(events)]
        assert said[:3] == SENTENCES[:3]
        (fault,) = [event for event in events if isinstance(event, Error)]
        assert fault.recoverable
        assert "signal 9" in fault.details
