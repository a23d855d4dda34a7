"""The two ways to a client of the event stream: its own transport, and ASGI's ``send``.

Neither has a task or wakes one for an event, as long as the client takes what it is sent.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from backend.eager import begun
from backend.sockets import FAREWELL, OUR_FAULT, RESTART, TRY_LATER, Socket
from backend.subscription import Encoded, Outlet, Several
from backend.wire import Wire

log = logging.getLogger(__name__)

BEHIND = (TRY_LATER, "too slow: resume with since=, the seq of your last event")
LEAVING = (RESTART, "the server is stopping")
BROKEN = (OUR_FAULT, "an event could not be sent: resume with since=")


def outlet(socket: Socket, limit: asyncio.Timeout) -> Outlet:
    """Return the shortest way there is to a client.

    Args:
        socket: its socket, accepted.
        limit: ends the reading of what the client sends, some time after the last event.

    """
    return Direct(socket, socket.wire) if socket.wire else Public(socket, limit)


class Direct:
    """Writes the frame that is the same for all to the client's transport."""

    __slots__ = ("_socket", "_wire")

    def __init__(self, socket: Socket, wire: Wire) -> None:
        self._socket = socket
        self._wire = wire

    def take(self, encoded: Encoded) -> bool:
        return self._wire.take(encoded.frame)

    def take_several(self, several: Several) -> bool:
        return self._wire.take(several.frame)

    def send(self) -> Callable[[bytes], int] | None:
        return self._wire.send()

    def finish(self, rest: bytes) -> None:
        self._wire.write(rest)

    def watch(self, disturbed: Callable[[], None]) -> None:
        self._wire.disturbed = disturbed

    def end(self, *, too_slow: bool) -> None:
        self._socket.closed = True
        self._wire.close(*(BEHIND if too_slow else LEAVING))


class Public:
    """Calls ASGI's ``send``; a task goes on with a call only if it has to wait."""

    def __init__(self, socket: Socket, limit: asyncio.Timeout) -> None:
        self._socket = socket
        self._limit = limit
        self._going_on: asyncio.Task[None] | None = None
        self._ended = False

    @property
    def full(self) -> bool:
        """Whether a call waits."""
        return self._going_on is not None

    def take(self, encoded: Encoded) -> bool:
        if self._going_on or self._ended:
            return self._ended
        try:
            rest = begun(self._socket.text(encoded.text))
        except Exception:
            log.exception("an event could not be sent")
            self._close(BROKEN)
        else:
            if rest:
                self._go_on(rest)
        return True

    def take_several(self, several: Several) -> bool:
        return False  # Each message is a call of its own.

    def send(self) -> None:
        return None

    def finish(self, rest: bytes) -> None:
        """Nothing is sent unasked."""

    def watch(self, disturbed: Callable[[], None]) -> None:
        """Nothing is sent unasked."""

    def end(self, *, too_slow: bool) -> None:
        if too_slow and self._going_on:
            self._going_on.cancel()
        self._close(BEHIND if too_slow else LEAVING)

    def _close(self, why: tuple[int, str]) -> None:
        if self._ended:
            return
        self._ended = True
        self._go_on(self._closed_after(self._going_on, why))
        # It learns of this when it reads again; one that never does is cut off by the kernel.
        with suppress(RuntimeError):  # It is leaving anyway.
            self._limit.reschedule(asyncio.get_running_loop().time() + FAREWELL)

    async def _closed_after(self, last: asyncio.Task[None] | None, why: tuple[int, str]) -> None:
        if last:
            await asyncio.wait({last})
        await self._socket.close(*why)

    def _go_on(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._going_on = asyncio.create_task(coroutine)
        self._going_on.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        if self._going_on is task:
            self._going_on = None
        if not task.cancelled() and (error := task.exception()):
            log.error("an event could not be sent", exc_info=error)
            self._close(BROKEN)
