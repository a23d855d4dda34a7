"""Who is told? One publisher, many bounded subscribers, sequence numbers and resume.

The bus lives on the event loop; `Bus.tell` is the way in from other threads. Each event is
encoded once and framed once. What becomes of it at a subscriber that takes less than there is,
`backend.subscription` says.

A final is in history before anyone is told of it: events wait in line behind one that is being
written, so that their order is that of their numbers. Levels, which have neither, don't wait.
"""

import asyncio
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from typing import Protocol

from backend.audience import Audience
from backend.hearing import Samples
from backend.rounds import Rounds
from backend.subscription import Dropped, Encoded, Outlet, Subscription, Told, Wanted
from common.events import Event, Level, Transcription, encode

HELD = 8192
"""Durable events kept for those who resume."""
RECENT = 50
"""Finals told in ``welcome``."""
LATER = 0.02
"""Seconds after which is looked whether those who were behind take more."""


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
        self._line: deque[tuple[Event, Encoded, asyncio.Future[None] | None]] = deque()
        self._held: deque[Told] = deque(maxlen=HELD)
        self._subscriptions: set[Subscription] = set()
        self._broad = Audience(self._behind)
        self._of_session: defaultdict[str | None, set[Subscription]] = defaultdict(set)
        self._late: set[Subscription] = set()
        self._rounds = Rounds(self._tell)
        self._within = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._loop = asyncio.get_running_loop()

    @property
    def connections(self) -> int:
        """How many clients subscribe."""
        return len(self._subscriptions) - self._within

    @property
    def depth(self) -> int:
        """How many events that may not be dropped wait for the slowest subscriber."""
        return max((subscription.depth for subscription in self._subscriptions), default=0)

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
        encoded = Encoded(encode(event))  # What can't be encoded takes no number.
        if event.seq is not None:
            self._numbered = event.seq
            written = self._keeper.keep(event, sound) if self._keeper else None
        self._in_turn(event, encoded, written)

    def _in_turn(
        self, event: Event, encoded: Encoded, written: "asyncio.Future[None] | None"
    ) -> None:
        """Tell an event once it and those before it are written."""
        if isinstance(event, Level) or (written is None and not self._line):
            self._deliver(event, encoded)
            return
        self._line.append((event, encoded, written))
        if written:
            written.add_done_callback(self._move_up)

    def _move_up(self, _: object) -> None:
        """Tell what need not wait any longer."""
        while self._line and _is_written(self._line[0][2]):
            event, encoded, _ = self._line.popleft()
            self._deliver(event, encoded)

    async def settle(self) -> None:
        """Return when everything that was published until now has been told."""
        while self._line:
            last = [written for *_, written in self._line if written]
            await asyncio.wait(last)
            await asyncio.sleep(0)  # The line moves up in callbacks of the same turn.
        self._rounds.flush()

    def _deliver(self, event: Event, encoded: Encoded) -> None:
        self._rounds.add((event, encoded))

    def _tell(self, told: Sequence[Told]) -> int:
        """Tell events to everyone who wants them; return how many were asked."""
        for event, encoded in told:
            if event.seq is not None:
                self.seq = event.seq
                self._held.append((event, encoded))
            if isinstance(event, Transcription) and event.is_final:
                self.recent.append(event)
            for subscription in self._of_session.get(event.session_id, ()):
                if subscription.offer(event, encoded):
                    self._behind(subscription)
        self._broad.tell(told)
        return len(self._broad)

    def _behind(self, subscription: Subscription) -> None:
        if not self._late:
            self._loop.call_later(LATER, self._pump)
        self._late.add(subscription)

    def _pump(self) -> None:
        """Write to those who are behind what they take by now."""
        now = self._loop.time()
        self._late = {one for one in self._late & self._subscriptions if one.pump(now)}
        if self._late:
            self._loop.call_later(LATER, self._pump)

    def attach(
        self, subscription: Subscription, outlet: Outlet, first: Sequence[Event] = ()
    ) -> None:
        """Have these events, then a subscription's written to an outlet."""
        subscription.attach(outlet, first)
        self._behind(subscription)

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
        self,
        wanted: Wanted,
        since: int | None = None,
        *,
        within: bool = False,
        settled: bool = False,
    ) -> Iterator[Subscription]:
        """Subscribe for the length of a ``with`` block.

        Args:
            wanted: which events.
            since: queue first what is held and numbered above this, or all of it where the
                number can't be ours.
            within: it is the server's own, and no connection.
            settled: it will never want another session's; with hundreds of sessions each of
                their events is then offered only to those whom it concerns.

        """
        subscription = Subscription(wanted, self.dropped)
        if self.closed.is_set():
            subscription.close()
        if since is not None:
            after = since if since <= self.seq else -1
            for event, encoded in self._held:
                if event.seq is not None and event.seq > after:
                    subscription.resume(event, encoded)
        group = self._of_session[wanted.session] if settled else self._broad
        self._subscriptions.add(subscription)
        group.add(subscription)
        self._within += within
        self._empty.clear()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            group.discard(subscription)
            if settled and not group:
                self._of_session.pop(wanted.session, None)
            self._within -= within
            if not self._subscriptions:
                self._empty.set()

    def close(self) -> None:
        """End all subscriptions after what is waiting for them."""
        self._rounds.flush()
        self.closed.set()
        for subscription in self._subscriptions:
            subscription.close()
            self._behind(subscription)

    async def wait_until_empty(self, seconds: float) -> bool:
        """Wait, for so long at most, until nobody subscribes; say whether that is so."""
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _is_written(written: "asyncio.Future[None] | None") -> bool:
    return written is None or written.done()
