"""The two sockets as a client sees them: events that arrive, sound that leaves.

`EventStream` never ends by itself: it reconnects with growing pauses and resumes after the
last event it has given, so that each durable event comes once and in order. `AudioUpload`
doesn't reconnect: sound that nobody heard can't be sent again.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidStatus,
)

from common import PROTOCOL
from common.api import AudioHello
from common.events import Error as ErrorEvent
from common.events import (
    Event,
    Level,
    MalformedEvent,
    SessionStarted,
    SessionStopped,
    Welcome,
    parse,
)
from common.link import Link
from common.problems import Broken, Refused, Unreachable, refusal

FIRST_PAUSE = 0.25
"""Seconds before the first try to reconnect; each further one doubles."""
MOST_LEVELS = 64
"""Levels that wait for somebody who sends and doesn't look: 4 s of them."""
LONGEST_PAUSE = 15.0
"""Seconds: pauses don't grow beyond."""
FINAL_REFUSALS = {400, 401, 403, 404, 405}
"""Answers to the handshake that another try won't change."""


class EventStream:
    """An endless async iterator of events. Made by `common.client.Client.events`.

    Raises `Refused` for a server that will never let this client in, such as for a wrong
    token; anything else is waited out and told to `on_link`.
    """

    def __init__(
        self,
        urls: Sequence[str],
        headers: dict[str, str],
        query: dict[str, str],
        since: int | None = None,
    ) -> None:
        self.seq = since
        """Number of the last durable event given, for resuming."""
        self.on_link: Callable[[Link], None] = lambda link: None
        """Called with each change of the connection."""
        self.on_round_trip: Callable[[float], None] = lambda seconds: None
        """Called with the seconds that an answer took, each time one comes to `ping`."""
        self._urls = deque(urls)
        self._headers = headers
        self._query = query
        self._hurry = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._asked = 0.0

    def retry_now(self) -> None:
        """End the pause before the next try."""
        self._hurry.set()

    async def ping(self) -> None:
        """Ask the server for an answer, which `on_round_trip` is told of; harmless while away."""
        if self._socket is None:
            return
        self._asked = time.monotonic()
        try:
            await self._socket.send('{"command":"ping"}')
        except ConnectionClosed:
            pass  # The iterator finds out, too.

    async def __aiter__(self) -> AsyncIterator[Event]:
        attempt = 0
        while True:
            self.on_link(Link("connecting", attempt=attempt))
            reason = "the server closed the connection"
            try:
                async with _seen_off(self._connect()) as socket:
                    self._socket = socket
                    async for text in socket:
                        event = parse(text)
                        if event.event == "pong":
                            self.on_round_trip(time.monotonic() - self._asked)
                            continue
                        if isinstance(event, Welcome):
                            self._greet(event)
                            attempt = 0
                            self.on_link(Link("up"))
                        if self._is_new(event):
                            yield event
                    reason = _told(socket)
            except InvalidStatus as error:
                status = error.response.status_code
                if status in FINAL_REFUSALS:
                    raise refusal(status, bytes(error.response.body or b"")) from error
                reason = f"the server answered HTTP {status}"
            except (OSError, ConnectionClosed, InvalidHandshake, ValueError) as error:
                reason = _plain(error)
            finally:
                self._socket = None
            attempt += 1
            self._urls.rotate(-1)  # Another server of the cluster may be there.
            await self._pause(attempt, reason)

    def _connect(self) -> connect:
        query = dict(self._query)
        if self.seq is not None:
            query["since"] = str(self.seq)
        return connect(
            f"{self._urls[0]}?{urlencode(query)}" if query else self._urls[0],
            additional_headers=self._headers,
            compression=None,
            max_size=None,
            open_timeout=10,
            proxy=None,
        )

    def _greet(self, welcome: Welcome) -> None:
        if welcome.protocol > PROTOCOL:
            raise Refused(
                400,
                "server too new",
                f"it speaks protocol {welcome.protocol}, this client {PROTOCOL}: update the client",
            )
        if self.seq is None:
            self.seq = welcome.seq
        elif self.seq > (welcome.seq or 0):
            # A number of another server, or of another life of this one, which sends all it holds.
            self.seq = 0

    def _is_new(self, event: Event) -> bool:
        if event.seq is None or isinstance(event, Welcome):
            return True
        if self.seq is not None and event.seq <= self.seq:
            return False
        self.seq = event.seq
        return True

    async def _pause(self, attempt: int, reason: str) -> None:
        seconds = min(FIRST_PAUSE * 2 ** min(attempt - 1, 10), LONGEST_PAUSE)
        seconds *= random.uniform(0.8, 1.2)
        self._hurry.clear()
        self.on_link(Link("waiting", reason, attempt, time.monotonic() + seconds))
        try:
            await asyncio.wait_for(self._hurry.wait(), seconds)
        except TimeoutError:
            pass


