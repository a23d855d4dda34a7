"""Hypercorn, and leaving gently.

On SIGINT or SIGTERM: speech in progress is finished and delivered, every socket is closed with
1012, then Hypercorn is told to end. It must happen in that order and in the shutdown trigger:
Hypercorn would wait for open WebSockets, or cut them off with 1011. A second signal leaves at once.
"""

import asyncio
import errno
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from quart import Quart

from backend.announce import Announcement, wanted
from backend.app import create_app
from backend.notify import Overseer
from backend.parts import Parts
from backend.problems import Problem
from backend.settings import Settings

log = logging.getLogger(__name__)

UNSENT = 128 << 10
"""Bytes the kernel keeps for one slow reader: by default it hides a dead one for minutes."""
UNHEARD = 30_000
"""Milliseconds after which a peer that takes nothing any more is cut off (Linux)."""
PATIENCE = 1.5
"""Seconds that connections and threads have to end once everything is delivered."""
ROUND = 5_000
"""Objects made and not yet gone, after which the cycle collector looks for cycles among them."""
LARGEST_FRAME = 16 << 20
"""Bytes of one WebSocket message; a larger one is refused with 1009."""


CURES = {
    errno.EADDRINUSE: "is another server running? Take another port with STT_SERVER_PORT or --port",
    errno.EACCES: "ports below 1024 want more rights. Take another with STT_SERVER_PORT or --port",
}
"""What helps, by what the system said."""


class PortTaken(OSError):
    """The address can't be listened on. The text says why and what to do."""


def listen(settings: Settings) -> socket.socket:
    """Return a listening socket. Raises `PortTaken`."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # These three are inherited by every connection.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"can't listen on {settings.host}:{settings.port}: {error.strerror or error}; "
            + CURES.get(error.errno or 0, "name an address of this machine with STT_SERVER_HOST")
        ) from error
    return listener


async def serve(
    settings: Settings,
    listener: socket.socket,
    made: Callable[[Quart], None] = lambda app: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then leave gently.

    Args:
        settings: what the server was told.
        listener: where to listen.
        made: called with the application before it serves.

    """
    overseer = Overseer(os.environ)
    app = create_app(settings)
    made(app)
    if settings.auth_token and not settings.auth_enabled:
        log.warning(
            "STT_SERVER_AUTH_TOKEN is set but STT_SERVER_AUTH_ENABLED isn't: nobody is asked for it"
        )
    host, port = listener.getsockname()[:2]
    asked = asyncio.Event()
    _on_signals(asked)

    async def until_asked() -> None:
        where = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        log.info("listening on %s", where)
        overseer.ready(where)
        _collect_less()
        parts: Parts = app.extensions["stt"]
        starting = asyncio.create_task(_start_listening(parts)) if settings.auto_start else None
        announcement = Announcement(settings, port) if wanted(settings) else None
        if announcement:
            announcement.begin()
        await asked.wait()
        overseer.leaving()
        _end_soon(settings.leave_seconds + PATIENCE)
        if starting:
            starting.cancel()
        if announcement:
            await announcement.end()
        await _leave(parts)
        _end_soon(PATIENCE)

    await hypercorn_serve(app, _config(listener.detach()), shutdown_trigger=until_asked)


def _collect_less() -> None:
    """Have the cycle collector leave alone what the server is made of, and come less often.

    With hundreds of streams it took a tenth of their time, and held up the loop for half a second.
    """
    gc.freeze()
    gc.set_threshold(ROUND)


def _on_signals(asked: asyncio.Event) -> None:
    def ask(number: signal.Signals) -> None:
        if asked.is_set():
            log.warning("%s again: leaving at once", number.name)
            os._exit(1)
        log.info("%s: finishing speech in progress", number.name)
        asked.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask, number)


def _config(listener: int) -> Config:
    config = Config()
    config.bind = [f"fd://{listener}"]
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.websocket_max_message_size = LARGEST_FRAME
    # Hypercorn's pings never look for an answer, and their pause would hold up leaving; the
    # listener's keep-alive finds dead peers instead.
    config.websocket_ping_interval = None
    config.graceful_timeout = 0.5
    config.shutdown_timeout = 5
    return config


async def _start_listening(parts: Parts) -> None:
    try:
        await parts.sessions.start(None, {})
    except Problem as problem:
        log.error("not listening: %s", problem)


def _end_soon(seconds: float) -> None:
    """End the process after so long, whatever still holds it: a peer that takes nothing any more,
    or a thread stuck in a driver.
    """

    def end() -> None:
        log.warning("leaving without some that would not let go")
        logging.shutdown()
        os._exit(0)

    last_resort = threading.Timer(seconds, end)
    last_resort.daemon = True
    last_resort.start()


async def _leave(parts: Parts) -> None:
    await asyncio.gather(
        parts.sessions.leave(parts.settings.leave_seconds),
        parts.wait_for_uploads(parts.settings.leave_seconds),
        parts.stop_helping(parts.settings.leave_seconds),
    )
    await parts.bus.settle()
    parts.bus.close()
    await parts.bus.wait_until_empty(0.5)


def run(settings: Settings) -> None:
    """Listen and serve; return after the last connection is closed. Raises `PortTaken`."""
    asyncio.run(serve(settings, listen(settings)))
