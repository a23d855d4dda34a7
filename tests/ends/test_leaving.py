"""SIGINT and SIGTERM: speech in progress is finished and delivered, everyone is told."""

import asyncio
import os
import resource
import select
import signal
import socket as raw
import time
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from common.client import Client
from common.events import SpeechDetected, Transcription, parse
from tests.ends.speech import DEMO, WHISPER, Listening, pcm, talking
from tests.running import running, workers


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


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="there is no /proc")
async def test_a_second_signal_ends_it_at_once_whatever_it_waits_for() -> None:
    with running() as server:
        async with Client(server.url) as client, client.audio(custom_config=WHISPER) as upload:
            await upload.send(pcm(DEMO, 1.4))
            (worker,) = workers(server)
            os.kill(worker, signal.SIGSTOP)  # There is something to wait for, without an end.
            async for event in upload:
                if isinstance(event, SpeechDetected):
                    break
            server.process.terminate()
            await asyncio.to_thread(server.wait_until_it_says, "finishing speech in progress")
            assert server.process.poll() is None
            assert await asyncio.to_thread(server.stop) == 1
            os.kill(worker, signal.SIGKILL)
        assert "SIGTERM again: leaving at once" in server.log


class Crowd:
    """Raw sockets, each a WebSocket that only listens: cheaper than real clients."""

    def __init__(self, port: int, count: int) -> None:
        self.rest = dict.fromkeys((self._join(port) for _ in range(count)), b"")
        """Each socket, with what came last."""
        self.told: list[float] = []
        """When each was closed with 1012, by `time.monotonic`."""

    @staticmethod
    def _join(port: int) -> raw.socket:
        plug = raw.create_connection(("127.0.0.1", port))
        plug.sendall(
            f"GET /api/v1/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        answer = plug.recv(4096)
        while b'"event":"welcome"' not in answer:
            assert answer.startswith(b"HTTP/1.1 101 ")
            answer += plug.recv(4096)
        return plug

    def read_to_the_end(self) -> None:
        """Read until the server has ended every connection."""
        poll = select.epoll()
        by_number = {plug.fileno(): plug for plug in self.rest}
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        while by_number:
            for number, _ in poll.poll(30):
                plug = by_number[number]
                data = plug.recv(1 << 16)
                if data:
                    self._take(plug, data)
                else:
                    poll.unregister(number)
                    by_number.pop(number).close()
        poll.close()

    def _take(self, plug: raw.socket, data: bytes) -> None:
        before, self.rest[plug] = self.rest[plug], self.rest[plug] + data
        if RESTARTING in self.rest[plug] and RESTARTING not in before:
            self.told.append(time.monotonic())
            plug.sendall(b"\x88\x82\0\0\0\0\x03\xf4")


RESTARTING = b"\x03\xf4the server is stopping"
"""What the frame that closes a connection holds: 1012, and why."""


async def _leave_a_thousand() -> tuple[float, float]:
    """Return the seconds from the signal to the last 1012, and to the end of the process."""
    limits = ("--max-requests", "0", "--max-connections", "1001")
    with running(*limits) as server:
        async with Client(server.url) as client, client.audio(custom_config=WHISPER) as upload:
            await upload.send(pcm(DEMO, 1.4))
            async for event in upload:
                if isinstance(event, SpeechDetected):
                    break
            crowd = await asyncio.to_thread(Crowd, server.port, 1000)
            began = time.monotonic()
            server.process.terminate()
            reading = asyncio.create_task(asyncio.to_thread(crowd.read_to_the_end))
            spoken = [event async for event in upload]
            await reading
        assert await asyncio.to_thread(server.wait) == 0
        ended = time.monotonic()
    assert any(isinstance(event, Transcription) and event.is_final for event in spoken)
    assert len(crowd.told) == 1000
    assert "Traceback" not in server.log
    return max(crowd.told) - began, ended - began


@pytest.mark.timeout(300)
@pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll on this system")
async def test_a_thousand_clients_are_told_in_a_second_and_the_process_ends_in_two() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip(f"only {hard} files may be open on this machine")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    # What else runs here can make a round slow, but none fast.
    for _ in range(3):
        told, ended = await _leave_a_thousand()
        print(f"told after {told:.2f} s, ended after {ended:.2f} s")
        if told < 1 and ended < 2:
            return
    pytest.fail(f"told after {told:.2f} s, ended after {ended:.2f} s")
