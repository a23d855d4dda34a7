"""One client that never reads, 100 that do: what the hundred notice of it.

    python -m benchmarks.slow_reader [--seconds 20] [--runs 2]

A real server plays a recording to everyone; beside it sessions are opened and closed, which tells
many durable events. A reader's latency is from the event's own timestamp to its arrival. Each run
is made without and with the client that never reads, in turns. The peer in the same run is the
naive way: a Quart application that sends each event to each client in one loop. The silent client
reads what waits for it only when it has been given up: a close frame is there to be read for two
seconds, before the connection is dropped. Fails if our p99 with it is over 1.5 times that without,
or if it is not closed with 1013.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from common.client import Client
from tests.running import ROOT, SOUNDS, running

READERS = 100
GIVEN_UP = 30
"""Seconds after which a client that reads nothing should have been."""
SLOW_CLIENTS = "stt_slow_clients_total 1"
SPHINX = {"transcription": {"engine": "pocketsphinx", "partials": False}}
PEER_PORT = 18_432
PEER = """
import asyncio, json, sys, time
from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart, websocket
app = Quart("peer")
clients = set()
@app.websocket("/api/v1/ws")
async def events():
    clients.add(websocket._get_current_object())
    await asyncio.Event().wait()
@app.while_serving
async def talk():
    async def tell():
        while True:
            event = {"event": "level", "timestamp": time.time(), "text": "x" * 200}
            for client in list(clients):
                await client.send(json.dumps(event))
            await asyncio.sleep(0.02)
    task = asyncio.create_task(tell())
    yield
    task.cancel()
config = Config()
config.bind = ["127.0.0.1:%s" % sys.argv[1]]
asyncio.run(serve(app, config))
"""


async def reader(port: int, latencies: list[float], until: float) -> None:
    """Note how late each event comes."""
    uri = f"ws://127.0.0.1:{port}/api/v1/ws"
    async with connect(uri, compression=None, proxy=None, ping_interval=None) as ws:
        while (left := until - time.monotonic()) > 0:
            try:
                text = await asyncio.wait_for(ws.recv(), left)
            except TimeoutError:
                return
            event = json.loads(text)
            if event["event"] != "welcome":
                latencies.append(time.time() - event["timestamp"])


async def deaf(port: int) -> ClientConnection:
    """Return a client of which nothing is read, with a small buffer."""
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plug.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plug, ("127.0.0.1", port))
    uri = f"ws://127.0.0.1:{port}/api/v1/ws"
    return await connect(uri, sock=plug, max_queue=1, compression=None, proxy=None)


async def listen(port: int, seconds: float, *, with_deaf: bool) -> tuple[list[float], int | None]:
    """Return the readers' latencies in seconds, and the code that the deaf one was closed with."""
    latencies: list[float] = []
    ended = asyncio.create_task(_ended(port)) if with_deaf else None
    until = time.monotonic() + seconds
    await asyncio.gather(*(reader(port, latencies, until) for _ in range(READERS)))
    return latencies, await ended if ended else None


async def _ended(port: int) -> int | None:
    """Return the code that a client which reads nothing is closed with, None if it isn't."""
    silent = await deaf(port)
    try:
        async with asyncio.timeout(GIVEN_UP), httpx.AsyncClient() as http:
            while True:
                metrics = await http.get(f"http://127.0.0.1:{port}/metrics")
                if SLOW_CLIENTS in metrics.text:
                    break
                await asyncio.sleep(0.1)
            while True:
                await silent.recv()
    except TimeoutError:
        return None
    except ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else None
    finally:
        silent.transport.abort()


@contextlib.asynccontextmanager
async def ours() -> AsyncIterator[int]:
    """Our server, with speech and many sessions."""
    with running("--max-requests", "0", "--max-sessions", "50") as server:
        async with Client(server.url) as client:
            busy = asyncio.create_task(_open_and_close(client))
            source = f"file:{SOUNDS / 'demo.flac'}"
            await client.start(custom_config={**SPHINX, "audio": {"source": source}})
            yield server.port
            busy.cancel()
            await asyncio.gather(busy, return_exceptions=True)


async def _open_and_close(client: Client) -> None:
    while True:
        async with client.audio(custom_config=SPHINX) as upload:
            await upload.stop()
            async for _ in upload:
                pass


@contextlib.asynccontextmanager
async def naive() -> AsyncIterator[int]:
    """The peer."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PEER, str(PEER_PORT)), cwd=ROOT, stderr=subprocess.DEVNULL
    )
    async with httpx.AsyncClient() as http:
        while True:
            with contextlib.suppress(httpx.TransportError):
                await http.get(f"http://127.0.0.1:{PEER_PORT}/")
                break
            await asyncio.sleep(0.05)
    try:
        yield PEER_PORT
    finally:
        process.kill()
        await process.wait()


async def measure(seconds: float, runs: int) -> int:
    """Print the table; return 1 where our promise is not kept."""
    print("| | events | p50 ms | p99 ms | the one that never reads |")
    print("|---|---|---|---|---|")
    ratios, kept = [], True
    for name, server in (("ours", ours), ("a naive loop", naive)):
        for _ in range(runs):
            p99s = []
            for with_deaf in (False, True):
                async with server() as port:
                    latencies, code = await listen(port, seconds, with_deaf=with_deaf)
                places = statistics.quantiles(latencies, n=100)
                p99s.append(places[98])
                said = (f"closed with {code}" if code else "not closed") if with_deaf else "none"
                cells = (len(latencies), f"{places[49] * 1e3:.1f}", f"{places[98] * 1e3:.1f}", said)
                print(f"| {name} | {' | '.join(map(str, cells))} |", flush=True)
                kept = kept and not (name == "ours" and with_deaf and code != 1013)
            if name == "ours":
                ratios.append(p99s[1] / p99s[0])
    ratio = statistics.median(ratios)
    print(f"\np99 with it is {ratio:.2f} times that without, the median of {runs} runs")
    return int(not kept or ratio > 1.5)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="What readers notice of one that never reads.")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--runs", type=int, default=2)
    given = parser.parse_args()
    return asyncio.run(measure(given.seconds, given.runs))


if __name__ == "__main__":
    sys.exit(main())