class AudioUpload:
    """Sound on its way to a session of its own, and that session's events on their way back.

    Use it as an async context manager; leaving it stops the session if that wasn't done.
    Sending waits while the server can't take more. Iterate over it, in a task of its own
    where sound is live, until ``session_stopped`` ends it; until then events wait, of levels
    the last few only. Made by `Client.audio`.
    """

    def __init__(self, urls: Sequence[str], headers: dict[str, str], hello: AudioHello) -> None:
        self.session_id: str | None = hello.session_id
        self._urls = urls
        self._url = urls[0]
        self._headers = headers
        self._hello = hello
        self._waiting: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self._levels = 0
        self._reading: asyncio.Task[None]
        self._socket: ClientConnection

    async def __aenter__(self) -> Self:
        try:
            self._socket = await self._connect()
            await self._begin()
        except InvalidStatus as error:
            body = bytes(error.response.body or b"")
            raise refusal(error.response.status_code, body) from error
        except (OSError, ConnectionClosed, InvalidHandshake) as error:
            raise Unreachable(f"{self._url}: {_plain(error)}") from error
        return self

    async def _connect(self) -> ClientConnection:
        for url in self._urls:
            self._url = url
            try:
                return await connect(
                    url,
                    additional_headers=self._headers,
                    compression=None,
                    max_size=None,
                    proxy=None,
                    # A server that makes the sender wait doesn't read, so it can't answer pings.
                    ping_timeout=None,
                )
            except OSError:  # Another server of the cluster may be there.
                if url == self._urls[-1]:
                    raise
        raise AssertionError

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._leave()

    async def _leave(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await _see_off(self._socket)

    async def send(self, sound: bytes) -> None:
        """Send samples as announced; any length will do. Raises `Broken`."""
        await self._send(sound)

    async def flush(self) -> None:
        """End the utterance in progress here: a final comes without waiting for silence."""
        await self._send('{"command":"flush"}')

    async def stop(self) -> None:
        """End the session: what it holds is transcribed, then ``session_stopped`` comes."""
        await self._send('{"command":"stop"}')

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield the session's events up to and including ``session_stopped``. Raises `Broken`."""
        while True:
            event = await self._waiting.get()
            if isinstance(event, Exception):
                self._waiting.put_nowait(event)  # For whoever asks again.
                raise event
            self._levels -= isinstance(event, Level)
            yield event
            if isinstance(event, SessionStopped):
                return

    async def _read(self) -> None:
        """Take events off the socket, which would stop answering if nobody did."""
        try:
            async for text in self._socket:
                event = parse(text)
                if isinstance(event, Level):
                    if self._levels >= MOST_LEVELS:
                        continue
                    self._levels += 1
                self._waiting.put_nowait(event)
            self._waiting.put_nowait(Broken(f"{self._url}: {_told(self._socket)}"))
        except (ConnectionClosed, MalformedEvent) as error:
            self._waiting.put_nowait(Broken(_plain(error)))

    async def _send(self, message: bytes | str) -> None:
        try:
            await self._socket.send(message)
        except ConnectionClosed as error:
            raise Broken(_plain(error)) from error

    async def _begin(self) -> None:
        """Say hello and wait for ``session_started``. Raises `Refused` or `Broken`."""
        self._reading = asyncio.create_task(self._read())
        early: list[Event] = []
        try:
            await self._socket.send(self._hello.model_dump_json())
            while not early or not isinstance(early[-1], SessionStarted):
                event = await self._waiting.get()
                if isinstance(event, Exception):
                    raise _refused(early) or event
                early.append(event)
        except BaseException:
            await self._leave()
            raise
        self.session_id = early[-1].session_id
        later, self._waiting = self._waiting, asyncio.Queue()
        for waiting in early:
            self._waiting.put_nowait(waiting)
        while not later.empty():
            self._waiting.put_nowait(later.get_nowait())


@asynccontextmanager
async def _seen_off(connecting: connect) -> AsyncIterator[ClientConnection]:
    async with connecting as socket:
        try:
            yield socket
        finally:
            await _see_off(socket)


async def _see_off(socket: ClientConnection) -> None:
    """Close it, and read on meanwhile: the answer comes after all that nobody wants any more,
    and websockets reads nothing while a few messages wait.
    """
    reading = asyncio.create_task(_read_on(socket))
    try:
        await socket.close()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _read_on(socket: ClientConnection) -> None:
    async for _ in socket:
        pass


def _refused(events: list[Event]) -> Refused | None:
    faults = [event for event in events if isinstance(event, ErrorEvent)]
    if not faults:
        return None
    return Refused(faults[-1].status_code or 400, faults[-1].error, faults[-1].details)


def _told(socket: ClientConnection) -> str:
    code = socket.close_code
    return socket.close_reason or f"the server closed the connection ({code})"


def _plain(error: BaseException) -> str:
    if isinstance(error, ConnectionClosedOK):
        return "the server closed the connection"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    return str(error) or type(error).__name__
