"""What one subscriber is told, and what waits for it when it takes less than there is.

A subscriber that falls behind loses levels and superseded partials first, since the newest takes
the place of an older one that was not sent yet; durable events are never dropped. One with too
many of them waiting, or that takes nothing for a while, is too slow and must come back with
``since``.

Events go out on one of two ways. With an outlet each is written to it at once, and what it
can't take waits and is written later (`pump`). Without one the subscription is iterated over.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from backend.wire import text_frame
from common.events import Event, Level, ModelProgress, Transcription, encode

BACKLOG = 1024
"""Durable events that may wait for one subscriber."""
PATIENCE = 2.0
"""Seconds for which an outlet may take nothing of what waits."""

Key = int | tuple[str, str | int | None]
"""What an event that waits is known by: one of the same key takes its place."""


class TooSlow(Exception):
    """A subscriber has too many durable events waiting."""


class Encoded:
    """An event as text, and as a frame once somebody wants that: once for all."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def frame(self) -> bytes:
        return text_frame(self.text)


class Several:
    """Events in one piece, for those who take frames."""

    def __init__(self, all_of_them: Iterable[Encoded]) -> None:
        self._encoded = tuple(all_of_them)

    @cached_property
    def frame(self) -> bytes:
        """Their frames, one after another."""
        return b"".join(encoded.frame for encoded in self._encoded)


Told = tuple[Event, Encoded]
"""An event that is told, and how."""


class Outlet(Protocol):
    """Where events go without waiting."""

    def take(self, encoded: Encoded) -> bool:
        """Send an event; False if the peer takes less than it is sent."""

    def take_several(self, several: Several) -> bool:
        """Send events at once; False, and nothing is sent, if it can't."""

    def send(self) -> Callable[[bytes], int] | None:
        """Return what sends a frame, or as much of it as it says, and needs no asking.

        None if there is no such way, or something is in it.
        """

    def finish(self, rest: bytes) -> None:
        """Send what was left of a frame."""

    def watch(self, disturbed: Callable[[], None]) -> None:
        """Have it told when a frame may no longer be sent unasked."""

    def end(self, *, too_slow: bool) -> None:
        """Send no more, and say why."""


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


EVERYTHING = Wanted()


@dataclass
class Dropped:
    """What subscribers were not told, because something newer took its place."""

    levels: int = 0
    partials: int = 0
    slow_clients: int = 0


class Circle(Protocol):
    """Those to whom frames are sent unasked."""

    def ask(self, subscription: "Subscription") -> None:
        """Send it no more."""


