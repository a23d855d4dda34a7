"""A WebSocket's own transport: where a frame that is the same for all is written at once.

The way through ASGI costs each client a task's turn and a frame of its own for every event. What
is written here goes straight to the socket, which Hypercorn doesn't offer: this is the one place
that knows its inner types, and where they are others (HTTP/2, another version) nothing is found
and ASGI is used. An uncompressed frame is legal whatever was negotiated (RFC 7692, section 6).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.frames import Close, Frame, Opcode

FULL = 64 << 10
"""Bytes that a peer has not taken yet, over which nothing more is written to it."""
LAST = 2.0
"""Seconds that a client has to end a connection that we close."""
SILENT, GONE = 20.0, 60.0
"""Seconds without a word from a client, after which it is asked, and after which it is dropped."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


def text_frame(text: str) -> bytes:
    """Return a text as one frame of a server."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def close_frame(code: int, reason: str) -> bytes:
    """Return the frame with which a server says why it leaves."""
    return Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=False)


PING = Frame(Opcode.PING, b"").serialize(mask=False)


class Wire:
    """One client's transport. Nothing waits here: who writes looks at `full` first."""

    def __init__(self, stream: Any, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        self.heard = asyncio.get_running_loop().time()
        """When the client last sent anything, by the loop's clock."""
        self._ending: asyncio.TimerHandle | None = None
        self._handle = stream.handle
        stream.handle = self._hear

    @property
    def full(self) -> bool:
        """Whether the client takes less than it is sent."""
        return self._transport.get_write_buffer_size() > FULL

    def write(self, frame: bytes) -> None:
        """Send it, or have it wait in the transport."""
        if not self._transport.is_closing():
            self._transport.write(frame)

    def close(self, code: int, reason: str) -> None:
        """Say why the connection ends; it is dropped if the client doesn't end it soon."""
        if not self._ending:
            self._ending = asyncio.get_running_loop().call_later(LAST, self.abort)
            self.write(close_frame(code, reason))

    def beat(self, now: float) -> None:
        """Ask a client that has long said nothing whether it is there; drop it if it isn't."""
        silent = now - self.heard
        if silent > GONE:
            self.abort()
        elif silent > SILENT and not self._ending:
            self.write(PING)

    def abort(self) -> None:
        """Drop what waits, and the connection with it."""
        self._transport.abort()

    def forget(self) -> None:
        """Know that the connection has ended."""
        if self._ending:
            self._ending.cancel()

    async def _hear(self, event: Any) -> None:
        self.heard = asyncio.get_running_loop().time()
        await self._handle(event)


def found(send: Send) -> Wire | None:
    """Return the wire behind an ASGI application's ``send``, before the handshake is accepted.

    None where the server isn't the Hypercorn that is known here. No compression is agreed to: a
    client's deflater takes 130 KiB and each message is deflated again for each client.
    """
    from hypercorn.asyncio.tcp_server import TCPServer
    from hypercorn.protocol.h11 import H11Protocol
    from hypercorn.protocol.ws_stream import Handshake, WSStream

    stream = getattr(send, "__self__", None)
    protocol = getattr(getattr(stream, "send", None), "__self__", None)
    server = getattr(getattr(protocol, "send", None), "__self__", None)
    if type(stream) is not WSStream or type(protocol) is not H11Protocol:
        return None
    if type(server) is not TCPServer or type(stream.handshake) is not Handshake:
        return None
    transport = server.writer.transport
    if not isinstance(transport, asyncio.WriteTransport):
        return None
    stream.handshake.extensions = None
    return Wire(stream, transport)
