"""``stt-server demo``: a real server and a real console on a recording, as two programs."""

import asyncio
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.client import Client, ClientError, Unreachable

PATIENCE = 30.0
"""Seconds in which the server must answer."""


async def play(path: Path, transcription: Mapping[str, Any], about: str) -> int:
    """Play a file to a server of its own and attach the console. Return the exit code."""
    port = _free_port()
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "backend", "serve", "--port", str(port), "--log-level", "WARNING")
    )
    try:
        async with Client(f"http://127.0.0.1:{port}") as client:
            await _until_up(client, server)
            given = {name: wish for name, wish in transcription.items() if wish is not None}
            source = f"file:{path.resolve()}"
            await client.start(custom_config={"transcription": given, "audio": {"source": source}})
            engine = (await client.status()).engine
        print(f"playing {path} at real-time pace; {about}".rstrip("; "), file=sys.stderr)
        print(f"engine: {engine.name}, model {engine.model} ({engine.reason})", file=sys.stderr)
        console = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tui", "--url", f"http://127.0.0.1:{port}"),
            *(() if sys.stdout.isatty() and sys.stdin.isatty() else ("--plain", "--once")),
        )
        return await console.wait()
    except ClientError as error:
        print(f"stt-server: {error}", file=sys.stderr)
        return 1
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


async def _until_up(client: Client, server: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            await client.health()
            return
        except Unreachable:
            if server.returncode is not None or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
