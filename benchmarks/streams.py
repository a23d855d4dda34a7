"""Sound in: what each frame of real-time streams costs, how late it is heard, what a stop holds.

    python -m benchmarks.streams [--streams 400] [--rounds 5] [--seconds 8]

Our server, and FastAPI under uvicorn doing the same work in its handler: our own framer, segmenter
and WebRTC detector fed from its socket, the same level events sent back. 16-bit frames of 32 ms
over WebSockets, each stream in real time; the server has one core, the clients the other, rounds
are interleaved. *CPU* is the server's for one frame, *lag* from the sending of a frame to the
arrival of the level event that tells of it (known by its loudness), at 50 streams with the default
profile's detector. *Told* are the level events of those that there could be: where one is late
the next takes its place. *Stop* is what a server grows by whose handler stops reading while a
client goes on sending 64 MiB.
"""

import argparse
import asyncio
import base64
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fanout import CLIENT_CORE, PINNED
from tests.running import ROOT

FRAME = 512
PERIOD = 0.032
FEW = 50
FLOOD = 64 << 20
LOUDNESS = re.compile(rb'"rms_dbfs":(-?[0-9.]+),')
AIMS = {"cpu": 1.2, "lag": 20.0, "stop": 2.0}


def _head(opcode: int, size: int) -> bytes:
    """Return the head of a client's frame, masked with zeros."""
    long = size.to_bytes(2, "big") if size < 1 << 16 else size.to_bytes(8, "big")
    length = bytes([128 | size]) if size < 126 else bytes([254 if len(long) == 2 else 255]) + long
    return bytes([128 | opcode]) + length + b"\0\0\0\0"


class Stream(asyncio.Protocol):
    """One client's sound; notes how late each level event is."""

    def __init__(self, hello: str) -> None:
        self.late: list[float] = []
        self.ready = asyncio.Event()
        """Set once its session has begun."""
        self._hello = hello
        self.told = 0
        """How many level events came."""
        self._sent: dict[int, float] = {}
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        hello = self._hello.encode()
        transport.write(
            (
                "GET /api/v1/audio HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n"
            ).encode()
        )
        self._first = _head(1, len(hello)) + hello

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if b" 101 " in data[:16]:
            self.transport.write(self._first)
        if b"session_started" in data:
            self.ready.set()
        data = self._rest + data
        end = 0
        for found in LOUDNESS.finditer(data):
            end = found.end()
            self.told += 1
            self.late.append((now - self._sent[round(float(found[1]))]) * 1e3)
        self._rest = data[max(end, len(data) - 40) :]

    def send(self, number: int, frame: bytes) -> None:
        """Send the frame of that number; what tells of it is known by its loudness."""
        self._sent[_loudness(number)] = time.monotonic()
        self.transport.write(frame)


class Server:
    """One of the servers, in a process on a core of its own."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [*PINNED, sys.executable, "-m", "benchmarks.streams_servers", name],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())
        self._folder = Path(f"/proc/{self.process.pid}")
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        time.sleep(1.0)

    def cpu(self) -> float:
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """MB."""
        pages = int((self._folder / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def _loudness(number: int) -> int:
    """Return a frame's dBFS: two that are told of together have the same, the next two another."""
    return number // 2 % 60 - 66


def _sound() -> list[bytes]:
    """Return frames of which each pair is of its own loudness, ready to be sent."""
    size, frames = 2 * FRAME, []
    for number in range(120):
        wave = np.sign(np.sin(np.arange(FRAME) * 0.17 + 0.01))
        samples = np.rint(wave * 32768 * 10 ** (_loudness(number) / 20)).astype("<i2")
        frames.append(_head(2, size) + samples.tobytes())
    return frames


def _hello(detector: str) -> str:
    config: dict[str, Any] = {
        "transcription": {"engine": "pocketsphinx", "partials": False},
        # Nothing is long enough to be an utterance: it is hearing that is measured.
        "vad": {"detector_type": detector, "min_speech_duration": 5},
    }
    return json.dumps({"custom_config": config})


