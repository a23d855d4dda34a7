"""The servers that `benchmarks.fanout` compares: each sends what it is told to all who listen.

    python -m benchmarks.fanout_servers ours|public|fastapi|websockets|picows

It prints its port. Then it takes lines on standard input: ``{"count": 100, "rate": 10}`` sends so
many events at that rate, 0 for flat out, with at most `WINDOW` ahead of the last ``{"seen": 40}``;
it answers with a line of the CPU seconds it took. ``{"memory": true}`` is answered with its
resident bytes, ``{"files": true}`` with how many files it has open, ``{"depth": true}`` (of ours
alone) with how many events wait for the slowest client. Each event is 200 bytes of JSON, and the
same work is done for it as the server would do.
"""

import asyncio
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

WINDOW = 50
SIZE = 200
STATM = Path("/proc/self/statm")
PAGE = os.sysconf("SC_PAGE_SIZE")

Send = Callable[[dict[str, Any]], Awaitable[None]]
"""Sends one event to everyone."""


def told() -> dict[str, Any]:
    """Return an event of 200 bytes of JSON that tells when it was made."""
    event = {
        "event": "error",
        "timestamp": 1737972600.123456,
        "seq": 1737972600123,
        "session_id": None,
        "error": "benchmark",
        "details": f"{time.monotonic_ns():020d}",
        "recoverable": True,
        "status_code": None,
    }
    event["details"] += "x" * (SIZE - len(json.dumps(event, separators=(",", ":"))))
    return event


class Talk:
    """The commands on standard input, and what they have the server do."""

    def __init__(self, send: Send, depth: Callable[[], int] = lambda: 0) -> None:
        self._send = send
        self._depth = depth
        self._seen = 0
        self._moved = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Obey until the input ends."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command = json.loads(line)
            if "seen" in command:
                self._seen = command["seen"]
                self._moved.set()
            elif "memory" in command:
                print(int(STATM.read_text().split()[1]) * PAGE, flush=True)
            elif "files" in command:
                print(len(os.listdir("/proc/self/fd")), flush=True)
            elif "depth" in command:
                print(self._depth(), flush=True)
            else:
                self._seen = 0
                task = asyncio.create_task(self._talk(command["count"], command["rate"]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        os.kill(os.getpid(), signal.SIGKILL)

    async def _talk(self, count: int, rate: float) -> None:
        began, used = time.monotonic(), _cpu()
        for number in range(count):
            if rate:
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            while not rate and number - self._seen >= WINDOW:
                self._moved.clear()
                await self._moved.wait()
            await self._send(told())
            await asyncio.sleep(0)
        while self._seen < count:
            self._moved.clear()
            await self._moved.wait()
        print(json.dumps({"cpu": _cpu() - used, "wall": time.monotonic() - began}), flush=True)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def ours(*, public: bool = False) -> None:
    """Run our server whole, with an event published on its bus."""
    from backend import wire
    from backend.parts import Parts
    from backend.serve import listen, serve
    from backend.settings import Settings
    from common.events import Error

    if public:
        wire.found = lambda send: None  # type: ignore[assignment]
    settings = Settings(
        port=0, max_connections=20_000, max_requests=0, history=False, log_level="ERROR"
    )
    listener = listen(settings)
    print(listener.getsockname()[1], flush=True)

    async def send(event: dict[str, Any]) -> None:
        parts: Parts = app.extensions["stt"]
        parts.bus.publish(Error(error=event["error"], details=event["details"]))

    def depth() -> int:
        parts: Parts = app.extensions["stt"]
        return parts.bus.depth

    def made(application: Any) -> None:
        nonlocal app
        app = application

    app: Any = None
    talking = asyncio.create_task(Talk(send, depth).listen())
    await serve(settings, listener, made)
    talking.cancel()


async def seed() -> None:
    """Run the seed's own design: FastAPI under uvicorn, `send_json` to each client in turn."""
    import uvicorn
    from fastapi import FastAPI, WebSocket, WebSocketDisconnect

    app = FastAPI()
    clients: list[WebSocket] = []

    @app.websocket("/api/v1/ws")
    async def events(socket: WebSocket) -> None:
        await socket.accept()
        clients.append(socket)
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            clients.remove(socket)

    async def send(event: dict[str, Any]) -> None:
        for client in clients:
            await client.send_json(event)

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", backlog=16_384))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    talking = asyncio.create_task(Talk(send).listen())
    await serving
    talking.cancel()


async def library() -> None:
    """Run `websockets.broadcast`."""
    from websockets.asyncio.server import ServerConnection, broadcast, serve

    clients: set[ServerConnection] = set()

    async def handle(socket: ServerConnection) -> None:
        clients.add(socket)
        try:
            await socket.wait_closed()
        finally:
            clients.discard(socket)

    async def send(event: dict[str, Any]) -> None:
        broadcast(clients, json.dumps(event, separators=(",", ":")))

    async with serve(handle, "127.0.0.1", 0, ping_interval=None, backlog=16_384) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await Talk(send).listen()


async def limit() -> None:
    """Run picows, as near to what the machine can do as Python gets."""
    from picows import WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

    clients: set[WSTransport] = set()

    class Client(WSListener):  # type: ignore[misc]
        def on_ws_connected(self, transport: WSTransport) -> None:
            clients.add(transport)

        def on_ws_disconnected(self, transport: WSTransport) -> None:
            clients.discard(transport)

    def welcome(request: WSUpgradeRequest) -> Client:
        return Client()

    async def send(event: dict[str, Any]) -> None:
        message = json.dumps(event, separators=(",", ":")).encode()
        for client in clients:
            client.send(WSMsgType.TEXT, message)

    server = await ws_create_server(welcome, "127.0.0.1", 0, backlog=16_384)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await Talk(send).listen()


SERVERS: dict[str, Callable[[], Awaitable[None]]] = {
    "ours": ours,
    "public": lambda: ours(public=True),
    "fastapi": seed,
    "websockets": library,
    "picows": limit,
}


async def _main(name: str) -> None:
    await SERVERS[name]()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
