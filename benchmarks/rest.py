"""Requests: small GETs, and an upload of 1 MB of base64, against FastAPI under uvicorn.

    python -m benchmarks.rest [--rounds 5] [--seconds 3]

Our server whole, and FastAPI that does the same work with the same pydantic shapes: `GET /health`
and a list of the sessions, of which there are none (both of which we answer before Quart is asked),
that list through all of Quart (*quart*: an empty body is announced; no aim), and a chunk for a
session that isn't there, which is received, validated and decoded before it is answered with 404.
The server has one core, the clients the other; rounds are interleaved; eight clients ask again at
once. *CPU µs* is the server's for each answer. What it answers *a second* of its core follows from
that, whatever the clients take, who are slower than FastAPI.
"""

import argparse
import asyncio
import base64
import json
import os
import statistics
import sys
import time
from collections import defaultdict

from benchmarks.fanout import CLIENT_CORE
from benchmarks.streams import Server
from benchmarks.streams_servers import SETTINGS

CLIENTS = 8
SIZE = 768 << 10
"""Bytes of sound: 1 MiB of base64."""
AIMS = {"health": 0.4, "get": 0.4, "quart": 0.0, "upload": 1.0}


def _requests() -> dict[str, tuple[bytes, int]]:
    """Return what is asked, and the status that is right."""
    sound = base64.b64encode(os.urandom(SIZE)).decode()
    body = json.dumps({"session_id": "nobody", "audio_data": sound}).encode()
    head = (
        "POST /api/v1/transcription/transcribe HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return {
        "health": (_get("/health"), 200),
        "get": (_get("/api/v1/transcription/sessions"), 200),
        "quart": (_get("/api/v1/transcription/sessions", "Content-Length: 0\r\n"), 200),
        "upload": (head.encode() + body, 404),
    }


def _get(path: str, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n".encode()


async def _ask(port: int, request: bytes, status: int, until: float) -> int:
    """Ask again and again; return how many answers came."""
    answers = 0
    while time.monotonic() < until:
        answers += await _ask_one(port, request, status, until)
    return answers


async def _ask_one(port: int, request: bytes, status: int, until: float) -> int:
    """Ask over one connection, until the server ends it: Hypercorn does after 1,000 requests."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = 0
    while time.monotonic() < until:
        writer.write(request)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
        except (asyncio.IncompleteReadError, ConnectionError):
            break
        if f" {status} ".encode() not in head[:16]:
            raise RuntimeError(head.decode())
        length = next(
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.startswith(b"content-length")
        )
        await reader.readexactly(length)
        answers += 1
        if b"connection: close" in head:
            break
    writer.close()
    return answers


async def _cost(server: Server, request: bytes, status: int, seconds: float) -> float:
    """Return the server's CPU µs for an answer."""
    await _ask(server.port, request, status, time.monotonic() + 0.5)
    until, used = time.monotonic() + seconds, server.cpu()
    asking = (_ask(server.port, request, status, until) for _ in range(CLIENTS))
    answers = sum(await asyncio.gather(*asking))
    return (server.cpu() - used) * 1e6 / answers


def _judged(met: bool, least: float) -> str:
    return f"{'pass' if met else 'FAIL'} (≥ {least})" if least else ""


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Requests a second.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    given = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    servers = {name: Server(name) for name in ("ours", "fastapi")}
    try:
        for _ in range(given.rounds):
            for what, (request, status) in _requests().items():
                for name, server in servers.items():
                    got = asyncio.run(_cost(server, request, status, given.seconds))
                    found[what, name].append(got)
    finally:
        for server in servers.values():
            server.end()
    print("| | ours CPU µs | fastapi's | ours a second | fastapi's | ratio | |")
    print("|---|---|---|---|---|---|---|")
    kept = True
    for what, least in AIMS.items():
        mine, peers = (statistics.median(found[what, name]) for name in servers)
        met = peers / mine >= least
        kept &= met
        print(
            f"| {what} | {mine:.0f} | {peers:.0f} | {1e6 / mine:.0f} | {1e6 / peers:.0f} | "
            f"{peers / mine:.2f} | {_judged(met, least)} |"
        )
    return int(not kept)


if __name__ == "__main__":
    assert SETTINGS.max_base64_mb * 2**20 > SIZE * 4 / 3
    sys.exit(main())