async def _streams(server: Server, count: int, seconds: float, detector: str) -> dict[str, float]:
    loop, frames = asyncio.get_running_loop(), _sound()
    streams = []
    for _ in range(count):
        _, stream = await loop.create_connection(
            lambda: Stream(_hello(detector)), "127.0.0.1", server.port
        )
        streams.append(stream)
        await asyncio.wait_for(stream.ready.wait(), 60)
    began, used, sent = time.monotonic() + 0.1, server.cpu(), 0
    for number in range(int(seconds / PERIOD)):
        for place, stream in enumerate(streams):
            due = began + (number + place / count) * PERIOD
            if (early := due - time.monotonic()) > 0.001:
                await asyncio.sleep(early)
            elif place % 20 == 0:
                await asyncio.sleep(0)
            stream.send(number, frames[number % len(frames)])
            sent += 1
    took = time.monotonic() - began
    told = -1
    while told < (told := sum(stream.told for stream in streams)):  # noqa: ASYNC110
        await asyncio.sleep(1.0)
    late = sorted(one for stream in streams for one in stream.late)
    for stream in streams:
        stream.transport.abort()
    return {
        "cpu": (server.cpu() - used) * 1e6 / sent,
        "lag": late[len(late) * 99 // 100] if late else float("inf"),
        "p50": late[len(late) // 2] if late else float("inf"),
        "told": told / (sent / 2),
        "pace": seconds / took,
    }


def _stopped(server: Server) -> float:
    """Return the MB that a server grows by while its handler doesn't read."""
    plug = socket.create_connection(("127.0.0.1", server.port))
    plug.settimeout(3.0)
    hello = _hello("webrtc").encode()
    plug.sendall(
        b"GET /api/v1/audio HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b" 101 " in plug.recv(4096)
    plug.sendall(_head(1, len(hello)) + hello)
    told = b""
    while b"session_started" not in told:
        told += plug.recv(4096)
    time.sleep(1.0)
    before = most = server.memory()
    frame = _head(2, 2 * FRAME) + bytes(2 * FRAME)
    try:
        for _ in range(FLOOD // len(frame) // 64):
            plug.sendall(frame * 64)
            most = max(most, server.memory())
    except TimeoutError:
        pass  # It is made to wait.
    most = max(most, server.memory())
    plug.close()
    return most - before


def _measure(name: str, streams: int, seconds: float) -> dict[str, float]:
    server = Server(name)
    try:
        many = asyncio.run(_streams(server, streams, seconds, "webrtc"))
    finally:
        server.end()
    server = Server(name)
    try:
        few = asyncio.run(_streams(server, FEW, seconds, "combined"))
    finally:
        server.end()
    server = Server(f"{name}-stops")
    try:
        return {**many, "lag": few["lag"], "p50": few["p50"], "stop": _stopped(server)}
    finally:
        server.end()


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="What real-time streams of sound cost.")
    parser.add_argument("--streams", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    given = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for _ in range(given.rounds):
        for name in ("ours", "fastapi"):
            found[name].append(_measure(name, given.streams, given.seconds))

    def middle(name: str, figure: str) -> float:
        return statistics.median(one[figure] for one in found[name])

    print(f"\n{given.streams} streams (medians of {given.rounds})\n")
    print("| server | CPU µs a frame | levels told | pace | lag p50 ms | p99 ms | stop MB |")
    print("|---|---|---|---|---|---|---|")
    for name in found:
        print(
            f"| {name} | {middle(name, 'cpu'):.1f} | {middle(name, 'told'):.1%} | "
            f"{middle(name, 'pace'):.2f} | {middle(name, 'p50'):.1f} | {middle(name, 'lag'):.1f} | "
            f"{middle(name, 'stop'):.1f} |"
        )
    got = {
        "cpu": middle("ours", "cpu") / middle("fastapi", "cpu"),
        "lag": middle("ours", "lag"),
        "stop": middle("ours", "stop"),
    }
    print()
    for figure, most in AIMS.items():
        met = "pass" if got[figure] <= most else "FAIL"
        print(f"{met}: {figure} {got[figure]:.2f}, at most {most:g}")
    return int(any(got[figure] > most for figure, most in AIMS.items()))


if __name__ == "__main__":
    sys.exit(main())
