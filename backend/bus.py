"""Who is told? One publisher, many bounded subscribers, sequence numbers and resume.

The bus lives on the event loop; `Bus.tell` is the way in from other threads. Each event is
encoded once. A subscriber that falls behind loses levels and superseded partials first, since
the newest takes the place of an older one that was not sent yet; durable events are never
dropped. A subscriber with too many durable events waiting is `TooSlow` and must come back with
``since``.

A final is in history before anyone is told of it: events wait in line behind one that is being
written, so that their order is that of their numbers. Levels, which have neither, don't wait.
"""

import asyncio
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from backend.hearing import Samples
from common.events import Event, Level, Transcription, encode

HELD = 8192
"""Durable events kept for those who resume."""
RECENT = 50
"""Finals told in ``welcome``."""
BACKLOG = 1024
"""Durable events that may wait for one subscriber."""


Key = int | tuple[str, str | int | None]
"""What an event that waits is known by: one of the same key takes its place."""


class TooSlow(Exception):
    """A subscriber has too many durable events waiting."""


@dataclass(frozen=True)
class Wanted:
    """Which events a subscriber asked for."""

    names: frozenset[str] | None = None
    """Types of events; None means all."""
    session: str | None = None
    """Only this session's events; None means everyone's."""
    levels: bool = True

    def matches(self, event: Event) -> bool:
        if isinstance(event, Level) and not self.levels:
            return False
        if self.names is not None and event.event not in self.names:
            return False
        return self.session is None or event.session_id == self.session


@dataclass
class Dropped:
    """What subscribers were not told, because something newer took its place."""

    levels: int = 0
    partials: int = 0
    slow_clients: int = 0


