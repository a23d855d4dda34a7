"""Whatever comes over the wire: the server lives, forgets it, and others notice nothing."""

import asyncio
import json
import random
import struct
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from common.client import Client
from tests.ends.speech import DEMO, WHISPER, Listening, finals, heard, pcm
from tests.ends.test_refusals import TRANSCRIBE, is_fault
from tests.running import Running, running

FRAMES = 10_000
SENDERS = 20
LEAST = 10 << 20
"""Bytes of memory that may stay behind."""


def memory(server: Running) -> int:
    """Return the bytes the server's process holds itself."""
    try:
        lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    except FileNotFoundError:
        pytest.skip("no /proc to read a process's memory from")
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024


def nonsense(rng: random.Random) -> str | bytes:
    """Return a frame: random bytes, random text, or JSON that is nearly right."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randrange(4096))
    if kind == 1:
        return "".join(chr(rng.randrange(32, 0xD7FF)) for _ in range(rng.randrange(300)))
    if kind == 2:
        return "[" * rng.randrange(5000)
    value = rng.choice([None, 1e400, -1, "x" * 999, [], {}, True, "flush", "ping", "subscribe"])
    names = ("command", "events", "session", "levels", "sample_rate", "profile", "custom_config")
    return json.dumps({rng.choice(names): value, "command": rng.choice(["ping", "stop", value])})


async def _pester(port: int, path: str, frames: int, seed: int) -> int:
    """Send so many frames, over as many connections as it takes; return how many."""
    rng, sent = random.Random(seed), 0
    while sent < frames:
        socket = await connect(f"ws://127.0.0.1:{port}{path}", proxy=None, close_timeout=1)
        try:
            for _ in range(rng.randrange(1, 200)):
                await socket.send(nonsense(rng))
                sent += 1
        except ConnectionClosed:
            sent += 1
        if rng.random() < 0.5:
            socket.transport.abort()
        await socket.close()
    return sent


async def _truncated(port: int, rng: random.Random) -> None:
    """Begin a handshake or a request and break off, half-close, or send it byte by byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"GET {rng.choice(['/api/v1/ws', '/api/v1/audio', '/health'])} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()
    cut = head[: rng.randrange(1, len(head) + 1)]
    try:
        match rng.randrange(3):
            case 0:
                writer.write(cut)
            case 1:
                writer.write(cut)
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 1)
            case 2:
                for byte in cut:
                    writer.write(bytes([byte]))
                    await writer.drain()
    except (TimeoutError, OSError):
        pass
    writer.transport.abort()


async def test_nonsense_leaves_the_server_alive_and_as_small_as_before() -> None:
    with running("--max-requests", "0", "--max-sessions", "100") as server:
        async with Client(server.url) as client:
            # What is loaded once and stays: the engine, its thread, the detectors.
            await heard(client, pcm(DEMO, 2.4), WHISPER)
            await _round(server, 1000, 1)
            before = memory(server)
            assert await _round(server, FRAMES, 2) >= FRAMES
            async with asyncio.timeout(60):
                while (await client.status()).active_connections or await client.sessions():
                    pass
            assert memory(server) - before < LEAST

            listening = await Listening.to(client)
            speaking = asyncio.create_task(heard(client, pcm(DEMO, 2.4), WHISPER))
            await _round(server, 2000, 3)
            assert [final.text for final in finals(await speaking)] == ["hello world"]
            told = await listening.until(lambda event: bool(finals([event])))
            assert told[-1].model_dump()["text"] == "hello world"
            assert (await client.health()).status == "healthy"
        assert "Traceback" not in server.log


async def _round(server: Running, frames: int, seed: int) -> int:
    each = frames // SENDERS
    rng = random.Random(seed)
    pesterers = [
        _pester(server.port, path, each, seed * 1000 + number)
        for number, path in enumerate(["/api/v1/ws", "/api/v1/audio"] * (SENDERS // 2))
    ]
    truncated = [_truncated(server.port, rng) for _ in range(frames // 40)]
    sent = await asyncio.gather(*pesterers, *truncated)
    return sum(count for count in sent if count is not None)


async def test_words_sent_a_byte_at_a_time_are_understood(client: Client) -> None:
    sound = pcm(DEMO, 1.6)
    async with client.audio(custom_config=WHISPER) as upload:
        for at in range(3000):
            await upload.send(sound[at : at + 1])
        await upload.send(sound[3000:])
        await upload.stop()
        events = [event async for event in upload]
    assert [final.text for final in finals(events)] == ["hello world"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(2**31, ["seconds"]), (-1, []), (float("inf"), ["max_utterance"])]
)
async def test_huge_numbers_are_refused(
    client: Client, server: Running, seconds: float, words: list[str]
) -> None:
    body = f'{{"custom_config":{{"vad":{{"max_utterance":{seconds}}}}}}}'
    async with httpx.AsyncClient(base_url=server.url) as http:
        is_fault(await http.post("/api/v1/system/start", content=body), 400)


async def test_bodies_of_100_mb_are_refused_without_being_kept(
    server: Running, client: Client
) -> None:
    before = memory(server)
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as http:
        body = b"\0" * (100 << 20)
        is_fault(await http.post(TRANSCRIBE, content=body), 413, "STT_SERVER_MAX_BODY_MB")
        header = struct.pack("<4sI8sI", b"RIFF", 0xFFFFFFFF, b"WAVEfmt ", 16)
        is_fault(await http.post(TRANSCRIBE, content=header + body), 413)
        encoded = b'{"audio_data":"' + b"A" * (20 << 20) + b'"}'
        json_type = {"Content-Type": "application/json"}
        refused = await http.post(TRANSCRIBE, content=encoded, headers=json_type)
        is_fault(refused, 413, "STT_SERVER_MAX_BASE64_MB")
    assert memory(server) - before < 64 << 20
