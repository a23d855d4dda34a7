"""``stt-server demo``: a real server and a real console on a recording, as two programs."""

import asyncio
import os
import re
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from common.client import Client, ClientError
from common.events import SessionStopped, Welcome

PATIENCE = 30.0
"""Seconds in which the server must be up."""
LEAVING = 20.0
"""Seconds that a program has to end once it was told to; the server takes 12 at most."""
LAST_WORDS = 1.0
"""Seconds that the console has to print what the server told last."""
LONGEST_LINE = 1 << 20
"""Bytes of a line that the server writes."""
PROFILE = "vad-triggered"
PRE_SPEECH = 0.5
"""Seconds: the sample's small model wants speech to begin soon."""
NOT_OURS = ("STT_SERVER_", "STT_CONSOLE_")
"""Variables for the user's own server and console: a token, another profile."""
CHAT = re.compile(r"\S+ \S+ (?:INFO|DEBUG) ")
LISTENING = re.compile(r"listening on (http://\S+)")


class NoServer(Exception):
    """The server didn't come up. It has told why itself."""


async def play(path: Path, transcription: Mapping[str, Any], about: str) -> int:
    """Play a file to a server of its own and attach the console. Return the exit code.

    When cancelled it ends both. Each is told once: a second signal would cost the server the
    speech in progress.
    """
    # What the demo says is no history of the user's.
    with tempfile.TemporaryDirectory() as folder:
        return await _play(path, transcription, about, folder)


async def _play(path: Path, transcription: Mapping[str, Any], about: str, folder: str) -> int:
    server = await _started_server(folder)
    address: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
    telling = asyncio.create_task(_pass_on(server, address))
    console: Process | None = None
    try:
        url = await _known(address)
        await _start(url, path, transcription, about)
        console = await _started_console(url)
        return await console.wait() or int(await _failed(url))
    except (ClientError, NoServer) as error:
        print(f"stt-server: {error}", file=sys.stderr)
        return 1
    finally:
        await _end(server, signal.SIGTERM)
        if console:
            with suppress(TimeoutError):
                await asyncio.wait_for(console.wait(), LAST_WORDS)
            # SIGTERM would leave the terminal as Textual needs it.
            await _end(console, signal.SIGINT)
        await telling


async def _started_server(folder: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "backend", "serve", "--port", "0"),
        *("--data-dir", folder, "--log-level", "INFO", "--log-format", "text"),
        env=_environment(),
        stderr=PIPE,
        limit=LONGEST_LINE,
        # Ctrl+C reaches us alone, so that we decide when it ends.
        start_new_session=True,
    )


async def _started_console(url: str) -> Process:
    on_terminal = sys.stdout.isatty() and sys.stdin.isatty()
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui", "--url", url),
        *(() if on_terminal else ("--plain", "--once")),
        env=_environment(),
        # Only the foreground's own processes may read a terminal.
        start_new_session=not on_terminal,
    )


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}


async def _pass_on(server: Process, address: "asyncio.Future[str | None]") -> None:
    """Pass on what the server complains of; of the rest keep where it listens, None if nowhere."""
    assert server.stderr
    async for line in server.stderr:
        text = line.decode(errors="replace")
        if not CHAT.match(text):
            print(text, end="", file=sys.stderr)
        elif (found := LISTENING.search(text)) and not address.done():
            address.set_result(found[1])
    if not address.done():
        address.set_result(None)


async def _known(address: "asyncio.Future[str | None]") -> str:
    with suppress(TimeoutError):
        if url := await asyncio.wait_for(address, PATIENCE):
            return url
    raise NoServer("the demo's server did not come up")


async def _start(url: str, path: Path, transcription: Mapping[str, Any], about: str) -> None:
    # The sample's sentences have nothing to do with each other: none is another's context.
    given = {"carry_over": 0} | {k: wish for k, wish in transcription.items() if wish is not None}
    source = {"source": f"file:{path.resolve()}"}
    async with Client(url) as client:
        config = {"transcription": given, "audio": source, "vad": {"pre_speech": PRE_SPEECH}}
        await client.start(PROFILE, config)
        engine = (await client.status()).engine
    print(f"playing {path} at real-time pace; {about}".rstrip("; "), file=sys.stderr)
    print(f"engine: {engine.name}, model {engine.model} ({engine.reason})", file=sys.stderr)


async def _failed(url: str) -> bool:
    """Return whether the recording broke off, which the console may have come too late to see."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS), Client(url) as client:
            async for event in client.events(["session_stopped"], since=0):
                if isinstance(event, SessionStopped):
                    return event.reason == "failed"
                if isinstance(event, Welcome) and event.running:
                    return False
    return False


async def _end(program: Process, how: signal.Signals) -> None:
    """Tell a program to end and wait until it has; kill one that doesn't."""
    if program.returncode is None:
        program.send_signal(how)
    try:
        await asyncio.wait_for(program.wait(), LEAVING)
    except TimeoutError:
        program.kill()
        await program.wait()