class Subscription:
    """One subscriber's events, in order. Iterate over it; each item is a JSON text."""

    def __init__(self, wanted: Wanted, dropped: Dropped) -> None:
        self.wanted = wanted
        self._dropped = dropped
        self._waiting: OrderedDict[Key, str] = OrderedDict()
        self._kept = 0
        self._replies = 0
        self._wake = asyncio.Event()
        self._closed = False
        self._overrun = asyncio.Event()

    @property
    def too_slow(self) -> bool:
        """Whether more durable events wait than may; it must come back and resume."""
        return self._overrun.is_set()

    def offer(self, event: Event, text: str) -> None:
        """Queue an event that matches what is wanted, in the place of what it supersedes."""
        if self._closed or self._overrun.is_set() or not self.wanted.matches(event):
            return
        if isinstance(event, Transcription):
            self._supersede(("partial", event.utterance_id), "partials")
        elif isinstance(event, Level):
            self._supersede(("level", event.session_id), "levels")
        self._waiting[self._key(event)] = text
        self._count(event.seq is not None)
        self._wake.set()

    def resume(self, event: Event, text: str) -> None:
        """Queue a durable event of the past. It doesn't count as falling behind."""
        if self.wanted.matches(event):
            self._waiting[("resumed", event.seq)] = text

    def reply(self, event: Event) -> None:
        """Queue an event for this subscriber alone."""
        self._replies += 1
        self._waiting[("reply", self._replies)] = encode(event)
        self._count(1)
        self._wake.set()

    def close(self) -> None:
        """End the iteration after what is waiting."""
        self._closed = True
        self._wake.set()

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield texts until `close`. Raises `TooSlow`."""
        while True:
            if self._overrun.is_set():
                raise TooSlow
            if self._waiting:
                key, text = self._waiting.popitem(last=False)
                self._kept -= isinstance(key, int) or key[0] == "reply"
                yield text
            elif self._closed:
                return
            else:
                self._wake.clear()
                await self._wake.wait()

    async def wait_until_too_slow(self) -> None:
        """Return once the subscriber is `TooSlow`, also while its sending is stuck."""
        await self._overrun.wait()

    def _count(self, kept: int) -> None:
        """Count what may not be dropped."""
        self._kept += kept
        if self._kept > BACKLOG and not self._overrun.is_set():
            self._overrun.set()
            self._dropped.slow_clients += 1

    @staticmethod
    def _key(event: Event) -> Key:
        if event.seq is not None:
            return event.seq
        if isinstance(event, Transcription):
            return ("partial", event.utterance_id)
        # Of everything else that isn't durable the newest is enough.
        return (event.event, event.session_id)

    def _supersede(self, key: Key, kind: str) -> None:
        if self._waiting.pop(key, None) is not None:
            setattr(self._dropped, kind, getattr(self._dropped, kind) + 1)


class Keeper(Protocol):
    """Who writes events down before they are told."""

    def keep(self, event: Event, sound: Samples | None) -> "asyncio.Future[None] | None":
        """Begin to write an event; return what ends when that is done, None if nobody must wait."""


class Bus:
    """The one publisher. Make it on the event loop it shall live on."""

    def __init__(self, first: int | None = None, keeper: Keeper | None = None) -> None:
        """Begin to number.

        Args:
            first: the number before the first event's; None takes the time's.
            keeper: who writes down what must be before it is told.

        """
        self.server_id = uuid.uuid4().hex
        # Numbers go on growing over restarts, so that an old one is never taken for a new one.
        self.seq = int(time.time() * 1000) if first is None else first
        """The newest event's that was told."""
        self.first = self.seq
        """Everything numbered above this was published by this bus."""
        self.recent: deque[Transcription] = deque(maxlen=RECENT)
        self.dropped = Dropped()
        self.closed = asyncio.Event()
        """Set when the server leaves."""
        self._numbered = self.seq
        self._keeper = keeper
        self._line: deque[tuple[Event, str, asyncio.Future[None] | None]] = deque()
        self._held: deque[tuple[Event, str]] = deque(maxlen=HELD)
        self._subscriptions: set[Subscription] = set()
        self._within = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._loop = asyncio.get_running_loop()

    @property
    def connections(self) -> int:
        """How many clients subscribe."""
        return len(self._subscriptions) - self._within

    def publish(self, event: Event, sound: Samples | None = None) -> None:
        """Number the event if it is durable, and tell everyone who wants it. On the loop only.

        Args:
            event: what happened.
            sound: what to keep with it in history.

        """
        written = None
        if event.numbered():
            event = event.model_copy(update={"seq": self._numbered + 1})
        elif not self._subscriptions:
            return
        text = encode(event)  # What can't be encoded takes no number.
        if event.seq is not None:
            self._numbered = event.seq
            written = self._keeper.keep(event, sound) if self._keeper else None
        if isinstance(event, Level) or (written is None and not self._line):
            self._deliver(event, text)
            return
        self._line.append((event, text, written))
        if written:
            written.add_done_callback(self._move_up)

    def _move_up(self, _: object) -> None:
        """Tell what need not wait any longer."""
        while self._line and _is_written(self._line[0][2]):
            event, text, _ = self._line.popleft()
            self._deliver(event, text)

    async def settle(self) -> None:
        """Return when everything that was published until now has been told."""
        while self._line:
            last = [written for *_, written in self._line if written]
            await asyncio.wait(last)
            await asyncio.sleep(0)  # The line moves up in callbacks of the same turn.

    def _deliver(self, event: Event, text: str) -> None:
        if event.seq is not None:
            self.seq = event.seq
            self._held.append((event, text))
        if isinstance(event, Transcription) and event.is_final:
            self.recent.append(event)
        for subscription in self._subscriptions:
            subscription.offer(event, text)

    def forget(self, numbers: Set[int]) -> None:
        """Hold finals no longer: whoever resumes isn't told them again."""
        self._held = deque((one for one in self._held if one[0].seq not in numbers), maxlen=HELD)
        self.recent = deque((one for one in self.recent if one.seq not in numbers), maxlen=RECENT)

    def tell(self, event: Event) -> None:
        """`publish`, from any thread."""
        self._loop.call_soon_threadsafe(self.publish, event)

    @property
    def oldest(self) -> int:
        """The number of the oldest event that is held; of the next one if there is none."""
        return (self._held[0][0].seq if self._held else None) or self.seq + 1

    def missing_since(self, since: int) -> bool:
        """Whether some events after that number are no longer held, or never were ours."""
        return since > self.seq or since < self.first or since + 1 < self.oldest

    @contextmanager
    def subscribe(
        self, wanted: Wanted, since: int | None = None, *, within: bool = False
    ) -> Iterator[Subscription]:
        """Subscribe for the length of a ``with`` block.

        Args:
            wanted: which events.
            since: queue first what is held and numbered above this, or all of it where the
                number can't be ours.
            within: it is the server's own, and no connection.

        """
        subscription = Subscription(wanted, self.dropped)
        if self.closed.is_set():
            subscription.close()
        if since is not None:
            after = since if since <= self.seq else -1
            for event, text in self._held:
                if event.seq is not None and event.seq > after:
                    subscription.resume(event, text)
        self._subscriptions.add(subscription)
        self._within += within
        self._empty.clear()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            self._within -= within
            if not self._subscriptions:
                self._empty.set()

    def close(self) -> None:
        """End all subscriptions after what is waiting for them."""
        self.closed.set()
        for subscription in self._subscriptions:
            subscription.close()

    async def wait_until_empty(self, seconds: float) -> bool:
        """Wait, for so long at most, until nobody subscribes; say whether that is so."""
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _is_written(written: "asyncio.Future[None] | None") -> bool:
    return written is None or written.done()
