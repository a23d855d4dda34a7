"""SIGINT and SIGTERM: speech in progress is finished and delivered, everyone is told."""

import asyncio
import signal
import time

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from common.client import Client
from common.events import SpeechDetected, Transcription, parse
from tests.ends.speech import DEMO, WHISPER, Listening, pcm, talking
from tests.running import Running, running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_delivers_speech_in_progress_and_ends(number: signal.Signals) -> None:
    with running() as server:
        sockets = [
            await connect(f"ws://127.0.0.1:{server.port}/api/v1/ws", proxy=None) for _ in range(20)
        ]
        async with Client(server.url) as client:
            listening = await Listening.to(client)
            config = {**WHISPER, "audio": {"source": f"file:{DEMO}"}}
            await client.start(custom_config=config)
            await listening.until(talking(10))
            server.process.send_signal(number)
            for socket in sockets:
                texts = []
                with pytest.raises(ConnectionClosed) as caught:
                    while True:
                        texts.append(parse(await asyncio.wait_for(socket.recv(), 30)))
                assert caught.value.rcvd is not None
                assert caught.value.rcvd.code == 1012
                finals = [e for e in texts if isinstance(e, Transcription) and e.is_final]
                assert len(finals) == 1
        assert await asyncio.to_thread(server.wait) == 0
        assert "Traceback" not in server.log


async def test_an_idle_server_with_consoles_connected_ends_at_once() -> None:
    with running() as server:
        sockets = [
            await connect(f"ws://127.0.0.1:{server.port}/api/v1/ws", proxy=None) for _ in range(50)
        ]
        async with Client(server.url) as client:
            await client.status()
            began = time.monotonic()
            assert await asyncio.to_thread(server.stop) == 0
            # A bound against hanging, not a measurement: the benchmarks measure.
            assert time.monotonic() - began < 5
        for socket in sockets:
            await socket.close()
        assert "Traceback" not in server.log


async def test_a_stream_in_mid_word_is_finished_when_the_server_leaves() -> None:
    with running() as server:
        async with Client(server.url) as client, client.audio(custom_config=WHISPER) as upload:
            await upload.send(pcm(DEMO, 1.4))
            async for event in upload:
                if isinstance(event, SpeechDetected):
                    break
            server.process.terminate()
            events = [event async for event in upload]
        assert any(isinstance(e, Transcription) and e.is_final for e in events)
        assert events[-1].event == "session_stopped"
        assert await asyncio.to_thread(server.wait) == 0


def test_a_second_signal_leaves_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with running() as server:
        assert _twice(server) in (0, 1, -15)


def _twice(server: Running) -> int:
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGTERM)
    return server.stop()
