"""The bus of a server in a cluster: what it publishes is told when it comes back from Redis.

So every server tells the same events in the same order under the same numbers. A final is put
down in the outbox before it leaves and in history when it is back, before anyone here is told.
While Redis is away durable events wait; what has no number goes to this server's own clients
at once, and so do the facts about this server alone (`system_status`, its faults), which then
have no number.
"""

import asyncio
import itertools
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Sequence, Set
from dataclasses import dataclass

from backend.bus import Bus
from backend.cluster import outbox
from backend.cluster.log import Entry
from backend.cluster.outbox import Left
from backend.hearing import Samples
from backend.history import History
from backend.subscription import Encoded, Told
from common.events import (
    Error,
    Event,
    Level,
    MalformedEvent,
    SystemStatus,
    Transcription,
    encode,
    parse,
)

log = logging.getLogger(__name__)

WAITING = 10_000
"""Durable events that may wait for Redis; beyond it only finals do, the others are lost."""
LIVE = 256
"""Partials and levels that may wait to be shared."""
LEVEL_PAUSE = 0.2
"""Seconds between two levels of a session that others are told."""
FINISHED = 512
"""Utterances of others whose finals are remembered: a partial that comes later is dropped."""
PATIENCE = 2.0
"""Seconds that a final waits for a disk that doesn't answer; then it leaves unwritten."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A durable event of this server that has not come back from Redis."""

    origin: str
    n: int
    event: Event
    text: str
    since: float
    """`time.monotonic`"""
    sound: Samples | None = None
    put_down: "asyncio.Future[None] | None" = None
    sent: bool = False
    """Over the connection that there is."""


