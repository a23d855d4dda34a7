"""A WebSocket's own transport: where a frame that is the same for all is written at once.

The way through ASGI costs each client a task's turn and a frame of its own for every event. What
is written here goes straight to the socket, which Hypercorn doesn't offer: this is the one place
that knows its inner types, and where they are others (HTTP/2, another version) nothing is found
and ASGI is used. Sound has a way in of its own, `backend.intake`, which is opened here. An
uncompressed frame is legal whatever was negotiated (RFC 7692, section 6).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

from websockets.frames import Frame, Opcode
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection

from backend.intake import Intake

OPEN = ConnectionState.OPEN
FULL = 64 << 10
"""Bytes that a peer has not taken yet, over which nothing more is written to it."""
LAST = 2.0
"""Seconds that a client has to end a connection that we close."""
SILENT = 20.0
"""Seconds without a word from a client, after which it is asked whether it is there."""
ANSWER = 30.0
"""Seconds that it has to say anything, after which it is dropped."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


def text_frame(text: str) -> bytes:
    """Return a text as one frame of a server."""
    content = text.encode()
    size = len(content)
    if size <= 125:
        return b"\x81%c%b" % (size, content)
    if size <= 0xFFFF:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), content)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), content)


PING = Frame(Opcode.PING, b"").serialize(mask=False)


class Wire:
    """One client's transport. Nothing waits here but what the transport keeps."""

    __slots__ = (
        "_asked",
        "_ending",
        "_handle",
        "_send",
        "_stream",
        "_transport",
        "disturbed",
        "heard",
        "intake",
    )

    def __init__(self, stream: Any, transport: asyncio.Transport) -> None:
        self._stream = stream
        self._transport = transport
        self.heard = asyncio.get_running_loop().time()
        """When the client last sent anything, by the loop's clock."""
        self.intake: Intake | None = None
        """The way in past ASGI, where it was asked for."""
        self.disturbed: Callable[[], None] = _nothing
        """Called when what `send` returned may no longer be used."""
        self._send = _own_send(transport)
        self._asked: float | None = None
        self._ending: asyncio.TimerHandle | None = None
        self._handle = stream.handle
        stream.handle = self._hear

    def take(self, frame: bytes) -> bool:
        """Write a frame; False if the client takes less than it is sent."""
        # Once for each event and client: `write` and `_open` are spelled out.
        transport = self._transport
        if transport.get_write_buffer_size() > FULL:
            return False
        if self._stream.connection.state is OPEN and not transport.is_closing():
            transport.write(frame)
        return True

    def send(self) -> Callable[[bytes], int] | None:
        """Return the socket's own `send`, if nothing is in its way until `disturbed` is called."""
        if self.heard == inf or self._transport.get_write_buffer_size():
            return None
        return self._send if self._open and not self._transport.is_closing() else None

    def write(self, frame: bytes) -> None:
        """Send it, or have it wait in the transport; nothing follows a close frame."""
        self.disturbed()
        if self._open and not self._transport.is_closing():
            self._transport.write(frame)

    def close(self, code: int, reason: str) -> None:
        """Say why the connection ends; it is dropped if the client doesn't end it soon."""
        if self._ending:
            return
        self.disturbed()
        self._ending = asyncio.get_running_loop().call_later(LAST, self.abort)
        if self._open and not self._transport.is_closing():
            # Hypercorn must know, or it would answer the client's close with one more.
            self._transport.write(self._stream.connection.send(CloseConnection(code, reason)))
            self._stream.state = type(self._stream.state).CLOSED

    def open_inward(self) -> None:
        """Have an `Intake`, before the handshake is accepted, where there will be much to read.

        There is none if the client, which has to wait for the handshake, has already said more.
        """
        protocol = self._stream.send.__self__
        reader, inner = protocol.send.__self__.reader, self._transport.get_protocol()
        said = protocol.connection.buffer or reader._buffer
        if isinstance(inner, asyncio.StreamReaderProtocol) and not said:
            self.intake = Intake(self._transport, inner, self.take)

    def beat(self, now: float) -> None:
        """Ask a client that has long said nothing whether it is there; drop it if it isn't."""
        if self.intake and self.intake.stirred():
            self.heard = max(self.heard, now)
        if now - self.heard <= SILENT:
            self._asked = None
        elif self._asked is None:
            # Nobody is dropped unasked: it may be us who stood still.
            self._asked = now
            self.write(PING)
        elif now - self._asked > ANSWER:
            self.abort()

    def abort(self) -> None:
        """Drop what waits, and the connection with it."""
        self.disturbed()
        self._transport.abort()

    def forget(self) -> None:
        """Know that the connection has ended."""
        if self._ending:
            self._ending.cancel()
        # Cycles, which would wait for the collector.
        self._stream.__dict__.pop("handle", None)
        self.disturbed = _nothing

    @property
    def _open(self) -> bool:
        return self._stream.connection.state is OPEN

    async def _hear(self, event: Any) -> None:
        self.disturbed()  # It may be answered, by Hypercorn too.
        # As long as nobody takes what it said nothing more is read: that is no silence of its own.
        self.heard = inf
        try:
            await self._handle(event)
        finally:
            self.heard = asyncio.get_running_loop().time()


def _nothing() -> None:
    pass


def _own_send(transport: asyncio.Transport) -> Callable[[bytes], int] | None:
    """Return `send` of a transport's socket; None where it isn't known, as where TLS is spoken.

    asyncio shows nobody the socket itself. Once the transport has closed it this raises `OSError`;
    its number, which `os.write` would take, may be another's by then.
    """
    sock = getattr(transport, "_sock", None)
    return sock.send if isinstance(sock, socket.socket) else None


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
    if not isinstance(transport, asyncio.Transport):
        return None
    if stream.config.websocket_ping_interval is not None:
        return None  # It would write without being asked to.
    stream.handshake.extensions = None
    return Wire(stream, transport)