class Subscription:
    """One subscriber's events, in order. Iterate over it; each item is a JSON text."""

    def __init__(self, wanted: Wanted, dropped: Dropped) -> None:
        self.audience: Circle | None = None
        """Where it may be told without being asked."""
        self.wanted = wanted
        self._dropped = dropped
        self._waiting: OrderedDict[Key, Encoded] = OrderedDict()
        self._kept = 0
        self._replies = 0
        self._wake = asyncio.Event()
        self._closed = False
        self._overrun = asyncio.Event()
        self._outlet: Outlet | None = None
        self._take: Callable[[Encoded], bool] | None = None
        """The outlet's own, until the end."""
        self._ended = False
        self._took = 0.0

    @property
    def wanted(self) -> Wanted:
        """Which events it is told."""
        return self._wanted

    @wanted.setter
    def wanted(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._picky = wanted != EVERYTHING
        self._ask()

    @property
    def too_slow(self) -> bool:
        """Whether more durable events wait than may; it must come back and resume."""
        return self._overrun.is_set()

    @property
    def depth(self) -> int:
        """How many events wait that may not be dropped."""
        return self._kept

    def offer(self, event: Event, encoded: Encoded) -> bool:
        """Write an event that is wanted, or queue it in the place of what it supersedes.

        Returns whether it waits for `pump`.
        """
        if self._picky and not self._wanted.matches(event):
            return False
        # Of all here the most called: once for each event and client.
        if not self._waiting and self._take and self._take(encoded):
            return False
        if self._closed or self._overrun.is_set():
            return False
        if isinstance(event, Transcription):
            self._supersede(("partial", event.utterance_id), "partials")
        elif isinstance(event, Level):
            self._supersede(("level", event.session_id), "levels")
        self._queue(_key(event), encoded, event.seq is not None)
        return self._outlet is not None

    def offer_all(self, told: Iterable[Told], several: Several) -> bool:
        """`offer` events that come together; in one piece, if it wants and takes all of them."""
        at_once = self._outlet and self._take and not self._waiting and not self._picky
        if at_once and self._outlet and self._outlet.take_several(several):
            return False
        behind = [self.offer(event, encoded) for event, encoded in told]
        return any(behind)

    def send(self) -> Callable[[bytes], int] | None:
        """Return what may send every event's frame until the audience is told otherwise."""
        if self._picky or self._waiting or self._closed or not self._take or not self._outlet:
            return None
        return self._outlet.send()

    def finish(self, rest: bytes) -> None:
        """Write what `send` left of a frame."""
        if self._outlet:
            self._outlet.finish(rest)

    def resume(self, event: Event, encoded: Encoded) -> None:
        """Queue a durable event of the past. It doesn't count as falling behind."""
        if self.wanted.matches(event):
            self._waiting[("resumed", event.seq)] = encoded

    def reply(self, event: Event) -> None:
        """Tell an event to this subscriber alone."""
        if self._ended:
            return  # It was told the end already.
        self._replies += 1
        self._queue(("reply", self._replies), Encoded(encode(event)), 1)
        self.pump(self._took)

    def shorten(self, take: Callable[[Encoded], bool]) -> None:
        """Have `take` write each event at once that it can; iterate over the others.

        What it says no to waits, and all that follows with it, until that was iterated over.
        """
        self._take = take

    def attach(self, outlet: Outlet, first: Sequence[Event] = ()) -> None:
        """From now on write to an outlet: these events, then what waits."""
        self._outlet = outlet
        outlet.watch(self._ask)
        self._take = outlet.take if not self._ended else None
        self._took = asyncio.get_running_loop().time()
        waiting = self._waiting
        self._waiting = OrderedDict()
        for number, event in enumerate(first):
            self._waiting["first", number] = Encoded(encode(event))
        self._waiting.update(waiting)
        if self._overrun.is_set():
            self._end(too_slow=True)
        self.pump(self._took)

    def pump(self, now: float) -> bool:
        """Write what waits and is taken; return whether something still waits.

        Args:
            now: the loop's time.

        """
        if self._outlet is None or self._ended:
            return False
        while self._waiting and self._outlet.take(next(iter(self._waiting.values()))):
            self._next()
            self._took = now
        if not self._waiting:
            self._took = now
            if self._closed:
                self._end(too_slow=False)
        elif now - self._took > PATIENCE:
            self._overrun_it()
        return bool(self._waiting)

    def close(self) -> None:
        """End after what is waiting."""
        if not self._closed:
            self._closed = True
            self._ask()
            if self._outlet is None:
                self._take = None
            self._wake.set()
            self.pump(self._took)

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield texts until `close`. Raises `TooSlow`."""
        while True:
            if self._overrun.is_set():
                raise TooSlow
            if self._waiting:
                take, self._take = self._take, None  # Nothing may pass what is being sent.
                yield self._next().text
                self._take = None if self._closed else take
            elif self._closed:
                return
            else:
                self._wake.clear()
                await self._wake.wait()

    async def wait_until_too_slow(self) -> None:
        """Return once the subscriber is `TooSlow`, also while its sending is stuck."""
        await self._overrun.wait()

    def _ask(self) -> None:
        if self.audience:
            self.audience.ask(self)

    def _queue(self, key: Key, encoded: Encoded, kept: int) -> None:
        self._ask()
        if self._outlet and not self._waiting:
            self._took = asyncio.get_running_loop().time()
        self._waiting[key] = encoded
        self._kept += kept
        self._wake.set()
        if self._kept > BACKLOG:
            self._overrun_it()

    def _next(self) -> Encoded:
        key, encoded = self._waiting.popitem(last=False)
        self._kept -= isinstance(key, int) or key[0] == "reply"
        return encoded

    def _overrun_it(self) -> None:
        if self._overrun.is_set():
            return
        self._overrun.set()
        self._dropped.slow_clients += 1
        if self._outlet:
            self._end(too_slow=True)

    def _end(self, *, too_slow: bool) -> None:
        self._ended, self._take = True, None
        self._ask()
        self._waiting.clear()
        self._kept = 0
        if self._outlet:
            self._outlet.end(too_slow=too_slow)

    def _supersede(self, key: Key, kind: str) -> None:
        if self._waiting.pop(key, None) is not None:
            setattr(self._dropped, kind, getattr(self._dropped, kind) + 1)


def _key(event: Event) -> Key:
    if event.seq is not None:
        return event.seq
    if isinstance(event, Transcription):
        return ("partial", event.utterance_id)
    if isinstance(event, ModelProgress):
        return (event.event, f"{event.stage} of {event.model}")
    # Of everything else that isn't durable the newest is enough.
    return (event.event, event.session_id)