class SharedBus(Bus):
    """A bus whose durable events go around by Redis. On the event loop."""

    def __init__(self, floor: int, history: History) -> None:
        """Begin.

        Args:
            floor: no number up to this may be given: history may have it.
            history: who writes down this server's own events.

        """
        super().__init__(0, history)
        self.floor = floor
        self.waiting: deque[Waiting] = deque()
        self.live: deque[str] = deque(maxlen=LIVE)
        """Texts that are to be shared, unless newer ones come first."""
        self.unforgotten: set[int] = set()
        """Numbers that the cluster is to forget."""
        self.wake = asyncio.Event()
        """Set when there is something for Redis."""
        self.joined = asyncio.Event()
        """Set once everything that the cluster holds has been read."""
        self.lost = 0
        """Durable events that nothing became of."""
        self.round_trip: float | None = None
        """Seconds from publishing to telling, of the newest event of this server."""
        self._history = history
        self._faults: dict[str, str] = {}
        self._own = {self.server_id}
        self._count = 0
        self._arrived = 0
        self._changed = asyncio.Event()
        self._levels: dict[str, float] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()

    @property
    def fault(self) -> str | None:
        """Why the cluster can't be reached now."""
        return next(iter(self._faults.values()), None)

    def note(self, part: str, fault: str | None) -> None:
        """Take down that a part of the way to Redis is broken, or works again."""
        before = self.fault
        if fault is None:
            self._faults.pop(part, None)
        else:
            self._faults[part] = fault
        if self.fault and not before:
            log.error("cluster: %s", fault)
            self._here(Error(error="Cluster can't be reached", details=_told(self.fault)))
            self._change()
        elif before and not self.fault:
            log.info("cluster: reached again")

    # From here to Redis.

    def publish(self, event: Event, sound: Samples | None = None) -> None:
        """Tell the event here at once, or everywhere when it comes back. On the loop only."""
        if not event.numbered() or event.session_id is None or isinstance(event, SystemStatus):
            self._here(event)
            return
        final = isinstance(event, Transcription)
        if len(self.waiting) >= WAITING and not final:
            self.lost += 1
            return
        text = encode(event)  # What can't be encoded takes no number.
        self._count += 1
        # Sound is large: while nothing can be told it doesn't wait in memory.
        kept = None if self.fault else sound
        one = Waiting(self.server_id, self._count, event, text, time.monotonic(), kept)
        if final:
            one.put_down = self._put_down(Left(one.origin, one.n, self.seq, text))
        self.waiting.append(one)
        self.wake.set()

    def _put_down(self, left: Left) -> "asyncio.Future[None] | None":
        if self._history.status().state != "on":
            return None  # Told by history; nobody waits for it.
        writing = asyncio.wait_for(self._history.write(outbox.put, left), PATIENCE)
        done = asyncio.ensure_future(writing)
        done.add_done_callback(_look_at)
        return done

    def unsent(self, limit: int) -> list[Waiting]:
        """Return what comes next for Redis, all of one origin; of an earlier life, one alone."""
        unsent = (one for one in self.waiting if not one.sent)
        if (first := next(unsent, None)) is None:
            return []
        if first.origin != self.server_id:
            return [first]
        ours = itertools.takewhile(lambda one: one.origin == self.server_id, unsent)
        return [first, *itertools.islice(ours, limit - 1)]

    def send_again(self) -> None:
        """Take nothing for sent: what became of it isn't known."""
        for one in self.waiting:
            one.sent = False

    def _here(self, event: Event) -> None:
        encoded = Encoded(encode(event))
        self._deliver(event, encoded)
        if isinstance(event, Level):
            now = time.monotonic()
            if now - self._levels.get(event.session_id or "", 0.0) >= LEVEL_PAUSE:
                self._levels = {one: at for one, at in self._levels.items() if now - at < 10}
                self._levels[event.session_id or ""] = now
                self._share(encoded.text)
        elif isinstance(event, Transcription):
            self._share(encoded.text)

    def _share(self, text: str) -> None:
        if not self.fault:
            self.live.append(text)
            self.wake.set()

    def forget(self, numbers: Set[int]) -> None:
        """Hold finals no longer, here and everywhere."""
        super().forget(numbers)
        self.unforgotten |= numbers
        self.wake.set()

    # From Redis to here.

    def adopt(self, left: Left) -> None:
        """Send a final that an earlier life left behind, unless it is in the stream already."""
        self._own.add(left.origin)
        one = Waiting(left.origin, left.n, parse(left.event), left.event, time.monotonic())
        self.waiting.append(one)
        self.wake.set()

    def drop(self, left: Waiting) -> None:
        """Wait no longer for what was in the stream once, and was deleted there."""
        if left in self.waiting:
            self.waiting.remove(left)
        self._remove(left.origin, left.n)

    @property
    def taken(self) -> int:
        """The newest number that came from the stream."""
        return self._numbered

    def start_after(self, seq: int) -> None:
        """Take a number for the newest that was told."""
        self.seq = self.first = self._numbered = seq

    def arrive(self, entry: Entry) -> None:
        """Take an event from the stream and tell it in its turn."""
        seq, mine = entry.seq, entry.origin in self._own
        self.first += seq - self._numbered - 1  # Numbers that nobody was given.
        self._numbered = seq
        waited = self._take_back(entry) if mine else None
        try:
            event = (waited.event if waited else parse(entry.event)).model_copy(update={"seq": seq})
        except MalformedEvent as error:
            log.warning("cluster: entry %d is no event: %s", seq, error)
            return
        written = None
        if mine and self._keeper:
            written = self._keeper.keep(event, waited.sound if waited else None)
            if isinstance(event, Transcription):
                self._remove(entry.origin, entry.n)
        elif isinstance(event, Transcription):
            self._finish(event.utterance_id)
        self._in_turn(event, Encoded(encode(event)), written)

    def _take_back(self, entry: Entry) -> Waiting | None:
        """Return what came back, which waits no longer."""
        for one in self.waiting:
            if (one.origin, one.n) == (entry.origin, entry.n):
                self.waiting.remove(one)
                break
        else:
            return None
        if one.origin == self.server_id:
            self._arrived = one.n
            self.round_trip = time.monotonic() - one.since
        return one

    def _remove(self, origin: str, n: int) -> None:
        if self._history.status().state != "off":
            done = asyncio.ensure_future(self._history.write(outbox.remove, origin, n))
            done.add_done_callback(_look_at)

    def arrive_live(self, text: str) -> None:
        """Tell a partial or a level of another server."""
        try:
            event = parse(text)
        except MalformedEvent as error:
            log.warning("cluster: no event: %s", error)
            return
        if isinstance(event, Transcription) and event.utterance_id in self._finished:
            return  # Its final came the other way, and sooner.
        self._deliver(event, Encoded(text))

    def _finish(self, utterance_id: str) -> None:
        self._finished[utterance_id] = None
        if len(self._finished) > FINISHED:
            self._finished.popitem(last=False)

    def forget_here(self, numbers: Set[int]) -> None:
        """Hold finals no longer: another server's client deleted them."""
        super().forget(numbers)

    # Waiting.

    def missing_since(self, since: int) -> bool:
        """Whether some events after that number are no longer held, or never were ours."""
        return since > self.seq or since + 1 < self.oldest

    async def settle(self) -> None:
        """Return when what was published until now has been told, or waits on disk for Redis."""
        last = self._count
        while self._arrived < last and not self.fault:
            await self._changed.wait()
        if pending := [one.put_down for one in self.waiting if one.put_down]:
            await asyncio.wait(pending)
        await self.drain()

    async def drain(self) -> None:
        """Return when all that came from the stream has been told."""
        await super().settle()

    async def reach(self, seq: int) -> None:
        """Return once a number has been told."""
        while self.seq < seq:
            await self._changed.wait()

    def _tell(self, told: Sequence[Told]) -> int:
        count = super()._tell(told)
        if any(event.seq is not None for event, _ in told):
            self._change()
        return count

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _look_at(done: "asyncio.Future[None]") -> None:
    if not done.cancelled() and done.exception():
        log.warning("cluster: the outbox can't be written: %s", done.exception())


def _told(fault: str | None) -> str:
    return (
        f"{fault}; finals wait, on disk too, and are told when Redis is there again; partials go on"
    )
