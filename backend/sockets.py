"""WebSockets as bare ASGI, beside Quart.

Quart's receive buffer has no bound; ASGI's own ``receive`` has one in Hypercorn, so a handler
that doesn't read makes the sender wait. That, and fewer layers a frame, is why both sockets
are served here, in front of Quart's ``asgi_app``.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from backend import wire
from backend.front import HEADER, NUMBER
from backend.intake import Take
from backend.problems import Problem, ours, too_many
from backend.security import SUBPROTOCOL, Pace, check_origin, check_token
from backend.settings import Settings
from common.events import Error, Event, encode

log = logging.getLogger(__name__)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

NORMAL, INVALID_DATA, POLICY, TOO_BIG, OUR_FAULT, RESTART, TRY_LATER = (
    1000,
    1007,
    1008,
    1009,
    1011,
    1012,
    1013,
)
"""Close codes of RFC 6455 and the IANA registry that are used here."""


BEAT = 10.0
"""Seconds between two looks whether the clients are still there."""
FAREWELL = 30
"""Seconds that a peer has for its half of the close."""


class Gone(Exception):
    """The peer has left."""


class Socket:
    """One WebSocket, from the handshake to its end."""

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.query = {
            name: values[-1]
            for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()
        }
        self.offered: list[str] = scope.get("subprotocols", [])
        self._headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        self._receive = receive
        self._send = send
        self.wire: wire.Wire | None = None
        """The way past ASGI, once accepted; None where there is none."""
        self.accepted = False
        self.closed = False
        self._gone = False

    def header(self, name: str) -> str | None:
        return self._headers.get(name)

    async def accept(self, *, inward: bool = False) -> None:
        """Finish the handshake; `inward` where more will be read than sent."""
        self.wire = wire.found(self._send)
        if self.wire and inward:
            self.wire.open_inward()
        subprotocol = SUBPROTOCOL if SUBPROTOCOL in self.offered else None
        headers = [(HEADER, NUMBER.get().encode())] if NUMBER.get() else []
        await self._send(
            {"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers}
        )
        self.accepted = True

    async def deny(self, problem: Problem) -> None:
        """Answer the handshake with an error."""
        headers = {"Content-Type": "application/json", **problem.headers}
        if NUMBER.get():
            headers[HEADER.decode()] = NUMBER.get()
        await self._send(
            {
                "type": "websocket.http.response.start",
                "status": problem.status,
                "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            }
        )
        await self._send({"type": "websocket.http.response.body", "body": problem.body().encode()})
        self.closed = True

    async def next(self, take: Take | None = None) -> str | bytes:
        """Return the next frame. Raises `Gone` when there won't be one.

        Args:
            take: is offered binary frames as they come, where there is a way past ASGI: what
                it takes isn't returned.

        """
        if self.wire and self.wire.intake:
            taken = await self.wire.intake.next(take)
            if taken is not None:
                return taken
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.closed = self._gone = True
            raise Gone
        content: str | bytes | None = message.get("text")
        return content if content is not None else message["bytes"]

    async def text(self, text: str) -> None:
        """Send a text frame; waits while the peer's window is full."""
        if self.wire and self.wire.take(wire.text_frame(text)):
            return
        await self._send({"type": "websocket.send", "text": text})

    async def tell(self, event: Event) -> None:
        await self.text(encode(event))

    async def fail(self, problem: Problem, code: int = OUR_FAULT) -> None:
        """Tell the peer what went wrong and close."""
        if self.closed:
            return
        if not self.accepted:
            await self.deny(problem)
            return
        await self.tell(
            Error(
                error=problem.error,
                details=problem.details,
                recoverable=False,
                status_code=problem.status,
            )
        )
        await self.close(code, problem.error)

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close; one who takes nothing (`TRY_LATER`) isn't waited for, where there is a wire."""
        if self.closed:
            return
        self.closed = True
        reason = reason[:60]  # A close frame holds at most 123 bytes of it.
        if self.wire and code == TRY_LATER:
            self.wire.close(code, reason)
        else:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def see_off(self) -> None:
        """Read on after the close until the peer is gone.

        What it still sends has to go somewhere: in Hypercorn's queue, which nobody would empty any
        more, it would keep the connection for ever.
        """
        if not self.accepted:
            return
        try:
            async with asyncio.timeout(FAREWELL):
                while not self._gone:
                    await self.next()
        except (Gone, TimeoutError):
            pass


Endpoint = Callable[[Socket], Awaitable[None]]


class Sockets:
    """ASGI middleware that serves WebSocket paths and passes everything else on."""

    def __init__(
        self,
        inner: Application,
        settings: Settings,
        pace: Pace,
        endpoints: Mapping[str, Endpoint],
    ) -> None:
        self._inner = inner
        self._settings = settings
        self._pace = pace
        self._endpoints = endpoints
        self._sockets: set[Socket] = set()
        self._beating: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope.get("path", ""))
        if scope["type"] != "websocket" or endpoint is None:
            await self._inner(scope, receive, send)
            return
        await receive()  # websocket.connect
        socket = Socket(scope, receive, send)
        self._sockets.add(socket)
        if self._beating is None:
            self._beat()
        try:
            await self._serve(endpoint, socket, scope)
        finally:
            self._sockets.discard(socket)
            if socket.wire:
                socket.wire.forget()

    def _beat(self) -> None:
        """Look from time to time whether everyone is still there."""
        loop = asyncio.get_running_loop()
        for socket in self._sockets:
            if socket.wire:
                socket.wire.beat(loop.time())
        self._beating = loop.call_later(BEAT, self._beat) if self._sockets else None

    async def _serve(self, endpoint: Endpoint, socket: Socket, scope: Message) -> None:
        try:
            self._pace.check((scope.get("client") or ("",))[0])
            check_origin(self._settings, socket.header("origin"), socket.header("host"))
            check_token(self._settings, socket.header("authorization"), socket.offered)
            if len(self._sockets) > self._settings.max_connections:
                raise too_many(
                    f"{len(self._sockets) - 1} WebSockets are open, the limit of "
                    "STT_SERVER_MAX_CONNECTIONS; try again later"
                )
            await endpoint(socket)
        except Gone:
            pass
        except Problem as problem:
            await socket.fail(problem, POLICY)
        except Exception as error:
            # Uncaught, it would end the connection as if all were well (1000).
            log.exception("a WebSocket handler failed")
            await socket.fail(ours(error, self._settings.debug))
        await socket.see_off()
