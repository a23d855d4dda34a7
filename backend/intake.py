"""What a WebSocket's client says, taken from its transport as it comes.

On Hypercorn's way each frame passes two tasks, a stream of bytes that is allocated 256 KiB at a
time, and a parser for all that may come: more than it takes to hear it. Here plain frames go from
the transport's buffer to who waits for them. The first that isn't plain, and with it all that
follows, goes the public way, as does the end: `next` has no more then.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from websockets.frames import Frame, Opcode

from backend.frames import BINARY, PING, TEXT, NotPlain, first

ENOUGH = 64 << 10
"""Bytes that may wait for who doesn't read, over which the client is made to wait."""
OVERHEAD = 64
"""Bytes that a message takes besides what it says: of empty ones too not many may wait."""

Take = Callable[[bytes], bool]
"""Takes sound at once; False, and nothing is taken, if it can't."""

_buffer = memoryview(bytearray(16 << 10))
"""Where every client's bytes arrive: they are copied before the next ones are received. So many
at a time that one who sends a thousand tiny frames keeps the others waiting for 10 ms at most."""


class Intake(asyncio.BufferedProtocol):
    """Stands in for the protocol of a transport until something comes that isn't plain."""

    def __init__(
        self,
        transport: asyncio.Transport,
        inner: asyncio.Protocol,
        answer: Callable[[bytes], object],
    ) -> None:
        """Take what comes from now on.

        Args:
            transport: of the client, at the beginning of a frame.
            inner: whose place is taken, for a while.
            answer: writes a frame, if the client takes it.

        """
        self._transport = transport
        self._inner = inner
        self._answer = answer
        self._rest = b""
        self._messages: deque[str | bytes] = deque()
        self._waiting = 0
        self._paused = False
        self._stirred = True
        self._over = False
        self._take: Take | None = None
        self._waiter: asyncio.Future[None] | None = None
        transport.set_protocol(self)

    async def next(self, take: Take | None = None) -> str | bytes | None:
        """Return the next message; None if it has to be asked for the public way.

        Args:
            take: is offered what is binary as long as this waits, and called from the loop.

        """
        while not self._messages and not self._over:
            self._waiter = asyncio.get_running_loop().create_future()
            self._take = take
            try:
                await self._waiter
            finally:
                self._waiter = self._take = None
        return self._next() if self._messages else None

    def stirred(self) -> bool:
        """Whether anything came since this was asked; yes while we take nothing."""
        stirred, self._stirred = self._stirred or self._paused, False
        return stirred

    # The protocol.

    def get_buffer(self, sizehint: int) -> memoryview:
        return _buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._stirred = True
        data = bytes(_buffer[:nbytes])
        self._split(self._rest + data if self._rest else data)

    def eof_received(self) -> bool | None:
        self._give_back()
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._give_back()
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    # Ours.

    def _split(self, data: bytes) -> None:
        """Take the whole frames in it and keep the rest, as long as there is room."""
        begin = 0
        try:
            while self._waiting <= ENOUGH and (found := first(data, begin)):
                kind, content, end = found
                self._read(kind, content)
                begin = end
        except (NotPlain, UnicodeDecodeError):
            self._rest = data[begin:]
            self._give_back()
            return
        self._rest = data[begin:]
        if self._waiting > ENOUGH and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _read(self, kind: int, content: bytes) -> None:
        if kind == BINARY:
            if not (self._take and not self._messages and self._take(content)):
                self._queue(content)
        elif kind == TEXT:
            self._queue(content.decode())
        elif kind == PING:
            self._answer(Frame(Opcode.PONG, content).serialize(mask=False))

    def _queue(self, message: str | bytes) -> None:
        self._messages.append(message)
        self._waiting += len(message) + OVERHEAD
        self._wake()

    def _next(self) -> str | bytes:
        message = self._messages.popleft()
        self._waiting -= len(message) + OVERHEAD
        if self._paused and self._waiting <= ENOUGH // 2:
            self._go_on()
        return message

    def _go_on(self) -> None:
        self._split(self._rest)
        if self._paused and self._waiting <= ENOUGH:
            self._paused = False
            self._transport.resume_reading()

    def _give_back(self) -> None:
        """Let everything that isn't taken yet, and all that comes, go the public way."""
        if self._over:
            return
        self._over = True
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._transport.set_protocol(self._inner)
        if self._rest:
            self._inner.data_received(self._rest)
            self._rest = b""
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
